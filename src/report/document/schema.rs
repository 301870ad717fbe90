//! The JSON Schemas of documents, made of their types. `tests/it/cli/schemas.rs` holds what commands print against
//! them.

use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde_json::json;

use super::{Rewrite, diff, fold, insert, replay, sample, set, strip, verify};
use crate::audit::schema::{assert_current, made};
use crate::show;

fn check<T: JsonSchema>(name: &str, title: &str) {
    let mut schema = made::<T>(title, SchemaSettings::draft2020_12().for_serialize());
    schema["properties"]["schema"]["const"] = json!(format!("dropout-onnx/{name}/1"));
    assert_current(name, &schema);
}

#[test]
fn the_committed_schemas_of_commands_are_current() {
    check::<Rewrite<'_, strip::Strip<'_>>>("strip", "A strip by dropout-onnx");
    check::<Rewrite<'_, fold::Fold<'_>>>("fold", "A fold by dropout-onnx");
    check::<Rewrite<'_, set::Set<'_>>>("set", "A set by dropout-onnx");
    check::<Rewrite<'_, insert::Insert<'_>>>("insert", "An insert by dropout-onnx");
    let places = "Places for dropout by dropout-onnx insert --sites";
    check::<insert::Places<'_>>("insert-sites", places);
    check::<verify::Verify<'_>>("verify", "A verify by dropout-onnx");
    check::<replay::Document<'_>>("replay", "A replay by dropout-onnx");
    check::<diff::Differences<'_>>("diff", "A diff by dropout-onnx");
    check::<show::Document>("show", "A model by dropout-onnx show");
    check::<sample::Document<'_>>("sample", "A sampling by dropout-onnx");
}
