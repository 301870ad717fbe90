//! The JSON Schemas of the audit document, of baselines, evidence and configurations, made of their types.

use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde_json::{Value, json};

use super::{Document, ModelAudit, baseline};

fn made<T: JsonSchema>(title: &str, settings: SchemaSettings) -> Value {
    let mut schema = settings.into_generator().into_root_schema_for::<T>();
    schema.insert("title".to_string(), title.into());
    schema.to_value()
}

fn audit() -> Value {
    let settings = SchemaSettings::draft2020_12().for_serialize();
    made::<Document>("An audit by dropout-onnx", settings)
}

fn baseline() -> Value {
    let settings = SchemaSettings::draft2020_12().for_serialize();
    made::<baseline::File>("A baseline of dropout-onnx audit", settings)
}

#[cfg(feature = "tract")]
fn evidence() -> Value {
    let settings = SchemaSettings::draft2020_12();
    made::<crate::verify::evidence::Evidence>(
        "Evidence of dropout-onnx that two models are equal",
        settings,
    )
}

/// Of draft 7: editors that complete TOML know no later one.
#[cfg(feature = "config")]
fn config() -> Value {
    let settings = SchemaSettings::draft07();
    made::<super::config::Schema>("dropout-onnx.toml", settings)
}

fn folder() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn file(name: &str) -> PathBuf {
    folder().join(format!("docs/{name}.schema.json"))
}

/// `UPDATE_DOCS=1 cargo test --lib schema` updates it.
fn committed(name: &str) -> Value {
    serde_json::from_slice(&std::fs::read(file(name)).unwrap()).unwrap()
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
fn the_committed_schemas_are_current() {
    let mut all = vec![("audit", audit()), ("baseline", baseline())];
    #[cfg(feature = "tract")]
    all.push(("evidence", evidence()));
    #[cfg(feature = "config")]
    all.push(("dropout-onnx", config()));
    for (name, made) in all {
        if std::env::var_os("UPDATE_DOCS").is_some() {
            std::fs::write(file(name), format!("{made:#}\n")).unwrap();
        }
        assert!(
            committed(name) == made,
            "docs/{name}.schema.json is not current: UPDATE_DOCS=1 cargo test --lib schema"
        );
    }
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
    let mut known = super::Baseline::default();
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
        assert!(super::Baseline::parse(&bad.to_string()).is_err(), "{place}");
    }
}

/// The schema and the reader agree on what a configuration is.
#[cfg(feature = "config")]
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
        assert_eq!(
            super::Config::parse(&text).is_ok(),
            valid,
            "the reader: {text}"
        );
    }
}

/// Dates as strings, as editors show them to the schema.
#[cfg(feature = "config")]
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
