//! How two structures differ: where, and of what kind.

use std::fmt;

use crate::words::words;

/// The first difference between two structures, and the kind of all of them.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Mismatch {
    /// An output or an interface.
    pub place: String,
    /// What is there before and after.
    pub why: String,
    /// The kind of difference; of several, the one that runs show the least of.
    pub kind: Kind,
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
        /// A graph in an If or Loop differs, or a side that a Where selects from.
        Branch = "branch",
        /// There are too many differences to follow them all.
        Unknown = "unknown",
    }
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
        write!(f, "{} {}", self.place, self.why)
    }
}
