//! Audit, strip, insert and verify dropout in ONNX models.
//!
//! # Usage
//!
//! ```
//! use dropout_onnx::onnx::Model;
//! use dropout_onnx::rewrite::strip::{Options, strip};
//! use dropout_onnx::verify::{self, Demand, Verdict};
//!
//! # fn main() -> dropout_onnx::Result<()> {
//! let model = Model::open("fixtures/keras_course_train_op8.onnx")?;
//! let stripped = strip(&model, &Options::default())?;
//! assert_eq!(stripped.outcome.removed, 2);
//!
//! let found = verify::verify(&model, &stripped.edited.model, &verify::Options::default())?;
//! assert_eq!(found.verdict(Demand::Rewrite), Verdict::Equal);
//!
//! let mut bytes = Vec::new();
//! stripped.edited.rope.write_to(&mut bytes)?;
//! # Ok(())
//! # }
//! ```
//!
//! # Design
//!
//! Bytes → [`source::Source`] → [`onnx::Model`] → [`dropout::Site`]s → [`rewrite::Plan`] → edited
//! model → [`verify`] → bytes.
//!
//! - [`source`] reads by position, and writes to a temporary file that it then renames.
//! - [`wire`] handles protobuf without ONNX: where fields are. Fields without an edit are copied as
//!   bytes; weights are ranges of the source and never in memory.
//! - [`onnx`] is a typed view of a model on the wire. [`onnx::Values`] is the one place that knows
//!   the producer, the uses and the scope of a value; all edits go through [`onnx::Editor`].
//! - `semantics` has the meaning of operators and values, in one table.
//! - [`dropout`] recognises dropout. It edits nothing and gives no verdicts.
//! - [`rewrite`] makes a plan without changing the model, then edits a copy.
//! - [`verify`] checks that the result computes the same: by [`verify::structure`] and by running
//!   both with tract.
//! - `sample` runs a model many times with dropout on, for mean and spread of the outputs.
//! - [`audit`], [`show`] and [`diff`] create reports for people and programs; [`report`] has the formats
//!   of audits for other tools, and the JSON documents of the commands.
//! - `job` rewrites a file, and writes only verified results.
//!
//! The library never prints and never exits. Every failure is an [`Error`] with its file and place.
//!
//! # Features
//!
//! `tract` (default): running models. `cli` (default): the command, with the features `junit` (audits as
//! JUnit XML), `config` (configurations of audits) and `plan-files` (plans for `insert` from TOML). Without
//! default features, the library still reads, audits, rewrites and compares structure.

#![forbid(unsafe_code)]
#![warn(missing_docs)]

pub mod audit;
pub mod diff;
pub mod dropout;
pub mod error;
mod escape;
mod hash;
pub mod interrupt;
#[cfg(feature = "tract")]
pub mod job;
pub mod onnx;
pub mod report;
pub mod rewrite;
#[cfg(feature = "tract")]
pub mod sample;
mod semantics;
pub mod show;
pub mod source;
pub mod verify;
pub mod wire;
mod words;

pub use error::{Error, ErrorKind, Result};
pub use interrupt::Interrupt;
pub use semantics::analysis::Analysis;

#[cfg(test)]
extern crate self as dropout_onnx;

/// Builders of small models, as in the integration tests.
#[cfg(test)]
#[allow(dead_code, reason = "the integration tests use the rest")]
#[path = "../tests/it/common"]
mod common {
    pub mod build;
    pub mod proto;
}

/// The Rust in README.md and in the book is run as a test.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
#[doc = include_str!("../docs/rust.md")]
struct Readme;
