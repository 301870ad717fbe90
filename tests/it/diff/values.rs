//! By how much numbers differ.

use dropout_onnx::diff::{Delta, Options, diff};
use dropout_onnx::onnx::{DataType, Model};
use prost::Message;

use crate::common::build::{entry, f32s, graph, model, op, raw};
use crate::common::proto::Tensor;

fn with(w: Tensor) -> crate::common::proto::Model {
    model(13, graph([op("y = Identity(w)")]).init("w", w).output("y"))
}

fn delta_of(before: &Model, after: &Model) -> Option<Delta> {
    let options = Options::default().values(true).structure(false);
    let found = diff(before, after, &options).unwrap();
    assert_eq!(found.changes.len(), 1, "{:?}", found.changes);
    found.changes[0].values.clone()
}

fn words(before: Tensor, after: Tensor) -> String {
    let delta = delta_of(&with(before).read(), &with(after).read());
    delta.map_or("unknown".to_string(), |delta| delta.to_string())
}

#[test]
fn of_every_type_that_has_numbers() {
    let pair = |data_type: DataType, a: &[u8], b: &[u8]| {
        words(raw(data_type, &[2], a), raw(data_type, &[2], b))
    };
    let two = |a: [u8; 2], b: [u8; 2]| [a, b].concat();
    let f16 = |f: f32| half::f16::from_f32(f).to_le_bytes();
    assert_eq!(
        pair(
            DataType::FLOAT16,
            &two(f16(1.0), f16(2.0)),
            &two(f16(1.0), f16(2.5))
        ),
        "1 of 2 differ, max |Δ| 0.5 at [1]"
    );
    assert_eq!(
        pair(DataType::INT8, &[1, 255], &[1, 3]),
        "1 of 2 differ, max |Δ| 4.0 at [1]"
    );
    assert_eq!(
        pair(DataType::UINT8, &[1, 255], &[4, 3]),
        "2 of 2 differ, max |Δ| 252.0 at [1]"
    );
    assert_eq!(
        pair(DataType::BOOL, &[1, 0], &[0, 0]),
        "1 of 2 differ, max |Δ| 1.0 at [0]"
    );
    let words = |a: u64, b: u64| [a.to_le_bytes(), b.to_le_bytes()].concat();
    for data_type in [DataType::INT64, DataType::UINT64] {
        assert_eq!(
            pair(data_type, &words(7, 9), &words(7, 4)),
            "1 of 2 differ, max |Δ| 5.0 at [1]"
        );
    }
    for data_type in [DataType::INT16, DataType::UINT16] {
        assert_eq!(
            pair(data_type, &[1, 0, 2, 0], &[1, 0, 9, 0]),
            "1 of 2 differ, max |Δ| 7.0 at [1]"
        );
    }
    for data_type in [DataType::INT32, DataType::UINT32] {
        let bytes = |b: u8| [0, 0, 0, 0, b, 0, 0, 0];
        assert_eq!(
            pair(data_type, &bytes(3), &bytes(1)),
            "1 of 2 differ, max |Δ| 2.0 at [1]"
        );
    }
    // two elements in a byte, and no numbers at all
    assert_eq!(pair(DataType::INT4, &[1], &[2]), "unknown");
    assert_eq!(pair(DataType::COMPLEX64, &[0; 16], &[1; 16]), "unknown");
}

#[test]
fn differences_with_nan() {
    let of = |a: &[f32], b: &[f32]| words(f32s(&[a.len() as i64], a), f32s(&[b.len() as i64], b));
    let (nan, inf) = (f32::NAN, f32::INFINITY);
    assert_eq!(
        of(&[nan, 1.0], &[nan, 3.0]),
        "1 of 2 differ, max |Δ| 2.0 at [1]"
    );
    assert_eq!(
        of(&[nan, 1.0], &[0.0, 3.0]),
        "2 of 2 differ, max |Δ| 2.0 at [1], 1 NaN on one side"
    );
    assert_eq!(
        of(&[nan, 1.0], &[0.0, 1.0]),
        "1 of 2 differ, 1 NaN on one side"
    );
    assert_eq!(
        of(&[inf, 1.0], &[0.0, 1.0]),
        "1 of 2 differ, max |Δ| inf at [0]"
    );
    assert_eq!(
        of(&[0.0, 1.0], &[-0.0, 1.0]),
        "1 of 2 differ, max |Δ| 0.0 at [0]"
    );
}

#[test]
fn places_are_those_of_the_tensor() {
    let mut other = [0.0; 24];
    other[17] = 1.5;
    let text = words(f32s(&[2, 3, 4], &[0.0; 24]), f32s(&[2, 3, 4], &other));
    assert_eq!(text, "1 of 24 differ, max |Δ| 1.5 at [1, 1, 1]");
}

