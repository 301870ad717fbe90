//! Inputs, recorded outputs and weights from files.

use std::fs;
use std::path::Path;

use dropout_onnx::verify::engine::Subject;
use dropout_onnx::verify::run::{self, Settings};
use prost::Message;
use tract_onnx::pb;
use tract_onnx::prelude::tract_ndarray::{Array1, arr1, arr2};

use super::inputs::{fed, sum, with};
use super::models::*;
use super::{Outcome, compare_with, difference, unrunnable};

/// Relu and Abs agree on numbers that are not negative.
fn relu_and_abs() -> [Model; 2] {
    ["Relu", "Abs"].map(|operator| {
        model(13)
            .input("x", FLOAT, &[Sym("n"), Fix(2)])
            .node(node(operator, &["x"], &["y"]))
            .output("y", FLOAT, &[Sym("n"), Fix(2)])
    })
}

fn path(folder: &Path, name: &str) -> String {
    folder.join(name).to_str().unwrap().to_string()
}

#[test]
fn data_from_numpy() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let [relu, abs] = relu_and_abs();
    let positive = arr2(&[[1.0f64, 2.0], [3.0, 4.0], [5.0, 6.0]]);
    ndarray_npy::write_npy(path(folder, "p.npy"), &positive).unwrap();
    ndarray_npy::write_npy(path(folder, "n.npy"), &-positive).unwrap();
    let fed =
        |file: &str| compare_with(&relu, &abs, &with(&[&format!("x={}", path(folder, file))]));
    let report = fed("p.npy");
    assert_eq!(
        (report.outcome, &report.shapes["x"][..]),
        (Outcome::Equal, &[3, 2][..])
    );
    assert_eq!(
        difference(&fed("n.npy")),
        "output y[0, 0] is 0 before, 1 after; 6 of 6 elements differ, by up to 6e0"
    );
    assert_eq!(
        difference(&compare_with(&relu, &abs, &Settings::default()))
            .split('[')
            .next(),
        Some("output y")
    );
}

#[test]
fn data_from_an_archive() {
    let folder = tempfile::tempdir().unwrap();
    let file = path(folder.path(), "d.npz");
    let mut archive = ndarray_npy::NpzWriter::new_compressed(fs::File::create(&file).unwrap());
    archive
        .add_array("a:0", &arr2(&[[1.0f32, 2.0, 3.0]]))
        .unwrap();
    archive.add_array("b", &arr1(&[1.0f32, 2.0, 3.0])).unwrap();
    archive.finish().unwrap();
    let report = fed(&sum(), &with(&[&format!("all={file}")])).unwrap();
    assert_eq!(
        (report.outcome, &report.shapes["a:0"][..]),
        (Outcome::Equal, &[1, 3][..])
    );
    let one = fed(&sum(), &with(&[&format!("b={file}")])).unwrap();
    assert_eq!(one.shapes["a:0"], [2, 3]);
    let [relu, _] = relu_and_abs();
    let error = fed(&relu, &with(&[&format!("x={file}")])).unwrap_err();
    assert!(
        error
            .to_string()
            .contains("there is no array x; the arrays are a:0, b"),
        "{error}"
    );
    assert!(fed(&relu, &with(&[&format!("all={file}")])).is_err());
}

/// A `.npy` file with two floats, whose header has this shape.
fn npy(shape: &str) -> Vec<u8> {
    let mut header = format!("{{'descr': '<f4', 'fortran_order': False, {shape}, }}");
    header.push_str(&" ".repeat(118 - 1 - header.len()));
    let mut bytes = b"\x93NUMPY\x01\x00\x76\x00".to_vec();
    bytes.extend(header.as_bytes());
    bytes.push(b'\n');
    bytes.extend([1.5f32, -1.5].into_iter().flat_map(f32::to_le_bytes));
    bytes
}

