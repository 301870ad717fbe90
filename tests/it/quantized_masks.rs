//! Dropout in quantized models: pairs of QuantizeLinear and DequantizeLinear at the draw, at the mask, at
//! the data and after the scale.

use dropout_onnx::dropout::{Kind, Mode, Scaling};
use dropout_onnx::onnx::DataType;

use crate::common::build::{f32_scalar, model, raw, scalar, x_to_y};
use crate::common::masks::nodes;
use crate::common::proto::Model;
use crate::common::sites;
use crate::common::stripped::strips;

/// Nodes from `h`, after a Relu, to `out`, before a Tanh; a line `to = QDQ(of, scale)` is a pair.
fn made(text: &str, zero: &str) -> Model {
    let mut all = nodes("h = Relu(x)");
    for line in text.lines() {
        let pair = line.split_once(" = QDQ(").map(|(to, of)| {
            let (of, scale) = of
                .trim_end_matches(')')
                .split_once(", ")
                .expect("two inputs");
            format!(
                "{to}_q = QuantizeLinear({of}, {scale}, {zero})\n\
                 {to} = DequantizeLinear({to}_q, {scale}, {zero})"
            )
        });
        all.extend(nodes(pair.as_deref().unwrap_or(line)));
    }
    all.extend(nodes("y = Tanh(out)"));
    let graph = x_to_y(all)
        .init("zero", raw(DataType::INT8, &[], &[0]))
        .init("zero128", raw(DataType::UINT8, &[], &[128]))
        .init("fine", f32_scalar(1.0 / 127.0))
        .init("wide", f32_scalar(1.25 / 127.0))
        .init("data", f32_scalar(0.05))
        .init("keep", f32_scalar(0.8))
        .init("p", f32_scalar(0.2))
        .init("one", f32_scalar(1.0))
        .init("sigma", f32_scalar(0.5))
        .init("keep_q", raw(DataType::INT8, &[], &[101]))
        .init("keep_scale", scalar(DataType::FLOAT, 0.8 / 101.0));
    model(17, graph)
}

#[track_caller]
fn is(text: &str, zero: &str, want: (Kind, f64)) {
    let model = made(text, zero);
    let all = sites(&model);
    let [site] = &all[..] else {
        panic!("{} sites in\n{text}", all.len());
    };
    assert_eq!((site.kind, site.rate), (want.0, Some(want.1)), "{text}");
    assert_eq!(
        (site.mode, site.scaling),
        (Mode::Active, Scaling::Inverted),
        "{text}"
    );
    strips(&model).draws_nothing();
}

const MASK: &str = "u = RandomUniformLike(h)\nb = Less(u, keep)\nm = Cast(b)";

#[test]
fn pairs_wherever_they_are() {
    for text in [
        "d = Div(m, keep)\ndq = QDQ(d, wide)\nout = Mul(h, dq)",
        "mq = QDQ(m, fine)\nd = Div(mq, keep)\nout = Mul(h, d)",
        "mq = QDQ(m, fine)\nd = Div(mq, keep)\ndq = QDQ(d, wide)\nhq = QDQ(h, data)\nout = Mul(dq, hq)",
        "xs = Div(h, keep)\nxq = QDQ(xs, data)\nout = Mul(xq, m)",
        "d = Mul(h, m)\ndq = QDQ(d, data)\nout = Div(dq, keep)",
        "d = Mul(h, m)\ndq = QDQ(d, data)\nt = Transpose(dq)\no = Div(t, keep)\nout = Transpose(o)",
    ] {
        is(&format!("{MASK}\n{text}"), "zero", (Kind::Dropout, 0.2));
    }
    let unsigned = MASK.replace("Less(u, keep)", "GreaterOrEqual(uq, p)");
    let unsigned = unsigned.replace("b = ", "uq = QDQ(u, fine)\nb = ");
    let text = format!("{unsigned}\nd = Div(m, keep)\nout = Mul(h, d)");
    is(&text, "zero128", (Kind::Dropout, 0.2));
}

#[test]
fn a_rate_that_is_stored_as_an_integer() {
    let mask = MASK.replace(
        "b = Less(u, keep)",
        "k = DequantizeLinear(keep_q, keep_scale, zero)\nb = Less(u, k)",
    );
    is(
        &format!("{mask}\nd = Div(m, k)\nout = Mul(h, d)"),
        "zero",
        (Kind::Dropout, 0.2),
    );
}

/// ONNX Runtime has both operators in its own domain, for 16 bits at every opset.
#[test]
fn operators_of_onnx_runtime() {
    let foreign = |mut model: Model| {
        for node in &mut model.main_mut().node {
            if ["QuantizeLinear", "DequantizeLinear"].contains(&node.op_type()) {
                node.domain = Some("com.microsoft".into());
            }
        }
        model.imports("com.microsoft", 1)
    };
    let text = format!("{MASK}\nmq = QDQ(m, fine)\nd = Div(mq, keep)\nout = Mul(h, d)");
    let model = foreign(made(&text, "zero"));
    let found = sites(&model);
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(
        (found[0].rate, found[0].scaling),
        (Some(0.2), Scaling::Inverted)
    );
    strips(&model).draws_nothing();
    let wide = "q = QuantizeLinear(m, fine, zero)\ndq = DequantizeLinear(q, data, zero)";
    let model = foreign(made(&format!("{MASK}\n{wide}\nout = Mul(h, dq)"), "zero"));
    assert!(sites(&model).is_empty());
}

#[test]
fn gaussian_dropout() {
    let text = "n = RandomNormalLike(h)\nnq = QDQ(n, data)\ns = Mul(nq, sigma)\nsq = QDQ(s, data)\n\
                a = Add(sq, one)\naq = QDQ(a, data)\nout = Mul(h, aq)";
    is(text, "zero", (Kind::GaussianDropout, 0.2));
}

#[test]
fn a_pair_of_different_scales_is_a_factor() {
    let mask = "q = QuantizeLinear(m, fine, zero)\ndq = DequantizeLinear(q, data, zero)";
    assert!(sites(&made(&format!("{MASK}\n{mask}\nout = Mul(h, dq)"), "zero")).is_empty());
    // nor is a mask that is only quantized
    let mask = "q = QuantizeLinear(m, fine, zero)\nc = Cast(q)\nout = Mul(h, c)";
    let found = sites(&made(&format!("{MASK}\n{mask}"), "zero"));
    assert!(found.iter().all(|site| site.scaling != Scaling::Inverted));
}

#[test]
fn noise_that_data_scales_stays_random() {
    let text =
        "n = RandomNormalLike(h)\nnq = QDQ(n, data)\ne = Exp(h)\ns = Mul(nq, e)\nout = Add(h, s)";
    assert!(sites(&made(text, "zero")).is_empty());
}
