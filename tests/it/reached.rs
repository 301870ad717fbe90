//! Models that differ where a run may not come: equal only if the runs reach every difference.

mod attributes;
mod inside;

use dropout_onnx::onnx::Model;
use dropout_onnx::verify::compare::Tolerance;
use dropout_onnx::verify::{self, Demand, Options, Verdict, Verification, run};

use crate::common::build::{f32_scalar, f32s, graph, i64s, int, model, op, subgraph, x_to_y};
use crate::common::proto::{Graph, Node};

fn compared(one: &Model, other: &Model, tolerance: Tolerance) -> Verification {
    let settings = run::Settings::default().tolerance(tolerance);
    verify::verify(one, other, &Options::asked(true, Some(settings))).unwrap()
}

fn verdict(one: Graph, other: Graph) -> Verdict {
    let [one, other] = [one, other].map(|graph| model(17, graph).read());
    let found = compared(&one, &other, Tolerance::Exact);
    assert!(found.reached.is_some(), "{:?}", found.structure);
    found.verdict(Demand::Outputs)
}

#[track_caller]
fn is_equal(one: Graph, other: Graph) {
    assert_eq!(verdict(one, other), Verdict::Equal);
}

#[track_caller]
fn is_not_shown(one: Graph, other: Graph, why: &str) {
    match verdict(one, other) {
        Verdict::NotShown { reason } => assert!(reason.contains(why), "{reason}"),
        other => panic!("{other:?}"),
    }
}

/// Rows of a table that these indices read, times x.
fn table(indices: &[i64], rows: &[f32], factor: f32) -> Graph {
    let nodes = [
        op("g = Gather(rows, at)"),
        op("s = ReduceSum(g)").with(int("keepdims", 0)),
        op("h = Mul(x, s)"),
        op("y = Mul(h, c)"),
    ];
    x_to_y(nodes)
        .init("rows", f32s(&[rows.len() as i64, 1], rows))
        .init("at", i64s(indices))
        .init("c", f32_scalar(factor))
}

#[test]
fn rows_have_to_be_read() {
    // the same in numbers: rows twice as large, a factor half as large
    let (rows, twice) = ([1.0, 2.0, 4.0], [2.0, 4.0, 8.0]);
    is_equal(
        table(&[0, 1, -1], &rows, 3.0),
        table(&[0, 1, -1], &twice, 1.5),
    );
    let why = "row 2 of `rows` is never read";
    is_not_shown(
        table(&[0, 1, 1], &rows, 3.0),
        table(&[0, 1, 1], &twice, 1.5),
        why,
    );
    // one row of a table differs, and is not read
    let other = [1.0, 2.0, 5.0];
    is_not_shown(table(&[0, 1], &rows, 3.0), table(&[0, 1], &other, 3.0), why);
}

#[test]
fn what_other_operators_pick_is_not_observed() {
    let picked = |indices: &[i64], factor: f32, rows: &[f32]| {
        let nodes = [
            op("i = Cast(x)").with(int("to", 7)),
            op("z = Mul(i, zero)"),
            op("at = Add(z, which)"),
            op("g = GatherElements(rows, at)"),
            op("h = Mul(g, c)"),
            op("y = Mul(h, x)"),
        ];
        x_to_y(nodes)
            .init("zero", i64s(&[0]))
            .init("which", i64s(indices))
            .init("rows", f32s(&[2, 3], rows))
            .init("c", f32_scalar(factor))
    };
    let rows = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0];
    let twice = rows.map(|row| 2.0 * row);
    let why = "which elements it reads is not observed";
    is_not_shown(picked(&[0], 3.0, &rows), picked(&[0], 1.5, &twice), why);
}

fn chosen(threshold: f32, nodes: [Node; 2]) -> Graph {
    let [one, other] = nodes;
    x_to_y([
        op("c = Greater(x, t)"),
        one,
        other,
        op("y = Where(c, a, b)"),
    ])
    .init("t", f32_scalar(threshold))
    .init("two", f32_scalar(2.0))
}

#[test]
fn sides_of_a_where_have_to_be_taken() {
    let doubled = [op("b = Add(x, x)"), op("b = Mul(x, two)")];
    for (threshold, reached) in [(0.0, true), (-100.0, false), (100.0, true)] {
        let [one, other] = doubled
            .clone()
            .map(|node| chosen(threshold, [op("a = Neg(x)"), node]));
        match reached {
            true => is_equal(one, other),
            false => is_not_shown(
                one,
                other,
                "where it is false (before): no run selects from it",
            ),
        }
    }
    let doubled = [op("a = Add(x, x)"), op("a = Mul(x, two)")];
    for (threshold, reached) in [(0.0, true), (-100.0, true), (100.0, false)] {
        let [one, other] = doubled
            .clone()
            .map(|node| chosen(threshold, [node, op("b = Neg(x)")]));
        match reached {
            true => is_equal(one, other),
            false => is_not_shown(
                one,
                other,
                "where it is true (before): no run selects from it",
            ),
        }
    }
}