/// Sizes that a file declares are checked before anything is allocated for them.
#[test]
fn a_false_size_in_a_file_is_refused() {
    use std::io::Write;
    let folder = tempfile::tempdir().unwrap();
    let file = path(folder.path(), "x.npz");
    let [relu, _] = relu_and_abs();
    let read = |bytes: &[u8], method: zip::CompressionMethod| {
        let mut archive = zip::ZipWriter::new(fs::File::create(&file).unwrap());
        let options = zip::write::SimpleFileOptions::default().compression_method(method);
        archive.start_file("x.npy", options).unwrap();
        archive.write_all(bytes).unwrap();
        archive.finish().unwrap();
        fed(&relu, &with(&[&format!("x={file}")]))
    };
    let methods = [
        zip::CompressionMethod::Stored,
        zip::CompressionMethod::Deflated,
    ];
    for method in methods {
        let report = read(&npy("'shape': (1, 2)"), method).unwrap();
        assert_eq!(report.outcome, Outcome::Equal);
        // however it is written
        for shape in [
            "'shape': (99999999999,)",
            "\"shape\" : (99999999999,)",
            "'sh\\x61pe': (9999999, 999999)",
        ] {
            let why = read(&npy(shape), method).unwrap_err().to_string();
            assert!(why.contains("declares more elements"), "{shape}: {why}");
        }
    }
    // a size in the archive itself: four bytes at 22 of the local and 24 of the central header
    read(&npy("'shape': (1, 2)"), zip::CompressionMethod::Deflated).unwrap();
    let mut bytes = fs::read(&file).unwrap();
    let central = bytes.windows(4).position(|w| w == b"PK\x01\x02").unwrap();
    for at in [22, central + 24] {
        bytes[at..at + 4].copy_from_slice(&0x7fff_ffffu32.to_le_bytes());
    }
    fs::write(&file, bytes).unwrap();
    let why = fed(&relu, &with(&[&format!("x={file}")]))
        .unwrap_err()
        .to_string();
    assert!(
        why.contains("its declared size is 2147483647 bytes"),
        "{why}"
    );
}

#[test]
fn data_that_does_not_fit() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let [relu, _] = relu_and_abs();
    let lookup = model(13)
        .input("i", INT32, &[Sym("n")])
        .init(floats("table", &[2], &[0.0, 1.0]))
        .node(node("Gather", &["table", "i"], &["y"]))
        .output("y", FLOAT, &[]);
    let write = |name: &str, array: &Array1<i64>| {
        ndarray_npy::write_npy(path(folder, name), array).unwrap()
    };
    write("small.npy", &arr1(&[0, 1, 1]));
    write("large.npy", &arr1(&[1 << 40]));
    fs::write(path(folder, "junk.npy"), b"junk").unwrap();
    fs::write(path(folder, "junk.npz"), b"junk").unwrap();
    fs::write(path(folder, "junk.pb"), b"junk").unwrap();
    fs::write(path(folder, "short.npy"), b"\x93NUMPY\x01\x00\x76\x00{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999,), }").unwrap();
    let report = fed(
        &lookup,
        &with(&[&format!("i={}", path(folder, "small.npy"))]),
    )
    .unwrap();
    assert_eq!(
        (report.outcome, &report.shapes["i"][..]),
        (Outcome::Equal, &[3][..])
    );
    let why = |model: &Model, spec: &str, file: &str| {
        fed(model, &with(&[&format!("{spec}={}", path(folder, file))]))
            .unwrap_err()
            .to_string()
    };
    assert!(why(&lookup, "i", "large.npy").contains("input i is int32, but the data is int64"));
    assert!(why(&relu, "x", "small.npy").contains("input x is float, but the data is int64"));
    assert!(why(&relu, "x", "junk.npy").contains("cannot read this .npy file"));
    assert!(why(&relu, "x", "junk.npz").contains("not a .npz file"));
    assert!(why(&relu, "x", "junk.pb").contains("not a TensorProto"));
    assert!(why(&relu, "x", "short.npy").contains("cannot read this .npy file"));
    for name in ["none.npy", "none.npz", "none.pb"] {
        assert!(
            why(&relu, "x", name).contains("No such file"),
            "{}",
            why(&relu, "x", name)
        );
    }
}

