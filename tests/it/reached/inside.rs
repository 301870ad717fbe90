//! Differences inside of functions and bodies: reached where the runs come to them.

use dropout_onnx::onnx::DataType;
use dropout_onnx::verify::compare::Tolerance;
use dropout_onnx::verify::{self, Demand, Options, Verdict, run};

use super::{branched, compared, is_equal, is_not_shown, table};
use crate::common::build::{
    f32_scalar, f32s, flag, function, graph, i64s, int, model, op, subgraph, x_to_y,
};
use crate::common::proto::{Dim, Graph, Model, Node};

/// A model that calls a function with the nodes of a graph; its initializers are inputs of the function.
fn called(inner: Graph) -> Model {
    let names: Vec<String> = inner
        .initializer
        .iter()
        .filter_map(|i| i.name.clone())
        .collect();
    let inputs = format!("x, {}", names.join(", "));
    let body = function("f", &inputs, "y", 17, inner.node.clone());
    let call = op(&format!("y = local::f({inputs})"));
    let mut outer = x_to_y([call]);
    outer.initializer = inner.initializer;
    model(17, outer).imports("local", 1).function(body)
}

fn verdict_of_calls(one: Graph, other: Graph) -> Verdict {
    let [one, other] = [one, other].map(|graph| called(graph).read());
    compared(&one, &other, Tolerance::Exact).verdict(Demand::Outputs)
}

#[test]
fn rows_and_branches_in_functions_are_observed() {
    let (rows, twice) = ([1.0, 2.0, 4.0], [2.0, 4.0, 8.0]);
    for (indices, read) in [([0, 1, -1], true), ([0, 1, 1], false)] {
        let verdict = verdict_of_calls(table(&indices, &rows, 3.0), table(&indices, &twice, 1.5));
        match (read, verdict) {
            (true, verdict) => assert_eq!(verdict, Verdict::Equal),
            (false, Verdict::NotShown { reason }) => {
                assert!(reason.contains("row 2 of `rows` is never read"), "{reason}");
            }
            (false, verdict) => panic!("{verdict:?}"),
        }
    }
    for (threshold, equal) in [(-1000.0, true), (1000.0, false)] {
        let [one, other] = ["p = Add(x, x)", "p = Mul(x, two)"]
            .map(|then| branched(threshold, then, "q = Neg(x)"));
        let verdict = verdict_of_calls(one, other);
        assert_eq!(verdict == Verdict::Equal, equal, "{verdict:?}");
    }
}

#[test]
fn a_function_is_equal_to_what_it_computes() {
    let inlined =
        |factor| x_to_y([op("h = Mul(x, c)"), op("y = Relu(h)")]).init("c", f32_scalar(factor));
    let verdict = |factor| {
        let [one, other] = [called(inlined(2.0)), model(17, inlined(factor))];
        compared(&one.read(), &other.read(), Tolerance::Exact).verdict(Demand::Outputs)
    };
    assert_eq!(verdict(2.0), Verdict::Equal);
    assert!(matches!(verdict(3.0), Verdict::Different { .. }));
}

#[test]
fn a_function_has_operators_of_its_own_opset() {
    let plain = || {
        graph([op("y = Softmax(x)")])
            .input_of("x", DataType::FLOAT, &[2, 3, 4])
            .output_of("y", DataType::FLOAT, &[2, 3, 4])
    };
    let call = |opset| {
        let mut outer = plain();
        outer.node = vec![op("y = local::f(x)")];
        let body = function("f", "x", "y", opset, plain().node);
        model(17, outer).imports("local", 1).function(body)
    };
    let verdict = |one: Model, other: Model| {
        compared(&one.read(), &other.read(), Tolerance::Exact).verdict(Demand::Outputs)
    };
    for opset in [13, 16, 17] {
        assert_eq!(verdict(call(opset), model(17, plain())), Verdict::Equal);
    }
    // Softmax of two axes at once
    for other in [model(17, plain()), call(17)] {
        let Verdict::NotShown { reason } = verdict(call(12), other) else {
            panic!("softmax of the last axis");
        };
        assert!(reason.contains("has Softmax of opset 12"), "{reason}");
    }
}

/// A body with a state and the number of the iteration.
fn body(nodes: &[&str]) -> Graph {
    let nodes = [&["go = Identity(on)"], nodes].concat();
    graph(nodes.into_iter().map(op))
        .input_of("i", DataType::INT64, &[])
        .input_of("on", DataType::BOOL, &[])
        .input("a")
        .output_of("go", DataType::BOOL, &[])
        .output("b")
}

/// Iterations of a body on `x`, as many as there are.
fn looped(limit: i64, nodes: &[&str]) -> Graph {
    let repeated = op("y = Loop(limit, yes, x)").with(subgraph("body", body(nodes)));
    x_to_y([repeated])
        .init("limit", i64s(&[limit]))
        .init("yes", flag(true))
        .init("two", f32_scalar(2.0))
        .init("zero", i64s(&[0]))
}

