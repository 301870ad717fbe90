//! How two structures differ: where, and of what kind.

use std::fmt;

use super::weights::Weights;
use crate::onnx::{GraphId, NodeId, ValueId};
use crate::words::words;

/// The first difference between two structures, and the kind of all of them.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Mismatch {
    /// An output or an interface.
    pub place: String,
    /// What is there before and after.
    pub why: String,
    /// The kind of difference; of several, the one that runs show the least of.
    pub kind: Kind,
    /// The places that runs have to reach to show that the outputs are equal in spite of it; none if no
    /// run shows it.
    pub hidden: Vec<Hidden>,
    /// The weights that differ; `None` if something else does as well.
    pub weights: Option<Weights>,
}

words! {
    /// A kind of difference, from the one that runs show best to the one they show least.
    Kind {
        /// Other operators, versions of operators, or wiring: every run computes what differs.
        Operators = "operators",
        /// Inputs or outputs differ in number, order, name or type: a run matches them by name.
        Interface = "interface",
        /// Attributes of an operator differ.
        Attributes = "attributes",
        /// A constant or an initializer differs, or is there on one side only.
        Constant = "constant",
        /// A graph in an If or Loop differs, a side that a Where selects from, or an elementwise operator, which
        /// may leave what runs feed it as it is.
        Branch = "branch",
        /// There are too many differences to follow them all.
        Unknown = "unknown",
    }
}

/// A difference that a run has to reach.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hidden {
    /// True if it is in the second model.
    pub(crate) after: bool,
    pub(crate) what: What,
}

/// What has to be reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum What {
    /// Rows of the data of a Gather: those in which the data differs from that of the other model, or all.
    Rows {
        node: NodeId,
        other: Option<ValueId>,
    },
    /// A side that a Where selects from: its input 1 or 2.
    Side { node: NodeId, input: usize },
    /// A branch of an If.
    Branch { node: NodeId, graph: GraphId },
    /// The body of a Loop or Scan.
    Body { node: NodeId, graph: GraphId },
    /// A constant, and that of the other model in its place, if there is one.
    Constant {
        value: ValueId,
        other: Option<ValueId>,
    },
    /// An input of an elementwise operator that the other model lacks: outputs change once the input takes the
    /// place of the output.
    Passed { node: NodeId, input: usize },
    /// The attributes of a node, and the node of the other model in its place, if there is one.
    Attributes { node: NodeId, other: Option<NodeId> },
    /// Something that no run shows to be reached.
    Never { node: NodeId, why: &'static str },
}

impl Kind {
    /// Why equal outputs for random inputs do not show equal models; `None` if they do, as what differs
    /// takes part in every run.
    pub fn hidden_from_runs(self) -> Option<&'static str> {
        match self {
            Kind::Operators => None,
            Kind::Interface => Some("runs match inputs and outputs by name"),
            Kind::Attributes | Kind::Constant | Kind::Branch | Kind::Unknown => {
                Some("random inputs may not reach the difference")
            }
        }
    }
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.weights {
            Some(weights) => weights.fmt(f),
            None => write!(f, "{} {}", self.place, self.why),
        }
    }
}
