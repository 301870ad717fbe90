//! Weights in every type and however they are stored; weights that others use.

use dropout_onnx::onnx::{self, DataType, Name};
use dropout_onnx::rewrite::fold::{Options, Outcome, fold};
use dropout_onnx::source::Source;
use half::{bf16, f16};
use prost::Message;

use super::check::{bytes, floats, folds, folds_unrun, nodes, of, opset17, some, verified};
use crate::common::build::{entry, f32_scalar, f32s, graph, model, op, raw, scalar, tensor};
use crate::common::proto::{Model, Tensor};
use dropout_onnx::verify::Verdict;

const BY: f64 = 0.3;

/// Numbers in a float type.
fn encode(data_type: DataType, numbers: impl IntoIterator<Item = f64>) -> Vec<u8> {
    let one = |n: f64| match data_type {
        DataType::FLOAT => (n as f32).to_le_bytes().to_vec(),
        DataType::DOUBLE => n.to_le_bytes().to_vec(),
        DataType::FLOAT16 => f16::from_f64(n).to_le_bytes().to_vec(),
        _ => bf16::from_f64(n).to_le_bytes().to_vec(),
    };
    numbers.into_iter().flat_map(one).collect()
}

/// The number that a type has for this one.
fn rounded(data_type: DataType, n: f64) -> f64 {
    match data_type {
        DataType::FLOAT => f64::from(n as f32),
        DataType::DOUBLE => n,
        DataType::FLOAT16 => f16::from_f64(n).to_f64(),
        _ => bf16::from_f64(n).to_f64(),
    }
}

fn numbers() -> Vec<f64> {
    some(6).iter().map(|&n| f64::from(n)).collect()
}

fn scaled_matmul(data_type: DataType, weights: Tensor) -> Model {
    let graph = graph(nodes(&["h = Mul(x, s)", "y = MatMul(h, w)"]))
        .input_of("x", data_type, &[2, 3])
        .output_of("y", data_type, &[2, 2])
        .init("s", scalar(data_type, BY))
        .init("w", weights);
    opset17(graph)
}

fn expected(data_type: DataType) -> Vec<u8> {
    let by = rounded(data_type, BY);
    encode(
        data_type,
        numbers().into_iter().map(|n| rounded(data_type, n) * by),
    )
}

#[test]
fn every_type_is_computed_in_64_bits_and_rounded_once() {
    for data_type in [
        DataType::FLOAT,
        DataType::DOUBLE,
        DataType::FLOAT16,
        DataType::BFLOAT16,
    ] {
        let weights = raw(data_type, &[3, 2], &encode(data_type, numbers()));
        let model = scaled_matmul(data_type, weights);
        let folded = match data_type {
            DataType::BFLOAT16 => folds_unrun(&model), // tract has no bfloat16
            _ => folds(&model),
        };
        assert_eq!(
            folded.initializer("w").raw_data(),
            expected(data_type),
            "{data_type}"
        );
    }
}

#[test]
fn what_tract_cannot_run_is_not_called_equal() {
    let bf16 = DataType::BFLOAT16;
    let weights = raw(bf16, &[3, 2], &encode(bf16, numbers()));
    let folded = folds_unrun(&scaled_matmul(bf16, weights));
    let (_, verdict) = verified(&folded.before, &folded.whole);
    assert!(matches!(verdict, Verdict::NotShown { .. }), "{verdict:?}");
}

#[test]
fn typed_fields() {
    let floats = Tensor {
        dims: vec![3, 2],
        data_type: Some(1),
        float_data: some(6),
        ..Tensor::default()
    };
    let folded = folds(&scaled_matmul(DataType::FLOAT, floats));
    let after = folded.initializer("w");
    assert_eq!(after.raw_data(), expected(DataType::FLOAT));
    assert!(after.float_data.is_empty());
    for data_type in [DataType::FLOAT16, DataType::BFLOAT16] {
        let bits = encode(data_type, numbers());
        let bits = bits
            .as_chunks::<2>()
            .0
            .iter()
            .map(|&b| i32::from(u16::from_le_bytes(b)));
        let weights = Tensor {
            dims: vec![3, 2],
            data_type: Some(data_type.0),
            int32_data: bits.collect(),
            ..Tensor::default()
        };
        let folded = folds_unrun(&scaled_matmul(data_type, weights));
        assert_eq!(
            folded.initializer("w").raw_data(),
            expected(data_type),
            "{data_type}"
        );
    }
}

