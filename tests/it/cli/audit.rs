//! What `audit` takes and reports.

use serde_json::Value;

use crate::common::cli::Folder;

fn keys(value: &Value) -> String {
    let keys: Vec<_> = value.as_object().unwrap().keys().cloned().collect();
    keys.join(" ")
}

fn folder() -> Folder {
    let folder = Folder::with("torch_course_preserve_op17", "active.onnx");
    folder.copy("torch_mlp_training_op7", "inert.onnx");
    folder.copy("torch_course_eval_op17", "clean.onnx");
    folder.copy("jax2onnx_runtime_switch_op18", "runtime.onnx");
    folder.write("broken.onnx", "no model");
    folder
}

#[test]
fn the_exit_status_shows_active_dropout() {
    let folder = folder();
    for (arguments, status) in [
        ("active.onnx", 1),
        ("inert.onnx", 0),
        ("clean.onnx", 0),
        ("runtime.onnx", 0),
        ("clean.onnx inert.onnx runtime.onnx", 0),
        ("clean.onnx active.onnx inert.onnx", 1),
        ("active.onnx --exit-zero", 0),
        ("active.onnx --format json", 1),
        ("active.onnx --format json --exit-zero", 0),
        ("active.onnx -q", 1),
        ("clean.onnx -q", 0),
        ("broken.onnx", 2),
        ("broken.onnx --exit-zero", 2),
        ("broken.onnx active.onnx", 2),
        ("active.onnx broken.onnx", 2),
    ] {
        folder.run(&format!("audit {arguments}")).exits(status);
    }
}

#[test]
fn a_broken_file_does_not_keep_the_others_from_being_audited() {
    let folder = folder();
    std::fs::create_dir(folder.path("empty")).unwrap();
    let arguments = "audit active.onnx broken.onnx missing.onnx empty clean.onnx";
    let said = folder.run(arguments).exits(2);
    let text = said.text();
    assert!(
        text.contains("active.onnx: active, 2 dropout layers"),
        "{text}"
    );
    assert!(
        text.contains("clean.onnx: clean, no dropout in this file"),
        "{text}"
    );
    assert!(!text.contains("broken"), "{text}");
    for line in [
        "error: broken.onnx: not an ONNX model, but text",
        "error: missing.onnx: cannot open: No such file or directory",
        "error: empty: no file in this folder matches *.onnx",
    ] {
        assert!(said.stderr.contains(line), "{}", said.stderr);
    }
    assert_eq!(said.stderr.lines().count(), 3, "{}", said.stderr);

    let said = folder.run(&format!("{arguments} --format json")).exits(2);
    let document = said.json();
    let models = document["models"].as_array().unwrap();
    assert_eq!(models.len(), 5);
    for (model, verdict) in models.iter().zip(["active", "", "", "", "clean"]) {
        assert_eq!(model["verdict"].as_str().unwrap_or_default(), verdict);
        assert_eq!(model["error"].is_string(), verdict.is_empty(), "{model}");
    }
}

#[test]
fn the_json_document_has_the_documented_fields() {
    let folder = folder();
    let said = folder
        .run("audit active.onnx clean.onnx --format json")
        .exits(1);
    assert!(said.stderr.is_empty());
    let document = said.json();
    assert_eq!(keys(&document), "schema models");
    assert_eq!(document["schema"], "dropout-onnx/audit/1");
    let model = &document["models"][0];
    let expected = "path bytes ir_version opset producer verdict sites findings error";
    assert_eq!(keys(model), expected);
    assert_eq!(keys(&document["models"][1]), expected);
    assert_eq!(model["path"], "active.onnx");
    assert_eq!(model["bytes"], folder.read("active.onnx").len());
    assert_eq!(model["ir_version"], 8);
    assert_eq!(model["opset"]["ai.onnx"], 17);
    assert_eq!(model["producer"]["name"], "pytorch");
    assert_eq!(model["error"], Value::Null);
    let site = &model["sites"][0];
    let expected = "id form kind mode rate rate_origin scaling inference_scale noise_shape seed \
                    mask scope layer nodes input output fingerprint";
    assert_eq!(keys(site), expected);
    assert_eq!(site["form"], "operator");
    assert_eq!(site["kind"], "dropout");
    assert_eq!(site["mode"], "active");
    assert_eq!(site["rate"], 0.5);
    assert_eq!(site["rate_origin"], "constant");
    assert_eq!(site["scaling"], "inverted");
    assert_eq!(site["inference_scale"], 1.0);
    assert_eq!(site["mask"], "unused");
    assert_eq!(site["scope"], "graph");
    assert_eq!(site["nodes"][0], "/2/Dropout");
    let finding = &model["findings"][0];
    assert_eq!(keys(finding), "rule level site message fingerprint");
    assert_eq!(finding["fingerprint"], site["fingerprint"]);
    assert_eq!(finding["rule"], "active-dropout");
    assert_eq!(finding["level"], "error");
    assert_eq!(finding["site"], 0);
}

#[test]
fn quiet_prints_errors_only() {
    let folder = folder();
    let said = folder.run("audit -q active.onnx broken.onnx").exits(2);
    assert!(said.stdout.is_empty());
    assert!(said.stderr.starts_with("error: broken.onnx"));
}
