//! Factors before, in and after a mask, and what stands between.

use dropout_onnx::onnx::DataType;

use super::spelt::{DRAWN, between, inside};
use crate::common::build::{SHAPE, graph, i64s, int, model, op, scalar, untyped, x_to_y};
use crate::common::masks::{nodes, numbers, spelt};
use crate::common::proto::Model;
use crate::common::stripped::{refusal, strips};

/// [`inside`] with another output `z`.
fn with_z(text: &str) -> Model {
    let mut made = inside(15, 0.3, &format!("{DRAWN}{text}"));
    made.graph = made.graph.map(|graph| graph.output("z"));
    made
}

#[test]
fn a_factor_before_that_others_use_stays_for_them() {
    let text = "xs = Mul(x, s)\ny = Mul(xs, k)\nz = Sigmoid(xs)";
    let stripped = strips(&with_z(text)).draws_nothing().leaves(&[
        "hidden = Relu(x)",
        "xs = Mul(hidden, s)",
        "z = Sigmoid(xs)",
        "y = Tanh(hidden)",
    ]);
    insta::assert_snapshot!("factor_that_others_use", stripped.texts());
}

/// The other one reads what is let out as well, and is not on the way there.
#[test]
fn a_factor_before_that_is_applied_to_the_output_too_stays_there() {
    let text = "xs = Mul(x, s)\nd = Mul(xs, k)\nz = Mul(xs, d)\ny = Sigmoid(d)";
    strips(&with_z(text)).draws_nothing().leaves(&[
        "hidden = Relu(x)",
        "xs = Mul(hidden, s)",
        "z = Mul(xs, hidden)",
        "out = Sigmoid(hidden)",
        "y = Tanh(out)",
    ]);
}

#[test]
fn a_factor_before_that_is_an_output_stays() {
    let text = "z = Mul(x, s)\ny = Mul(z, k)";
    strips(&with_z(text)).draws_nothing().leaves(&[
        "hidden = Relu(x)",
        "z = Mul(hidden, s)",
        "y = Tanh(hidden)",
    ]);
}

#[test]
fn nodes_between_factor_and_mask_are_repeated_where_others_use_the_factor() {
    let text = "xs = Mul(x, s)\nt = Transpose(xs)\ntk = Transpose(k)\nd = Mul(t, tk)\n\
                y = Transpose(d)\nz = Sigmoid(xs)";
    let stripped = strips(&with_z(text)).draws_nothing().leaves(&[
        "hidden = Relu(x)",
        "xs = Mul(hidden, s)",
        "t/kept = Transpose(hidden)",
        "out = Transpose(t/kept)",
        "z = Sigmoid(xs)",
        "y = Tanh(out)",
    ]);
    insta::assert_snapshot!("chain_cloned", stripped.texts());
}

#[test]
fn nodes_between_factor_and_mask_are_repeated_where_others_use_them() {
    let text = "xs = Mul(x, s)\nt = Transpose(xs)\ntk = Transpose(k)\nd = Mul(t, tk)\n\
                y = Transpose(d)\nu = Transpose(t)\nz = Sigmoid(u)";
    strips(&with_z(text)).draws_nothing().leaves(&[
        "hidden = Relu(x)",
        "xs = Mul(hidden, s)",
        "t = Transpose(xs)",
        "t/kept = Transpose(hidden)",
        "out = Transpose(t/kept)",
        "u = Transpose(t)",
        "z = Sigmoid(u)",
        "y = Tanh(out)",
    ]);
}

#[test]
fn two_masks_of_one_factor() {
    let text = "xs = Mul(x, s)\ny = Mul(xs, k)\nr2 = RandomUniformLike(x)\n\
                b2 = GreaterOrEqual(r2, p)\nk2 = Cast(b2)\nz = Mul(xs, k2)";
    strips(&with_z(text))
        .draws_nothing()
        .leaves(&["z = Relu(x)", "y = Tanh(z)"]);
}

#[test]
fn one_mask_twice_on_one_factor() {
    let text = "xs = Mul(x, s)\ny = Mul(xs, k)\ne = Mul(k, xs)\nz = Sigmoid(e)";
    strips(&with_z(text)).draws_nothing().leaves(&[
        "hidden = Relu(x)",
        "z = Sigmoid(hidden)",
        "y = Tanh(hidden)",
    ]);
}