#[test]
fn external_data_is_embedded_and_reported() {
    let folder = tempfile::tempdir().unwrap();
    let mut file = vec![7u8; 100];
    file.extend(encode(DataType::FLOAT, numbers()));
    std::fs::write(folder.path().join("weights.bin"), &file).unwrap();
    let weights = Tensor {
        dims: vec![3, 2],
        data_type: Some(1),
        external_data: vec![
            entry("location", "weights.bin"),
            entry("offset", "100"),
            entry("length", "24"),
        ],
        data_location: Some(1),
        ..Tensor::default()
    };
    let bytes = scaled_matmul(DataType::FLOAT, weights).encode_to_vec();
    let source = Source::from_bytes(bytes);
    let before = onnx::Model::read_in(source, Some(folder.path().into())).unwrap();
    let folded = fold(&before, &Options::default()).unwrap();
    assert_eq!(folded.outcome.embedded, ["w"]);
    let after = Model::decode(&self::bytes(&folded.edited.rope)[..]).unwrap();
    let w = after
        .main()
        .initializer
        .iter()
        .find(|t| t.name() == "w")
        .unwrap();
    assert_eq!(w.raw_data(), expected(DataType::FLOAT));
    assert_eq!((w.data_location, w.external_data.len()), (None, 0));
    assert_eq!(verified(&before, &folded).1, Verdict::Equal);
    assert_eq!(
        std::fs::read(folder.path().join("weights.bin")).unwrap(),
        file
    );
}

#[test]
fn constant_nodes() {
    let constant = |name: &str, value: Tensor| {
        op(&format!("{name} = Constant()")).with(tensor("value", value))
    };
    let nodes = [
        constant("w", f32s(&[3, 2], &some(6))),
        constant("s", f32s(&[1], &[0.5])),
        op("h = Mul(x, s)"),
        op("y = MatMul(h, w)"),
    ];
    let folded = folds(&opset17(of(&[2, 3], &[2, 2], nodes)));
    let node = &folded.after.main().node[0];
    let w = node.attribute[0].t.as_ref().unwrap();
    let half: Vec<f32> = some(6).iter().map(|w| w * 0.5).collect();
    assert_eq!(floats(w), half);
    folded.leaves(&["w = Constant()", "y = MatMul(x, w)"]);
}

fn shared() -> Model {
    let texts = [
        "h = Mul(x, s)",
        "a = MatMul(h, w)",
        "b = MatMul(x, w)",
        "y = Add(a, b)",
    ];
    let graph = of(&[2, 3], &[2, 2], nodes(&texts))
        .init("s", f32_scalar(0.5))
        .init("w", f32s(&[3, 2], &some(6)));
    opset17(graph)
}

fn lost(outcome: &Outcome) -> Vec<(Name, u64)> {
    let lost = outcome.lost.iter();
    lost.map(|lost| (lost.name.clone(), lost.elements))
        .collect()
}

#[test]
fn weights_with_other_readers_are_copied_and_the_cost_is_reported() {
    let half: Vec<f32> = some(6).iter().map(|w| w * 0.5).collect();
    let folded = folds(&shared()).has("w", &some(6)).has("w/folded", &half);
    let [copy] = &folded.whole.outcome.copies[..] else {
        panic!("{:?}", folded.whole.outcome);
    };
    assert_eq!(
        (copy.name.clone(), copy.of.clone(), copy.bytes),
        ("w/folded".into(), Some("w".into()), 24)
    );
    insta::assert_snapshot!("shared_weights", folded.texts());
}

#[test]
fn a_copy_before_ir_version_4_is_a_constant_node() {
    let mut model = Model {
        opset_import: model(8, graph([])).opset_import,
        ..shared()
    }
    .ir(3);
    for (name, dims) in [("w", &[3, 2][..]), ("s", &[])] {
        let input = crate::common::build::typed(name, DataType::FLOAT, dims);
        model.main_mut().input.push(input);
    }
    let folded = folds(&model).has("w", &some(6));
    let lines = folded.after.lines();
    assert_eq!(lines[0], "w/folded = Constant()");
}

#[test]
fn the_same_weights_scaled_alike_stay_one() {
    let texts = [
        "h = Mul(x, s)",
        "a = MatMul(h, w)",
        "r = Relu(h)",
        "b = MatMul(r, w)",
        "y = Add(a, b)",
    ];
    let graph = of(&[2, 3], &[2, 2], nodes(&texts))
        .init("s", f32_scalar(0.5))
        .init("w", f32s(&[3, 2], &some(6)));
    let half: Vec<f32> = some(6).iter().map(|w| w * 0.5).collect();
    let folded = folds(&opset17(graph)).has("w", &half);
    assert!(folded.whole.outcome.copies.is_empty());
}

#[test]
fn powers_of_two_are_bit_identical() {
    let half = folds(&shared());
    assert!(half.whole.outcome.exact);
    let (found, _) = verified(&half.before, &half.whole);
    let report = found.run.unwrap();
    assert_eq!(report.tolerance.to_string(), "bit for bit");
    let mut other = shared();
    other.main_mut().initializer[0].raw_data = Some(0.7f32.to_le_bytes().to_vec());
    let other = folds(&other);
    let (found, _) = verified(&other.before, &other.whole);
    let report = found.run.unwrap();
    assert_eq!(
        report.tolerance.to_string(),
        "within the tolerance of the element type"
    );
    let note = "float: within 1e-4 of each element and 1e-6 of the largest";
    assert!(report.notes.iter().any(|n| n == note), "{:?}", report.notes);
}

