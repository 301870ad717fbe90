//! Bad input: a clear error with file and place, exit status 2, nothing written, the original
//! untouched; never a panic.
#![cfg(all(feature = "cli", unix))]

#[path = "../common/cli.rs"]
mod cli;

mod build;
mod damaged;
mod external;
mod places;
mod unsound;