/// As [`looped`], as often as a sum is greater than a number.
fn counted(threshold: f32, most: i64, nodes: &[&str]) -> Graph {
    let nodes: [Node; 6] = [
        op("s = ReduceSum(x)").with(int("keepdims", 0)),
        op("c = Greater(s, t)"),
        op("n = Cast(c)").with(int("to", 7)),
        op("m = Mul(n, most)"),
        op("limit = Squeeze(m)"),
        op("y = Loop(limit, yes, x)").with(subgraph("body", body(nodes))),
    ];
    x_to_y(nodes)
        .init("t", f32_scalar(threshold))
        .init("most", i64s(&[most]))
        .init("yes", flag(true))
        .init("two", f32_scalar(2.0))
}

const ADDED: &[&str] = &["b = Add(a, a)"];
const DOUBLED: &[&str] = &["b = Mul(a, two)"];

#[test]
fn bodies_of_loops_have_to_run() {
    for limit in [1, 3] {
        is_equal(looped(limit, ADDED), looped(limit, DOUBLED));
    }
    is_equal(counted(-1000.0, 2, ADDED), counted(-1000.0, 2, DOUBLED));
    for (threshold, most, iterations) in [(1000.0, 2, 0), (-1000.0, 1, 1)] {
        is_not_shown(
            counted(threshold, most, ADDED),
            counted(threshold, most, DOUBLED),
            &format!("body (before): no run takes more than {iterations} of its iterations"),
        );
    }
}

#[test]
fn a_second_iteration_reads_what_the_first_computed() {
    // the first reads x, in the state and from outside
    let [state, outer] = ["b = Add(a, a)", "b = Add(a, x)"];
    is_equal(looped(1, &[state]), looped(1, &[outer]));
    is_not_shown(
        counted(-1000.0, 1, &[state]),
        counted(-1000.0, 1, &[outer]),
        "no run takes more than 1 of its iterations",
    );
    let [one, other] = [state, outer].map(|text| model(17, counted(-1000.0, 2, &[text])).read());
    let verdict = compared(&one, &other, Tolerance::Exact).verdict(Demand::Outputs);
    assert!(matches!(verdict, Verdict::Different { .. }), "{verdict:?}");
}

#[test]
fn sides_and_constants_in_bodies_are_reached_by_iterations() {
    let picked = |text| {
        [
            "first = Equal(i, zero)",
            "n = Neg(a)",
            text,
            "b = Where(first, n, q)",
        ]
    };
    for (limit, equal) in [(1, false), (2, true)] {
        let [one, other] =
            ["q = Add(a, a)", "q = Mul(a, two)"].map(|text| looped(limit, &picked(text)));
        match equal {
            true => is_equal(one, other),
            false => is_not_shown(
                one,
                other,
                "where it is false (before): no run selects from it",
            ),
        }
    }
    let clipped =
        |most| looped(2, &["l = Min(a, most)", "b = Add(l, a)"]).init("most", f32_scalar(most));
    is_not_shown(clipped(1000.0), clipped(2000.0), "no output depends on it");
}

/// A Scan over the rows of `x`, whose number is open if not given.
fn scanned(rows: Option<i64>, text: &str) -> Model {
    let body = graph([op("b = Add(a, row)"), op(text)])
        .input_of("a", DataType::FLOAT, &[3])
        .input_of("row", DataType::FLOAT, &[3])
        .output_of("b", DataType::FLOAT, &[3])
        .output_of("c", DataType::FLOAT, &[3]);
    let scan = op("last, y = Scan(start, x)")
        .with(subgraph("body", body))
        .with(int("num_scan_inputs", 1));
    let size = rows.unwrap_or_default();
    let mut graph = graph([scan])
        .input_of("x", DataType::FLOAT, &[size, 3])
        .output_of("y", DataType::FLOAT, &[size, 3])
        .init("start", f32s(&[3], &[1.0, 2.0, 3.0]))
        .init("two", f32_scalar(2.0));
    for info in [&mut graph.input[0], &mut graph.output[0]] {
        if rows.is_none() {
            let shape = info.r#type.as_mut().unwrap().tensor_type.as_mut().unwrap();
            shape.shape.as_mut().unwrap().dim[0] = Dim {
                dim_value: None,
                dim_param: Some("n".into()),
            };
        }
    }
    model(17, graph)
}

#[test]
fn bodies_of_scans_have_to_run() {
    let verdict = |declared: Option<i64>, rows: usize, [one, other]: [&str; 2]| {
        let settings = run::Settings::default().dims(
            declared
                .is_none()
                .then(|| ("n".to_string(), rows))
                .into_iter()
                .collect(),
        );
        let [one, other] = [one, other].map(|text| scanned(declared, text).read());
        let found = verify::verify(&one, &other, &Options::asked(true, Some(settings))).unwrap();
        found.verdict(Demand::Outputs)
    };
    let same = ["c = Add(b, b)", "c = Mul(b, two)"];
    assert_eq!(verdict(Some(1), 1, same), Verdict::Equal);
    assert_eq!(verdict(None, 2, same), Verdict::Equal);
    // the state is `start` in the first iteration only
    let first = ["c = Add(a, row)", "c = Add(start, row)"];
    assert_eq!(verdict(Some(1), 1, first), Verdict::Equal);
    assert!(matches!(verdict(None, 2, first), Verdict::Different { .. }));
    for pair in [same, first] {
        let Verdict::NotShown { reason } = verdict(None, 1, pair) else {
            panic!("one iteration of any number");
        };
        assert!(
            reason.contains("no run takes more than 1 of its iterations"),
            "{reason}"
        );
    }
}
