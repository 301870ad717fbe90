//! Loop in tract: unrolled once the number of its steps is known.

use dropout_onnx::verify::engine::{Meaning, Value};
use tract_onnx::pb;

use super::models::*;
use super::{load, outputs, reason, row};

const WIDE: &[Size] = &[Fix(2)];

/// The body of a loop over a state `s` of two floats: counter `i`, condition `go`.
fn body() -> pb::GraphProto {
    graph("body")
        .with_input("i", INT64, &[])
        .with_input("go", BOOL, &[])
        .with_input("s", FLOAT, WIDE)
}

/// A model that loops over `x` with a body that ends in `goes`, `t` and `seen`.
fn looping(inputs: &[&str], body: pb::GraphProto) -> Model {
    model(13)
        .input("x", FLOAT, WIDE)
        .init(int64s("three", &[], &[3]))
        .init(int64s("none", &[], &[0]))
        .init(boolean("yes", true))
        .init(boolean("no", false))
        .init(floats("one", &[2], &[1.0, 1.0]))
        .node(
            node("Loop", inputs, &["y", "all"])
                .named("loop")
                .subgraph("body", body),
        )
        .output("y", FLOAT, WIDE)
        .output("all", FLOAT, &[])
}

/// Adds one to the state, and collects the state before.
fn adding() -> pb::GraphProto {
    body()
        .with_node(node("Add", &["s", "one"], &["t"]))
        .with_node(node("Identity", &["go"], &["goes"]))
        .with_node(node("Identity", &["s"], &["seen"]))
        .with_output("goes", BOOL, &[])
        .with_output("t", FLOAT, WIDE)
        .with_output("seen", FLOAT, WIDE)
}

/// The final state and what was collected, with its shape.
fn found(model: &Model) -> (Vec<f64>, Vec<usize>, Vec<f64>) {
    let x = row(&[0.5, -4.0]);
    let found = outputs(model, Meaning::Inference, &[("x", x)], 0);
    let [state, all] = &found[..] else {
        panic!("{} outputs", found.len());
    };
    (state.to_f64(), all.shape().to_vec(), all.to_f64())
}

#[test]
fn a_constant_number_of_steps() {
    let after_three = (
        vec![3.5, -1.0],
        vec![3, 2],
        vec![0.5, -4.0, 1.5, -3.0, 2.5, -2.0],
    );
    for inputs in [&["three", "", "x"][..], &["three", "yes", "x"]] {
        assert_eq!(found(&looping(inputs, adding())), after_three, "{inputs:?}");
    }
}

#[test]
fn no_step_leaves_the_state_and_collects_nothing() {
    let nothing = (vec![0.5, -4.0], vec![0, 2], vec![]);
    for inputs in [["none", "yes", "x"], ["three", "no", "x"]] {
        assert_eq!(found(&looping(&inputs, adding())), nothing, "{inputs:?}");
    }
}

#[test]
fn a_condition_on_the_counter_ends_the_loop() {
    let mut body = adding();
    body.node.remove(1);
    let body = body.with_node(node("Less", &["i", "three"], &["goes"]));
    // the condition is that of the next step: 0, 1, 2 < 3, so steps 0 to 3 are done
    let (state, shape, _) = found(&looping(&["", "yes", "x"], body));
    assert_eq!((state, shape), (vec![4.5, 0.0], vec![4, 2]));
}

#[test]
fn the_number_of_steps_is_the_size_of_an_input() {
    let mut model = looping(&["size", "", "x"], adding());
    model
        .graph()
        .node
        .insert(0, node("Shape", &["x"], &["sizes"]).0);
    let squeeze = node("Squeeze", &["sizes"], &["size"]);
    model.graph().node.insert(1, squeeze.0);
    assert_eq!(found(&model).0, [2.5, -2.0]);
}

#[test]
fn a_loop_and_a_branch_in_a_loop() {
    let mut inner = adding();
    inner.name = "inner".into();
    for value in inner.input.iter_mut().chain(&mut inner.output) {
        value.name = format!("{}2", value.name);
    }
    for node in &mut inner.node {
        for name in node.input.iter_mut().chain(&mut node.output) {
            if name != "one" {
                *name = format!("{name}2");
            }
        }
    }
    let constant = |name: &str, from: &str| {
        graph(name)
            .with_node(node("Identity", &[from], &["branch"]))
            .with_output("branch", FLOAT, WIDE)
    };
    let outer = body()
        .with_node(node("Loop", &["three", "", "s"], &["u", "rest"]).subgraph("body", inner))
        .with_node(node("Equal", &["i", "none"], &["first"]))
        .with_node(
            node("If", &["first"], &["t"])
                .subgraph("then_branch", constant("then", "u"))
                .subgraph("else_branch", constant("else", "s")),
        )
        .with_node(node("Identity", &["go"], &["goes"]))
        .with_output("goes", BOOL, &[])
        .with_output("t", FLOAT, WIDE)
        .with_output("u", FLOAT, WIDE);
    let (state, shape, _) = found(&looping(&["three", "", "x"], outer));
    assert_eq!((state, shape), (vec![3.5, -1.0], vec![3, 2]));
}

