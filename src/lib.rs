//! Dropout in ONNX models: found, removed, and the removal proved.
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
//! - [`source`] reads by position and writes beside the destination, then renames.
//! - [`wire`] knows protobuf and no ONNX: where fields stand. What no edit names is written as the
//!   bytes it was; weights are ranges of the source and never in memory.
//! - [`onnx`] is a typed view of a model on the wire. [`onnx::Values`] is the one place that knows
//!   who produces a value, who uses it, and from which scope; [`onnx::Editor`] has the only edits.
//! - `semantics` says what operators do and what is known of values: one table for everybody.
//! - [`dropout`] says what dropout is in a model. It edits nothing and gives no verdicts.
//! - [`rewrite`] plans on a model that is only read, then edits a copy.
//! - [`verify`] shows that the result computes the same: by [`verify::structure`] and by running
//!   both with tract.
//! - `sample` runs a model many times with its dropout on: mean and spread of the outputs.
//! - [`audit`], [`show`] and [`diff`] are what is told to people and programs; [`report`] writes audits as
//!   other tools want them, and what commands report as JSON.
//! - `job` is a rewrite from file to file: nothing is written but what was verified.
//!
//! The library never prints and never exits. Every failure is an [`Error`] with its file and place.
//!
//! # Features
//!
//! `tract` (default): running models. `cli` (default): the command. Parts of it: `junit`, audits as
//! JUnit XML; `config`, configurations of audits; `plan-files`, what to insert from TOML. Without any
//! the library still reads, audits, rewrites and compares structure.

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

/// The Rust in README.md and in the book is run as a test.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
#[doc = include_str!("../docs/rust.md")]
struct Readme;
