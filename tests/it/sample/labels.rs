//! Accuracy with labels, and labels that do not fit.

use bytes::Bytes;
use dropout_onnx::onnx::DataType;
use dropout_onnx::sample::{Classes, LabelData, Labels, Options, Report, sample};
use ndarray::{Array1, arr1, arr2};
use ndarray_npy::{WritableElement, WriteNpyExt};

use super::{fed, refusal};
use crate::common::build::{f32_scalar, flag, graph, int, model, op};
use crate::common::proto::Model;

/// `Softmax(Dropout(x))` of four rows of three classes, and a second output without classes.
fn classifier() -> Model {
    let graph = graph(vec![
        op("h = Dropout(x, p, on)").named("drop"),
        op("y = Softmax(h)").with(int("axis", -1)),
        op("z = Neg(h)"),
    ]);
    let graph = graph
        .input_of("x", DataType::FLOAT, &[4, 3])
        .output_of("y", DataType::FLOAT, &[4, 3])
        .output_of("z", DataType::FLOAT, &[4, 3]);
    model(13, graph.init("p", f32_scalar(0.2)).init("on", flag(true)))
}

/// The rows' classes are 0, 1, 2 and 0.
const X: [f32; 12] = [9., 0., 0., 0., 9., 0., 0., 0., 9., 9., 0., 0.];

fn npy<T: WritableElement>(labels: &Array1<T>) -> LabelData {
    let mut bytes = Vec::new();
    labels.write_npy(&mut bytes).unwrap();
    LabelData::Npy(Bytes::from(bytes))
}

fn labelled(output: Option<&str>, data: LabelData) -> Options {
    let output = output.map(String::from);
    Options::default()
        .runs(50)
        .labels(vec![Labels::new(output, data)])
}

fn classes(report: &Report) -> &Classes {
    report.samplings[0].outputs[0].classes.as_ref().unwrap()
}

#[test]
fn the_share_of_rows_whose_top_class_is_their_label() {
    let run = |data| fed(&classifier(), &[4, 3], &X, labelled(None, data));
    // the second row is wrong
    let report = run(npy(&arr1(&[0i64, 2, 2, 0])));
    let of = classes(&report);
    assert_eq!(of.top, [0, 1, 2, 0]);
    assert_eq!(of.accuracy, Some(0.75));
    assert_eq!(of.deterministic_accuracy, Some(0.75));
    assert_eq!(report.samplings[0].outputs[1].classes, None);
    // the twins: all right, all wrong, other types, and no labels
    let right = run(npy(&arr1(&[0.0f32, 1.0, 2.0, 0.0])));
    assert_eq!(classes(&right).accuracy, Some(1.0));
    let wrong = run(npy(&arr1(&[1u8, 2, 0, 1])));
    assert_eq!(classes(&wrong).accuracy, Some(0.0));
    let none = fed(&classifier(), &[4, 3], &X, Options::default());
    assert_eq!(classes(&none).accuracy, None);
}

#[test]
fn a_column_of_labels_and_a_named_output() {
    let mut bytes = Vec::new();
    let column = arr2(&[[0i32], [1], [2], [1]]);
    column.write_npy(&mut bytes).unwrap();
    let options = labelled(Some("y"), LabelData::Npy(Bytes::from(bytes)));
    let report = fed(&classifier(), &[4, 3], &X, options);
    assert_eq!(classes(&report).accuracy, Some(0.75));
}

#[test]
fn of_every_rate() {
    let options = labelled(None, npy(&arr1(&[0i64, 1, 2, 0]))).rates(vec![0.0, 0.9]);
    let report = fed(&classifier(), &[4, 3], &X, options);
    let [none, most] = [0, 1].map(|at| report.samplings[at].outputs[0].classes.clone().unwrap());
    assert_eq!(none.accuracy, Some(1.0));
    // with nine of ten dropped, the first of three equal numbers mostly wins
    assert_eq!(most.accuracy, Some(0.5), "{most:?}");
    assert_eq!(most.deterministic_accuracy, Some(1.0));
    assert!(report.svg().unwrap().contains("Accuracy"));
}

#[test]
fn labels_that_do_not_fit() {
    let x = |options: Options| {
        let folder = tempfile::TempDir::new().unwrap();
        let file = folder.path().join("x.npy");
        let array = ndarray::ArrayD::from_shape_vec(ndarray::IxDyn(&[4, 3]), X.to_vec()).unwrap();
        array
            .write_npy(std::fs::File::create(&file).unwrap())
            .unwrap();
        let input = format!("x={}", file.display()).parse().unwrap();
        let options = options.inputs(vec![input]);
        refusal(&classifier().read(), &options)
    };
    for (output, labels, why) in [
        (
            None,
            arr1(&[0i64, 1, 2]),
            "labels of output y have shape [3], but its rows have shape [4]",
        ),
        (
            None,
            arr1(&[0i64, 1, 2, 3]),
            "label 3 of row 3 of output y is not the number of one of its 3 classes",
        ),
        (None, arr1(&[0i64, 1, -1, 0]), "label -1 of row 2"),
        (
            Some("z"),
            arr1(&[0i64, 1, 2, 0]),
            "output z is not a classifier's",
        ),
        (
            Some("w"),
            arr1(&[0i64, 1, 2, 0]),
            "no output w; its outputs: y, z",
        ),
    ] {
        let found = x(labelled(output, npy(&labels)));
        assert!(found.contains(why), "{found}");
    }
    let half = x(labelled(None, npy(&arr1(&[0.5f64, 1.0, 2.0, 0.0]))));
    assert!(half.contains("label 0.5 of row 0"), "{half}");
    let broken = x(labelled(
        None,
        LabelData::Npy(Bytes::from_static(b"no array")),
    ));
    assert!(broken.contains("labels: "), "{broken}");
    // labels of nothing
    let options = labelled(None, npy(&arr1(&[0i64, 1, 2, 0])));
    let random = sample(&classifier().read(), &options, &mut |_, _| {}).unwrap_err();
    assert!(
        random.to_string().contains("supply it with --input"),
        "{random}"
    );
}
