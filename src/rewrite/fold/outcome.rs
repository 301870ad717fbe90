//! What fold did.

use crate::onnx::{DataType, Name};
use crate::verify::structure::Allowed;

/// What fold did, in addition to its plan.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Outcome {
    /// Factors folded.
    pub folded: usize,
    /// Weights with other elements now, and their size in bytes.
    pub weights: Vec<(Name, u64)>,
    /// Weights that are copies of others, which something else uses: copy, original, and what the copy
    /// adds in bytes.
    pub copies: Vec<(Name, Name, u64)>,
    /// Of all these, those whose elements were in another file and are in the model now.
    pub embedded: Vec<Name>,
    /// Weights of which some elements lose digits because they are so small now, and how many.
    pub lost: Vec<(Name, u64)>,
    /// Element types that are rounded to otherwise now: those of weights, of factors, and of what they
    /// were carried through.
    pub rounded: Vec<DataType>,
    /// Attributes that took a factor: node, attribute and what it is now.
    pub attributes: Vec<(String, &'static str, f32)>,
    /// Places where an `Identity` stays, and why.
    pub identities: Vec<(String, &'static str)>,
    /// Constants that nothing uses any more, and that went.
    pub removed: Vec<Name>,
    /// Graph inputs that stay in the interface although nothing uses them any more.
    pub idle_inputs: Vec<Name>,
    /// True if every factor is a power of two: then only very small elements are rounded.
    pub exact: bool,
    /// What changed, for verification.
    pub allowed: Allowed,
}

impl Outcome {
    /// True if the model is as it was.
    pub fn is_unchanged(&self) -> bool {
        self.folded == 0
    }
}
