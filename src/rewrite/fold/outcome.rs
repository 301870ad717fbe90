//! What fold did.

use serde::Serialize;

use crate::onnx::{DataType, Name};
use crate::rewrite::Identity;
use crate::verify::structure::Allowed;

/// What fold did, in addition to its plan.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Outcome {
    /// The number of factors that were folded.
    pub folded: usize,
    /// Weights that were scaled.
    pub weights: Vec<Weight>,
    /// Weights that were copied first, as something else uses the originals.
    pub copies: Vec<Weight>,
    /// Weights that are no longer external data.
    pub embedded: Vec<Name>,
    /// Weights with elements that became so small that digits are lost.
    pub lost: Vec<Lost>,
    /// Element types that are rounded to otherwise now: those of weights, of factors, and of what they
    /// were carried through.
    #[serde(skip)]
    pub rounded: Vec<DataType>,
    /// Attributes that were scaled.
    pub attributes: Vec<Scaled>,
    /// Values that an Identity is left for.
    pub identities: Vec<Identity>,
    /// Initializers left unused.
    pub removed: Vec<Name>,
    /// Inputs that are no longer used.
    pub idle_inputs: Vec<Name>,
    /// True if every factor is a power of two: then only very small elements are rounded.
    #[serde(skip)]
    pub exact: bool,
    /// What changed, for verification.
    #[serde(skip)]
    pub allowed: Allowed,
}

/// A weight that was scaled.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Weight {
    /// Its name.
    pub name: Name,
    /// The weight that this is a copy of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub of: Option<Name>,
    /// Its size; of a copy what it adds.
    pub bytes: u64,
}

/// A weight that lost digits.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Lost {
    /// Its name.
    pub name: Name,
    /// The number of those elements.
    pub elements: u64,
}

/// An attribute that was scaled.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Scaled {
    /// Its node.
    pub node: String,
    /// Its name.
    pub name: &'static str,
    /// Its new value.
    pub is: f32,
}

impl Outcome {
    /// True if the model is as it was.
    pub fn is_unchanged(&self) -> bool {
        self.folded == 0
    }
}
