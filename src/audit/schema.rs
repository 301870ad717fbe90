//! The JSON Schemas of documents and configurations, made of their types.

use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde_json::Value;

use super::{Document, baseline};

/// A schema with this title.
pub(crate) fn made<T: JsonSchema>(title: &str, settings: SchemaSettings) -> Value {
    let mut schema = settings.into_generator().into_root_schema_for::<T>();
    schema.insert("title".to_string(), title.into());
    schema.to_value()
}

/// `UPDATE_DOCS=1 cargo test --lib schema` updates it.
pub(crate) fn assert_current(name: &str, schema: &Value) {
    let file = format!("{}/docs/{name}.schema.json", env!("CARGO_MANIFEST_DIR"));
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&file, format!("{schema:#}\n")).unwrap();
    }
    let committed = std::fs::read_to_string(&file).unwrap();
    assert!(
        committed == format!("{schema:#}\n"),
        "{file} is not current: UPDATE_DOCS=1 cargo test --lib schema"
    );
}

#[test]
fn the_committed_schemas_are_current() {
    let written = || SchemaSettings::draft2020_12().for_serialize();
    let audit = made::<Document>("An audit by dropout-onnx", written());
    assert_current("audit", &audit);
    let title = "A baseline of dropout-onnx audit";
    assert_current("baseline", &made::<baseline::File>(title, written()));
}

#[cfg(feature = "tract")]
#[test]
fn the_committed_schema_of_evidence_is_current() {
    let title = "Evidence of dropout-onnx that two models are equal";
    let schema = made::<crate::verify::evidence::Evidence>(title, SchemaSettings::draft2020_12());
    assert_current("evidence", &schema);
}

/// Of draft 7: editors that complete TOML know no later one.
#[cfg(feature = "config")]
#[test]
fn the_committed_schema_of_configurations_is_current() {
    let schema = made::<super::config::Schema>("dropout-onnx.toml", SchemaSettings::draft07());
    assert_current("dropout-onnx", &schema);
}
