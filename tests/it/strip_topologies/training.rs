//! Graphs that also compute gradients: names in attributes, and masks that gradients use.

use dropout_onnx::onnx::DataType;
use dropout_onnx::verify::structure;

use crate::common::build::{SHAPE, f32_scalar, f32s, flag, model, op, string, strings, x_to_y};
use crate::common::proto::{Model, Node};
use crate::common::stripped::{refusal, strips, strips_unrun};

const GRADIENT: &str = "ai.onnx.preview.training::Gradient";

/// These nodes, and the gradient of `y` by `xs`.
fn with_gradient(nodes: &[&str], xs: &str, y: &str) -> Model {
    let gradient = op(&format!("g = {GRADIENT}({xs})"))
        .with(strings("xs", &[xs]))
        .with(string("y", y));
    let mut all: Vec<Node> = nodes.iter().map(|text| op(text)).collect();
    all.push(gradient);
    let graph = x_to_y(all).output("g");
    model(13, graph).imports("ai.onnx.preview.training", 1)
}

fn stripped_lines(model: &Model) -> Vec<String> {
    strips_unrun(model, GRADIENT).after.lines()
}

#[test]
fn a_gradient_by_what_dropout_makes_is_by_its_data() {
    let nodes = ["h = Relu(x)", "d = Dropout(h)", "y = Tanh(d)"];
    let lines = stripped_lines(&with_gradient(&nodes, "d", "y"));
    let kept = format!("g = {GRADIENT}(d)");
    assert_eq!(lines, ["d = Relu(x)", "y = Tanh(d)", &kept]);
    // one that names something else changes nothing
    let lines = stripped_lines(&with_gradient(&nodes, "x", "y"));
    let kept = format!("g = {GRADIENT}(x)");
    assert_eq!(lines, ["h = Relu(x)", "y = Tanh(h)", &kept]);
}

#[test]
fn a_gradient_of_the_data_of_an_output_keeps_its_name() {
    let nodes = ["h = Relu(x)", "y = Dropout(h)"];
    let lines = stripped_lines(&with_gradient(&nodes, "x", "h"));
    let kept = format!("g = {GRADIENT}(x)");
    assert_eq!(lines, ["h = Relu(x)", "y = Identity(h)", &kept]);
    let lines = stripped_lines(&with_gradient(&nodes, "x", "y"));
    assert_eq!(lines, ["y = Relu(x)", &kept]);
}

#[test]
fn a_constant_that_a_gradient_is_by_stays() {
    let rate = |xs: &str| {
        let nodes = ["h = Relu(x)", "y = Dropout(h, r)"];
        let mut model = with_gradient(&nodes, xs, "y");
        let graph = std::mem::take(model.main_mut());
        *model.main_mut() = graph.init("r", f32_scalar(0.25));
        let after = strips_unrun(&model, GRADIENT).after;
        after.main().initializer.len()
    };
    assert_eq!(rate("r"), 1);
    assert_eq!(rate("x"), 0);
}

/// A dropout with a mask, and what uses the mask.
fn masked(users: &[&str]) -> Model {
    let mut nodes = vec![op("h = Relu(x)"), op("y, m = Dropout(h, r, t)")];
    nodes.extend(users.iter().map(|text| op(text)));
    let graph = x_to_y(nodes)
        .input("dy")
        .output_of("dx", DataType::FLOAT, SHAPE)
        .init("r", f32_scalar(0.25))
        .init("t", flag(true));
    model(13, graph).imports("com.microsoft", 1)
}

#[test]
fn a_gradient_that_reads_the_mask_is_removed_with_its_dropout() {
    for gradient in ["DropoutGrad", "BitmaskDropoutGrad"] {
        let users = [
            &format!("dh = com.microsoft::{gradient}(dy, m, r, t)")[..],
            "dx = Mul(dh, h)",
        ];
        let stripped = strips_unrun(&masked(&users), &format!("com.microsoft::{gradient}"));
        assert_eq!(stripped.after.lines(), ["y = Relu(x)", "dx = Mul(dy, y)"]);
        assert!(stripped.outcome.masks.is_empty());
    }
}

