//! The command line: arguments, exit statuses, and what is printed where.
#![cfg(all(feature = "cli", unix))]

#[path = "../common/cli.rs"]
mod cli;

mod audit;
mod golden;
mod places;
mod recorded;
mod show;
mod strip;
mod verification;
