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
    rounded: Vec<String>,
}

impl Folded {
    pub fn of(changes: &Allowed, exact: bool, rounded: &[DataType]) -> Folded {
        Folded {
            changes: changes.clone(),
            exact,
            rounded: rounded.iter().map(ToString::to_string).collect(),
        }
    }

    /// Element types whose rounding differs; `None` if one is unknown.
    pub fn rounded(&self) -> Option<Vec<DataType>> {
        let names = self.rounded.iter();
        names.map(|name| DataType::from_name(name)).collect()
    }
}