fn test_set(
    folder: &Path,
    number: usize,
    input: pb::TensorProto,
    output: Option<pb::TensorProto>,
) -> String {
    let set = folder.join(format!("test_data_set_{number}"));
    fs::create_dir(&set).unwrap();
    fs::write(set.join("input_0.pb"), input.encode_to_vec()).unwrap();
    if let Some(output) = output {
        fs::write(set.join("output_0.pb"), output.encode_to_vec()).unwrap();
    }
    set.to_str().unwrap().to_string()
}

#[test]
fn data_from_test_sets() {
    let folder = tempfile::tempdir().unwrap();
    let [relu, abs] = relu_and_abs();
    let tensor = |name: &str, values: &[f32; 2]| floats(name, &[1, 2], values);
    let right = test_set(
        folder.path(),
        0,
        tensor("x", &[1.0, 2.0]),
        Some(tensor("y", &[1.0, 2.0])),
    );
    let wrong = test_set(
        folder.path(),
        1,
        tensor("", &[1.0, 2.0]),
        Some(tensor("", &[1.0, 2.5])),
    );
    let negative = test_set(folder.path(), 2, tensor("x", &[-1.0, 2.0]), None);
    let one = with(&[&right]).runs(1);
    let report = compare_with(&relu, &abs, &one);
    assert_eq!(
        (report.outcome, report.runs, report.recorded.len()),
        (Outcome::Equal, 1, 0)
    );
    let both = with(&[&right, &wrong]).runs(0);
    let report = compare_with(&relu, &abs, &both);
    assert_eq!(
        (report.outcome, report.runs, report.recorded.len()),
        (Outcome::Equal, 2, 1)
    );
    assert!(
        report.recorded[0]
            .to_string()
            .contains("2.5 before, 2 after"),
        "{}",
        report.recorded[0]
    );
    let third = with(&[&right, &negative]).runs(0);
    difference(&compare_with(&relu, &abs, &third));
}

#[test]
fn test_sets_that_do_not_fit() {
    let folder = tempfile::tempdir().unwrap();
    let [relu, _] = relu_and_abs();
    let one = test_set(folder.path(), 0, floats("x", &[1, 2], &[1.0, 2.0]), None);
    let two = test_set(folder.path(), 1, floats("x", &[2, 2], &[1.0; 4]), None);
    let huge = test_set(folder.path(), 2, floats("x", &[1 << 40, 2], &[1.0]), None);
    let why = |specs: &[&str]| fed(&relu, &with(specs)).unwrap_err().to_string();
    assert!(why(&[&one, &two]).contains("input x has shape [2, 2] here, [1, 2] elsewhere"));
    assert!(why(&[&huge]).contains("larger than the file"));
    assert!(why(&[folder.path().to_str().unwrap()]).contains("there is no input_0.pb in it"));
    fs::copy(
        Path::new(&one).join("input_0.pb"),
        Path::new(&one).join("input_1.pb"),
    )
    .unwrap();
    let unnamed = floats("", &[1, 2], &[1.0, 2.0]).encode_to_vec();
    fs::write(Path::new(&one).join("input_1.pb"), unnamed).unwrap();
    assert!(why(&[&one]).contains("input_1.pb matches no input of the model"));
}

