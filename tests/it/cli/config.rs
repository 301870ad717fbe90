//! `dropout-onnx.toml`: which file is whose, what counts for more, what is allowed and until when.

use std::path::Path;

use serde_json::Value;

use super::formats::assert_valid_formats;
use crate::common::cli::{Folder, unwrapped};

/// `2` and `5` are the layers of its active dropouts.
const ACTIVE: &str = "torch_course_preserve_op17";

fn folder() -> Folder {
    let folder = Folder::with(ACTIVE, "active.onnx");
    folder.copy("keras_mc_lost_ratio_op12", "lost.onnx");
    folder.copy("jax2onnx_runtime_switch_op18", "runtime.onnx");
    folder
}

fn configured(text: &str) -> Folder {
    let folder = folder();
    folder.write("dropout-onnx.toml", text);
    folder
}

fn allow(rest: &str) -> String {
    format!("[[allow]]\nreason = \"on purpose\"\n{rest}\n")
}

/// Layers of the dropouts whose findings are open, and remarks.
fn open(folder: &Folder, arguments: &str) -> (Vec<String>, Vec<String>) {
    let document = folder
        .run(&format!(
            "audit --format json --select active-dropout {arguments}"
        ))
        .json();
    let mut layers = Vec::new();
    for model in document["models"].as_array().unwrap() {
        for finding in model["findings"].as_array().unwrap() {
            if finding["allowed"].is_null() {
                let site = finding["site"].as_u64().unwrap() as usize;
                layers.push(model["sites"][site]["layer"].as_str().unwrap().to_string());
            }
        }
    }
    let remarks = document["remarks"].as_array().cloned().unwrap_or_default();
    let names = remarks
        .iter()
        .map(|remark| remark["name"].as_str().unwrap().to_string());
    (layers, names.collect())
}

#[track_caller]
fn assert_open(folder: &Folder, arguments: &str, layers: &[&str], remarks: &[&str]) {
    let found = open(folder, arguments);
    assert_eq!(
        (&found.0[..], &found.1[..]),
        (&owned(layers)[..], &owned(remarks)[..])
    );
}

fn owned(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| text.to_string()).collect()
}

#[test]
fn each_model_has_the_nearest_file_and_no_other() {
    let folder = Folder::new();
    for sub in ["a/b/c", "a/d", "e"] {
        std::fs::create_dir_all(folder.path(sub)).unwrap();
    }
    for name in ["a/m.onnx", "a/b/c/m.onnx", "a/d/m.onnx", "e/m.onnx"] {
        folder.copy(ACTIVE, name);
    }
    folder.write("a/dropout-onnx.toml", allow("layer = \"*\""));
    // the file around it does not count: nothing is merged
    folder.write("a/d/dropout-onnx.toml", "");
    for (model, status) in [
        ("a/m.onnx", 0),
        ("a/b/c/m.onnx", 0),
        ("a/d/m.onnx", 1),
        ("e/m.onnx", 1),
        ("a", 1),
        ("a/b", 0),
        // however the path is written
        ("e/../a/m.onnx", 0),
        ("./a/d/../b/c/m.onnx", 0),
        ("a/d/../d/m.onnx", 1),
    ] {
        folder.run(&format!("audit {model}")).exits(status);
    }
    let whole = folder.path("a/b/c/m.onnx");
    folder.run_all(&["audit", whole.to_str().unwrap()]).exits(0);
    folder
        .run_fed("audit --files-from -", "a/m.onnx\na/b/c/m.onnx\n")
        .exits(0);
    folder
        .run_fed("audit --files-from -", "a/m.onnx\na/d/m.onnx\n")
        .exits(1);
    // from within
    let mut command = folder.command();
    command
        .current_dir(folder.path("a/b/c"))
        .args(["audit", "m.onnx"]);
    crate::common::cli::Said::new(&mut command).exits(0);
    let mut command = folder.command();
    command
        .current_dir(folder.path("a/d"))
        .args(["audit", "m.onnx"]);
    crate::common::cli::Said::new(&mut command).exits(1);
}

#[test]
fn configurations_are_found_from_links() {
    use std::os::unix::fs::symlink;
    let folder = Folder::new();
    for sub in ["here", "there"] {
        std::fs::create_dir(folder.path(sub)).unwrap();
    }
    folder.copy(ACTIVE, "there/m.onnx");
    folder.write("here/dropout-onnx.toml", allow("layer = \"*\""));
    symlink("../there/m.onnx", folder.path("here/link.onnx")).unwrap();
    symlink("../there", folder.path("here/folder")).unwrap();
    folder.run("audit there/m.onnx").exits(1);
    folder.run("audit here/link.onnx").exits(0);
    folder.run("audit here/folder/m.onnx").exits(1);
    // the file may be a link as well
    symlink(
        "../here/dropout-onnx.toml",
        folder.path("there/dropout-onnx.toml"),
    )
    .unwrap();
    folder.run("audit there/m.onnx").exits(0);
    std::fs::remove_file(folder.path("here/dropout-onnx.toml")).unwrap();
    folder.refuses(
        "audit there/m.onnx",
        &["there/dropout-onnx.toml: cannot read: No such file"],
    );
}

