//! Wrong folds, which verification must see.

use dropout_onnx::onnx;
use dropout_onnx::rewrite::fold::{self, Options};
use dropout_onnx::source::Rope;
use dropout_onnx::verify::{Demand, Options as Verify, Verdict, run, structure, verify_fold};
use prost::Message;

use super::check::{bytes, floats, nodes, of, opset17, some};
use crate::common::build::{f32s, float, op};
use crate::common::proto::Model;

/// `y = sigmoid(s · (x · w + b))`, and `s` goes into `w` and `b`.
fn layer() -> Model {
    let texts = [
        "g = MatMul(x, w)",
        "h = Add(g, b)",
        "m = Mul(h, s)",
        "y = Sigmoid(m)",
    ];
    let graph = of(&[2, 3], &[2, 3], nodes(&texts))
        .init("s", f32s(&[3], &[0.5, 3.0, 0.25]))
        .init("w", f32s(&[3, 3], &some(9)))
        .init("b", f32s(&[3], &some(3)));
    opset17(graph)
}

/// Folds, changes the result, and returns what structure and a run say.
fn broken(before: &Model, change: impl FnOnce(&mut Model)) -> (bool, bool, Verdict) {
    let before = before.read();
    let mut folded = fold::fold(&before, &Options::default()).expect("fold");
    let mut after = Model::decode(&bytes(&folded.edited.rope)[..]).expect("a result");
    let whole = after.clone();
    change(&mut after);
    assert_ne!(after, whole, "the change changed nothing");
    let mut rope = Rope::new();
    rope.push(after.encode_to_vec());
    folded.edited.rope = rope;
    folded.edited.model = after.read();
    said(&before, &folded)
}

fn said(before: &onnx::Model, folded: &fold::Folded) -> (bool, bool, Verdict) {
    let found = verify_fold(before, folded, &Verify::default()).expect("verify");
    let structure = matches!(found.structure, Some(structure::Verdict::Same { .. }));
    let run = found.run.as_ref().expect("asked for").outcome == run::Outcome::Equal;
    let verdict = found.verdict(Demand::Rewrite);
    (structure, run, verdict)
}

fn set(model: &mut Model, name: &str, change: impl FnOnce(&mut Vec<f32>)) {
    let all = &mut model.main_mut().initializer;
    let tensor = all.iter_mut().find(|tensor| tensor.name() == name).unwrap();
    let mut elements = floats(tensor);
    change(&mut elements);
    let bytes = elements.iter().flat_map(|element| element.to_le_bytes());
    tensor.raw_data = Some(bytes.collect());
}

#[test]
fn whole_it_passes() {
    let before = layer().read();
    let folded = fold::fold(&before, &Options::default()).unwrap();
    assert_eq!(said(&before, &folded), (true, true, Verdict::Equal));
}

/// Weights are a run's to judge: structure takes them as equal.
#[track_caller]
fn seen_by_run(change: impl FnOnce(&mut Model)) {
    let (structure, run, verdict) = broken(&layer(), change);
    assert!(structure && !run, "structure {structure}, run {run}");
    assert!(matches!(verdict, Verdict::Different { .. }), "{verdict:?}");
}

#[test]
fn along_the_wrong_axis() {
    seen_by_run(|after| {
        let s = [0.5, 3.0, 0.25];
        set(after, "w", |w| {
            (0..9).for_each(|i| w[i] = some(9)[i] * s[i / 3])
        });
    });
}

#[test]
fn by_the_wrong_factor() {
    seen_by_run(|after| set(after, "w", |w| w.iter_mut().for_each(|w| *w *= 1.01)));
}

#[test]
fn by_its_inverse() {
    seen_by_run(|after| {
        let s = [0.5, 3.0, 0.25];
        set(after, "w", |w| {
            (0..9).for_each(|i| w[i] = some(9)[i] / s[i % 3])
        });
    });
}

#[test]
fn without_the_bias() {
    seen_by_run(|after| set(after, "b", |b| *b = some(3)));
}

#[test]
fn with_the_factor_still_there() {
    let (structure, run, verdict) = broken(&layer(), |after| {
        let main = after.main_mut();
        main.node[2].input[0] = "m".into();
        main.node.insert(2, op("m = Mul(h, s)"));
        let s = crate::common::proto::Tensor {
            name: Some("s".into()),
            ..f32s(&[3], &[0.5, 3.0, 0.25])
        };
        main.initializer.push(s);
    });
    assert!(!structure && !run);
    assert!(matches!(verdict, Verdict::Different { .. }));
}

/// What fold did not touch is structure's to judge, to the last bit.
#[test]
fn with_other_weights_changed_as_well() {
    let texts = ["h = Mul(x, s)", "k = MatMul(h, w)", "y = Add(k, b)"];
    let graph = of(&[2, 3], &[2, 3], nodes(&texts))
        .init("s", f32s(&[1], &[0.7]))
        .init("w", f32s(&[3, 3], &some(9)))
        .init("b", f32s(&[3], &some(3)));
    let (structure, run, verdict) = broken(&opset17(graph), |after| {
        set(after, "b", |b| b[0] += 1e-6);
    });
    assert!(!structure && run, "within the tolerance of a run");
    assert!(matches!(verdict, Verdict::Different { .. }));
}

#[test]
fn with_another_operator_or_attribute() {
    let (structure, ..) = broken(&layer(), |after| {
        after.main_mut().node[2].op_type = Some("Tanh".into());
    });
    assert!(!structure);
    let gemm = op("g = Gemm(x, x)").with(crate::common::build::int("transB", 1));
    let graph = of(
        &[2, 3],
        &[2, 2],
        [gemm, op("m = Mul(g, s)"), op("y = Sigmoid(m)")],
    );
    let model = opset17(graph.init("s", f32s(&[1], &[0.5])));
    let (structure, run, _) = broken(&model, |after| {
        let gemm = &mut after.main_mut().node[0];
        gemm.attribute.retain(|a| a.name() != "alpha");
        gemm.attribute.push(float("alpha", 0.75));
    });
    assert!(structure && !run, "alpha took a factor");
    let (structure, ..) = broken(&model, |after| {
        let gemm = &mut after.main_mut().node[0];
        gemm.attribute.push(float("beta", 0.75));
    });
    assert!(!structure, "beta did not");
}
