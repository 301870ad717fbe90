//! `--write-baseline` and `--baseline`: what is known does not fail, what is new does.

use prost::Message;
use serde_json::{Value, json};

use super::formats::assert_valid_formats;
use crate::common::build::{f32_scalar, f32s, flag, model, op, x_to_y};
use crate::common::cli::{Folder, Said, unwrapped};

fn folder() -> Folder {
    let folder = Folder::with("torch_course_preserve_op17", "active.onnx");
    std::fs::create_dir(folder.path("sub")).unwrap();
    folder.copy("keras_mc_lost_ratio_op12", "sub/lost.onnx");
    folder.copy("jax2onnx_runtime_switch_op18", "sub/runtime.onnx");
    folder
}

/// A folder with a baseline of all that is in it.
fn with_baseline() -> Folder {
    let folder = folder();
    let said = folder.run("audit . --write-baseline base.json").exits(0);
    assert_eq!(said.stderr, "base.json: written, 7 findings\n");
    folder
}

fn document(folder: &Folder) -> Value {
    serde_json::from_slice(&folder.read("base.json")).unwrap()
}

/// A chain of active dropouts, each after a Relu of its own, all with the same surroundings but for
/// the first and the last few.
fn chain(folder: &Folder, name: &str, dropouts: usize) {
    let mut nodes = Vec::new();
    let mut last = "x".to_string();
    for i in 0..dropouts {
        nodes.push(op(&format!("m{i} = MatMul({last}, w)")));
        nodes.push(op(&format!("r{i} = Relu(m{i})")));
        nodes.push(op(&format!("d{i} = Dropout(r{i}, p, on)")).named(&format!("drop{i}")));
        last = format!("d{i}");
    }
    nodes.push(op(&format!("y = Sigmoid({last})")));
    let graph = x_to_y(nodes)
        .init("w", f32s(&[3, 3], &[0.5; 9]))
        .init("p", f32_scalar(0.5))
        .init("on", flag(true));
    folder.write(name, model(13, graph).encode_to_vec());
}

/// The findings of a run, as `state rule`, and the remarks.
fn states(said: &Said) -> (Vec<String>, Vec<String>) {
    let document = said.json();
    let mut states = Vec::new();
    for model in document["models"].as_array().unwrap() {
        for finding in model["findings"].as_array().unwrap() {
            let state = finding["baseline"].as_str().unwrap_or("none");
            states.push(format!("{state} {}", finding["rule"].as_str().unwrap()));
        }
    }
    let remarks = document["remarks"].as_array().cloned().unwrap_or_default();
    let remarks = remarks
        .iter()
        .map(|r| r["message"].as_str().unwrap().to_string());
    (states, remarks.collect())
}

#[test]
fn known_findings_pass_and_new_ones_fail() {
    let folder = with_baseline();
    folder.run("audit .").exits(1);
    let said = folder
        .run("audit . --baseline base.json --format json")
        .exits(0);
    let (found, remarks) = states(&said);
    assert_eq!(found.len(), 7);
    assert!(
        found.iter().all(|state| state.starts_with("unchanged ")),
        "{found:?}"
    );
    assert_eq!(remarks, [""; 0]);
    // also what is made an error now
    folder
        .run("audit . --baseline base.json --deny all")
        .exits(0);

    // a new model
    folder.copy("torch_mask_output_op13", "sub/new.onnx");
    let said = folder
        .run("audit . --baseline base.json --format json")
        .exits(1);
    let (found, _) = states(&said);
    let new: Vec<_> = found
        .iter()
        .filter(|state| state.starts_with("new "))
        .collect();
    assert_eq!(new, ["new active-dropout", "new mask-used"]);
    folder
        .run("audit . --baseline base.json --exit-zero")
        .exits(0);
    folder
        .run("audit active.onnx --baseline base.json")
        .exits(0);
    folder.run("audit sub --baseline base.json").exits(1);
    folder
        .run_fed(
            "audit --files-from - --baseline base.json",
            "active.onnx\nsub/lost.onnx\n",
        )
        .exits(0);
    folder
        .run_fed(
            "audit --files-from - --baseline base.json",
            "sub/new.onnx\n",
        )
        .exits(1);
    // a warning that is new does not fail, unless it is denied
    std::fs::remove_file(folder.path("sub/new.onnx")).unwrap();
    folder.copy("keras_mc_lost_ratio_op12", "sub/other.onnx");
    folder.run("audit . --baseline base.json").exits(0);
    folder
        .run("audit . --baseline base.json --deny lost-rate")
        .exits(1);
}