#[test]
fn a_tensor_feeds_the_input_of_its_name_or_index() {
    let folder = tempfile::tempdir().unwrap();
    let two = model(13)
        .input("a", FLOAT, &[Fix(2)])
        .input("b", FLOAT, &[Fix(2)])
        .node(node("Sub", &["a", "b"], &["y"]))
        .output("y", FLOAT, &[]);
    let other = model(13)
        .input("a", FLOAT, &[Fix(2)])
        .input("b", FLOAT, &[Fix(2)])
        .node(node("Abs", &["a"], &["y"]))
        .output("y", FLOAT, &[]);
    let write = |file: &str, name: &str, values: &[f32]| {
        let path = folder.path().join(file);
        fs::write(&path, floats(name, &[2], values).encode_to_vec()).unwrap();
        path.to_str().unwrap().to_string()
    };
    let run = |specs: &[&str]| compare_with(&two, &other, &with(specs));
    let zero = write("input_1.pb", "", &[0.0, 0.0]); // to b, the second
    let [up, down] = [1.0, -1.0].map(|x| write(&format!("{x}.pb"), "a", &[x, x]));
    assert_eq!(run(&[&zero, &up]).outcome, Outcome::Equal); // a - 0 = |a|
    difference(&run(&[&zero, &down]));
    let why = |specs: &[&str]| fed(&two, &with(specs)).unwrap_err().to_string();
    let lost = write("input_2.pb", "c", &[0.0, 0.0]);
    assert!(why(&[&lost]).contains("input_2.pb: it matches no input of the model"));
    let unnamed = write("zero.pb", "", &[0.0, 0.0]);
    assert!(why(&[&unnamed]).contains("name one with --input NAME=FILE.pb"));
    // what is given twice is not chosen from
    assert!(why(&[&up, &down]).contains("input a has data twice"));
    assert!(why(&[&format!("a={up}"), &up]).contains("input a has data twice"));
    assert!(why(&["a:2", "a:3"]).contains("input a has two shapes"));
    let none = folder.path().join("none.pb");
    assert!(why(&[none.to_str().unwrap()]).contains("none.pb: cannot open"));
}

#[test]
fn external_data_is_followed_inside_the_folder_only() {
    let folder = tempfile::tempdir().unwrap();
    let outside = folder.path().join("outside.bin");
    let inside = folder.path().join("model");
    fs::create_dir(&inside).unwrap();
    let bytes: Vec<u8> = [0.0f32, 3.0, 4.0]
        .iter()
        .flat_map(|v| v.to_le_bytes())
        .collect();
    fs::write(&outside, &bytes).unwrap();
    fs::write(inside.join("w.bin"), &bytes).unwrap();
    let external = |location: &str, offset: &str, length: &str| {
        let entry = |key: &str, value: &str| pb::StringStringEntryProto {
            key: key.into(),
            value: value.into(),
        };
        let mut tensor = floats("w", &[2], &[]);
        tensor.data_location = Some(1);
        tensor.external_data = vec![
            entry("location", location),
            entry("offset", offset),
            entry("length", length),
        ];
        model(13)
            .input("x", FLOAT, &[Fix(2)])
            .init(tensor)
            .node(node("Add", &["x", "w"], &["y"]))
            .output("y", FLOAT, &[])
    };
    let inline = model(13)
        .input("x", FLOAT, &[Fix(2)])
        .init(floats("w", &[2], &[3.0, 4.0]))
        .node(node("Add", &["x", "w"], &["y"]))
        .output("y", FLOAT, &[]);
    let against_inline = |model: Model| {
        let [one, two] = [model.source(), inline.source()];
        let mut before = Subject::new("before", &one);
        before.folder = Some(&inside);
        let after = Subject::new("after", &two);
        run::compare(&before, &after, &Settings::default()).unwrap()
    };
    assert_eq!(
        against_inline(external("w.bin", "4", "8")).outcome,
        Outcome::Equal
    );
    difference(&against_inline(external("w.bin", "0", "8")));
    for (location, offset, length) in [
        ("../outside.bin", "4", "8"),
        (outside.to_str().unwrap(), "4", "8"),
        ("none.bin", "0", "8"),
        (".", "0", "8"),
        ("w.bin", "8", "8"),
        ("w.bin", "18446744073709551615", "8"),
        ("w.bin", "0", "12"),
    ] {
        let report = against_inline(external(location, offset, length));
        assert_eq!(
            unrunnable(&report).0,
            "before",
            "{location} {offset} {length}"
        );
    }
}
