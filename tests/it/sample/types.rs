//! Element types, and weights in a file of their own.

use dropout_onnx::onnx::{DataType, Model as Onnx};
use dropout_onnx::sample::{Options, Report, sample};
use prost::Message;
use tempfile::TempDir;

use super::{refusal, sampled};
use crate::common::build::{entry, f32_scalar, f32s, graph, int, model, op, raw, scalar};
use crate::common::proto::Model;

fn options(rates: &[f64]) -> Options {
    Options::default().runs(30).seed(5).rates(rates.to_vec())
}

/// Dropout as an operator or as a random mask, of elements of this type.
fn of(element: DataType, operator: bool) -> Model {
    let nodes = match operator {
        true => vec![op("y = Dropout(x, p)").named("drop")],
        false => vec![
            op("u = RandomUniformLike(x)").with(int("dtype", 1)),
            op("m = GreaterOrEqual(u, t)"),
            op("k = Cast(m)").with(int("to", element.0.into())),
            op("xs = Mul(x, s)"),
            op("y = Mul(xs, k)"),
        ],
    };
    let graph = graph(nodes)
        .input_of("x", element, &[4000])
        .output_of("y", element, &[4000])
        .init("p", f32_scalar(0.3))
        .init("t", f32_scalar(0.3))
        .init("s", scalar(element, 1.0 / 0.7));
    model(13, graph)
}

/// The variance over that of rate 0.3: `x² p/(1-p)` of every element.
fn ratio(report: &Report, at: usize) -> f64 {
    let output = &report.samplings[at].outputs[0];
    let x = output.deterministic.as_ref().unwrap();
    let squares: f64 = x.iter().map(|x| x * x).sum();
    output.std.iter().map(|std| std * std).sum::<f64>() / squares
}

#[test]
fn half_and_double_precision() {
    for element in [DataType::FLOAT16, DataType::FLOAT, DataType::DOUBLE] {
        for operator in [true, false] {
            let model = of(element, operator).read();
            let near = |found: f64, p: f64| (found / (p / (1.0 - p)) - 1.0).abs() < 0.08;
            let written = ratio(&sampled(&model, &options(&[])), 0);
            assert!(near(written, 0.3), "{element} {operator}: {written}");
            let report = sampled(&model, &options(&[0.1, 0.5]));
            for (at, p) in [0.1, 0.5].into_iter().enumerate() {
                let found = ratio(&report, at);
                assert!(near(found, p), "{element} {operator} {p}: {found}");
                assert!(!near(found, 0.3), "the twin: it is not as written");
            }
        }
    }
}

#[test]
fn bfloat16_is_refused_with_the_reason() {
    let found = refusal(&of(DataType::BFLOAT16, true).read(), &options(&[]));
    assert!(found.contains("tract has no bfloat16 tensors"), "{found}");
}

/// `dropout(x) · w`, the weights in `w.bin` beside it, or in the model.
fn dense(beside: bool) -> (Model, Vec<u8>) {
    let weights: Vec<f32> = (0..12).map(|i| i as f32 / 4.0 - 1.0).collect();
    let inside = f32s(&[6, 2], &weights);
    let bytes = inside.raw_data().to_vec();
    let mut outside = raw(DataType::FLOAT, &[6, 2], &[]);
    outside.raw_data = None;
    outside.data_location = Some(1);
    outside.external_data = vec![entry("location", "w.bin")];
    let graph = graph([
        op("d = Dropout(x, p)").named("drop"),
        op("y = MatMul(d, w)"),
    ])
    .input_of("x", DataType::FLOAT, &[3, 6])
    .output_of("y", DataType::FLOAT, &[3, 2])
    .init("p", f32_scalar(0.5))
    .init("w", if beside { outside } else { inside });
    (model(13, graph), bytes)
}

#[test]
fn external_weights_are_read() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("model.onnx");
    let (model, weights) = dense(true);
    std::fs::write(&file, model.encode_to_vec()).unwrap();
    std::fs::write(folder.path().join("w.bin"), &weights).unwrap();
    for rates in [&[][..], &[0.2, 0.5]] {
        let beside = sampled(&Onnx::open(&file).unwrap(), &options(rates));
        let inside = sampled(&dense(false).0.read(), &options(rates));
        assert_eq!(beside.samplings, inside.samplings);
        assert!(beside.samplings[0].outputs[0].spread() > 0.0);
    }
    // the twins: too short a file, and none
    std::fs::write(folder.path().join("w.bin"), &weights[..20]).unwrap();
    let short = sample(&Onnx::open(&file).unwrap(), &options(&[]), &mut |_, _| {});
    std::fs::remove_file(folder.path().join("w.bin")).unwrap();
    let none = sample(&Onnx::open(&file).unwrap(), &options(&[]), &mut |_, _| {});
    for found in [short, none] {
        let error = found.unwrap_err().to_string();
        assert!(error.contains("w.bin: tensor `w`"), "{error}");
    }
}