#[test]
fn every_step_draws_its_own_mask() {
    let width = 1000;
    let model = |is_known: bool| {
        let goes = match is_known {
            true => node("Identity", &["go"], &["goes"]),
            false => node("Less", &["low", "half"], &["goes"]),
        };
        let body = graph("body")
            .with_input("i", INT64, &[])
            .with_input("go", BOOL, &[])
            .with_input("s", FLOAT, &[Fix(width)])
            .with_node(node("Dropout", &["s", "half", "yes"], &["t"]).named("drop"))
            .with_node(node("ReduceMin", &["s"], &["low"]).int("keepdims", 0))
            .with_node(goes)
            .with_output("goes", BOOL, &[])
            .with_output("t", FLOAT, &[Fix(width)]);
        model(13)
            .input("x", FLOAT, &[Fix(width)])
            .init(int64s("three", &[], &[3]))
            .init(float("half", 0.5))
            .init(boolean("yes", true))
            .node(node("Loop", &["three", "", "x"], &["y"]).subgraph("body", body))
            .output("y", FLOAT, &[Fix(width)])
    };
    let mut low = vec![1.0; width as usize];
    low[0] = 0.0;
    let run = |model: &Model, run: u64| {
        let inputs = [("x", row(&low))];
        outputs(model, Meaning::AsWritten { seed: 1 }, &inputs, run)[0].to_f64()
    };
    let kept = |y: &[f64]| y.iter().filter(|&&y| y == 8.0).count();
    let (one, two) = (run(&model(true), 0), run(&model(true), 1));
    assert!((80..170).contains(&kept(&one)), "{}", kept(&one)); // an eighth
    assert!(one.iter().all(|&y| y == 0.0 || y == 8.0));
    assert_eq!(one, run(&model(true), 0));
    assert_ne!(one, two);
    // the same numbers where steps are taken in the run
    assert_eq!(one, run(&model(false), 0));
    assert_eq!(two, run(&model(false), 1));
}

/// Goes on while the sum of the state is less than 9.
fn limited(mut body: pb::GraphProto) -> Model {
    body.node.retain(|node| node.output != ["goes"]);
    let body = body
        .with_node(node("ReduceSum", &["s"], &["sum"]).int("keepdims", 0))
        .with_node(node("Less", &["sum", "limit"], &["goes"]));
    looping(&["", "yes", "x"], body).init(float("limit", 9.0))
}

#[test]
fn a_number_of_steps_that_depends_on_data_is_taken_in_the_run() {
    let (state, shape, all) = found(&limited(adding()));
    assert_eq!((state, shape), (vec![8.5, 4.0], vec![8, 2]));
    assert_eq!((&all[..2], &all[14..]), (&[0.5, -4.0][..], &[7.5, 3.0][..]));
    // the twin: no step at all
    let mut none = limited(adding());
    none.graph().node[0].input[1] = "no".into();
    assert_eq!(found(&none), (vec![0.5, -4.0], vec![0, 2], vec![]));
}

#[test]
fn a_state_that_grows_a_number_of_times_that_depends_on_data_is_a_reason() {
    let mut growing = adding();
    growing.node.remove(0);
    let growing = growing.with_node(node("Concat", &["s", "one"], &["t"]).int("axis", 0));
    let why = reason(load(&limited(growing).source(), Meaning::Inference));
    assert!(
        why.contains("the shape of a state of a loop changes"),
        "{why}"
    );
}

#[test]
fn steps_that_are_too_many_to_be_written_out_are_taken_in_the_run() {
    let mut body = adding();
    for number in 0..60 {
        let negated = node("Neg", &["s"], &[&format!("n{number}")]);
        body = body.with_node(negated);
    }
    let model = looping(&["many", "", "x"], body).init(int64s("many", &[], &[300]));
    let (state, shape, all) = found(&model);
    assert_eq!((state, shape), (vec![300.5, 296.0], vec![300, 2]));
    assert_eq!(all[598..], [299.5, 295.0]);
}

