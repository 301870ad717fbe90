//! Factors in branches and functions, and what they capture.

use dropout_onnx::onnx::DataType;

use super::check::{folds, nodes, of, opset17, scaled, some, stays};
use crate::common::build::{
    f32_scalar, f32s, function, graph, int, model, op, reference, subgraph, tensor, untyped,
};
use crate::common::proto::{Attribute, Graph, Model, Node};

fn branch(texts: &[&str], output: &str) -> Graph {
    let mut branch = graph(nodes(texts));
    branch.output.push(untyped(output));
    branch
}

/// `y = If(c)` with these branches.
fn either(then: Graph, other: Graph) -> Node {
    let node = op("y = If(c)").with(subgraph("then_branch", then));
    node.with(subgraph("else_branch", other))
}

fn chosen(before: &[&str], then: Graph, other: Graph) -> Model {
    let mut all = nodes(before);
    all.push(either(then, other));
    let graph = of(&[2, 3], &[2, 2], all)
        .input_of("c", DataType::BOOL, &[])
        .init("s", f32_scalar(0.7))
        .init("w", f32s(&[3, 2], &some(6)))
        .init("v", f32s(&[3, 2], &some(6)));
    opset17(graph)
}

#[test]
fn in_a_branch_with_weights_from_outside() {
    let then = branch(&["h = Mul(x, s)", "t = MatMul(h, w)"], "t");
    let other = branch(&["e = MatMul(x, v)"], "e");
    let folded = super::check::folds_unrun(&chosen(&[], then, other));
    folded.has("w", &scaled(&some(6), 0.7)).has("v", &some(6));
}

#[test]
fn captured_by_two_branches_that_both_take_it() {
    let then = branch(&["t = MatMul(h, w)"], "t");
    let other = branch(&["r = Relu(h)", "e = MatMul(r, v)"], "e");
    let folded = super::check::folds_unrun(&chosen(&["h = Mul(x, s)"], then, other));
    let w = scaled(&some(6), 0.7);
    folded.has("w", &w).has("v", &w);
}

#[test]
fn does_not_fold_what_a_branch_captures_and_cannot_take() {
    let then = branch(&["t = MatMul(h, w)"], "t");
    let other = branch(&["r = Sigmoid(h)", "e = MatMul(r, v)"], "e");
    let why = stays(&chosen(&["h = Mul(x, s)"], then, other));
    assert!(why.contains("Sigmoid `r`: does not commute"), "{why}");
}

#[test]
fn does_not_fold_out_of_a_branch() {
    let then = branch(
        &["g = MatMul(x, w)", "a = Sigmoid(g)", "t = Mul(a, s)"],
        "t",
    );
    let other = branch(&["e = MatMul(x, v)"], "e");
    let why = stays(&chosen(&[], then, other));
    assert!(why.contains("`t` is an output of its graph"), "{why}");
}

/// What a branch returns is the branch's own affair, and keeps its name.
#[test]
fn back_into_the_weights_of_a_branch() {
    let then = branch(&["g = MatMul(x, w)", "t = Mul(g, s)"], "t");
    let other = branch(&["e = MatMul(x, v)"], "e");
    let folded = super::check::folds_unrun(&chosen(&[], then, other));
    folded.has("w", &scaled(&some(6), 0.7));
}

#[test]
fn does_not_fold_what_a_function_takes_or_gives() {
    let body = [
        op("w = Constant()").with(tensor("value", f32s(&[3, 3], &some(9)))),
        op("h = MatMul(a, w)"),
        op("b = Sigmoid(h)"),
    ];
    let called = |texts: &[&str]| {
        let graph = of(&[2, 3], &[2, 3], nodes(texts)).init("s", f32_scalar(0.7));
        let model = model(17, graph).imports("local", 1);
        model.function(function("F", "a", "b", 17, body.clone()))
    };
    let why = stays(&called(&["h = Mul(x, s)", "y = local::F(h)"]));
    assert!(
        why.contains("F `y`: does not commute with a factor"),
        "{why}"
    );
    let why = stays(&called(&["h = local::F(x)", "y = Mul(h, s)"]));
    assert!(
        why.contains("F `h`: does not commute with a factor"),
        "{why}"
    );
}

/// Each of several uses takes it in its own way.
#[test]
fn several_uses_each_take_it() {
    let texts = [
        "h = Mul(x, s)",
        "a = MatMul(h, w)",
        "r = Relu(h)",
        "b = Gemm(r, v)",
        "t = Transpose(h)",
        "c = MatMul(u, t)",
        "y = Add(a, b)",
        "z = Relu(c)",
    ];
    let graph = of(&[2, 3], &[2, 2], nodes(&texts))
        .output_of("z", DataType::FLOAT, &[4, 2])
        .init("s", f32_scalar(0.7))
        .init("w", f32s(&[3, 2], &some(6)))
        .init("v", f32s(&[3, 2], &some(6)))
        .init("u", f32s(&[4, 3], &some(12)));
    let w = scaled(&some(6), 0.7);
    let folded = folds(&opset17(graph.clone()));
    let folded = folded.has("w", &w).has("v", &w);
    folded.has("u", &scaled(&some(12), 0.7));
    // and if one cannot, none does
    let graph = graph.output("h");
    let why = stays(&opset17(graph));
    assert!(why.contains("`h` is an output of its graph"), "{why}");
}

/// An attribute that calls give is no default: the weights would be scaled along the wrong axis.
#[test]
fn does_not_fold_into_weights_whose_axis_a_call_gives() {
    let called = |attribute: Attribute| {
        let body = [
            op("w = Constant()").with(tensor("value", f32s(&[3, 3], &some(9)))),
            op("s = Constant()").with(tensor("value", f32s(&[3], &[2.0, 3.0, 5.0]))),
            op("h = Mul(a, s)"),
            op("b = Gemm(h, w)").with(attribute),
        ];
        let graph = of(
            &[2, 3],
            &[2, 3],
            vec![op("y = local::F(x)").with(int("t", 1))],
        );
        let mut function = function("F", "a", "b", 17, body);
        function.attribute.push("t".into());
        model(17, graph).imports("local", 1).function(function)
    };
    let why = stays(&called(reference("transB", "t", 2)));
    assert!(
        why.contains("Gemm `b`: calls of its function give its `transB`"),
        "{why}"
    );
    let folded = super::check::folds_unrun(&called(int("transB", 1)));
    assert!(
        !folded.after.functions[0]
            .node
            .iter()
            .any(|node| node.is("Mul"))
    );
}
