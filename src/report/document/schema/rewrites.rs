//! The documents of rewrites and of verify. They are put together with `json!`: these types describe them for
//! the schemas, and `tests/it/cli/schemas.rs` holds the schemas against what the commands print.

#![expect(dead_code, reason = "only the shape of these types is used")]

use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde_json::{Value, json};

use crate::audit::SiteRecord;
use crate::audit::schema::made;
use crate::diff::Diff;

/// The parts that all rewrites have in common, and those of one.
#[derive(JsonSchema)]
struct Rewrite<P> {
    /// The program that wrote it, with its version.
    tool: String,
    /// The model.
    input: String,
    /// The file of the result; null if nothing was written.
    output: Option<String>,
    /// The sizes of both models in bytes.
    bytes: Sizes,
    #[schemars(flatten)]
    parts: P,
    /// What verification found; null if it was not asked for.
    verification: Option<Verification>,
    /// The changes, by name.
    diff: Diff,
}

#[derive(JsonSchema)]
struct Sizes {
    before: u64,
    after: u64,
}

/// What happens to a dropout or a place.
#[derive(JsonSchema)]
struct Step {
    /// remove, keep, refuse; set, leave.
    action: String,
    /// The reason for leaving it as it is.
    #[schemars(skip_serializing_if = "Option::is_none")]
    why: Option<String>,
}

/// A value that an Identity is left for.
#[derive(JsonSchema)]
struct Identity {
    value: String,
    /// Why an Identity is left for it.
    why: String,
}

#[derive(JsonSchema)]
struct Scale {
    value: String,
    /// The factor that is left.
    scale: f64,
}

#[derive(JsonSchema)]
struct Removed {
    dropouts: usize,
    /// Nodes left unused.
    nodes: Vec<String>,
    /// Initializers left unused.
    initializers: Vec<String>,
    /// Functions that nothing calls any more.
    functions: Vec<String>,
    /// States of loops that carried a mask.
    loop_states: usize,
}

/// Parts of the result that still act.
#[derive(JsonSchema)]
struct Left {
    dropouts: usize,
    frozen_masks: usize,
    random_operators: usize,
    unloadable_operators: usize,
}

#[derive(JsonSchema)]
struct Strip {
    /// The dropouts of the model.
    sites: Vec<SiteRecord>,
    /// A step for each dropout.
    plan: Vec<Step>,
    removed: Removed,
    /// Masks in use, replaced by all true.
    masks: Vec<String>,
    scales: Vec<Scale>,
    identities: Vec<Identity>,
    /// Inputs that are no longer used.
    idle_inputs: Vec<String>,
    left: Left,
    /// The fold after it, if there was one.
    fold: Option<Fold>,
}

#[derive(JsonSchema)]
struct Factor {
    node: String,
    value: String,
    factor: Option<String>,
    elements: usize,
    /// fold or keep.
    action: String,
    why: Option<String>,
}

#[derive(JsonSchema)]
struct Weight {
    name: String,
    bytes: u64,
}

#[derive(JsonSchema)]
struct Fold {
    /// The constant factors.
    factors: Vec<Factor>,
    /// The number of factors that were folded.
    folded: usize,
    /// Weights that were scaled.
    weights: Vec<Weight>,
    /// Weights that were copied first.
    copies: Vec<Weight>,
    idle_inputs: Vec<String>,
    identities: Vec<Identity>,
}

#[derive(JsonSchema)]
struct Set {
    rate: Option<f64>,
    mode: Option<String>,
    /// The dropouts before the change.
    sites: Vec<SiteRecord>,
    /// A step for each dropout.
    plan: Vec<Step>,
    /// The number of dropouts that were changed.
    changed: usize,
    /// The input that switches dropout, if one does.
    switch: Option<String>,
    /// True if that input was added.
    added_input: bool,
    idle_inputs: Vec<String>,
}

#[derive(JsonSchema)]
struct Place {
    /// insert, leave or refuse.
    action: String,
    why: Option<String>,
    place: String,
    data: String,
    output: String,
    rate: f64,
    seed: Option<i64>,
    shared_axes: Option<Vec<i64>>,
}

#[derive(JsonSchema)]
struct Insert {
    mode: String,
    /// A step for each place.
    plan: Vec<Place>,
    /// The number of dropouts that were inserted.
    inserted: usize,
    /// The input that switches dropout, if one does.
    switch: Option<String>,
    /// True if that input was added.
    added_input: bool,
}

/// A comparison of two models.
#[derive(JsonSchema)]
struct Verify {
    /// The program that wrote it, with its version.
    tool: String,
    before: String,
    after: String,
    /// What is assumed of dropout that is still active.
    assumed: Option<String>,
    #[schemars(extend("enum" = ["equal", "different", "not_shown"]))]
    verdict: String,
    /// Why the models were not shown to be equal.
    why: Option<String>,
    verification: Verification,
}

/// The results of each check; null if it was not asked for.
#[derive(JsonSchema)]
struct Verification {
    structure: Option<Structure>,
    run: Option<Run>,
    /// True if both models are the same bytes.
    #[schemars(skip_serializing_if = "Option::is_none")]
    identical: Option<bool>,
}

#[derive(JsonSchema)]
struct Structure {
    #[schemars(extend("enum" = ["same", "different"]))]
    result: String,
    /// The number of outputs, if they are the same.
    #[schemars(skip_serializing_if = "Option::is_none")]
    outputs: Option<usize>,
    /// Where they first differ.
    #[schemars(skip_serializing_if = "Option::is_none")]
    place: Option<String>,
}

#[derive(JsonSchema)]
struct Run {
    #[schemars(extend("enum" = ["equal", "different", "unrunnable"]))]
    result: String,
    why: Option<String>,
    /// The engine and its version.
    engine: String,
    runs: usize,
    seed: u64,
    /// The number of elements compared.
    elements: u64,
    tolerance: String,
    notes: Vec<String>,
}

/// The schemas by command.
pub(super) fn schemas() -> Vec<(&'static str, Value)> {
    let titled = |command: &'static str, make: fn(&str, SchemaSettings) -> Value| {
        let settings = SchemaSettings::draft2020_12().for_serialize();
        let mut schema = make(&format!("A {command} by dropout-onnx"), settings);
        let version = format!("dropout-onnx/{command}/1");
        schema["properties"]["schema"] = json!({"const": version});
        if let Some(required) = schema["required"].as_array_mut() {
            required.push("schema".into());
        }
        (command, schema)
    };
    vec![
        titled("strip", made::<Rewrite<Strip>>),
        titled("fold", made::<Rewrite<Fold>>),
        titled("set", made::<Rewrite<Set>>),
        titled("insert", made::<Rewrite<Insert>>),
        titled("verify", made::<Verify>),
    ]
}
