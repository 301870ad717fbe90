//! What graphs and nodes are called in code.

use serde::{Deserialize, Serialize};

/// A graph of a model. The main graph is the first; a graph comes before the graphs inside it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct GraphId(pub(crate) u32);

/// A node by its graph and its place in it. Stays what it is while a model is edited.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct NodeId {
    /// The graph that contains it.
    pub graph: GraphId,
    /// Its index among that graph's nodes; nodes added by edits come after all others.
    pub index: u32,
}
