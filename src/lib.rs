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
//! let found = verify::verify(&model, stripped.edited.model(), &verify::Options::default())?;
//! assert_eq!(found.verdict(Demand::Rewrite), Verdict::Equal);
//!
//! let mut bytes = Vec::new();
//! stripped.edited.rope.write_to(&mut bytes)?;
//! # Ok(())
//! # }
//! ```
//!
//! # Tasks
//!
//! Each module begins with an example.
//!
//! | task | module | command |
//! |---|---|---|
//! | list the dropout of a model, with findings | [`audit`], formats in [`report`] | `audit` |
//! | remove it for inference | [`rewrite::strip`] | `strip` |
//! | move the scale of classic dropout into weights | [`rewrite::fold`] | `fold` |
//! | put it in for fine-tuning | [`rewrite::insert`] | `insert` |
//! | change rates, modes and seeds | [`rewrite::set`] | `set` |
//! | show that two models compute the same | [`verify`] | `verify` |
//! | Monte-Carlo dropout | `sample` | `sample` |
//! | a model as stable text, for snapshot tests | [`show`] | `show` |
//! | what differs between two models | [`mod@diff`] | `diff` |
//! | rewrite a file, and write only what was verified | `job` | all of these |
//!
//! # Design
//!
//! Bytes → [`source::Source`] → [`onnx::Model`] → [`dropout::Site`]s → [`rewrite::Plan`] → edited
//! model → [`verify`] → bytes.
//!
//! [`source`] reads by position: weights are ranges of the source and never in memory. [`onnx`] is a
//! typed view of a model on the wire; what has no edit is copied as bytes. [`dropout`] recognises
//! dropout, edits nothing and gives no verdicts. [`rewrite`] makes a plan without changing the model,
//! then edits a copy, which [`verify`] compares with the original.
//!
//! The library never prints and never exits. Every failure is an [`Error`] with its file and place.
//!
//! # Features
//!
//! `tract` (default): running models. `cli` (default): the command, with the features `junit` (audits as
//! JUnit XML), `config` (configurations of audits) and `plan-files` (plans for `insert` and `strip` from TOML). Without
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
#[cfg(feature = "keras")]
pub mod keras;
pub mod onnx;
pub mod report;
pub mod rewrite;
#[cfg(feature = "tract")]
pub mod sample;
mod semantics;
pub mod show;
pub mod source;
pub mod verify;
#[doc(hidden)]
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
