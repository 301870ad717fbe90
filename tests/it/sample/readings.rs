//! Which outputs are classes: by their numbers, by a sigmoid, and by what somebody says.

use dropout_onnx::onnx::DataType;
use dropout_onnx::sample::{Numbers, Options, Output};

use super::{fed, refusal, sampled};
use crate::common::build::{f32_scalar, graph, int, model, op};
use crate::common::proto::{Model, Node};

/// `dropout(x)` of x[1, 3, 2], and what is made of it.
fn after(nodes: Vec<Node>) -> Model {
    let mut nodes = nodes;
    nodes.insert(0, op("d = Dropout(x, p)").named("drop"));
    let graph = graph(nodes)
        .input_of("x", DataType::FLOAT, &[1, 3, 2])
        .output_of("y", DataType::FLOAT, &[1, 3, 2])
        .init("p", f32_scalar(0.5));
    model(13, graph)
}

const X: [f32; 6] = [1.0, 2.0, 0.5, -1.0, 3.0, 0.25];

fn options(classes: &[&str]) -> Options {
    Options::default()
        .runs(40)
        .classes(classes.iter().map(|spec| spec.parse().unwrap()).collect())
}

fn output(nodes: Vec<Node>, classes: &[&str]) -> Output {
    let report = fed(&after(nodes), &[1, 3, 2], &X, options(classes));
    report.samplings[0].outputs[0].clone()
}

fn softmax(operator: &str, axis: i64) -> Vec<Node> {
    vec![op(&format!("y = {operator}(d)")).with(int("axis", axis))]
}

fn reads(output: &Output) -> Option<(Numbers, Option<usize>, usize, Vec<usize>)> {
    let classes = output.classes.as_ref()?;
    let of = classes.shape.clone();
    Some((classes.numbers, classes.axis, classes.count, of))
}

fn near(one: &[f64], other: &[f64]) -> bool {
    let mut pairs = one.iter().zip(other);
    one.len() == other.len() && pairs.all(|(a, b)| (a - b).abs() < 1e-5)
}

#[test]
fn probabilities_along_the_last_axis_or_along_channels() {
    let p = Numbers::Probabilities;
    let last = output(softmax("Softmax", -1), &[]);
    assert_eq!(reads(&last), Some((p, Some(2), 2, vec![1, 3])));
    let channels = output(softmax("Softmax", 1), &[]);
    assert_eq!(reads(&channels), Some((p, Some(1), 3, vec![1, 2])));
    let [classes, of_last] = [&channels, &last].map(|output| output.classes.as_ref().unwrap());
    assert!(near(&classes.mean, &channels.mean));
    assert!(classes.entropy.iter().all(|&h| h > 0.1 && h < 3f64.ln()));
    assert_eq!(channels.deterministic_top(), Some(vec![2, 0])); // of 1, .5, 3 and of 2, -1, .25
    assert_eq!(last.deterministic_top(), Some(vec![1, 0, 0]));
    assert_eq!(classes.top_element(0), 2 * classes.top[0]);
    assert_eq!(of_last.top_element(2), 4 + of_last.top[2]);
}

#[test]
fn log_probabilities_give_the_same_statistics() {
    for axis in [-1, 1] {
        let plain = output(softmax("Softmax", axis), &[]).classes.unwrap();
        let logarithms = output(softmax("LogSoftmax", axis), &[]).classes.unwrap();
        assert_eq!(logarithms.numbers, Numbers::Logits);
        assert!(near(&plain.mean, &logarithms.mean));
        assert!(near(&plain.entropy, &logarithms.entropy));
        assert_eq!(plain.agreement, logarithms.agreement);
        // and so do the logits themselves, if somebody says so
        let asked = format!("y=logits@{axis}");
        let logits = output(vec![op("y = Identity(d)")], &[&asked])
            .classes
            .unwrap();
        assert!(near(&plain.entropy, &logits.entropy));
        assert_eq!(plain.agreement, logits.agreement);
    }
    assert_eq!(output(vec![op("y = Identity(d)")], &[]).classes, None);
    let taken = output(vec![op("y = Identity(d)")], &["y"]);
    assert_eq!(reads(&taken).unwrap().1, Some(2));
}

#[test]
fn a_sigmoid_with_one_element_per_row_is_binary() {
    let narrow = |last: &str| {
        let mut of = after(vec![
            op("f = Flatten(d)"),
            op("s = ReduceSum(f)").with(int("keepdims", 1)),
            op(&format!("t = {last}(s)")),
            op("y = Identity(t)"),
        ]);
        of.main_mut().output[0] = crate::common::build::typed("y", DataType::FLOAT, &[1, 1]);
        of
    };
    let run = |last: &str, classes: &[&str]| {
        let report = fed(&narrow(last), &[1, 3, 2], &X, options(classes));
        report.samplings[0].outputs[0].clone()
    };
    let yes = run("Sigmoid", &[]);
    assert_eq!(reads(&yes), Some((Numbers::Binary, None, 2, vec![1, 1])));
    assert_eq!(yes.deterministic_top(), Some(vec![1])); // the sum is 5.75
    let classes = yes.classes.as_ref().unwrap();
    let p = yes.mean[0];
    let entropy = -p * p.ln() - (1.0 - p) * (1.0 - p).ln();
    assert!((classes.entropy[0] - entropy).abs() < 1e-9);
    // the same from the logit, if somebody says so
    let logit = run("Identity", &["y=binary-logits"]).classes.unwrap();
    assert!(near(&logit.entropy, &classes.entropy) && logit.agreement == classes.agreement);
    // the twins: no sigmoid, several numbers a row, and somebody who knows better
    assert_eq!(run("Identity", &[]).classes, None);
    assert_eq!(run("Sigmoid", &["y=none"]).classes, None);
    assert_eq!(output(vec![op("y = Sigmoid(d)")], &[]).classes, None);
    let tags = output(vec![op("y = Sigmoid(d)")], &["y=binary"]);
    assert_eq!(
        reads(&tags),
        Some((Numbers::Binary, None, 2, vec![1, 3, 2]))
    );
    assert_eq!(output(softmax("Softmax", -1), &["y=none"]).classes, None);
}

#[test]
fn what_does_not_fit_is_refused() {
    let plain = after(vec![op("y = Identity(d)")]);
    for (classes, why) in [
        (vec!["y=probabilities"], "does not match --classes: "),
        (
            vec!["y=binary"],
            "is not a probability; y=logits and y=binary-logits",
        ),
        (
            vec!["y@3"],
            "output y[1, 3, 2] is not a classifier: there is no axis 3",
        ),
        (vec!["y=logits@-4"], "there is no axis -4"),
        (
            vec!["y@0"],
            "the axis of the classes must have at least 2 elements",
        ),
        (
            vec!["y", "y=none"],
            "the classes of output y are given twice",
        ),
    ] {
        let found = refusal(&plain.read(), &options(&classes));
        assert!(found.contains(why), "{classes:?}: {found}");
    }
    let mut whole = after(vec![op("y = Cast(d)").with(int("to", 7))]);
    whole.main_mut().output[0] = crate::common::build::typed("y", DataType::INT64, &[1, 3, 2]);
    let found = refusal(&whole.read(), &options(&["y"]));
    assert!(
        found.contains("output y is int64[1, 3, 2], but a classifier has floats"),
        "{found}"
    );
    // the twin: of the same output, nothing is asked
    assert_eq!(
        sampled(&whole.read(), &options(&["y=none"])).samplings[0].outputs[0].classes,
        None
    );
}
