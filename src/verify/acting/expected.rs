//! The dropout that a rewrite is expected to produce.

use std::collections::BTreeMap;

use crate::dropout::Site;
use crate::onnx::{GraphId, Name};

/// The dropout that is expected to be active in a model.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Expected {
    /// The boolean graph inputs that switch dropout on, and the values that do.
    pub switches: BTreeMap<Name, bool>,
    /// The graph input that the rewrite added for a switch.
    pub added_input: Option<Name>,
    /// Dropout operators that are active once the switches are on.
    pub watches: Vec<Watch>,
    /// Masks of the result, with the rates that were asked for.
    pub masks: Vec<Site>,
}

/// An active dropout operator.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Watch {
    /// The graph that contains it.
    pub graph: GraphId,
    /// The value it is applied to.
    pub data: Name,
    /// Its output.
    pub output: Name,
    /// The probability to drop.
    pub rate: f64,
    /// The axes along which elements share a draw, counted from the end if negative.
    pub shared: Option<Vec<i64>>,
    /// Why it cannot be observed.
    pub unseen: Option<String>,
}
