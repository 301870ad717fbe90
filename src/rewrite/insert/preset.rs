//! Positions that have names: where a network of a known kind usually has dropout.

use serde::de::Error;
use serde::{Deserialize, Deserializer};

use crate::rewrite::Rate;
use crate::words::words;

words! {
    /// A position that has a name.
    Preset {
        /// Before the first of the last layers, on pooled, flattened or selected features, and after the activations
        /// between them; never after the output layer.
        Head = "head",
        /// After each activation of a convolution.
        Conv = "conv",
        /// After the softmax of attention.
        Attention = "attention",
        /// After the last projection of a branch, before it is added to what it was computed from.
        Residual = "residual",
        /// What the first block of a transformer is given; elsewhere the rows that are looked up.
        Embedding = "embedding",
        /// Between the two dense layers of a block.
        Ffn = "ffn",
        /// The branch as it is added, dropped for whole samples.
        DropPath = "drop-path",
    }
}

/// Read by its word, as on the command line.
pub(super) fn named<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Preset>, D::Error> {
    let word = String::deserialize(from)?;
    word.parse().map(Some).map_err(D::Error::custom)
}

impl Preset {
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