#[test]
fn one_file_can_be_named_for_all_or_none_be_used() {
    let folder = configured(&allow("layer = \"*\""));
    folder.write("strict.toml", "[rules]\ndeny = [\"all\"]\n");
    folder.run("audit active.onnx").exits(0);
    folder
        .run("audit active.onnx --config strict.toml")
        .exits(1);
    folder.run("audit active.onnx --no-config").exits(1);
    folder.run("audit lost.onnx --config strict.toml").exits(1);
    folder
        .run("audit lost.onnx --config dropout-onnx.toml")
        .exits(0);
    folder.refuses(
        "audit active.onnx --config missing.toml",
        &["missing.toml: cannot read: No such"],
    );
    folder.refuses(
        "audit active.onnx --config .",
        &[".: cannot read: Is a directory"],
    );
    folder.refuses(
        "audit active.onnx --config strict.toml --no-config",
        &["--no-config", "cannot be used with"],
    );
    folder.refuses(
        "audit active.onnx --config active.onnx",
        &["active.onnx: is not a configuration"],
    );
    folder.refuses(
        "audit active.onnx -o dropout-onnx.toml",
        &["dropout-onnx.toml: is also read"],
    );
}

#[test]
fn an_allowance_applies_if_all_its_keys_match() {
    let print = |layer: &str| {
        let document = folder().run("audit active.onnx --format json").json();
        let sites = document["models"][0]["sites"].as_array().unwrap().clone();
        let site = sites.iter().find(|site| site["layer"] == layer).unwrap();
        site["fingerprint"].as_str().unwrap().to_string()
    };
    let (two, five) = (print("2"), print("5"));
    for (text, left, remarks) in [
        ("layer = \"2\"".to_string(), &["5"][..], &[][..]),
        ("layer = \"*\"".into(), &[], &[]),
        ("layer = \"[25]\"".into(), &[], &[]),
        (
            "layer = \"*\"\ncount = 1".into(),
            &["5"],
            &["exceeded-allowance"],
        ),
        ("layer = \"*\"\ncount = 2".into(), &[], &[]),
        ("layer = \"3\"".into(), &["2", "5"], &["unused-allowance"]),
        (format!("fingerprint = \"{two}\""), &["5"], &[]),
        (format!("fingerprint = \"{five}\""), &["2"], &[]),
        (
            format!("layer = \"2\"\nfingerprint = \"{two}\""),
            &["5"],
            &[],
        ),
        (
            format!("layer = \"2\"\nfingerprint = \"{five}\""),
            &["2", "5"],
            &["unused-allowance"],
        ),
        (
            "fingerprint = \"0123456789abcdef\"".into(),
            &["2", "5"],
            &["unused-allowance"],
        ),
        (
            "layer = \"*\"\nrules = [\"active-dropout\"]".into(),
            &[],
            &[],
        ),
        (
            "layer = \"*\"\nrules = [\"lost-rate\", \"active-dropout\"]".into(),
            &[],
            &[],
        ),
        // the rule was left out, so nothing can be said of the allowance
        (
            "layer = \"*\"\nrules = [\"lost-rate\"]".into(),
            &["2", "5"],
            &[],
        ),
        ("layer = \"*\"\nmodels = [\"active.onnx\"]".into(), &[], &[]),
        ("layer = \"*\"\nmodels = [\"*.onnx\"]".into(), &[], &[]),
        (
            "layer = \"*\"\nmodels = [\"**/active.onnx\"]".into(),
            &[],
            &[],
        ),
        (
            "layer = \"*\"\nmodels = [\"other.onnx\", \"sub/*\"]".into(),
            &["2", "5"],
            &[],
        ),
    ] {
        let folder = configured(&allow(&text));
        let found = open(&folder, "active.onnx");
        assert_eq!(found, (owned(left), owned(remarks)), "{text}");
        let status = i32::from(!left.is_empty());
        folder
            .run("audit active.onnx --select active-dropout")
            .exits(status);
    }
}

/// Paths of models are from the folder of the file, wherever the run is.
#[test]
fn models_are_paths_from_the_file() {
    let folder = folder();
    std::fs::create_dir_all(folder.path("models/mc")).unwrap();
    folder.copy(ACTIVE, "models/mc/a.onnx");
    folder.copy(ACTIVE, "models/b.onnx");
    let text = allow("layer = \"*\"\nmodels = [\"mc/*.onnx\"]");
    folder.write("models/dropout-onnx.toml", text);
    folder.run("audit models/mc/a.onnx").exits(0);
    folder.run("audit models/b.onnx").exits(1);
    let mut command = folder.command();
    command
        .current_dir(folder.path("models/mc"))
        .args(["audit", "a.onnx"]);
    crate::common::cli::Said::new(&mut command).exits(0);
    folder
        .run("audit active.onnx --config models/dropout-onnx.toml")
        .exits(1);
}

