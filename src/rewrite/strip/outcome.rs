//! What strip did.

use crate::dropout::Convention;
use crate::onnx::Name;
use crate::rewrite::Identity;

/// What strip did, in addition to its plan.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Outcome {
    /// Dropouts removed.
    pub removed: usize,
    /// Batch normalizations that became their inference form.
    pub batch_norms: usize,
    /// Places where an `Identity` stays, and why.
    pub identities: Vec<Identity>,
    /// Masks that became all true.
    pub masks: Vec<Name>,
    /// Values that a `Mul` with the inference scale makes now, and that scale.
    pub scales: Vec<(Name, f64)>,
    /// Masks that leave what they keep as it is: the file does not declare what they mean at inference.
    pub assumed: Vec<Assumed>,
    /// States of loops that only carried a mask, and that went: loop and how many.
    pub states: Vec<(String, usize)>,
    /// Functions that nothing calls any more, and that went.
    pub functions: Vec<Name>,
    /// Initializers that nothing uses any more, and that went.
    pub initializers: Vec<Name>,
    /// Nodes that nothing uses any more (constants, computed flags), and that went.
    pub nodes: Vec<Name>,
    /// Graph inputs that only dropout used, and that went.
    pub pruned_inputs: Vec<Name>,
    /// Graph inputs that stay in the interface although nothing uses them any more.
    pub idle_inputs: Vec<Name>,
}

/// A mask that leaves what it keeps as it is. Classic dropout multiplies by 1-p at inference, under
/// [`Convention::Identity`] nothing does.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Assumed {
    /// What came out of it.
    pub value: Name,
    /// 1-p.
    pub scale: f64,
    /// What it was taken to mean.
    pub convention: Convention,
}

impl Outcome {
    /// True if the model is as it was.
    pub fn is_unchanged(&self) -> bool {
        self.removed == 0 && self.batch_norms == 0
    }
}
