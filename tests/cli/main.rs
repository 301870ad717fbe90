//! The command line: arguments, exit statuses, and what is printed where.
#![cfg(all(feature = "cli", unix))]

#[path = "../common/cli.rs"]
mod cli;
#[path = "../common/mod.rs"]
mod common;

mod audit;
mod baseline;
mod config;
mod diff;
mod examples;
mod fold;
mod formats;
mod golden;
mod insert;
mod isolation;
mod many;
mod places;
mod recorded;
mod rewriting;
mod rules;
mod sample;
mod shells;
mod show;
mod strip;
mod verification;
