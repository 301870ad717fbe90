//! Evidence as a document: the results of a verification, and all that is needed to repeat it.
//!
//! The document has the hashes of both models, the question (the claims about masks, the changes that a
//! rewrite reports, the settings of the runs), and the answer (with the hashes of all inputs and outputs).
//! [`Evidence::replay`] puts the same question to two files, and compares the answers.

mod again;
mod file;
mod found;
mod machine;
mod replay;

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::question::{Question, Relation};
use super::{Demand, Verdict, Verification};
use crate::error::{Error, ErrorKind, Result};
use crate::onnx::Model;
use crate::source::{Destination, Rope, write_atomic};
use crate::words::TOOL;
use file::File;
use found::Found;
#[doc(hidden)]
pub use replay::Replay;

/// The version of the document.
pub const SCHEMA: &str = "dropout-onnx/evidence/1";

/// The largest document that is read.
const LARGEST: u64 = 1 << 28;

/// Evidence that two models are equal.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Evidence {
    /// The version of the document.
    #[cfg_attr(test, schemars(extend("const" = SCHEMA)))]
    schema: String,
    /// The program that wrote it, with its version.
    tool: String,
    /// The original.
    before: File,
    /// The result, or the other model.
    after: File,
    /// The question.
    question: Question,
    /// The answer.
    found: Found,
}

impl Evidence {
    /// The evidence that two models are equal, for a document in this folder. Reads the whole models.
    ///
    /// # Errors
    /// The models were not shown to be equal, or a file cannot be read.
    pub fn of(
        found: &Verification,
        before: (&Path, &Model),
        after: (&Path, &Model),
        folder: &Path,
    ) -> Result<Evidence> {
        let question = Evidence::question(found)?;
        if let Verdict::Different { why: reason } | Verdict::NotShown { reason } =
            found.verdict(demand(question))
        {
            let why = format!("there is no evidence that the models are equal: {reason}");
            return Err(Error::new(ErrorKind::Verification, why));
        }
        Ok(Evidence {
            schema: SCHEMA.to_string(),
            tool: TOOL.to_string(),
            before: File::of(before.0, before.1, folder)?,
            after: File::of(after.0, after.1, folder)?,
            question: question.clone(),
            found: Found::of(found),
        })
    }

    /// The question of a verification, if a document can have it.
    ///
    /// # Errors
    /// It cannot.
    pub(crate) fn question(found: &Verification) -> Result<&Question> {
        found.question.as_ref().ok_or_else(|| {
            let why = "evidence is of dropout as in inference";
            Error::new(ErrorKind::Usage, why)
        })
    }

    /// Parses a document.
    ///
    /// # Errors
    /// It is no evidence, or of another version.
    pub fn parse(text: &str) -> Result<Evidence> {
        #[derive(Deserialize)]
        struct Version {
            schema: String,
        }
        let wrong = |why: String| Error::new(ErrorKind::Usage, format!("is no evidence: {why}"));
        let version: Version = serde_json::from_str(text).map_err(|e| wrong(e.to_string()))?;
        if version.schema != SCHEMA {
            let why = format!("its schema is {}, and {SCHEMA} is read", version.schema);
            return Err(wrong(why));
        }
        serde_json::from_str(text).map_err(|e| wrong(e.to_string()))
    }

    /// Reads a document.
    ///
    /// # Errors
    /// It cannot be read, or is no evidence.
    pub fn read(path: &Path) -> Result<Evidence> {
        let cannot = |e| Error::io("cannot read", e).in_file(path);
        let length = std::fs::metadata(path).map_err(cannot)?.len();
        if length > LARGEST {
            let why = format!("is no evidence: larger than {} MB", LARGEST >> 20);
            return Err(Error::new(ErrorKind::Usage, why).in_file(path));
        }
        let text = std::fs::read_to_string(path).map_err(cannot)?;
        Evidence::parse(&text).map_err(|e| e.in_file(path))
    }

    /// The document as text.
    ///
    /// # Errors
    /// The serializer's own.
    pub fn text(&self) -> Result<String> {
        Ok(serde_json::to_string_pretty(self)? + "\n")
    }

    /// Writes the document.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn write(&self, destination: &Destination) -> Result<()> {
        let mut rope = Rope::new();
        rope.push(self.text()?);
        write_atomic(destination, &rope)
    }

    /// The files of both models, as a document in this folder names them; `None` of a model that had no
    /// file.
    pub fn paths(&self, folder: &Path) -> [Option<PathBuf>; 2] {
        [&self.before, &self.after].map(|file| file.path(folder))
    }
}

/// What counts as equal.
fn demand(question: &Question) -> Demand {
    match question.result {
        Relation::Other => Demand::Outputs,
        _ => Demand::Rewrite,
    }
}
