//! The differences between two models, by name and not by text.
//!
//! Nodes are matched by name, else by what they produce, else by what they compute from what; then
//! every pair is compared. A value with a new name is renamed, and its readers are not rewired: only a
//! node that reads a different value is rewired. Weights are compared by hash and, if the option is
//! set, element by element.

mod compare;
mod header;
mod interface;
#[doc(hidden)]
pub mod markdown;
mod matched;
mod matching;
mod nodes;
mod structural;
mod tensors;
#[doc(hidden)]
pub mod text;

use serde::Serialize;

use crate::error::Result;
use crate::onnx::Model;
use crate::show::Number;
use crate::verify::structure;
use crate::words::words;

/// The version of the document.
pub const SCHEMA: &str = "dropout-onnx/diff/1";

/// Options of a comparison.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, derive_setters::Setters)]
#[non_exhaustive]
pub struct Options {
    /// Report by how much weights differ. Reads both weights of each pair that differs.
    pub values: bool,
    /// Report whether models that differ compute the same.
    pub structure: bool,
}

/// The differences between two models.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Diff {
    /// The version of the document.
    #[cfg_attr(test, schemars(extend("const" = SCHEMA)))]
    pub schema: &'static str,
    /// The summary of all differences.
    pub verdict: Verdict,
    /// Where the structures first diverge; `None` if they do not, or were not compared.
    pub parts: Option<String>,
    /// Every difference.
    pub changes: Vec<Change>,
}

/// The relation of two models.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Verdict {
    /// Identical bytes.
    IdenticalBytes,
    /// Equal, with a different order of fields or encoding of numbers.
    SameModel,
    /// Different, but they compute the same with dropout treated as in inference.
    SameStructure,
    /// Different.
    Different,
}

impl Diff {
    /// True if there are no differences.
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }
}

/// A difference.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Change {
    /// The scope: `model`, `graph`, `graph/node.attribute`, `function:domain::name`.
    pub scope: String,
    /// The part of the model that differs.
    pub part: Part,
    /// The name of the part, in the model before if it exists there.
    pub name: String,
    /// The kind of difference.
    pub change: Kind,
    /// The property that differs: `attribute alpha`, `input 0`, `type`, `elements`.
    pub what: Option<String>,
    /// The property before.
    pub before: Option<String>,
    /// The property after.
    pub after: Option<String>,
    /// Removed nodes through which it was reached before.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub past: Vec<String>,
    /// Added nodes through which it is reached after.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub through: Vec<String>,
    /// By how much the elements differ.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub values: Option<Delta>,
}

/// By how much the elements of two tensors differ.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[doc(hidden)]
pub struct Delta {
    /// The number of elements.
    pub elements: u64,
    /// The number of elements that differ.
    pub differing: u64,
    /// The largest difference; `None` if there are only NaNs.
    pub max_abs: Option<Number>,
    /// The index of the largest difference.
    pub at: Option<Vec<u64>>,
    /// The number of elements that are NaN on one side only.
    pub nan: u64,
}

words! {
    /// Parts of a model.
    Part {
        /// The model itself: versions, producer.
        Model = "model",
        /// An operator set.
        Opset = "opset",
        /// A key of the model's metadata.
        Metadata = "metadata",
        /// A graph as a whole.
        Graph = "graph",
        /// A function.
        Function = "function",
        /// An input of a graph.
        Input = "input",
        /// An output of a graph.
        Output = "output",
        /// A weight.
        Initializer = "initializer",
        /// The declared type of an intermediate value.
        Value = "value",
        /// A node.
        Node = "node",
        /// The training graphs.
        Training = "training",
    }
}

words! {
    /// Kinds of differences.
    Kind {
        /// It exists only in the model after.
        Added = "added",
        /// It exists only in the model before.
        Removed = "removed",
        /// It reads a different value.
        Rewired = "rewired",
        /// One of its properties changed.
        Changed = "changed",
        /// Its name changed.
        Renamed = "renamed",
        /// Its position changed.
        Moved = "moved",
    }
}

/// Compares two models.
///
/// # Errors
/// Weights that have to be read cannot be.
///
/// # Examples
/// ```
/// use dropout_onnx::diff::{self, Kind, Options, Part};
/// use dropout_onnx::onnx::Model;
/// use dropout_onnx::rewrite::strip;
///
/// # fn main() -> dropout_onnx::Result<()> {
/// let model = Model::open("fixtures/torch_mlp_training_op7.onnx")?;
/// let stripped = strip::strip(&model, &strip::Options::default())?;
/// let found = diff::diff(&model, stripped.edited.model(), &Options::default())?;
/// let gone = found.changes.iter().filter(|c| (c.part, c.change) == (Part::Node, Kind::Removed));
/// assert_eq!(gone.count(), 2);
/// # Ok(())
/// # }
/// ```
pub fn diff(before: &Model, after: &Model, options: &Options) -> Result<Diff> {
    let identical = before.source().holds_the_same_as(after.source())?;
    // external data beside another copy of the same file may be other data
    let same_weights = || -> Result<bool> {
        Ok(before.folder() == after.folder() || before.external_files()?.is_empty())
    };
    let changes = match identical && same_weights()? {
        true => Vec::new(),
        false => compare::changes(before, after, options)?,
    };
    let mut parts = None;
    let verdict = match (identical, changes.is_empty()) {
        (true, true) => Verdict::IdenticalBytes,
        (false, true) => Verdict::SameModel,
        (_, false) if options.structure => match structure::compare(before, after) {
            Ok(structure::Verdict::Same { .. }) => Verdict::SameStructure,
            Ok(structure::Verdict::Different(mismatch)) => {
                parts = Some(mismatch.to_string());
                Verdict::Different
            }
            Err(e) => {
                parts = Some(format!("cannot be compared: {e}"));
                Verdict::Different
            }
        },
        (_, false) => Verdict::Different,
    };
    Ok(Diff {
        schema: SCHEMA,
        verdict,
        parts,
        changes,
    })
}
