//! What equal runs do not show: differences that random inputs may not reach.

use dropout_onnx::verify::structure::{self, Kind};
use dropout_onnx::verify::{self, Demand, Verdict, Verification};

use crate::common::build::{
    f32_scalar, f32s, float, function, graph, i64s, int, model, op, subgraph, untyped, x_to_y,
};
use crate::common::proto::{Graph, Model, Node};

fn compared(before: &Model, after: &Model, options: &verify::Options) -> Verification {
    verify::verify(&before.read(), &after.read(), options).expect("verify")
}

/// The runs agree, the structures differ in this, and what it comes to is this.
#[track_caller]
fn differ(before: &Model, after: &Model, kind: Kind, why: &str) -> Verdict {
    let found = compared(before, after, &verify::Options::default());
    let Some(structure::Verdict::Different(mismatch)) = &found.structure else {
        panic!("{:?}", found.structure);
    };
    assert_eq!((mismatch.kind, mismatch.to_string().as_str()), (kind, why));
    let outcome = &found.run.as_ref().expect("asked for").outcome;
    assert_eq!(*outcome, verify::run::Outcome::Equal);
    let strict = found.verdict(Demand::Rewrite);
    assert!(matches!(strict, Verdict::Different { .. }), "{strict:?}");
    let by_runs = verify::Options::default().structure(false);
    let by_runs = compared(before, after, &by_runs);
    assert_eq!(by_runs.verdict(Demand::Outputs), Verdict::Equal);
    found.verdict(Demand::Outputs)
}

#[track_caller]
fn not_shown(before: &Model, after: &Model, kind: Kind, why: &str) {
    match differ(before, after, kind, why) {
        Verdict::NotShown { reason } => {
            assert!(reason.starts_with(why), "{reason}");
            assert!(reason.contains("the runs agree, but "), "{reason}");
        }
        verdict => panic!("{verdict:?}"),
    }
}

#[track_caller]
fn equal(before: &Model, after: &Model, why: &str) {
    let verdict = differ(before, after, Kind::Operators, why);
    assert_eq!(verdict, Verdict::Equal);
}

/// `y` is rows of a table; runs look at few of 200.
fn embedding(last: f32) -> Model {
    let mut rows = vec![1.0; 200];
    rows[199] = last;
    let nodes = [op("h = Gather(e, i)"), op("y = Add(x, h)")];
    let graph = x_to_y(nodes).init("e", f32s(&[200, 1], &rows));
    model(13, graph.init("i", i64s(&[0])))
}

#[test]
fn a_row_that_no_run_reads() {
    let why = "same architecture, 1 weight differs (max |Δ| 1.0): `e` [200, 1]";
    not_shown(&embedding(1.0), &embedding(2.0), Kind::Constant, why);
    let same = compared(
        &embedding(2.0),
        &embedding(2.0),
        &verify::Options::default(),
    );
    assert_eq!(same.verdict(Demand::Outputs), Verdict::Equal);
}

#[test]
fn a_row_that_every_run_reads() {
    let mut after = embedding(1.0);
    let raw = after.main_mut().initializer[0].raw_data.as_mut().unwrap();
    raw[3] ^= 0x40;
    let found = compared(&embedding(1.0), &after, &verify::Options::default());
    for demand in [Demand::Rewrite, Demand::Outputs] {
        let verdict = found.verdict(demand);
        assert!(matches!(verdict, Verdict::Different { .. }), "{verdict:?}");
    }
}

#[test]
fn a_constant_on_one_side() {
    let of = |nodes: &[&str], limit: f32| {
        let graph = x_to_y(nodes.iter().map(|text| op(text)));
        model(13, graph.init("c", f32_scalar(limit)))
    };
    // no input is as large
    let why = "output `y` first diverges at Min `y` before and Relu `h` after";
    let before = of(&["h = Relu(x)", "y = Min(h, c)"], 1e9);
    let after = of(&["h = Relu(x)", "y = Identity(h)"], 1e9);
    not_shown(&before, &after, Kind::Branch, why);
    // the same operators in another form
    let before = of(&["h = Relu(x)", "y = Add(h, c)"], 1.0);
    let after = of(&["h = Relu(x)", "n = Neg(c)", "y = Sub(h, n)"], 1.0);
    let why = "output `y` first diverges at Add `y` before and Sub `y` after";
    let verdict = differ(&before, &after, Kind::Branch, why);
    assert_eq!(verdict, Verdict::Equal);
}

#[test]
fn an_attribute_and_a_version() {
    let of = |opset, alpha| {
        let nodes = [
            op("s = Sigmoid(x)"),
            op("y = LeakyRelu(s)").with(float("alpha", alpha)),
        ];
        model(opset, x_to_y(nodes))
    };
    let why = "output `y` first diverges at LeakyRelu `y` (attributes differ)";
    not_shown(&of(13, 0.25), &of(13, 0.5), Kind::Attributes, why);
    let why = "output `y` first diverges at LeakyRelu `y` (opset 5 before, 13 after)";
    equal(&of(5, 0.25), &of(13, 0.25), why);
    let why =
        "output `y` first diverges at LeakyRelu `y` (opset 5 before, 13 after; attributes differ)";
    not_shown(&of(5, 0.25), &of(13, 0.5), Kind::Attributes, why);
}

fn branch(text: &str) -> Graph {
    let mut graph = graph([op(text)]);
    graph.output.push(untyped("t"));
    graph
}