/// A Scan over the rows of `x` whose outputs are read inside the body as well, and are its state and its input.
#[test]
fn a_scan_may_read_what_it_collects() {
    let body = graph("body")
        .with_input("s", FLOAT, WIDE)
        .with_input("e", FLOAT, WIDE)
        .with_node(node("Add", &["s", "e"], &["t"]))
        .with_node(node("Mul", &["t", "e"], &["u"]))
        .with_output("t", FLOAT, WIDE)
        .with_output("s", FLOAT, WIDE)
        .with_output("e", FLOAT, WIDE)
        .with_output("u", FLOAT, WIDE);
    let scan = node("Scan", &["zero", "x"], &["last", "s", "e", "u"]);
    let rows: &[Size] = &[Fix(3), Fix(2)];
    let model = model(11)
        .input("x", FLOAT, rows)
        .init(floats("zero", &[2], &[0.0, 0.0]))
        .node(scan.subgraph("body", body).int("num_scan_inputs", 1))
        .output("last", FLOAT, WIDE)
        .output("s", FLOAT, rows)
        .output("e", FLOAT, rows)
        .output("u", FLOAT, rows);
    let x = Value::from_f32(&[3, 2], &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]).unwrap();
    let found = outputs(&model, Meaning::Inference, &[("x", x.clone())], 0);
    let numbers: Vec<Vec<f64>> = found.iter().map(Value::to_f64).collect();
    assert_eq!(numbers[0], [9.0, 12.0]);
    assert_eq!(numbers[1], [0.0, 0.0, 1.0, 2.0, 4.0, 6.0]);
    assert_eq!(numbers[2], x.to_f64());
    assert_eq!(numbers[3], [1.0, 4.0, 12.0, 24.0, 45.0, 72.0]);
    assert!(found[1..].iter().all(|value| value.shape() == [3, 2]));
}

/// Doubles `x` while its sum is less than a limit, at most three times.
#[test]
fn a_condition_on_data_ends_the_loop_before_its_limit() {
    let body = body()
        .with_node(node("Add", &["s", "s"], &["t"]))
        .with_node(node("ReduceSum", &["t"], &["sum"]).int("keepdims", 0))
        .with_node(node("Less", &["sum", "limit"], &["goes"]))
        .with_output("goes", BOOL, &[])
        .with_output("t", FLOAT, WIDE);
    let looped = node("Loop", &["three", "yes", "x"], &["y"]).subgraph("body", body);
    let model = model(13)
        .input("x", FLOAT, WIDE)
        .init(int64s("three", &[], &[3]))
        .init(boolean("yes", true))
        .init(float("limit", 10.0))
        .node(looped)
        .output("y", FLOAT, WIDE);
    for (x, y) in [
        ([1.0, 1.0], [8.0, 8.0]), // 4, 8, 16: after the third
        ([1.0, 2.0], [4.0, 8.0]), // 6, 12: after the second
        ([9.0, 9.0], [18.0, 18.0]),
        ([0.25, 0.0], [2.0, 0.0]), // the limit of steps
    ] {
        let found = outputs(&model, Meaning::Inference, &[("x", row(&x))], 0);
        assert_eq!(found[0].to_f64(), y, "{x:?}");
    }
}

/// Two steps of a Loop, each with a Scan over two rows that drops elements of each.
#[test]
fn every_step_of_a_scan_in_a_loop_draws_its_own_mask() {
    let (width, rows): (i64, &[Size]) = (64, &[Fix(2), Fix(64)]);
    let wide: &[Size] = &[Fix(width)];
    let scanned = graph("scanned")
        .with_input("e", FLOAT, wide)
        .with_node(node("Dropout", &["e", "half", "yes"], &["d"]).named("drop"))
        .with_output("d", FLOAT, wide);
    let body = graph("body")
        .with_input("i", INT64, &[])
        .with_input("go", BOOL, &[])
        .with_node(
            node("Scan", &["x"], &["rows"])
                .subgraph("body", scanned)
                .int("num_scan_inputs", 1),
        )
        .with_node(node("Identity", &["go"], &["goes"]))
        .with_output("goes", BOOL, &[])
        .with_output("rows", FLOAT, rows);
    let model = model(13)
        .input("x", FLOAT, rows)
        .init(int64s("two", &[], &[2]))
        .init(float("half", 0.5))
        .init(boolean("yes", true))
        .node(node("Loop", &["two", ""], &["y"]).subgraph("body", body))
        .output("y", FLOAT, &[Fix(2), Fix(2), Fix(width)]);
    let ones = Value::from_f32(&[2, width as usize], &[1.0; 128]).unwrap();
    let draw = |run| {
        let inputs = [("x", ones.clone())];
        let found = outputs(&model, Meaning::AsWritten { seed: 1 }, &inputs, run);
        found[0].to_f64()
    };
    let masks = [draw(0), draw(1)].concat();
    let masks: Vec<&[f64]> = masks.chunks(width as usize).collect();
    assert_eq!(masks.len(), 8);
    for (at, mask) in masks.iter().enumerate() {
        assert!(!masks[..at].contains(mask), "mask {at} is drawn twice");
    }
    assert_eq!(draw(0), draw(0));
}