#[test]
fn transposed_and_reshaped_between_product_and_factor() {
    let text = "d = Mul(x, k)\nt = Transpose(d)\nf = Reshape(t, flat)\ng = Mul(f, s)\n\
                y = Reshape(g, back)";
    let mut made = inside(15, 0.3, &format!("{DRAWN}{text}"));
    made.graph = made
        .graph
        .map(|graph| graph.init("flat", i64s(&[6])).init("back", i64s(&[2, 3])));
    let stripped = strips(&made).draws_nothing().leaves(&[
        "hidden = Relu(x)",
        "t/kept = Transpose(hidden)",
        "f/kept = Reshape(t/kept, flat)",
        "out = Reshape(f/kept, back)",
        "y = Tanh(out)",
    ]);
    insta::assert_snapshot!("moved_between_product_and_factor", stripped.texts());
}

/// The twin: with other data in the way it is no inverted dropout, and the factor is somebody's.
#[test]
fn an_activation_between_product_and_factor() {
    let text = format!("{DRAWN}d = Mul(x, k)\nt = Sigmoid(d)\ny = Mul(t, s)");
    strips(&inside(15, 0.3, &text))
        .draws_nothing()
        .leaves(&[
            "hidden = Relu(x)",
            "d = Mul(hidden, d/scale)",
            "t = Sigmoid(d)",
            "out = Mul(t, s)",
            "y = Tanh(out)",
        ])
        .scales(&[("d", 0.7)]);
}

#[test]
fn the_product_is_also_looked_at_by_its_shape() {
    let text = format!("{DRAWN}d = Mul(x, k)\nsh = Shape(d)\ne = Mul(d, s)\ny = Reshape(e, sh)");
    strips(&inside(15, 0.3, &text)).draws_nothing();
}

#[test]
fn casts_around_a_mask() {
    // mixed precision: the mask in double, the data in float
    let text = "r = RandomUniformLike(x)\nb = GreaterOrEqual(r, p)\nk = Cast:11(b)\n\
                xd = Cast:11(x)\nd = Mul(xd, k)\nf = Cast(d)\ny = Mul(f, s)";
    strips(&inside(15, 0.3, text)).draws_nothing().leaves(&[
        "hidden = Relu(x)",
        "xd = Cast(hidden)",
        "f/kept = Cast(xd)",
        "y = Tanh(f/kept)",
    ]);
}

fn classic(element: DataType) -> Model {
    let to = i64::from(element.0);
    let text = "r = RandomUniformLike(x)\nb = GreaterOrEqual(r, p)";
    let mut all = vec![op("h = Relu(x)")];
    all.extend(nodes(&text.replace("Like(x)", "Like(h)")));
    all.push(op("k = Cast(b)").with(int("to", to)));
    all.extend([op("d = Mul(h, k)"), op("y = Tanh(d)")]);
    let graph = graph(all)
        .input_of("x", element, SHAPE)
        .output_of("y", element, SHAPE)
        .init("p", scalar(element, 0.25));
    model(15, graph)
}

#[test]
fn a_mask_that_is_never_scaled_leaves_one_factor() {
    for element in [DataType::FLOAT, DataType::DOUBLE, DataType::FLOAT16] {
        let stripped = strips(&classic(element))
            .draws_nothing()
            .leaves(&["h = Relu(x)", "d = Mul(h, d/scale)", "y = Tanh(d)"])
            .keeps_initializers(&["d/scale"])
            .scales(&[("d", 0.75)]);
        let factor = &stripped.after.main().initializer[0];
        assert_eq!(factor.data_type, Some(element.0));
        let bytes = factor.raw_data.as_deref();
        assert_eq!(bytes, scalar(element, 0.75).raw_data.as_deref());
        if element == DataType::FLOAT {
            insta::assert_snapshot!("classic", stripped.texts());
        }
    }
}

#[test]
fn classic_of_an_unknown_type_is_refused() {
    let mut made = classic(DataType::FLOAT);
    let graph = made.main_mut();
    graph.input[0] = untyped("x");
    graph.output[0] = untyped("y");
    // the mask's type is that of the data, but says so through CastLike only
    graph.node[3] = op("k = CastLike(b, h)");
    let why = refusal(&made);
    assert!(
        why.contains("inference scales it by 0.75, but its element type is unknown"),
        "{why}"
    );
}

/// The twin: the same without types is no trouble where no factor is needed.
#[test]
fn inverted_of_an_unknown_type_is_cut_off() {
    let mut made = inside(15, 0.3, &format!("{DRAWN}xs = Mul(x, s)\ny = Mul(xs, k)"));
    let graph = made.main_mut();
    graph.input[0] = untyped("x");
    graph.output[0] = untyped("y");
    let before = made.read();
    let options = dropout_onnx::rewrite::strip::Options::default();
    let stripped = dropout_onnx::rewrite::strip::strip(&before, &options).expect("strip");
    assert_eq!(stripped.outcome.removed, 1);
}