/// Each entry taken out, or changed in what a finding is known by, makes a finding new.
#[test]
fn every_entry_counts() {
    let folder = with_baseline();
    let whole = document(&folder);
    let entries = whole["findings"].as_array().unwrap();
    assert_eq!(entries.len(), 7);
    let denied = "audit . --baseline base.json --deny all";
    for index in 0..entries.len() {
        let mut less = whole.clone();
        less["findings"].as_array_mut().unwrap().remove(index);
        folder.write("base.json", less.to_string());
        folder.run(denied).exits(1);
        for (key, value) in [
            ("path", "sub/elsewhere.onnx"),
            ("rule", "shared-seed"),
            ("fingerprint", "0123456789abcdef"),
        ] {
            let mut other = whole.clone();
            other["findings"][index][key] = json!(value);
            folder.write("base.json", other.to_string());
            let said = folder.run(&format!("{denied} --format json")).exits(1);
            let (found, _) = states(&said);
            let new = found
                .iter()
                .filter(|state| state.starts_with("new "))
                .count();
            assert_eq!(new, 1, "{key} of {index}");
        }
        let mut other = whole.clone();
        other["findings"][index]["message"] = json!("other words");
        folder.write("base.json", other.to_string());
        folder.run(denied).exits(0);
    }
}

/// One more of what is there already.
#[test]
fn equal_findings_are_counted() {
    let folder = Folder::new();
    chain(&folder, "m.onnx", 9);
    folder
        .run("audit . --select active-dropout --write-baseline base.json")
        .exits(0);
    let counts = document(&folder);
    let counts = counts["findings"].as_array().unwrap();
    let counts: Vec<u64> = counts
        .iter()
        .map(|entry| entry["count"].as_u64().unwrap())
        .collect();
    assert_eq!(counts.iter().sum::<u64>(), 9);
    assert!(counts.iter().any(|count| *count > 3), "{counts:?}");
    let run = "audit . --select active-dropout --baseline base.json --format json";
    folder.run(run).exits(0);
    chain(&folder, "m.onnx", 10);
    let (found, remarks) = states(&folder.run(run).exits(1));
    assert_eq!(
        found
            .iter()
            .filter(|state| state.starts_with("new "))
            .count(),
        1
    );
    assert_eq!(remarks, [""; 0]);
    chain(&folder, "m.onnx", 7);
    let (found, remarks) = states(&folder.run(run).exits(0));
    assert_eq!(found.len(), 7);
    assert_eq!(remarks.len(), 1);
    assert!(
        remarks[0].contains("no longer occurs (2 times)"),
        "{remarks:?}"
    );
}

#[test]
fn new_names_and_a_new_place_for_all_make_nothing_new() {
    let folder = folder();
    std::fs::create_dir_all(folder.path("ci")).unwrap();
    folder.run("audit . --write-baseline ci/base.json").exits(0);
    let text = String::from_utf8(folder.read("ci/base.json")).unwrap();
    assert!(text.contains("\"../sub/lost.onnx\""), "{text}");
    assert!(!text.contains(folder.path("").to_str().unwrap()), "{text}");
    folder.run("audit . --baseline ci/base.json").exits(0);
    // all of it in another folder, from wherever it is run
    std::fs::create_dir(folder.path("moved")).unwrap();
    for name in ["ci", "sub", "active.onnx"] {
        std::fs::rename(folder.path(name), folder.path(&format!("moved/{name}"))).unwrap();
    }
    folder
        .run("audit moved --baseline moved/ci/base.json")
        .exits(0);
    let mut command = folder.command();
    let within = folder.path("moved/sub");
    command
        .current_dir(within)
        .args(["audit", "..", "--baseline", "../ci/base.json"]);
    Said::new(&mut command).exits(0);
    // the models without their file are others
    std::fs::rename(folder.path("moved/ci"), folder.path("ci")).unwrap();
    folder.run("audit moved --baseline ci/base.json").exits(1);
}

