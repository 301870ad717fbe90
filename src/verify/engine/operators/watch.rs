//! A node that observes a dropout: its data and its output, in whatever graph it is.
//!
//! An output of the model would show the same, but not in the branch of an If, in the body of a Scan
//! or in a function that is called more than once. The node passes its second input through; what it
//! observed belongs to the run of this thread, for the reason given in [`crate::verify::engine::draws`].

use std::cell::RefCell;

use smallvec::smallvec;

use crate::onnx::{Attribute, AttributeValue, Name, Node};
use crate::verify::engine::Value;
use crate::verify::engine::draws::DOMAIN;
use crate::verify::engine::slot::with_slot;

/// The operator. Its inputs are the data and the output of a dropout; it passes the output through.
pub(in crate::verify) const OPERATOR: &str = "Watch";
/// The attribute with the index of the site.
pub(in crate::verify) const SITE: &str = "site";

/// A node of it: passes `output` through.
pub(in crate::verify) fn node(site: usize, data: &Name, output: &Name) -> Node {
    Node {
        domain: DOMAIN.into(),
        inputs: smallvec![data.clone(), output.clone()],
        attributes: vec![Attribute::new(SITE, AttributeValue::Int(site as i64))],
        ..Node::new(OPERATOR)
    }
}

/// An observation: one evaluation of a dropout.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
pub(crate) struct Seen {
    /// Which site.
    pub site: usize,
    /// Its data.
    pub data: Value,
    /// Its output.
    pub output: Value,
}

thread_local! {
    static SEEN: RefCell<Option<Vec<Seen>>> = const { RefCell::new(None) };
}

/// Does some work. Returns what was observed meanwhile, in the order of evaluation.
pub(in crate::verify) fn seeing<T>(work: impl FnOnce() -> T) -> (T, Vec<Seen>) {
    let (done, seen) = with_slot(&SEEN, Vec::new(), work);
    (done, seen.unwrap_or_default())
}

/// Keeps an observation; `None` outside of a run.
pub(in crate::verify) fn saw(seen: Seen) -> Option<()> {
    SEEN.with_borrow_mut(|all| {
        all.as_mut()?.push(seen);
        Some(())
    })
}
