//! What classic dropout leaves at inference, and other products by a number.

use dropout_onnx::dropout::{Form, Mode, Scaling};

use crate::common::build::{f32_scalar, f32s, int, model, op, x_to_y};
use crate::common::proto::Model;
use crate::common::sites;

fn of(lines: &[&str], factor: f32) -> Model {
    let nodes = lines.iter().map(|line| match line.contains("Cast(") {
        true => op(line).with(int("to", 1)),
        false => op(line),
    });
    let graph = x_to_y(nodes).init("c", f32s(&[1], &[factor]));
    let graph = graph.init("w", f32s(&[2, 3], &[0.5; 6]));
    let mut model = model(13, graph.init("p", f32_scalar(0.5)));
    model.main_mut().name = Some("PaddlePaddle Graph 0".into());
    model
}

fn scaled(name: &str) -> Vec<String> {
    let product = format!("{name} = Mul(h, c)");
    ["h = Relu(x)", &product, &format!("y = MatMul({name}, w)")]
        .map(String::from)
        .into()
}

fn count(lines: &[&str], factor: f32) -> usize {
    sites(&of(lines, factor)).len()
}

#[test]
fn a_product_that_its_exporter_calls_dropout() {
    for name in [
        "p2o.pd_op.dropout.0.0",
        "dropout_0.tmp_0",
        "p2o.pd_op.dropout.12.0",
    ] {
        for (factor, rate) in [(0.7, 0.3), (0.5, 0.5), (0.9, 0.1), (0.625, 0.375)] {
            let lines = scaled(name);
            let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
            let sites = sites(&of(&lines, factor));
            assert_eq!(sites.len(), 1, "{name}");
            let site = &sites[0];
            assert_eq!((site.form, site.mode), (Form::Scale, Mode::Inert));
            assert_eq!(site.scaling, Scaling::Classic);
            assert_eq!(site.rate, Some(rate));
            assert_eq!(site.inference_scale as f32, factor);
            assert_eq!(site.input_name.as_ref().expect("a name").to_string(), "h");
        }
    }
    assert_eq!(
        count(
            &[
                "h = Relu(x)",
                "dropout.0 = Mul(c, h)",
                "y = Relu(dropout.0)"
            ],
            0.7
        ),
        1
    );
}

#[test]
fn other_frameworks_have_no_classic_dropout() {
    let lines = [
        "h = Relu(x)",
        "dropout_0.tmp_0 = Mul(h, c)",
        "y = Relu(dropout_0.tmp_0)",
    ];
    let mut model = of(&lines, 0.7);
    assert_eq!(sites(&model).len(), 1);
    model.main_mut().name = Some("main_graph".into());
    model.producer_name = Some("pytorch".into());
    assert_eq!(sites(&model).len(), 0);
    model.producer_name = Some("paddle2onnx".into());
    assert_eq!(sites(&model).len(), 1);
}

#[test]
fn half_of_a_gelu_that_has_the_name_of_a_removed_dropout() {
    for gate in ["Erf", "Tanh"] {
        let gate = format!("e = {gate}(h)");
        let orders: [[&str; 2]; 3] = [
            ["g = Mul(h, a)", "dropout.0 = Mul(g, c)"],
            ["g = Mul(a, h)", "dropout.0 = Mul(c, g)"],
            ["dropout.0 = Mul(a, c)", "g = Mul(h, dropout.0)"],
        ];
        for order in orders {
            let lines = [
                "h = MatMul(x, w)",
                &gate,
                "a = Add(e, p)",
                order[0],
                order[1],
            ];
            let end = "y = Add(dropout.0, g)";
            assert_eq!(count(&[&lines[..], &[end]].concat(), 0.5), 0, "{lines:?}");
        }
    }
    // the dropout after a GELU
    let lines = [
        "h = MatMul(x, w)",
        "g = Gelu(h)",
        "dropout.0 = Mul(g, c)",
        "y = Relu(dropout.0)",
    ];
    assert_eq!(count(&lines, 0.5), 1);
}

#[test]
fn other_names_and_numbers_are_not_scales() {
    for name in [
        "mul_0",
        "p2o.pd_op.scale.0.0",
        "gelu",
        "alpha_dropout.0",
        "dropout_rate.0",
    ] {
        let lines = scaled(name);
        let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
        assert_eq!(count(&lines, 0.5), 0, "{name}");
    }
    let lines = scaled("p2o.pd_op.dropout.0.0");
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    // 1/sqrt(d), scales of training, nothing at all
    for factor in [0.176_776_7, 0.0, 1.0, 1.428_571_4, 2.0, -0.5] {
        assert_eq!(count(&lines, factor), 0, "{factor}");
    }
}

#[test]
fn weights_and_draws_are_not_data() {
    assert_eq!(
        count(&["dropout.0 = Mul(w, c)", "y = MatMul(x, dropout.0)"], 0.5),
        0
    );
    // sigma of a noise, in a scope that is called dropout
    let noise = [
        "n = RandomNormalLike(x)",
        "g/dropout/mul = Mul(n, c)",
        "y = MatMul(x, g/dropout/mul)",
    ];
    assert_eq!(count(&noise, 0.5), 0);
    let lines = ["dropout.0 = Mul(x, w)", "y = Relu(dropout.0)"];
    assert_eq!(count(&lines, 0.5), 0, "more than one number");
}
