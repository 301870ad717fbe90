//! The model between a strip and a fold, in a document: pieces of the original, and new bytes. It is not
//! trusted: both steps are shown of it.

use serde::{Deserialize, Serialize};

use crate::error::Result;
use crate::onnx::Model;
use crate::source::{Part, Rope, Source};

/// A model made of pieces.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(transparent)]
pub(in crate::verify) struct Between(Vec<Piece>);

/// A piece of a model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
enum Piece {
    /// Bytes of the original: where they start and end.
    Original(u64, u64),
    /// Other bytes, each as the character U+0000 to U+00FF.
    New(String),
}

impl Between {
    /// # Errors
    /// The model cannot be read.
    pub fn of(model: &Model) -> Result<Between> {
        let pieces = model.source().parts()?.into_iter().map(|part| match part {
            Part::File { range, .. } => Piece::Original(range.start, range.end),
            Part::Bytes(bytes) => Piece::New(bytes.iter().copied().map(char::from).collect()),
        });
        Ok(Between(pieces.collect()))
    }

    /// The model, made of pieces of an original.
    ///
    /// # Errors
    /// It cannot be.
    pub fn model(&self, original: &Model) -> Result<Model> {
        let mut rope = Rope::new();
        for piece in &self.0 {
            match piece {
                Piece::Original(start, end) => rope.push_range(original.source(), *start..*end),
                Piece::New(text) => {
                    let bytes = text
                        .chars()
                        .map(|char| u8::try_from(char).unwrap_or_default());
                    rope.push(bytes.collect::<Vec<u8>>());
                }
            }
        }
        let folder = original.folder().map(Into::into);
        Model::read_in(Source::from_rope(rope), folder)
    }
}
