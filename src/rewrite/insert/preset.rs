//! Positions that have names: where a network of a known kind usually has dropout.

use std::fmt;
use std::str::FromStr;

use crate::error::{Error, ErrorKind, Result};
use crate::rewrite::Rate;

/// A position that has a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Preset {
    /// Before the first of the last layers, on pooled, flattened or selected features, and after the activations
    /// between them; never after the output layer.
    Head,
    /// After each activation of a convolution.
    Conv,
    /// After the softmax of attention.
    Attention,
    /// After the last projection of a branch, before it is added to what it was computed from.
    Residual,
    /// What the first block of a transformer is given; elsewhere the rows that are looked up.
    Embedding,
    /// Between the two dense layers of a block.
    Ffn,
    /// The branch as it is added, dropped for whole samples.
    DropPath,
}

impl Preset {
    /// All of them.
    pub const ALL: &[Preset] = &[
        Preset::Head,
        Preset::Conv,
        Preset::Attention,
        Preset::Residual,
        Preset::Embedding,
        Preset::Ffn,
        Preset::DropPath,
    ];

    /// Its name.
    pub fn word(self) -> &'static str {
        match self {
            Preset::Head => "head",
            Preset::Conv => "conv",
            Preset::Attention => "attention",
            Preset::Residual => "residual",
            Preset::Embedding => "embedding",
            Preset::Ffn => "ffn",
            Preset::DropPath => "drop-path",
        }
    }

    /// The rate that is usual there. Sources: Srivastava et al. 2014 (0.5 for hidden units), Park and
    /// Kwak 2016 (0.1 for convolutions), Vaswani et al. 2017 (0.1 in a transformer).
    pub fn usual_rate(self) -> f64 {
        match self {
            Preset::Head => 0.5,
            _ => 0.1,
        }
    }

    /// The same, as a rate.
    pub(super) fn rate(self) -> Option<Rate> {
        Rate::new(self.usual_rate()).ok()
    }
}

impl fmt::Display for Preset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}

impl FromStr for Preset {
    type Err = Error;

    fn from_str(text: &str) -> Result<Preset> {
        let found = Preset::ALL.iter().find(|preset| preset.word() == text);
        found.copied().ok_or_else(|| {
            let words: Vec<_> = Preset::ALL.iter().map(|preset| preset.word()).collect();
            let why = format!(
                "unknown preset `{text}`; the presets are {}",
                words.join(", ")
            );
            Error::new(ErrorKind::Usage, why)
        })
    }
}