#[test]
fn tensors_with_too_few_elements_have_no_difference() {
    assert_eq!(
        words(f32s(&[4], &[0.0; 4]), f32s(&[4], &[1.0; 3])),
        "unknown"
    );
    assert_eq!(
        words(f32s(&[4], &[0.0; 3]), f32s(&[4], &[1.0; 4])),
        "unknown"
    );
    assert_eq!(
        words(f32s(&[4], &[0.0; 3]), f32s(&[4], &[1.0; 3])),
        "unknown"
    );
}

/// 12 MB on either side, stored in three ways, read in pieces of other sizes.
#[test]
fn large_weights_are_compared_piece_by_piece_however_they_are_stored() {
    let count = 3_000_000;
    let numbers: Vec<f32> = (0..count).map(|i| i as f32).collect();
    let mut others = numbers.clone();
    others[2_345_678] -= 0.25;
    others[1_000_001] += 4.0;
    let dims = [3, count / 3];
    let folder = tempfile::TempDir::new().unwrap();
    let bytes: Vec<u8> = others.iter().flat_map(|f| f.to_le_bytes()).collect();
    std::fs::write(folder.path().join("w.bin"), &bytes).unwrap();
    let mut fields = f32s(&dims, &[]);
    (fields.raw_data, fields.float_data) = (None, others.clone());
    let mut external = f32s(&dims, &[]);
    external.raw_data = None;
    external.data_location = Some(1);
    external.external_data = vec![entry("location", "w.bin")];
    let before = with(f32s(&dims, &numbers)).read();
    for after in [f32s(&dims, &others), fields, external] {
        let path = folder.path().join("after.onnx");
        std::fs::write(&path, with(after).encode_to_vec()).unwrap();
        let after = Model::open(&path).unwrap();
        let delta = delta_of(&before, &after).unwrap();
        assert_eq!((delta.elements, delta.differing), (count as u64, 2));
        let at = vec![1, 1];
        assert_eq!(
            (delta.max_abs.unwrap().0.as_str(), delta.at),
            ("4.0", Some(at))
        );
    }
}

#[test]
fn the_same_numbers_elsewhere_are_the_same_numbers() {
    let folder = tempfile::TempDir::new().unwrap();
    std::fs::write(folder.path().join("w.bin"), [0; 8]).unwrap();
    let mut external = f32s(&[2], &[]);
    external.raw_data = None;
    external.data_location = Some(1);
    external.external_data = vec![entry("location", "w.bin")];
    let path = folder.path().join("model.onnx");
    std::fs::write(&path, with(external.clone()).encode_to_vec()).unwrap();
    let outside = Model::open(&path).unwrap();
    let inside = with(f32s(&[2], &[0.0; 2])).read();
    let found = super::lines(&inside, &outside);
    assert_eq!(
        found[1..],
        ["  ~ initializer w: place: in the model -> in \"w.bin\"".to_string()]
    );
    // the same file of a model, other weights beside it
    let other = tempfile::TempDir::new().unwrap();
    std::fs::write(other.path().join("w.bin"), [1; 8]).unwrap();
    let path = other.path().join("model.onnx");
    std::fs::write(&path, with(external).encode_to_vec()).unwrap();
    let found = super::lines(&outside, &Model::open(&path).unwrap());
    assert!(
        found[1].starts_with("  ~ initializer w: elements: float[2] #"),
        "{found:?}"
    );
    // weights that are not there are no weights that are the same
    std::fs::remove_file(other.path().join("w.bin")).unwrap();
    let gone = diff(&outside, &Model::open(&path).unwrap(), &Options::default());
    assert!(gone.unwrap_err().to_string().contains("tensor `w`"));
}

/// 256 MiB on either side that take no room on the disk: one number differs.
#[cfg(all(feature = "cli", target_os = "linux"))]
#[test]
fn large_weights_are_never_whole_in_memory() {
    use std::os::unix::fs::FileExt;

    use crate::common::memory::{LITTLE, within};
    let folder = tempfile::TempDir::new().unwrap();
    let place = |name: &str| folder.path().join(name);
    let count = 1 << 26;
    for name in ["a", "b"] {
        let mut external = f32s(&[count], &[]);
        external.raw_data = None;
        external.data_location = Some(1);
        external.external_data = vec![entry("location", &format!("{name}.bin"))];
        std::fs::write(
            place(&format!("{name}.onnx")),
            with(external).encode_to_vec(),
        )
        .unwrap();
        let file = std::fs::File::create(place(&format!("{name}.bin"))).unwrap();
        file.set_len(4 * count as u64).unwrap();
        if name == "b" {
            file.write_all_at(&2.5f32.to_le_bytes(), 4 * 12_345_678)
                .unwrap();
        }
    }
    let [a, b] = ["a.onnx", "b.onnx"].map(|name| place(name).display().to_string());
    let output = within(LITTLE, &["diff", &a, &b]);
    let said = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let delta = "1 of 67108864 differ, max |Δ| 2.5 at [12345678]";
    assert!(said.contains(delta), "{said}");
    // the twin: the limit is one
    let output = within(LITTLE / 100, &["diff", &a, &b]);
    assert!(!matches!(output.status.code(), Some(0..=2)), "{output:?}");
}
