//! `verify`, and the options of verification.

use std::path::Path;

use prost::Message;
use serde_json::Value;
use tract_onnx::pb;
use tract_onnx::prelude::tract_ndarray::{ArrayD, IxDyn};

use crate::common::build::{model, op, x_to_y};
use crate::common::cli::{Folder, fixture, test_data};

const STEM: &str = "torch_mask_output_op13"; // x: float[batch, 20]

fn folder() -> Folder {
    Folder::with(STEM, "model.onnx")
}

/// The fixture with another weight.
fn changed(stem: &str) -> Vec<u8> {
    let bytes = std::fs::read(fixture(stem)).unwrap();
    let mut model = pb::ModelProto::decode(&bytes[..]).unwrap();
    let tensors = &mut model.graph.as_mut().unwrap().initializer;
    let of_floats =
        |tensor: &&mut pb::TensorProto| tensor.data_type == 1 && tensor.raw_data.len() > 8;
    let weights = tensors.iter_mut().find(of_floats).unwrap();
    weights.raw_data[2] ^= 0x40;
    model.encode_to_vec()
}

fn array(shape: &[usize]) -> ArrayD<f32> {
    ArrayD::from_elem(IxDyn(shape), 0.5)
}

fn write_npy(path: &Path, shape: &[usize]) {
    use ndarray_npy::WriteNpyExt;
    array(shape)
        .write_npy(std::fs::File::create(path).unwrap())
        .unwrap();
}

fn write_npz(path: &Path, name: &str, shape: &[usize]) {
    let mut writer = ndarray_npy::NpzWriter::new(std::fs::File::create(path).unwrap());
    writer.add_array(name, &array(shape)).unwrap();
    writer.finish().unwrap();
}

/// The verification that strip reports, with these options.
fn strip(folder: &Folder, options: &str) -> Value {
    let said = folder.run(&format!(
        "strip model.onnx out.onnx --force --format json {options}"
    ));
    said.exits(0).json()["verification"].clone()
}

#[test]
fn equal_models_exit_0() {
    let folder = folder();
    folder.run("strip model.onnx").exits(0);
    for how in ["all", "structure", "run"] {
        let arguments = format!("verify model.onnx model.stripped.onnx --verify {how}");
        let said = folder.run(&arguments).exits(0);
        assert!(
            said.text().ends_with("verdict   equal\n"),
            "{}",
            said.text()
        );
        assert!(said.stderr.is_empty());
        let said = folder.run(&format!("{arguments} --format json")).exits(0);
        assert_eq!(said.json()["verdict"], "equal");
    }
    let said = folder
        .run("verify -q model.onnx model.stripped.onnx")
        .exits(0);
    assert!(said.stdout.is_empty() && said.stderr.is_empty());
}

/// The same model with one field more: its version.
fn longer(model: &[u8]) -> Vec<u8> {
    [model, &[0x28, 1]].concat()
}

/// Nothing runs where there is nothing to compare.
#[test]
fn identical_bytes_are_equal_without_a_run() {
    let folder = folder();
    let bytes = folder.read("model.onnx");
    folder.write("copy.onnx", &bytes);
    for how in ["all", "structure", "run"] {
        for other in ["model.onnx", "copy.onnx"] {
            let arguments = format!("verify model.onnx {other} --verify {how}");
            let said = folder.run(&arguments).exits(0);
            let text = "verified  identical bytes\nverdict   equal\n";
            assert_eq!(said.text(), text);
            let said = folder
                .run(&format!("{arguments} --format json"))
                .exits(0)
                .json();
            assert_eq!(said["verdict"], "equal");
            assert_eq!(said["verification"]["identical"], true);
            assert_eq!(said["verification"]["run"], Value::Null);
        }
    }
    // a rewrite that changes nothing
    folder.run("strip model.onnx clean.onnx").exits(0);
    let said = folder.run("strip clean.onnx again.onnx").exits(0);
    assert!(
        said.text().contains("verified  identical bytes\n"),
        "{}",
        said.text()
    );
    assert_eq!(folder.read("again.onnx"), folder.read("clean.onnx"));
    // data were given to run on
    let said = folder
        .run("verify model.onnx copy.onnx --input x:2,20")
        .exits(0);
    assert!(
        said.text().contains("run: equal outputs"),
        "{}",
        said.text()
    );
    // one field more is another model
    folder.write("longer.onnx", longer(&bytes));
    let said = folder
        .run("verify model.onnx longer.onnx --format json")
        .exits(0);
    assert_eq!(said.json()["verification"].get("identical"), None);
}

