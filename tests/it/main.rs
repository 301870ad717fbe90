//! The integration tests, one module a subject, in one binary: linking the engine takes a second.
//!
//! `cargo test --test it strip_masks::` runs a module, `cargo test --test it strip_masks::scales::`
//! a file of it.

mod clean;
mod common;

mod counted_masks;
mod editor;
mod edits;
mod element_types;
mod frozen_masks;
mod house;
mod layer_names;
mod lossless;
mod no_false_alarms;
mod no_panic;
mod noise_shapes;
mod operator_sites;
mod quantized_masks;
mod random_masks;
mod regressions;
mod release;
mod rules;
mod scales;
mod schemas;
mod score;
mod search_limits;
mod skipped_layers;
mod snapshot_example;
mod strip_models;

#[cfg(feature = "config")]
mod settings;

#[cfg(feature = "tract")]
mod called_dropout;
#[cfg(feature = "tract")]
mod diff;
#[cfg(feature = "tract")]
mod durable;
#[cfg(feature = "tract")]
mod engine;
#[cfg(feature = "tract")]
mod evidence;
#[cfg(feature = "tract")]
mod fingerprints;
#[cfg(feature = "tract")]
mod fold;
#[cfg(feature = "tract")]
mod foreign_operators;
#[cfg(feature = "tract")]
mod insert;
#[cfg(feature = "tract")]
mod interrupt;
#[cfg(feature = "tract")]
mod measured;
#[cfg(feature = "tract")]
mod reached;
#[cfg(feature = "tract")]
mod sample;
#[cfg(feature = "tract")]
mod set;
#[cfg(feature = "tract")]
mod strip_masks;
#[cfg(feature = "tract")]
mod strip_topologies;
#[cfg(feature = "tract")]
mod substituted_masks;
mod verify_mutants;

#[cfg(all(feature = "cli", unix))]
mod bad_input;
#[cfg(all(feature = "cli", unix))]
mod cli;
#[cfg(feature = "cli")]
mod readme;
#[cfg(feature = "cli")]
mod show;
