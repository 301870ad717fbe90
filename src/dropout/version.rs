//! The versions of the `Dropout` operator.
//!
//! Source: ONNX `docs/Changelog.md`, Dropout-1, -6, -7, -10, -12, -13, -22.

/// Which law a `Dropout` follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum OperatorVersion {
    /// Opsets 1 to 6: attribute `is_test`, which is 0 (training) if absent; mask of the data's type.
    IsTest,
    /// Opsets 7 to 9: inference only; mask of the data's type.
    InferenceTyped,
    /// Opsets 10 and 11: inference only; boolean mask.
    InferenceBool,
    /// From opset 12: inputs `ratio` and `training_mode`; boolean mask.
    Inputs,
}

/// The rules of `Dropout` in a version of the default operator set.
pub fn version(opset: i64) -> OperatorVersion {
    match opset {
        ..=6 => OperatorVersion::IsTest,
        7..=9 => OperatorVersion::InferenceTyped,
        10..=11 => OperatorVersion::InferenceBool,
        _ => OperatorVersion::Inputs,
    }
}

/// The names of the inputs of `Dropout` at an opset.
pub(super) fn inputs(opset: i64) -> &'static [&'static str] {
    match version(opset) {
        OperatorVersion::Inputs => &["data", "ratio", "training_mode"],
        _ => &["data"],
    }
}

/// The attributes of `Dropout` at an opset.
pub(super) fn attributes(opset: i64) -> &'static [&'static str] {
    match (version(opset), opset) {
        (OperatorVersion::IsTest, ..=5) => &["consumed_inputs", "is_test", "ratio"],
        (OperatorVersion::IsTest, _) => &["is_test", "ratio"],
        (OperatorVersion::InferenceTyped | OperatorVersion::InferenceBool, _) => &["ratio"],
        (OperatorVersion::Inputs, _) => &["seed"],
    }
}