#[test]
fn what_no_longer_occurs_is_a_note() {
    let folder = with_baseline();
    folder.run("strip --in-place active.onnx").exits(0);
    std::fs::remove_file(folder.path("sub/runtime.onnx")).unwrap();
    let said = folder.run("audit . --baseline base.json").exits(0);
    let text = unwrapped(said.text());
    assert!(text.contains(
        "note resolved-finding: base.json: active-dropout of active.onnx no longer occurs: "
    ));
    assert!(text.ends_with("(and 2 more)"), "{text}");
    let said = folder.run("audit . --baseline base.json -v").exits(0);
    assert_eq!(
        said.text().matches("resolved-finding").count(),
        3,
        "{}",
        said.text()
    );
    // of rules and models that were asked for
    let remarks = |arguments: &str| {
        let arguments = format!("audit {arguments} --baseline base.json --format json");
        states(&folder.run(&arguments)).1.len()
    };
    assert_eq!(remarks("active.onnx --select lost-rate"), 1); // the file that is gone
    assert_eq!(remarks("active.onnx"), 3);
    assert_eq!(remarks("sub/lost.onnx"), 1);
    folder.write("sub/runtime.onnx", "no model");
    assert_eq!(remarks("sub"), 0);
    // written anew, they are out of it
    std::fs::remove_file(folder.path("sub/runtime.onnx")).unwrap();
    let both = "audit . --baseline base.json --write-baseline base.json";
    let said = folder.run(both).exits(0);
    assert_eq!(said.stderr, "base.json: written, 4 findings\n");
    assert!(!said.text().contains("resolved-finding"));
    assert_eq!(remarks("."), 0);
}

#[test]
fn the_file_is_stable_and_written_over_no_other() {
    let folder = with_baseline();
    let first = folder.read("base.json");
    folder
        .run("audit sub active.onnx --jobs 1 --write-baseline base.json -q")
        .exits(0);
    assert_eq!(folder.read("base.json"), first);

    folder.refuses(
        "audit . --write-baseline active.onnx",
        &["active.onnx: is one of the models"],
    );
    folder.refuses(
        "audit . --write-baseline missing/base.json",
        &["missing/base.json"],
    );
    folder.refuses(
        "audit . --write-baseline sub",
        &["sub: cannot read: Is a directory"],
    );
    folder.write("other.json", "{\"schema\": \"dropout-onnx/audit/1\"}");
    let no_other = "not overwritten, because it is not a baseline";
    folder.refuses(
        "audit . --write-baseline other.json",
        &[no_other, "other.json: is not a baseline"],
    );
    folder.write("dropout-onnx.toml", "");
    folder.refuses(
        "audit . --write-baseline dropout-onnx.toml",
        &["dropout-onnx.toml: is also read"],
    );
    std::fs::remove_file(folder.path("dropout-onnx.toml")).unwrap();
    folder.refuses(
        "audit . --write-baseline base.json -o base.json",
        &["base.json: is also read or written"],
    );
    folder.refuses(
        "audit . --baseline base.json -o ./base.json",
        &["base.json: is also read or written"],
    );
    std::os::unix::fs::symlink("base.json", folder.path("link.json")).unwrap();
    folder.refuses(
        "audit . --baseline base.json -o link.json",
        &["link.json: is also read or written"],
    );
    // with what could not be audited left out, its findings would be new
    folder.write("broken.onnx", "no model");
    let said = folder.run("audit . --write-baseline base.json").exits(2);
    assert!(
        said.stderr.contains("base.json: not written"),
        "{}",
        said.stderr
    );
    assert_eq!(folder.read("base.json"), first);
}