#[test]
fn a_gradient_that_reads_the_mask_of_another_domain_is_removed_too() {
    let of = |dropout: &str, gradient: &str, rate: &str| {
        let nodes = [
            op("h = Relu(x)"),
            op("q = Add(r, r)"),
            op(&format!("y, m = com.microsoft::{dropout}")),
            op(&format!("dh = com.microsoft::{gradient}(dy, m, {rate}, t)")),
            op("dx = Mul(dh, h)"),
        ];
        let graph = x_to_y(nodes)
            .input("dy")
            .output_of("dx", DataType::FLOAT, SHAPE)
            .init("r", f32_scalar(0.25))
            .init("t", flag(true))
            .init("b", f32s(&[3], &[1.0, 2.0, 3.0]));
        model(13, graph).imports("com.microsoft", 1)
    };
    let plain = of("BitmaskDropout(h, r, t)", "BitmaskDropoutGrad", "r");
    let stripped = strips_unrun(&plain, "com.microsoft::BitmaskDropout");
    let wanted = ["y = Relu(x)", "q = Add(r, r)", "dx = Mul(dy, y)"];
    assert_eq!(stripped.after.lines(), wanted);
    let biased = of("BiasDropout(h, b, , r, t)", "DropoutGrad", "r");
    let stripped = strips_unrun(&biased, "com.microsoft::DropoutGrad");
    let wanted = [
        "h = Relu(x)",
        "q = Add(r, r)",
        "y = Add(h, b)",
        "dx = Mul(dy, h)",
    ];
    assert_eq!(stripped.after.lines(), wanted);
    let why = refusal(&of("BitmaskDropout(h, r, t)", "BitmaskDropoutGrad", "q"));
    assert!(
        why.contains("BitmaskDropoutGrad `dh` uses its mask"),
        "{why}"
    );
}

#[test]
fn structure_knows_that_a_gradient_is_wrong_if_only_its_mask_is_all_true() {
    let shown = |nodes: &[&str]| {
        let mut all = vec![op("y = Relu(x)")];
        all.extend(nodes.iter().map(|node| op(node)));
        let graph = x_to_y(all)
            .input("dy")
            .output_of("dx", DataType::FLOAT, SHAPE);
        let graph = graph.init("r", f32_scalar(0.25)).init("t", flag(true));
        let after = model(13, graph).imports("com.microsoft", 1).read();
        let before = masked(&["dx = com.microsoft::DropoutGrad(dy, m, r, t)"]).read();
        structure::compare(&before, &after).unwrap()
    };
    let same = shown(&["dx = Identity(dy)"]);
    assert!(matches!(same, structure::Verdict::Same { .. }), "{same:?}");
    let ones = [
        "s = Equal(y, y)",
        "dx = com.microsoft::DropoutGrad(dy, s, r, t)",
    ];
    let wrong = shown(&ones);
    assert!(
        matches!(wrong, structure::Verdict::Different(_)),
        "{wrong:?}"
    );
}

#[test]
fn a_mask_from_which_a_gradient_is_computed_otherwise_is_refused() {
    for users in [
        // by another name
        &[
            "i = Identity(m)",
            "n = Not(i)",
            "k = Not(n)",
            "dx = com.microsoft::DropoutGrad(dy, k, r, t)",
        ][..],
        // a rate that is computed
        &[
            "q = Add(r, r)",
            "dx = com.microsoft::DropoutGrad(dy, m, q, t)",
        ],
    ] {
        let why = refusal(&masked(users));
        assert!(why.contains("DropoutGrad `dx` uses its mask"), "{why}");
        assert!(why.contains("before gradients are added"), "{why}");
    }
}

#[test]
fn a_mask_that_something_else_uses_is_all_true() {
    // the share of elements that were kept
    let users = ["c = Cast(m)", "dx = ReduceMean(c)"];
    let mut model = masked(&users);
    let cast = &mut model.main_mut().node[2];
    *cast = cast.clone().with(crate::common::build::int("to", 1));
    assert_eq!(strips(&model).outcome.masks, ["m"]);
    // a gradient of the same data, with the mask of another dropout
    let other = masked(&[
        "b = Not(m)",
        "k = Greater(dy, r)",
        "dx = com.microsoft::DropoutGrad(y, k, r, t)",
    ]);
    assert_eq!(
        strips_unrun(&other, "com.microsoft::DropoutGrad")
            .outcome
            .masks,
        ["m"]
    );
}