#[test]
fn a_changed_weight_exits_1() {
    let folder = folder();
    folder.write("changed.onnx", changed(STEM));
    for how in ["all", "structure", "run"] {
        let arguments = format!("verify model.onnx changed.onnx --verify {how}");
        let said = folder.run(&arguments).exits(1);
        assert!(
            said.text().ends_with("verdict   different\n"),
            "{}",
            said.text()
        );
        let way_out = said
            .text()
            .contains("allow for rounding with --rtol and --atol");
        assert_eq!(way_out, how != "structure");
        let said = folder.run(&format!("{arguments} --format json")).exits(1);
        let document = said.json();
        assert_eq!(document["schema"], "dropout-onnx/verify/1");
        assert_eq!(document["before"], "model.onnx");
        assert_eq!(document["after"], "changed.onnx");
        assert_eq!(document["verdict"], "different");
    }
    let said = folder.run("verify model.onnx changed.onnx -q").exits(1);
    assert!(said.stdout.is_empty());
    let said = folder
        .run("verify model.onnx changed.onnx --rtol 0")
        .exits(1);
    assert!(!said.text().contains("--rtol"), "{}", said.text());
    folder
        .run("verify model.onnx changed.onnx --verify run --atol 1e9")
        .exits(0);
    let said = folder
        .run("verify model.onnx changed.onnx --atol 1e9")
        .exits(0);
    assert!(
        said.text()
            .contains("reached: 2 of 2 differences by the runs\n"),
        "{}",
        said.text()
    );
    folder
        .run("verify model.onnx changed.onnx --rtol 1e-9")
        .exits(1);
}

#[test]
fn another_interface_exits_1() {
    let folder = folder();
    folder.copy("torch_mlp_training_op7", "other.onnx");
    let said = folder
        .run("verify model.onnx other.onnx --verify run")
        .exits(1);
    assert!(said.text().contains("is missing after"), "{}", said.text());
}

/// A folder with `model.onnx`, which has an operator that no engine has.
fn secret() -> Folder {
    let folder = Folder::new();
    let graph = x_to_y(["d = Dropout(x)", "y = acme::Secret(d)"].map(op));
    let model = model(13, graph).imports("acme", 1);
    folder.write("model.onnx", model.encode_to_vec());
    folder
}

#[test]
fn models_that_cannot_be_compared_exit_2() {
    let folder = secret();
    folder.write("other.onnx", longer(&folder.read("model.onnx")));
    let said = folder
        .run("verify model.onnx other.onnx --verify run")
        .exits(2);
    assert!(
        said.text().ends_with("verdict   not shown\n"),
        "{}",
        said.text()
    );
    let reason = "error: not shown to be equal or different: before cannot be run: tract has no \
                  operator acme::Secret";
    assert!(said.stderr.starts_with(reason), "{}", said.stderr);
    folder.run("verify model.onnx other.onnx").exits(0);
    folder.refuses(
        "verify model.onnx model.onnx --verify none",
        &["nothing to do"],
    );
    folder.refuses(
        "verify model.onnx missing.onnx",
        &["missing.onnx: cannot open"],
    );
    folder.refuses(
        "verify missing.onnx model.onnx",
        &["missing.onnx: cannot open"],
    );
}

#[test]
fn an_operator_that_tract_lacks_is_named_and_structure_is_enough() {
    let folder = secret();
    let said = folder.run("strip model.onnx").exits(0);
    assert!(
        said.text()
            .contains("not run: tract has no operator acme::Secret"),
        "{}",
        said.text()
    );
    assert!(said.text().contains("structure: identical for 1 output"));
    assert!(folder.exists("model.stripped.onnx"));
}

#[test]
fn what_cannot_be_verified_is_not_written() {
    let folder = secret();
    let names = [
        "model.onnx: the result cannot be verified, so nothing was written",
        "tract has no operator acme::Secret",
        "--verify none",
    ];
    folder.refuses("strip model.onnx --verify run", &names);
    folder.refuses("strip --in-place model.onnx --verify run", &names);
    folder.refuses("strip model.onnx - --verify run", &names);
    let said = folder.run("strip model.onnx --verify none").exits(0);
    assert!(
        said.text().contains("verified  no (--verify none)"),
        "{}",
        said.text()
    );
}

#[test]
fn verify_selects_its_checks() {
    let folder = folder();
    let ways = |how: &str| {
        let found = strip(&folder, &format!("--verify {how}"));
        (
            found.is_object(),
            found["structure"].is_object(),
            found["run"].is_object(),
        )
    };
    assert_eq!(ways("all"), (true, true, true));
    assert_eq!(ways("structure"), (true, true, false));
    assert_eq!(ways("run"), (true, false, true));
    assert_eq!(ways("none"), (false, false, false));
}

#[test]
fn dim_sets_a_symbolic_dimension() {
    let folder = folder();
    let run = &strip(&folder, "--dim batch=5")["run"];
    assert_eq!(run["shapes"]["x"][0], 5);
    assert_eq!(run["chosen_dims"].as_object().unwrap().len(), 0);
    strip(&folder, "--dim batch=5 --dim batch=5");
    let again = "strip model.onnx b.onnx --dim";
    folder.refuses(
        &format!("{again} batch"),
        &["'batch'", "NAME=SIZE, for example batch=4"],
    );
    folder.refuses(
        &format!("{again} batch=many"),
        &["NAME=SIZE, for example batch=4"],
    );
    folder.refuses(&format!("{again} batch=-1"), &["NAME=SIZE"]);
    folder.refuses(&format!("{again} =4"), &["NAME=SIZE"]);
    folder.refuses(
        &format!("{again} nope=4"),
        &["nope", "named dimensions: batch"],
    );
    folder.refuses(
        &format!("{again} batch=4 --dim batch=5"),
        &["batch", "two different sizes"],
    );
}