/// An If whose condition is false in every run.
fn branches(then: &str, or: &str) -> Model {
    let nodes = [
        op("s = ReduceMax(x)").with(int("keepdims", 0)),
        op("c = Greater(s, limit)"),
        op("y = If(c)")
            .with(subgraph("then_branch", branch(then)))
            .with(subgraph("else_branch", branch(or))),
    ];
    model(13, x_to_y(nodes).init("limit", f32_scalar(1e9)))
}

#[test]
fn a_branch_that_no_run_takes() {
    let (before, after) = (
        branches("t = Relu(x)", "t = Neg(x)"),
        branches("t = Abs(x)", "t = Neg(x)"),
    );
    let why = "output `y` first diverges at If `y` (subgraphs differ)";
    not_shown(&before, &after, Kind::Branch, why);
}

#[test]
fn a_side_that_no_run_selects() {
    let of = |side: &str| {
        let nodes = [
            "c = Greater(x, limit)",
            side,
            "n = Neg(x)",
            "y = Where(c, s, n)",
        ];
        model(13, x_to_y(nodes.map(op)).init("limit", f32_scalar(1e9)))
    };
    let why = "output `y` first diverges at Where `y` (values to select from differ)";
    not_shown(&of("s = Relu(x)"), &of("s = Abs(x)"), Kind::Branch, why);
}

/// Of several differences, the kind is that which runs show least.
#[test]
fn of_several_differences_the_worst_counts() {
    let of = |top: f32, nodes: [Node; 2]| {
        let graph = x_to_y(nodes).output("z").init("c", f32_scalar(top));
        model(13, graph)
    };
    let before = of(1e9, [op("y = Sum(x)"), op("z = Min(x, c)")]);
    let after = of(2e9, [op("y = Max(x)"), op("z = Min(x, c)")]);
    let why = "output `y` first diverges at Sum `y` before and Max `y` after";
    not_shown(&before, &after, Kind::Constant, why);
    let after = of(1e9, [op("y = Max(x)"), op("z = Min(x, c)")]);
    equal(&before, &after, why);
}

#[test]
fn a_function_is_looked_into() {
    let of = |body: [Node; 2]| {
        let f = function("F", "i", "o", 13, body);
        model(13, x_to_y([op("y = local::F(x)")]))
            .imports("local", 1)
            .function(f)
    };
    let constant = |top: f32| {
        of([
            op("c = Constant()").with(float("value_float", top)),
            op("o = Min(i, c)"),
        ])
    };
    let found = compared(&constant(1e9), &constant(2e9), &verify::Options::default());
    let Some(structure::Verdict::Different(mismatch)) = &found.structure else {
        panic!("{:?}", found.structure);
    };
    assert_eq!(mismatch.kind, Kind::Constant, "{mismatch}");
    let verdict = found.verdict(Demand::Outputs);
    assert!(matches!(verdict, Verdict::NotShown { .. }), "{verdict:?}");
}

#[test]
fn outputs_in_another_order() {
    let of = |outputs: [&str; 2]| {
        let mut graph = x_to_y([op("y = Relu(x)"), op("z = Neg(x)")]).output("z");
        graph.output.sort_by_key(|info| info.name() != outputs[0]);
        model(13, graph)
    };
    let why = "output 0 is `y` before and `z` after";
    not_shown(&of(["y", "z"]), &of(["z", "y"]), Kind::Interface, why);
}

/// Where the structures differ and nothing runs, neither is shown; by structure alone they differ.
#[test]
fn what_cannot_be_run_is_not_different_for_that() {
    let of = |node: &str| {
        model(13, x_to_y([op("h = com.example::Foo(x)"), op(node)])).imports("com.example", 1)
    };
    let (before, after) = (of("y = Sub(h, x)"), of("y = Sub(x, h)"));
    let found = compared(&before, &after, &verify::Options::default());
    match found.verdict(Demand::Outputs) {
        Verdict::NotShown { reason } => {
            assert!(
                reason.contains("first diverges") && reason.contains("com.example::Foo"),
                "{reason}"
            );
        }
        verdict => panic!("{verdict:?}"),
    }
    let strict = found.verdict(Demand::Rewrite);
    assert!(matches!(strict, Verdict::Different { .. }), "{strict:?}");
    let options = verify::Options::default().run(None);
    let by_structure = compared(&before, &after, &options).verdict(Demand::Outputs);
    assert!(
        matches!(by_structure, Verdict::Different { .. }),
        "{by_structure:?}"
    );
}

/// Without a name for its last part, a Split still has as many.
#[test]
fn a_split_into_three_is_not_one_into_two() {
    let of = |outputs: &str| {
        let node = op(&format!("{outputs} = Split(h)")).with(int("axis", 1));
        let mut graph = graph([
            op("h = Concat(x, x)").with(int("axis", 1)),
            node,
            op("y = Shape(p)"),
        ]);
        graph.input = x_to_y([]).input;
        graph.output.push(untyped("y"));
        model(13, graph)
    };
    let options = verify::Options::default().run(None);
    let found = compared(&of("p, q, "), &of("p, q"), &options);
    assert!(matches!(
        found.structure,
        Some(structure::Verdict::Different(_))
    ));
    let found = compared(&of("p, q, "), &of("p, q, "), &options);
    assert!(matches!(
        found.structure,
        Some(structure::Verdict::Same { .. })
    ));
}
