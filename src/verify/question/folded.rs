//! A fold in a document.

use serde::{Deserialize, Serialize};

use crate::onnx::DataType;
use crate::verify::structure::Allowed;

/// A fold.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(in crate::verify) struct Folded {
    /// The factors that were removed, and what was scaled instead.
    pub changes: Allowed,
    /// Whether every factor is a power of two.
    pub exact: bool,
    /// Element types whose rounding differs.
    #[cfg_attr(test, schemars(with = "Vec<String>"))]
    pub rounded: Vec<DataType>,
}

impl Folded {
    pub fn of(changes: &Allowed, exact: bool, rounded: &[DataType]) -> Folded {
        Folded {
            changes: changes.clone(),
            exact,
            rounded: rounded.to_vec(),
        }
    }
}