/// An If by whether a sum is more than a number.
fn branched(threshold: f32, then: &str, otherwise: &str) -> Graph {
    let body = |text: &str, name: &str| graph([op(text)]).output(name);
    let nodes = [
        op("s = ReduceSum(x)").with(int("keepdims", 0)),
        op("c = Greater(s, t)"),
        op("y = If(c)")
            .with(subgraph("then_branch", body(then, "p")))
            .with(subgraph("else_branch", body(otherwise, "q"))),
    ];
    x_to_y(nodes)
        .init("t", f32_scalar(threshold))
        .init("two", f32_scalar(2.0))
}

#[test]
fn branches_of_an_if_have_to_be_taken() {
    for (threshold, taken) in [(-1000.0, "then"), (1000.0, "else")] {
        for (branch, one, other) in [
            (
                "then",
                ("p = Add(x, x)", "q = Neg(x)"),
                ("p = Mul(x, two)", "q = Neg(x)"),
            ),
            (
                "else",
                ("p = Neg(x)", "q = Add(x, x)"),
                ("p = Neg(x)", "q = Mul(x, two)"),
            ),
        ] {
            let [one, other] = [one, other].map(|(then, other)| branched(threshold, then, other));
            match branch == taken {
                true => is_equal(one, other),
                false => is_not_shown(
                    one,
                    other,
                    &format!("{branch}_branch (before): no run takes it"),
                ),
            }
        }
    }
}

/// Three units, of which the last has a bias.
fn biased(bias: f32) -> Graph {
    let nodes = [op("h = Add(x, b)"), op("y = Relu(h)")];
    x_to_y(nodes).init("b", f32s(&[3], &[1.0, 1.0, bias]))
}

#[test]
fn a_constant_has_to_change_outputs() {
    // a unit that never fires
    is_not_shown(
        biased(-100.0),
        biased(-200.0),
        "element 2: no output depends on it",
    );
    let clipped = |limit| x_to_y([op("y = Min(x, m)")]).init("m", f32_scalar(limit));
    is_not_shown(clipped(100.0), clipped(200.0), "no output depends on it");
    // one of several factors that the next step makes up for
    let scaled = |b: [f32; 3], c: [f32; 3], limit: f32| {
        x_to_y([
            op("h = Mul(x, b)"),
            op("l = Max(h, low)"),
            op("y = Mul(l, c)"),
        ])
        .init("b", f32s(&[3], &b))
        .init("low", f32s(&[3], &[-1024.0, -1024.0, limit]))
        .init("c", f32s(&[3], &c))
    };
    let (one, other) = ([2.0; 3], [4.0; 3]);
    is_not_shown(
        scaled(one, [0.5, 0.5, 0.5], 1024.0),
        scaled(other, [0.25, 0.25, 0.5], 1024.0),
        "element 2: no output depends on it",
    );
    is_equal(
        scaled(one, [0.5, 0.5, 0.5], -1024.0),
        scaled(other, [0.25, 0.25, 0.25], -1024.0),
    );
}

#[test]
fn what_differs_within_a_tolerance_is_reached_by_its_last_bit() {
    let weights = |last: f32, row: f32| {
        let nodes = [
            op("m = MatMul(x, w)"),
            op("g = Gather(rows, at)"),
            op("y = Add(m, g)"),
        ];
        let graph = x_to_y(nodes).init("at", i64s(&[0]));
        let weights = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, last];
        let graph = graph.init("w", f32s(&[3, 3], &weights));
        let graph = graph.init("rows", f32s(&[2, 1], &[1.0, row]));
        model(17, graph).read()
    };
    let near = Tolerance::asked(Some(1e-3), Some(1e-3)).unwrap();
    let verdict = |one: &Model, other: &Model| compared(one, other, near).verdict(Demand::Outputs);
    let original = weights(0.9, 1.0);
    assert_eq!(verdict(&original, &weights(0.900_01, 1.0)), Verdict::Equal);
    let Verdict::NotShown { reason } = verdict(&original, &weights(0.900_01, 1.000_01)) else {
        panic!("a row that no run reads");
    };
    assert!(reason.contains("row 1 of `rows`"), "{reason}");
    let exact = compared(&original, &weights(0.900_01, 1.0), Tolerance::Exact);
    assert!(matches!(
        exact.verdict(Demand::Outputs),
        Verdict::Different { .. }
    ));
}
