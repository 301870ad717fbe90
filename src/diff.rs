//! What differs between two models, by name and not by text.
//!
//! Nodes are matched by name, else by what they produce, else by what they compute from what; then
//! every pair is compared. A value that is called otherwise is renamed, not another one: only where a
//! node reads something else is it rewired. Weights are compared by hash and, where their numbers
//! are asked for, piece by piece.

mod compare;
mod header;
mod interface;
pub mod markdown;
mod matching;
mod nodes;
mod structural;
mod tensors;
pub mod text;

use serde::Serialize;

use crate::error::Result;
use crate::onnx::Model;
use crate::show::Number;
use crate::source::Source;
use crate::verify::structure;
use crate::words::words;

/// The version of the document's form.
pub const SCHEMA: &str = "dropout-onnx/diff/1";

/// What is looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// Say by how much numbers differ: reads both of every pair of weights that do.
    pub values: bool,
    /// Say whether both compute the same, where they differ.
    pub structure: bool,
}

/// What differs.
#[derive(Clone, Debug, Serialize)]
pub struct Diff {
    /// The version of this form.
    pub schema: &'static str,
    /// What it comes down to.
    pub verdict: Verdict,
    /// Where the structure parts; `None` if it does not, or was not looked at.
    pub parts: Option<String>,
    /// Every difference.
    pub changes: Vec<Change>,
}

/// What two models are to each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Byte for byte the same.
    IdenticalBytes,
    /// The same in all that is compared, written otherwise: order of fields, encoding of numbers.
    SameModel,
    /// They differ, and compute the same when every dropout takes its inference meaning.
    SameStructure,
    /// They differ.
    Different,
}

impl Diff {
    /// True if there is no difference to tell.
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }
}

/// A difference.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Change {
    /// Where: `model`, `graph`, `graph/node.attribute`, `function:domain::name`.
    pub scope: String,
    /// Of what.
    pub part: Part,
    /// What that is called, in the model before if it is there.
    pub name: String,
    /// How it differs.
    pub change: Kind,
    /// What about it: `attribute alpha`, `input 0`, `type`, `elements`.
    pub what: Option<String>,
    /// What it was.
    pub before: Option<String>,
    /// What it is.
    pub after: Option<String>,
    /// Nodes that are gone, over which it was reached before.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub past: Vec<String>,
    /// Nodes that are new, over which it is reached now.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub through: Vec<String>,
    /// By how much numbers differ.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub values: Option<Delta>,
}

/// By how much the numbers of two tensors differ.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Delta {
    /// How many numbers there are.
    pub elements: u64,
    /// How many of them differ.
    pub differing: u64,
    /// The largest difference; `None` where there are only NaNs.
    pub max_abs: Option<Number>,
    /// Where that is.
    pub at: Option<Vec<u64>>,
    /// How many are NaN on one side.
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
        /// What is said of a value in between.
        Value = "value",
        /// A node.
        Node = "node",
        /// How the model is trained.
        Training = "training",
    }
}

words! {
    /// Ways to differ.
    Kind {
        /// It is there only after.
        Added = "added",
        /// It is there only before.
        Removed = "removed",
        /// It reads something else.
        Rewired = "rewired",
        /// Something about it is another.
        Changed = "changed",
        /// It is called otherwise.
        Renamed = "renamed",
        /// It stands elsewhere.
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
/// let found = diff::diff(&model, &stripped.edited.model, &Options::default())?;
/// let gone = found.changes.iter().filter(|c| (c.part, c.change) == (Part::Node, Kind::Removed));
/// assert_eq!(gone.count(), 2);
/// # Ok(())
/// # }
/// ```
pub fn diff(before: &Model, after: &Model, options: &Options) -> Result<Diff> {
    let identical = identical(before.source(), after.source())?;
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

/// True if two sources hold the same bytes; reads both up to the first that differ.
fn identical(a: &Source, b: &Source) -> Result<bool> {
    if a.len() != b.len() {
        return Ok(false);
    }
    let (origin, other) = (a.origin(0..a.len()), b.origin(0..b.len()));
    if origin.is_some() && origin == other {
        return Ok(true);
    }
    let (mut a, mut b) = (a.reader(0..a.len()), b.reader(0..b.len()));
    loop {
        let (left, right) = (a.chunk()?, b.chunk()?);
        let count = left.len().min(right.len());
        if left[..count] != right[..count] {
            return Ok(false);
        }
        if count == 0 {
            return Ok(true);
        }
        a.consume(count);
        b.consume(count);
    }
}
