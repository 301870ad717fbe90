//! Predictive entropy and agreement, against what the four masks of two elements come to.

use dropout_onnx::onnx::DataType;
use dropout_onnx::sample::{Numbers, Options, Report};

use super::fed;
use crate::common::build::{f32_scalar, flag, graph, int, model, op};
use crate::common::proto::Model;

/// `Softmax(Dropout(x, 0.5))` or, without softmax, its logits.
fn classifier(softmax: bool) -> Model {
    let nodes = match softmax {
        true => vec![
            op("h = Dropout(x, p, on)").named("drop"),
            op("y = Softmax(h)").with(int("axis", -1)),
        ],
        false => vec![op("y = Dropout(x, p, on)").named("drop")],
    };
    let graph = graph(nodes)
        .input_of("x", DataType::FLOAT, &[1, 2])
        .output_of("y", DataType::FLOAT, &[1, 2])
        .init("p", f32_scalar(0.5))
        .init("on", flag(true));
    model(13, graph)
}

fn run(softmax: bool, classes: &[&str]) -> Report {
    let options = Options::default()
        .runs(2000)
        .seed(11)
        .classes(classes.iter().map(|spec| spec.parse().unwrap()).collect());
    fed(&classifier(softmax), &[1, 2], &[2.0, 0.5], options)
}

/// Mean of the first class, and entropy: the logits are 4 or 0, and 1 or 0.
fn by_hand() -> (f64, f64) {
    let first = [(4.0, 1.0), (4.0, 0.0), (0.0, 1.0), (0.0, 0.0)]
        .map(|(a, b): (f64, f64)| a.exp() / (a.exp() + b.exp()));
    let mean = first.iter().sum::<f64>() / 4.0;
    (mean, -mean * mean.ln() - (1.0 - mean) * (1.0 - mean).ln())
}

#[test]
fn of_a_distribution() {
    let report = run(true, &[]);
    let output = &report.samplings[0].outputs[0];
    let classes = output.classes.as_ref().unwrap();
    let (mean, entropy) = by_hand();
    assert!((classes.mean[0] - mean).abs() < 0.02, "{classes:?}");
    assert_eq!(classes.mean.len(), 2);
    for (mean, of_output) in classes.mean.iter().zip(&output.mean) {
        assert!((mean - of_output).abs() < 1e-9);
    }
    assert!(
        (classes.entropy[0] - entropy).abs() < 0.01,
        "{classes:?}, not {entropy}"
    );
    // only where the first is dropped and the second kept is the second on top
    assert!((classes.agreement[0] - 0.75).abs() < 0.03, "{classes:?}");
    assert_eq!(
        (classes.top[0], classes.count, classes.numbers),
        (0, 2, Numbers::Probabilities)
    );
    assert_eq!(output.deterministic_top(), Some(vec![0]));
    // the twin: what the model says at inference is surer than what it says on average
    let sure = output.deterministic.as_ref().unwrap()[0];
    let sure = -sure * sure.ln() - (1.0 - sure) * (1.0 - sure).ln();
    assert!((classes.entropy[0] - sure).abs() > 0.05, "{sure}");
}

#[test]
fn of_logits_if_asked() {
    assert_eq!(run(false, &[]).samplings[0].outputs[0].classes, None);
    let [logits, softmax] = [run(false, &["y"]), run(true, &[])];
    let [logits, softmax] =
        [logits, softmax].map(|r| r.samplings[0].outputs[0].classes.clone().unwrap());
    assert_eq!(logits.numbers, Numbers::Logits);
    assert_eq!(
        (&logits.top, &logits.agreement),
        (&softmax.top, &softmax.agreement)
    );
    assert!((logits.entropy[0] - softmax.entropy[0]).abs() < 1e-6);
}