#[test]
fn input_sets_a_shape_or_data() {
    let folder = folder();
    let shape = |options: &str| strip(&folder, options)["run"]["shapes"]["x"][0].clone();
    assert_eq!(shape("--input x:7,20"), 7);
    write_npy(&folder.path("x.npy"), &[3, 20]);
    assert_eq!(shape("--input x=x.npy"), 3);
    write_npz(&folder.path("one.npz"), "x", &[4, 20]);
    assert_eq!(shape("--input x=one.npz"), 4);
    assert_eq!(shape("--input all=one.npz"), 4);
    let set = test_data(STEM, 0);
    let run = &strip(&folder, &format!("--runs 1 --input {}", set.display()))["run"];
    assert_eq!(run["runs"], 1);
    assert_eq!(run["result"], "equal");
    for name in ["x=", ""] {
        let spec = format!("{name}{}", set.join("input_0.pb").display());
        assert_eq!(shape(&format!("--input {spec}")), 3);
    }
}

#[test]
fn one_of_two_models_may_be_standard_input() {
    let folder = folder();
    let bytes = folder.read("model.onnx");
    for command in ["verify", "diff"] {
        let said = folder.run_fed(&format!("{command} - -"), bytes.clone());
        said.refused(&["BEFORE and AFTER are both standard input"]);
        for models in ["- model.onnx", "model.onnx -"] {
            folder
                .run_fed(&format!("{command} {models}"), bytes.clone())
                .exits(0);
        }
    }
}

#[test]
fn an_input_that_does_not_fit_is_refused() {
    let folder = folder();
    write_npy(&folder.path("narrow.npy"), &[3, 5]);
    write_npy(&folder.path("wide.npy"), &[3, 20]);
    write_npz(&folder.path("other.npz"), "other", &[3, 20]);
    folder.write("text.npy", "text");
    std::fs::create_dir(folder.path("empty")).unwrap();
    for (spec, names) in [
        ("nope:1,20", vec!["no input nope", "its inputs: x"]),
        ("nope=narrow.npy", vec!["no input nope", "its inputs: x"]),
        ("x:1", vec!["input x", "2 axes"]),
        ("x:2,5", vec!["x", "5"]),
        ("x=narrow.npy", vec!["x", "5"]),
        ("x=missing.npy", vec!["missing.npy", "No such file"]),
        ("x=text.npy", vec!["text.npy"]),
        ("x=other.npz", vec!["other.npz", "no array x", "other"]),
        ("all=other.npz", vec!["no input other", "its inputs: x"]),
        ("empty", vec!["empty", "input_0.pb", "test_data_set_0"]),
        ("none.pb", vec!["none.pb: cannot open"]),
        ("x:3,20 --input x:4,20", vec!["x has two shapes"]),
        (
            "x=wide.npy --input x=wide.npy",
            vec!["wide.npy: input x has data twice"],
        ),
        ("x", vec!["--input x", "NAME:1,3,224,224"]),
        ("x=data.txt", vec!["--input x=data.txt", ".npy"]),
        ("x:1,,20", vec!["1,,20"]),
    ] {
        folder.refuses(&format!("strip model.onnx --input {spec}"), &names);
        folder.refuses(
            &format!("verify model.onnx model.onnx --input {spec}"),
            &names,
        );
    }
}

#[test]
fn runs_and_seed_are_as_asked_and_printed() {
    let folder = folder();
    let said = folder.run("strip model.onnx --runs 5 --seed 17").exits(0);
    assert!(said.text().contains("in 5 runs"), "{}", said.text());
    assert!(said.text().contains("seed 17"), "{}", said.text());
    let run = &strip(&folder, "--seed 18446744073709551615 --runs 1")["run"];
    assert_eq!(run["seed"], u64::MAX);
    assert_eq!(run["runs"], 2, "one shows nothing about what inputs change");
}

#[test]
fn zero_runs_compare_nothing() {
    let folder = folder();
    folder.refuses("strip model.onnx --runs 0", &["--runs must be at least 1"]);
    folder.refuses(
        "strip model.onnx --verify run --dim batch=0",
        &["cannot be verified", "no output has any elements"],
    );
    folder.write("other.onnx", longer(&folder.read("model.onnx")));
    folder.refuses(
        "verify model.onnx other.onnx --runs 0",
        &["--runs must be at least 1"],
    );
    folder.refuses("strip model.onnx --runs many", &["--runs", "many"]);
    folder.refuses("strip model.onnx --seed=-1", &["--seed"]);
}

#[test]
fn a_tolerance_is_a_number_that_is_not_negative() {
    let folder = folder();
    strip(&folder, "--rtol 1e-5 --atol 0");
    for wrong in ["--rtol=-1", "--atol=nan", "--rtol=inf", "--atol=much"] {
        folder.refuses(
            &format!("strip model.onnx b.onnx {wrong}"),
            &["a tolerance must be a number"],
        );
    }
}
