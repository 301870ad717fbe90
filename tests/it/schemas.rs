//! The JSON Schemas in `docs/`, against audits, baselines and configurations.

use std::path::{Path, PathBuf};

use dropout_onnx::audit::baseline::Baseline;
use dropout_onnx::audit::config::Config;
use dropout_onnx::audit::{Document, ModelAudit};
use serde_json::{Value, json};

fn folder() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn committed(name: &str) -> Value {
    let file: PathBuf = folder().join(format!("docs/{name}.schema.json"));
    serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap()
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
fn audits_are_valid() {
    let schema = jsonschema::draft202012::new(&committed("audit")).unwrap();
    let document = document();
    let errors: Vec<String> = schema
        .iter_errors(&document)
        .map(|e| format!("{}: {e}", e.instance_path()))
        .collect();
    assert_eq!(errors, [""; 0]);
}

#[test]
fn other_documents_are_not() {
    let schema = jsonschema::draft202012::new(&committed("audit")).unwrap();
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
        (place("findings/0/fingerprint"), json!(0)),
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
        (place("findings/0"), "fingerprint"),
    ] {
        let mut bad = good.clone();
        let object = bad.pointer_mut(place.trim_end_matches('/')).unwrap();
        object.as_object_mut().unwrap().remove(key).unwrap();
        assert!(!schema.is_valid(&bad), "{place} without {key}");
    }
}

#[test]
fn baselines_are_valid_and_others_are_not() {
    let schema = jsonschema::draft202012::new(&committed("baseline")).unwrap();
    let mut known = Baseline::default();
    let path = folder().join("fixtures/torch_course_preserve_op17.onnx");
    known.add("a.onnx", &ModelAudit::open(&path));
    let good: Value = serde_json::from_str(&known.text().unwrap()).unwrap();
    assert!(schema.is_valid(&good));
    assert!(good["findings"].as_array().unwrap().len() >= 2);
    for (place, value) in [
        ("/schema", json!("dropout-onnx/baseline/2")),
        ("/findings", json!({})),
        ("/findings/0/path", json!(1)),
        ("/findings/0/rule", json!(null)),
        ("/findings/0/count", json!(0)),
        ("/findings/0/count", json!("1")),
    ] {
        let mut bad = good.clone();
        *bad.pointer_mut(place).unwrap() = value;
        assert!(!schema.is_valid(&bad), "{place}");
        assert!(Baseline::parse(&bad.to_string()).is_err(), "{place}");
    }
}

/// The schema and the reader agree on what a configuration is.
#[test]
fn what_the_schema_allows_is_read_and_what_it_forbids_is_not() {
    let schema = jsonschema::draft7::options()
        .should_validate_formats(true)
        .build(&committed("dropout-onnx"))
        .unwrap();
    let allow = |rest: &str| format!("[[allow]]\nreason = \"why\"\n{rest}");
    for (text, valid) in [
        (String::new(), true),
        ("format = \"sarif\"".into(), true),
        ("format = \"sarrif\"".into(), false),
        ("format = 1".into(), false),
        (
            "[rules]\ndeny = [\"lost-rate\", \"all\"]\nallow = [\"notes\"]\nselect = []".into(),
            true,
        ),
        ("[rules]\ndeny = [\"lost\"]".into(), false),
        ("[rules]\ndeny = \"lost-rate\"".into(), false),
        ("[rules]\nwarn = []".into(), false),
        ("rules = []".into(), false),
        ("unknown = 1".into(), false),
        (allow("layer = \"a.*\""), true),
        (
            allow("layer = \"a\"\nfingerprint = \"0123456789abcdef\""),
            true,
        ),
        (allow("fingerprint = \"0123456789abcdef\"\ncount = 3"), true),
        (allow("fingerprint = \"0123456789ABCDEF\""), false),
        (allow("fingerprint = \"0123\""), false),
        (allow("layer = \"a\"\ncount = 0"), false),
        (
            allow("layer = \"a\"\nrules = [\"lost-rate\"]\nmodels = [\"**/a.onnx\"]"),
            true,
        ),
        (allow("layer = \"a\"\nrules = [\"notes\"]"), false),
        (allow("layer = \"a\"\nrules = []"), false),
        (allow("layer = \"a\"\nexpires = 2026-12-31"), true),
        (allow("layer = \"a\"\nexpires = 2026-12-31T00:00:00"), false),
        (allow("layer = \"a\"\nexpires = 10"), false),
        (allow("layer = \"a\"\nnote = \"b\""), false),
        (allow(""), false),
        ("[[allow]]\nlayer = \"a\"".into(), false),
        ("[[allow]]\nlayer = \"a\"\nreason = 1".into(), false),
        ("[allow]\nlayer = \"a\"\nreason = \"why\"".into(), false),
    ] {
        let table: toml::Table = text.parse().unwrap();
        let document = dated(toml::Value::Table(table));
        assert_eq!(schema.is_valid(&document), valid, "the schema: {text}");
        assert_eq!(Config::parse(&text).is_ok(), valid, "the reader: {text}");
    }
}

/// Dates as strings, as editors show them to the schema.
fn dated(value: toml::Value) -> Value {
    match value {
        toml::Value::Datetime(date) => date.to_string().into(),
        toml::Value::Array(all) => all.into_iter().map(dated).collect(),
        toml::Value::Table(table) => {
            let entries = table.into_iter().map(|(key, value)| (key, dated(value)));
            Value::Object(entries.collect())
        }
        other => serde_json::to_value(other).unwrap(),
    }
}
