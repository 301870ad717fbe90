//! Running a model with an engine: everything that touches one is below this module.
//!
//! [`Host::read`] decodes, inlines functions, checks that the engine supports it and parses; [`Parsed::choose`]
//! fixes the sizes of the inputs; [`Parsed::runnable`] analyses and optimises; [`Runnable::run`] runs.
//! [`Host::load`] is the three in one. All three happen in this process or in one of its own, as the
//! [`Host`] has it. No step panics, whatever the model.

mod backend;
mod copy;
mod draws;
mod engines;
mod functions;
mod host;
mod isolation;
mod mend;
mod mode;
mod operators;
#[cfg(feature = "ort")]
mod ort;
mod panics;
mod port;
mod process;
mod shapes;
mod slot;
mod tract;
mod value;

use std::fmt;
use std::path::Path;

use serde::{Deserialize, Serialize};
use tract_onnx::prelude::TractError;

use crate::error::Error;
use crate::onnx::Model;
use crate::semantics::inline::Failure;
use crate::source::Source;

pub use backend::Values;
pub use host::{Host, Parsed, Runnable};
pub use isolation::Isolation;
pub use mode::{Engines, Mode};
pub(super) use port::no_input;
pub use port::{Dim, Port};
pub use process::{ENGINE_ARGUMENT, serve};
pub use shapes::{Fill, Shapes};
pub use value::Value;

pub(super) use draws::normal;
pub(super) use operators::watch;
pub(super) use panics::guard;
pub(super) use value::{element_name, elements};

/// The version of tract that is linked, as `tract 0.23.9`.
pub const TRACT: &str = "tract 0.23.9";

/// A model to run.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Subject<'a> {
    /// What to call it in messages: "before", "after".
    pub label: &'a str,
    /// The bytes of its `ModelProto`.
    pub source: &'a Source,
    /// Where its external data lies; without it a model that has any cannot run.
    pub folder: Option<&'a Path>,
    /// Bytes of that data, by which the default limits of a process grow.
    pub external: u64,
}

impl<'a> Subject<'a> {
    /// A model without external data.
    pub fn new(label: &'a str, source: &'a Source) -> Subject<'a> {
        Subject {
            label,
            source,
            folder: None,
            external: 0,
        }
    }

    /// A model, or a copy of it.
    pub fn of(model: &'a Model, label: &'a str, source: &'a Source) -> Subject<'a> {
        Subject {
            label,
            source,
            folder: model.folder(),
            external: model.external_bytes(),
        }
    }
}

/// What a training dropout site computes.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Meaning {
    /// The identity, whatever its flags.
    Inference,
    /// As the operator declares: active sites drop, with masks drawn from this seed.
    AsWritten {
        /// Every seed gives other masks; the same seed the same.
        seed: u64,
    },
    /// Dropout: every site drops, also one that is switched off or that its version never lets drop.
    Training {
        /// As in `AsWritten`.
        seed: u64,
        /// The rate of every site, instead of that in the model.
        rate: Option<f64>,
    },
}

/// Why no engine can run a model. Nothing is known about the model's outputs then.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Unrunnable {
    /// A sentence without a full stop.
    pub reason: String,
    /// The operator that prevents it, if there is one.
    pub operator: Option<String>,
    /// True if there is no more engine: its process crashed or reached a limit, or its library is not here.
    pub ended: bool,
}

impl Unrunnable {
    pub(super) fn new(reason: impl Into<String>) -> Self {
        Unrunnable {
            reason: reason.into(),
            operator: None,
            ended: false,
        }
    }

    /// There is no more engine.
    fn ended(reason: String) -> Self {
        Unrunnable {
            ended: true,
            ..Unrunnable::new(reason)
        }
    }

    /// True if another way to run it would end no better.
    pub(crate) fn is_final(&self) -> bool {
        self.ended || self.operator.is_some()
    }

    /// Without a folder there are no other files.
    fn no_folder(tensor: &str) -> Self {
        let why = format!("{tensor} lies in another file, and there is no folder to look in");
        Unrunnable::new(why)
    }

    /// Neither this engine nor the other can.
    pub(super) fn nor(self, other: Unrunnable) -> Unrunnable {
        Unrunnable {
            reason: format!("{}; {}", self.reason, other.reason),
            operator: self.operator.or(other.operator),
            ended: self.ended && other.ended,
        }
    }

    /// An error of tract, or its panic.
    fn tract(doing: &str, result: Result<TractError, String>) -> Self {
        let why = match result {
            // tract's own words for an allocation that failed
            Err(panic) if panic.starts_with("failed to allocate") => {
                return Unrunnable::ended(isolation::allocation_failed("tract"));
            }
            Ok(error) => explain(&error),
            Err(panic) => format!("panic: {}", line(&panic)),
        };
        Unrunnable::new(format!("tract cannot {doing} this model: {why}"))
    }
}

impl fmt::Display for Unrunnable {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(&self.reason)
    }
}

/// Why there is no result.
#[derive(Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Stop {
    /// No engine can.
    Unrunnable(Unrunnable),
    /// The file cannot be read, or the request makes no sense.
    Error(Error),
}

impl From<Unrunnable> for Stop {
    fn from(unrunnable: Unrunnable) -> Self {
        Stop::Unrunnable(unrunnable)
    }
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        Stop::Error(error)
    }
}

impl From<Failure> for Stop {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Refused(why) => Unrunnable::new(why).into(),
            Failure::Error(error) => Stop::Error(error),
        }
    }
}

impl fmt::Display for Stop {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Stop::Unrunnable(unrunnable) => unrunnable.fmt(f),
            Stop::Error(error) => error.fmt(f),
        }
    }
}

/// The outermost words of tract's error, which name the node, and the innermost, which give the reason.
fn explain(error: &TractError) -> String {
    let mut words: Vec<String> = error
        .chain()
        .map(|cause| line(&cause.to_string()))
        .collect();
    words.dedup();
    match words.as_slice() {
        [] => String::new(),
        [only] => only.clone(),
        [first, .., last] => format!("{first}: {last}"),
    }
}

/// tract prints whole nodes into its messages: the first line, at most 240 characters of it.
fn line(text: &str) -> String {
    let first = text.lines().next().unwrap_or_default().trim();
    match first.char_indices().nth(240) {
        Some((end, _)) => format!("{}…", &first[..end]),
        None => first.to_string(),
    }
}
