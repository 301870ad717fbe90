//! What is assumed while a draw is looked at: the number that an input of the model is, and by which
//! call each function runs.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};

use crate::hash::HashMap;
use crate::onnx::{DataType, NodeId, ValueId};

/// The one number that every element of a constant is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Uniform {
    pub number: f64,
    /// Its type, if it is known.
    pub element: Option<DataType>,
    /// It is (made of) the default of a graph input.
    pub default: bool,
}

/// What is assumed, with the constants that follow from it.
#[derive(Debug, Default)]
pub(super) struct Conditions {
    /// A value, and the number that it is taken to be.
    pub given: Option<(ValueId, f64)>,
    /// The one call of a function that counts.
    pub calls: BTreeMap<usize, NodeId>,
    /// What is data again, although this draw drops some of it.
    pub starts: BTreeSet<ValueId>,
    /// Draws that are looked at together with it.
    pub draws: Vec<NodeId>,
    /// The constants that were worked out; complete, so that no answer depends on earlier questions.
    pub(super) known: RefCell<HashMap<ValueId, Option<Uniform>>>,
    /// True once the default of an input was used.
    pub default_used: Cell<bool>,
}

impl Conditions {
    pub fn given(value: ValueId, number: f64) -> Conditions {
        Conditions {
            given: Some((value, number)),
            ..Conditions::default()
        }
    }

    /// The same where these are data again.
    pub fn starting(&self, starts: BTreeSet<ValueId>) -> Conditions {
        Conditions {
            starts,
            ..self.with_calls(&[])
        }
    }

    /// The same together with other draws.
    pub fn with_draws(&self, draws: &BTreeSet<NodeId>) -> Conditions {
        Conditions {
            draws: draws.iter().copied().collect(),
            ..self.with_calls(&[])
        }
    }

    /// The same with one call of each of these functions.
    pub fn with_calls(&self, calls: &[(usize, NodeId)]) -> Conditions {
        let mut all = self.calls.clone();
        all.extend(calls.iter().copied());
        Conditions {
            given: self.given,
            calls: all,
            starts: self.starts.clone(),
            draws: self.draws.clone(),
            default_used: Cell::new(self.default_used.get()),
            ..Conditions::default()
        }
    }
}