#[test]
fn another_scale_leaves_the_product_of_both() {
    let mut constants = numbers(0.3);
    constants.push(("three", 3.0));
    let text = format!("{DRAWN}ks = Mul(k, three)\ny = Mul(x, ks)");
    let stripped = strips(&model(15, between(spelt(&text, &constants))))
        .draws_nothing()
        .leaves(&[
            "hidden = Relu(x)",
            "out = Mul(hidden, out/scale)",
            "y = Tanh(out)",
        ])
        .scales(&[("out", 2.1)]);
    insta::assert_snapshot!("another_scale", stripped.texts());
}

/// The threshold drops 0.3, the factor makes up for 0.5: what is left is 0.7 · 2.
#[test]
fn a_factor_of_another_rate_than_the_threshold_is_not_lost() {
    let mut constants = numbers(0.3);
    constants.push(("two", 2.0));
    for (how, left) in [
        (
            "ks = Mul(k, two)\ny = Mul(x, ks)",
            &[
                "hidden = Relu(x)",
                "out = Mul(hidden, out/scale)",
                "y = Tanh(out)",
            ][..],
        ),
        (
            "xs = Mul(x, two)\ny = Mul(xs, k)",
            &[
                "hidden = Relu(x)",
                "xs = Mul(hidden, two)",
                "out = Mul(xs, out/scale)",
                "y = Tanh(out)",
            ],
        ),
        (
            "d = Mul(x, k)\ny = Mul(d, two)",
            &[
                "hidden = Relu(x)",
                "d = Mul(hidden, d/scale)",
                "out = Mul(d, two)",
                "y = Tanh(out)",
            ],
        ),
    ] {
        let text = format!("{DRAWN}{how}");
        strips(&model(15, between(spelt(&text, &constants))))
            .draws_nothing()
            .leaves(left);
    }
}

#[test]
fn classic_to_an_output_and_from_an_input() {
    let text = format!("{DRAWN}y = Mul(x, k)");
    strips(&model(15, spelt(&text, &numbers(0.3)[..1])))
        .draws_nothing()
        .leaves(&["y = Mul(x, y/scale)"])
        .keeps_initializers(&["y/scale"]);
}

#[test]
fn classic_twice_in_a_row() {
    let text = format!(
        "{DRAWN}d = Mul(x, k)\nr2 = RandomUniformLike(d)\nb2 = GreaterOrEqual(r2, p)\n\
         k2 = Cast(b2)\ny = Mul(d, k2)"
    );
    strips(&inside(15, 0.3, &text))
        .draws_nothing()
        .leaves(&[
            "hidden = Relu(x)",
            "d = Mul(hidden, d/scale)",
            "out = Mul(d, out/scale)",
            "y = Tanh(out)",
        ])
        .scales(&[("d", 0.7), ("out", 0.7)]);
}

#[test]
fn a_branch_takes_the_factor_of_a_mask_outside() {
    let mut graph = x_to_y([]);
    graph.node = nodes(&format!("{}d = Mul(x, k)", DRAWN));
    let mut then = crate::common::build::graph([op("t = Tanh(d)")]);
    then.output.push(untyped("t"));
    let mut other = crate::common::build::graph([op("t = Relu(d)")]);
    other.output.push(untyped("t"));
    let branch = op("y = If(c)")
        .with(crate::common::build::subgraph("then_branch", then))
        .with(crate::common::build::subgraph("else_branch", other));
    graph.node.push(branch);
    let graph = graph
        .init("p", scalar(DataType::FLOAT, 0.5))
        .input_of("c", DataType::BOOL, &[]);
    strips(&model(15, graph)).draws_nothing().leaves(&[
        "d = Mul(x, d/scale)",
        "y = If(c)",
        "  then_branch:",
        "    t = Tanh(d)",
        "  else_branch:",
        "    t = Relu(d)",
    ]);
}

/// The type follows from the operator; nothing is declared.
#[test]
fn classic_downstream_of_operators_with_a_known_type() {
    for line in [
        "h, other = Split(x)",
        "h = Where(mask, x, x)",
        "h, index = TopK(x, n)",
        "h, last, cell = LSTM(x, x, x)",
        "h = DequantizeLinear(n, x)",
        "h = ReduceMax(x)",
    ] {
        let mut made = classic(DataType::FLOAT);
        let graph = made.main_mut();
        graph.input.extend([untyped("mask"), untyped("n")]);
        graph.output[0] = untyped("y");
        graph.node[0] = op(line);
        graph.node[3] = op("k = CastLike(b, h)");
        let before = made.read();
        let options = dropout_onnx::rewrite::strip::Options::default();
        let stripped = dropout_onnx::rewrite::strip::strip(&before, &options);
        let stripped = stripped.unwrap_or_else(|error| panic!("{line}: {error}"));
        assert_eq!(stripped.outcome.removed, 1, "{line}");
    }
}
