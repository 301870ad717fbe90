//! The dropout that a rewrite is expected to produce.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::dropout::Site;
use crate::onnx::{GraphId, Name};

/// The dropout that a model is expected to have.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Expected {
    /// The boolean graph inputs that switch dropout on, and the values that do.
    pub switches: BTreeMap<Name, bool>,
    /// The graph input that the rewrite added for a switch.
    pub added_input: Option<Name>,
    /// Dropout operators.
    pub watches: Vec<Watch>,
    /// Masks of the result, with the rates that were asked for.
    pub masks: Vec<Site>,
}

impl Expected {
    /// The same with all switches off; `None` if nothing has one.
    pub(super) fn off(&self) -> Option<Expected> {
        let switched = self.watches.iter().any(|watch| watch.switched);
        if !switched && self.switches.is_empty() {
            return None;
        }
        let mut off = self.clone();
        off.switches.values_mut().for_each(|on| *on = !*on);
        for watch in off.watches.iter_mut().filter(|watch| watch.switched) {
            (watch.rate, watch.shared) = (0.0, None);
        }
        Some(off)
    }
}

/// A dropout operator.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Watch {
    /// The graph that contains it.
    pub graph: GraphId,
    /// The value it is applied to.
    pub data: Name,
    /// Its output.
    pub output: Name,
    /// The probability to drop: 0 of an inert one.
    pub rate: f64,
    /// True if it is inert while the switches are off.
    pub switched: bool,
    /// The axes along which elements share a draw, counted from the end if negative.
    pub shared: Option<Vec<i64>>,
    /// Why it cannot be observed.
    pub unseen: Option<String>,
}
