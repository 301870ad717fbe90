//! The JSON Schema of the audit document, made of its types: `docs/audit.schema.json`.

use std::path::Path;

use schemars::generate::SchemaSettings;
use serde_json::{Value, json};

use super::{Document, ModelAudit};

fn made() -> Value {
    let settings = SchemaSettings::draft2020_12().for_serialize();
    let mut schema = settings.into_generator().into_root_schema_for::<Document>();
    schema.insert("title".to_string(), "An audit by dropout-onnx".into());
    schema.to_value()
}

fn folder() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// `UPDATE_DOCS=1 cargo test --lib schema` writes it anew.
fn committed() -> Value {
    let path = folder().join("docs/audit.schema.json");
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&path, format!("{:#}\n", made())).unwrap();
    }
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

/// Audits of everything in `fixtures/`, and of a file that is no model.
fn document() -> Value {
    let mut models = vec![ModelAudit::open(&folder().join("Cargo.toml"))];
    for entry in std::fs::read_dir(folder().join("fixtures")).unwrap() {
        let path = entry.unwrap().path();
        if path
            .extension()
            .is_some_and(|extension| extension == "onnx")
        {
            models.push(ModelAudit::open(&path));
        }
    }
    assert!(models.len() > 10);
    serde_json::to_value(Document::new(models)).unwrap()
}

#[test]
fn the_committed_schema_is_current() {
    assert!(
        committed() == made(),
        "docs/audit.schema.json is not current: UPDATE_DOCS=1 cargo test --lib schema"
    );
}

#[test]
fn audits_are_valid() {
    let schema = jsonschema::draft202012::new(&committed()).unwrap();
    let document = document();
    let errors: Vec<String> = schema
        .iter_errors(&document)
        .map(|e| format!("{}: {e}", e.instance_path()))
        .collect();
    assert_eq!(errors, [""; 0]);
}

#[test]
fn other_documents_are_not() {
    let schema = jsonschema::draft202012::new(&committed()).unwrap();
    let good = document();
    let models = good["models"].as_array().unwrap();
    let index = models
        .iter()
        .position(|m| m["verdict"] == "active")
        .unwrap();
    let place = |rest: &str| format!("/models/{index}/{rest}");
    for (place, value) in [
        ("/schema".to_string(), json!("dropout-onnx/audit/2")),
        ("/models".to_string(), json!({})),
        (place("verdict"), json!("bad")),
        (place("bytes"), json!(-1)),
        (place("opset/ai.onnx"), json!("15")),
        (place("sites/0/rate"), json!("0.5")),
        (place("sites/0/form"), json!("Operator")),
        (place("sites/0/noise_shape"), json!([1])),
        (place("findings/0/level"), json!("fatal")),
        (place("findings/0/site"), json!(0.5)),
    ] {
        let mut bad = good.clone();
        *bad.pointer_mut(&place).unwrap() = value;
        assert!(!schema.is_valid(&bad), "{place}");
    }
    for (place, key) in [
        ("".to_string(), "models"),
        (place(""), "error"),
        (place("sites/0"), "layer"),
        (place("findings/0"), "rule"),
    ] {
        let mut bad = good.clone();
        let object = bad.pointer_mut(place.trim_end_matches('/')).unwrap();
        object.as_object_mut().unwrap().remove(key).unwrap();
        assert!(!schema.is_valid(&bad), "{place} without {key}");
    }
}