#[test]
fn what_is_no_baseline_is_refused_with_the_reason() {
    let folder = with_baseline();
    let whole = document(&folder);
    folder.refuses(
        "audit . --baseline missing.json",
        &["missing.json: does not exist; create it with --write-baseline"],
    );
    folder.refuses(
        "audit . --baseline sub",
        &["sub: cannot read: Is a directory"],
    );
    folder.refuses(
        "audit . --baseline active.onnx",
        &["active.onnx: is not a baseline"],
    );
    let with = |place: &str, value: Value| {
        let mut other = whole.clone();
        *other.pointer_mut(place).unwrap() = value;
        other.to_string()
    };
    let twice = {
        let mut other = whole.clone();
        let findings = other["findings"].as_array_mut().unwrap();
        findings.push(findings[0].clone());
        other.to_string()
    };
    let without = {
        let mut other = whole.clone();
        other["findings"][0]
            .as_object_mut()
            .unwrap()
            .remove("count");
        other.to_string()
    };
    for (text, says) in [
        (
            String::new(),
            "line 1, column 0: is not a baseline: not JSON",
        ),
        (
            "{\n  \"schema\": }".into(),
            "line 2, column 13: is not a baseline: not JSON",
        ),
        (
            "[]".into(),
            "is not a baseline: its `schema` is missing, not `dropout-onnx/baseline/1`",
        ),
        ("{}".into(), "is not a baseline: its `schema` is missing"),
        (
            folder.run("audit . --format json").text().to_string(),
            "is not a baseline: its `schema` is `dropout-onnx/audit/1`",
        ),
        (
            with("/schema", json!("dropout-onnx/baseline/2")),
            "is a baseline of version `dropout-onnx/baseline/2`",
        ),
        (
            with("/findings", json!(1)),
            "is a damaged baseline: invalid type: integer `1`",
        ),
        (
            with("/findings/0/count", json!(0)),
            "is a damaged baseline: invalid value: integer `0`",
        ),
        (
            with("/findings/0/count", json!(-1)),
            "is a damaged baseline: invalid value: integer `-1`",
        ),
        (without, "is a damaged baseline: missing field `count`"),
        (twice, "is a damaged baseline: it lists active-dropout "),
    ] {
        folder.write("bad.json", &text);
        folder.refuses("audit . --baseline bad.json", &["bad.json: ", says]);
    }
    folder.write("bad.json", b"\xff\xfe");
    folder.refuses(
        "audit . --baseline bad.json",
        &["bad.json: is not a baseline: not UTF-8"],
    );
}

#[test]
fn what_cannot_be_judged_can_be_known() {
    let folder = Folder::new();
    let graph = x_to_y([op("y = Dropout(x, r, on)")]).init("r", f32_scalar(1.5));
    let graph = graph.init("on", flag(true));
    folder.write("bad.onnx", model(13, graph).encode_to_vec());
    folder.run("audit bad.onnx").exits(2);
    folder
        .run("audit bad.onnx --write-baseline base.json")
        .exits(0);
    folder.run("audit bad.onnx --baseline base.json").exits(0);
}

/// What is allowed is not known: when it expires, it is new.
#[test]
fn allowances_come_first() {
    let folder = Folder::new();
    chain(&folder, "m.onnx", 9);
    let select = "--select active-dropout --format json";
    let document = folder.run(&format!("audit m.onnx {select}")).json();
    let sites = document["models"][0]["sites"].as_array().unwrap();
    let print = sites[4]["fingerprint"].as_str().unwrap();
    assert_eq!(sites[5]["fingerprint"], print);
    let text = format!(
        "[[allow]]\nfingerprint = \"{print}\"\nreason = \"one of them\"\nexpires = 2028-01-01\n"
    );
    folder.write("dropout-onnx.toml", text);
    let day = "--today 2028-01-01";
    folder
        .run(&format!(
            "audit . {select} {day} --write-baseline base.json"
        ))
        .exits(0);
    assert!(
        String::from_utf8(folder.read("base.json"))
            .unwrap()
            .contains(print)
    );
    let run = format!("audit . {select} --baseline base.json");
    let said = folder.run(&format!("{run} {day}")).exits(0);
    let (found, remarks) = states(&said);
    // the one that is allowed takes nothing from those that are known
    assert_eq!(
        found
            .iter()
            .filter(|state| state.starts_with("new "))
            .count(),
        1
    );
    assert_eq!(remarks.len(), 1);
    assert!(remarks[0].contains("`count = "), "{remarks:?}");
    folder.run(&format!("{run} --today 2028-01-02")).exits(1);
}

#[test]
fn new_and_resolved_findings_are_valid_in_json_and_sarif() {
    let folder = with_baseline();
    std::fs::remove_file(folder.path("sub/runtime.onnx")).unwrap();
    folder.copy("torch_mask_output_op13", "new.onnx");
    assert_valid_formats(&folder, "audit . --baseline base.json");
}
