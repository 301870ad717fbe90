//! The ways to run a model: engines, and modes of them.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::words::words;

words! {
    /// Which engines may run models.
    Engines {
        /// tract, and ONNX Runtime, if it is installed, for what tract cannot run.
        Auto = "auto",
        /// tract only.
        Tract = "tract",
        /// ONNX Runtime only.
        Ort = "ort",
    }
}

/// How an engine is asked to go about it. Two models are compared in the same mode: the modes differ in
/// the last bits of their results.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Mode {
    /// tract, optimised.
    Optimised,
    /// tract, only simplified.
    Decluttered,
    /// ONNX Runtime, without optimisation.
    OnnxRuntime,
}

#[expect(clippy::derivable_impls, reason = "the macro derives none")]
impl Default for Engines {
    fn default() -> Self {
        Engines::Auto
    }
}

impl Mode {
    const TRACT: [Mode; 2] = [Mode::Optimised, Mode::Decluttered];

    /// The modes of some engines, in the order in which they are tried.
    pub fn of(engines: Engines) -> impl Iterator<Item = Mode> {
        let tract = Mode::TRACT
            .into_iter()
            .filter(move |_| engines != Engines::Ort);
        let ort = [Mode::OnnxRuntime]
            .into_iter()
            .filter(move |_| engines != Engines::Tract);
        tract.chain(ort)
    }

    /// The name of the engine.
    pub fn engine(self) -> &'static str {
        match self {
            Mode::OnnxRuntime => "ONNX Runtime",
            _ => "tract",
        }
    }

    /// The same engine without optimisation.
    pub(in crate::verify) fn plain(self) -> Mode {
        match self {
            Mode::OnnxRuntime => Mode::OnnxRuntime,
            _ => Mode::Decluttered,
        }
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(match self {
            Mode::Optimised => "optimised",
            Mode::Decluttered | Mode::OnnxRuntime => "without optimisation",
        })
    }
}