#[test]
fn other_fields_of_a_tensor_are_kept() {
    let folded = folds(&shared());
    let untouched = folded.initializer("w");
    assert_eq!(floats(&untouched), some(6));
    // the field order of the file: name and dims before the elements
    let texts = folded.texts();
    assert!(texts.contains("initializer w/folded"), "{texts}");
}

#[test]
fn loss_of_precision_in_small_numbers_is_reported() {
    let small = [6.1e-5, 1e-4, 2e-7, 1.0, 0.5, 0.0];
    let half = DataType::FLOAT16;
    let of_halves = |by: f64| {
        let graph = graph(nodes(&["h = Mul(x, s)", "y = MatMul(h, w)"]))
            .input_of("x", half, &[2, 3])
            .output_of("y", half, &[2, 2])
            .init("s", scalar(half, by))
            .init("w", raw(half, &[3, 2], &encode(half, small)));
        folds_unrun(&opset17(graph)).whole.outcome
    };
    let outcome = of_halves(0.25);
    assert_eq!(lost(&outcome), [("w".into(), 3)]);
    assert!(
        !outcome.exact,
        "a power of two, and yet something was rounded"
    );
    let outcome = of_halves(2.0);
    assert!(outcome.lost.is_empty() && outcome.exact);
    // a range that is wide enough is not read for it
    let graph = of(
        &[2, 3],
        &[2, 2],
        nodes(&["h = Mul(x, s)", "y = MatMul(h, w)"]),
    )
    .init("s", f32_scalar(1e-30))
    .init("w", f32s(&[3, 2], &[1e-15, 1.0, 1e-5, 0.0, 1.0, 1.0]));
    assert_eq!(
        lost(&folds(&opset17(graph)).whole.outcome),
        [("w".into(), 1)]
    );
}

/// A factor that passes a Cast to or from half precision is held to what that can tell apart.
#[test]
fn halves_on_the_way_widen_the_tolerance() {
    let cast = |text: &str, to: i64| op(text).with(crate::common::build::int("to", to));
    let through = |by: f32| {
        let all = [
            op("h = Mul(x, s)"),
            cast("k = Cast(h)", 10),
            cast("l = Cast(k)", 1),
            op("y = MatMul(l, w)"),
        ];
        let graph = of(&[2, 3], &[2, 2], all)
            .init("s", f32_scalar(by))
            .init("w", f32s(&[3, 2], &some(6)));
        opset17(graph)
    };
    let folded = folds(&through(1.7));
    let (found, verdict) = verified(&folded.before, &folded.whole);
    assert_eq!(verdict, Verdict::Equal);
    let notes = found.run.unwrap().notes;
    assert!(
        notes
            .iter()
            .any(|note| note.starts_with("float16 is computed in")),
        "{notes:?}"
    );
    let why = super::check::stays(&through(0.7));
    assert!(why.contains("could overflow float16"), "{why}");
    // back over a Cast to what is wider it is the other way round
    let back = |by: f32| {
        let all = [
            cast("k = Cast(g)", 1),
            op("h = Mul(k, s)"),
            op("y = Sigmoid(h)"),
        ];
        let graph = graph([op("g = MatMul(x, w)")].into_iter().chain(all))
            .input_of("x", DataType::FLOAT16, &[2, 3])
            .output_of("y", DataType::FLOAT, &[2, 2])
            .init("s", f32_scalar(by))
            .init(
                "w",
                raw(
                    DataType::FLOAT16,
                    &[3, 2],
                    &encode(DataType::FLOAT16, numbers()),
                ),
            );
        opset17(graph)
    };
    folds_unrun(&back(0.7));
    let why = super::check::stays(&back(1.7));
    assert!(why.contains("could overflow float16"), "{why}");
}

/// Weights of more than 2 GiB in a file of their own, which has no block on the disk.
#[test]
fn does_not_fold_what_would_make_the_model_larger_than_protobuf_allows() {
    let folder = tempfile::tempdir().unwrap();
    let (rows, columns) = (1i64 << 15, (1i64 << 14) + 1);
    let size = 4 * (rows * columns) as u64;
    let file = std::fs::File::create(folder.path().join("weights.bin")).unwrap();
    file.set_len(size).unwrap();
    let weights = |rows: i64| Tensor {
        dims: vec![rows, columns],
        data_type: Some(1),
        external_data: vec![entry("location", "weights.bin")],
        data_location: Some(1),
        ..Tensor::default()
    };
    let folding = |weights: Tensor| {
        let bytes = scaled_matmul(DataType::FLOAT, weights).encode_to_vec();
        let source = Source::from_bytes(bytes);
        let model = onnx::Model::read_in(source, Some(folder.path().into())).unwrap();
        fold(&model, &Options::default())
    };
    let error = folding(weights(rows)).unwrap_err();
    assert!(
        error
            .why()
            .contains("larger than the 2 GiB that protobuf allows"),
        "{error}"
    );
    assert!(error.why().contains("--at"), "{error}");
    // half of them fit
    assert_eq!(folding(weights(rows / 2)).unwrap().outcome.embedded, ["w"]);
}