#[test]
fn an_allowance_holds_through_its_last_day_and_not_after() {
    let folder = configured(&allow("layer = \"*\"\nexpires = 2028-02-29"));
    for (today, holds) in [
        ("1999-12-31", true),
        ("2028-02-28", true),
        ("2028-02-29", true),
        ("2028-03-01", false),
        ("2029-01-01", false),
        ("9999-12-31", false),
    ] {
        let arguments = format!("active.onnx --today {today}");
        match holds {
            true => assert_open(&folder, &arguments, &[], &[]),
            false => assert_open(&folder, &arguments, &["2", "5"], &["expired-allowance"]),
        }
        folder
            .run(&format!("audit {arguments}"))
            .exits(i32::from(!holds));
    }
    // without --today, by the clock
    for (day, status) in [("1970-01-02", 1), ("9999-12-31", 0)] {
        let folder = configured(&allow(&format!("layer = \"*\"\nexpires = {day}")));
        folder.run("audit active.onnx").exits(status);
    }
    let says = folder.run("audit active.onnx --today 2028-03-01").exits(1);
    let expected = "warning expired-allowance: dropout-onnx.toml:1: the allowance of layer `*` \
                    expired after 2028-02-29: 2 findings are reported again";
    let text = unwrapped(says.text());
    assert!(text.ends_with(expected), "{text}");
    folder.refuses(
        "audit active.onnx --today tomorrow",
        &["--today", "tomorrow"],
    );
    // one that would allow nothing anyway
    let folder = configured(&allow("layer = \"3\"\nexpires = 2028-02-29"));
    assert_open(
        &folder,
        "active.onnx --today 2028-03-01",
        &["2", "5"],
        &["unused-allowance"],
    );
}

/// An allowance of one of several models is used; of none, unused; and what no file could be
/// audited of is not known.
#[test]
fn an_allowance_is_unused_if_no_model_has_use_of_it() {
    let folder = configured(&allow("layer = \"2\""));
    assert_open(&folder, ".", &["5"], &[]);
    assert_open(&folder, "active.onnx runtime.onnx", &["5"], &[]);
    assert_open(
        &folder,
        "runtime.onnx lost.onnx",
        &[],
        &["unused-allowance"],
    );
    folder.write("broken.onnx", "no model");
    assert_open(&folder, "broken.onnx", &[], &[]);
    assert_open(
        &folder,
        "broken.onnx runtime.onnx",
        &[],
        &["unused-allowance"],
    );
}

#[test]
fn what_cannot_be_judged_can_be_allowed() {
    use crate::common::build::{f32_scalar, flag, model, op, x_to_y};
    use prost::Message;
    let folder = Folder::new();
    let dropout = op("y = Dropout(x, r, on)").named("/3/Dropout");
    let graph = x_to_y([dropout]).init("r", f32_scalar(1.5));
    let graph = graph.init("on", flag(true));
    folder.write("bad.onnx", model(13, graph).encode_to_vec());
    folder.run("audit bad.onnx").exits(2);
    folder.write("dropout-onnx.toml", allow("layer = \"3\""));
    folder.run("audit bad.onnx").exits(0);
    folder.write(
        "dropout-onnx.toml",
        allow("layer = \"3\"\nrules = [\"lost-rate\"]"),
    );
    folder.run("audit bad.onnx").exits(2);
}

#[test]
fn allowed_findings_are_valid_in_json_and_sarif() {
    let text = allow("layer = \"2\"\nexpires = 2028-12-31") + &allow("layer = \"gone\"");
    let folder = configured(&text);
    assert_valid_formats(&folder, "audit active.onnx --today 2028-01-01");
}

/// The configuration in the documentation, with the models it is about.
#[test]
fn the_documented_example_works() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/configuration.md");
    let text = std::fs::read_to_string(path).unwrap();
    let (_, rest) = text.split_once("```toml\n").expect("an example");
    let (example, _) = rest.split_once("```").expect("its end");
    let folder = Folder::with(ACTIVE, "active.onnx");
    folder.copy("jax2onnx_runtime_switch_op18", "runtime.onnx");
    folder.write("dropout-onnx.toml", example);
    let said = folder.run("audit . --today 2026-12-31").exits(0);
    assert!(said.text().ends_with("3 allowed\n"), "{}", said.text());
    let said = folder.run("audit . --today 2027-01-01").exits(1);
    assert!(said.text().contains("expired-allowance"), "{}", said.text());

    // every key is documented
    let schema = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/dropout-onnx.schema.json");
    let schema: Value = serde_json::from_slice(&std::fs::read(schema).unwrap()).unwrap();
    let objects = [
        "/properties",
        "/definitions/Rules/properties",
        "/definitions/Allow/properties",
    ];
    for (prefix, object) in ["", "rules.", "allow."].iter().zip(objects) {
        for key in schema.pointer(object).unwrap().as_object().unwrap().keys() {
            let row = format!("| `{prefix}{key}` |");
            let table = ["rules", "allow"].contains(&key.as_str()) && prefix.is_empty();
            assert!(table || text.contains(&row), "no row {row}");
        }
    }
}
