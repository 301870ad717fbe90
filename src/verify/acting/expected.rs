//! The dropout that a rewrite is expected to produce.

use std::collections::BTreeMap;

use crate::dropout::Kind;
use crate::onnx::{GraphId, Name};

/// The dropout that is expected to be active in a model.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Expected {
    /// The boolean graph inputs that switch dropout on, and the values that do.
    pub switches: BTreeMap<Name, bool>,
    /// The graph input that the rewrite added for a switch.
    pub added_input: Option<Name>,
    /// Dropout that is active once the switches are on.
    pub watches: Vec<Watch>,
}

/// An active dropout.
#[derive(Clone, Debug, PartialEq)]
pub struct Watch {
    /// The graph that contains it.
    pub graph: GraphId,
    /// The value it is applied to.
    pub data: Name,
    /// Its output.
    pub output: Name,
    /// Which kind of dropout it is.
    pub kind: Kind,
    /// Whether its output may have the axes of the data in a different order.
    pub moves: bool,
    /// The probability to drop.
    pub rate: f64,
    /// Which elements share a draw, if some do.
    pub shared: Option<Shared>,
    /// Why it cannot be observed.
    pub unseen: Option<String>,
}

/// Which elements share a draw.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Shared {
    /// Those along these axes, counted from the end if negative.
    Along(Vec<i64>),
    /// Those along the axes for which this is true.
    Noise(Vec<bool>),
}

impl Shared {
    /// For each axis, whether draws are shared along it; `None` if there is a different number of axes.
    pub(super) fn of(&self, rank: usize) -> Option<Vec<bool>> {
        match self {
            Shared::Along(axes) => {
                let at = |axis: usize| {
                    let back = axis as i64 - rank as i64;
                    axes.iter().any(|&a| a == axis as i64 || a == back)
                };
                Some((0..rank).map(at).collect())
            }
            Shared::Noise(shared) => (shared.len() == rank).then(|| shared.clone()),
        }
    }
}
