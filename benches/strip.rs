//! `cargo bench --bench strip`: the speed and memory of `strip` and `audit` compared with `cp`.
//!
//! README.md in this folder explains each row. A limit that is exceeded is reported, and
//! never fails the run: times depend on the machine and on who else uses it.

#[cfg(target_os = "linux")]
mod common;

#[cfg(not(target_os = "linux"))]
fn main() {
    println!("this benchmark reads /proc: it runs on Linux only");
}

#[cfg(target_os = "linux")]
fn main() -> std::process::ExitCode {
    match linux::run() {
        Ok(()) => std::process::ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("strip benchmark: {why}");
            std::process::ExitCode::from(2)
        }
    }
}

#[cfg(target_os = "linux")]
mod linux {
    use std::error::Error;

    use crate::common::cases::{chain, folds, nodes, peers, weights};
    use crate::common::setup::{Setup, load};

    const GROUPS: &[&str] = &["weights", "fold", "nodes", "branches", "chain"];

    pub fn run() -> Result<(), Box<dyn Error>> {
        let program = env!("CARGO_BIN_EXE_dropout-onnx");
        let folder = env!("CARGO_TARGET_TMPDIR");
        let Some(setup) = Setup::from_arguments(program, folder, GROUPS)? else {
            return Ok(());
        };
        if setup.asked(&["weights"]) {
            weights(&setup)?;
        }
        if setup.asked(&["fold"]) {
            folds(&setup)?;
        }
        // "nodes" means both kinds of graph.
        if setup.asked(&["nodes"]) {
            nodes(&setup, false)?;
        }
        if setup.asked(&["nodes", "branches"]) {
            nodes(&setup, true)?;
            peers();
        }
        if setup.asked(&["chain"]) {
            chain(&setup)?;
        }
        println!();
        load("at the end");
        Ok(())
    }
}
