//! `cargo bench --bench strip`: the speed and memory of `strip` and `audit` beside `cp`.
//!
//! README.md in this folder says what each row means. A limit that is exceeded is said, and
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

    use crate::common::cases::{Setup, load, nodes, peers, weights};

    const USAGE: &str = "cargo bench --bench strip -- [weights] [nodes] [branches]
       [--quick] [--rounds N] [--bin PATH] [--folder PATH]";

    pub fn run() -> Result<(), Box<dyn Error>> {
        let mut setup = Setup {
            program: env!("CARGO_BIN_EXE_dropout-onnx").into(),
            folder: env!("CARGO_TARGET_TMPDIR").into(),
            quick: false,
            rounds: 7,
        };
        let (mut groups, mut bench) = (Vec::new(), false);
        let mut args = std::env::args().skip(1);
        while let Some(arg) = args.next() {
            let mut value = || args.next().ok_or(format!("{arg} needs a value\n{USAGE}"));
            match arg.as_str() {
                "--bench" => bench = true,
                "--quick" => setup.quick = true,
                "--rounds" => setup.rounds = value()?.parse::<usize>()?.max(1),
                "--bin" => setup.program = std::path::absolute(value()?)?,
                "--folder" => setup.folder = std::path::absolute(value()?)?,
                "weights" | "nodes" | "branches" => groups.push(arg),
                _ => return Err(format!("{arg}?\n{USAGE}").into()),
            }
        }
        // `cargo test --benches` starts it without this.
        if !bench {
            return Ok(());
        }
        // "nodes" means both kinds of graph.
        let asked = |names: &[&str]| {
            groups.is_empty() || groups.iter().any(|group| names.contains(&group.as_str()))
        };
        println!("{}, {} rounds", setup.program.display(), setup.rounds);
        println!("models in {}", setup.folder.display());
        load("at the start");
        if asked(&["weights"]) {
            weights(&setup)?;
        }
        if asked(&["nodes"]) {
            nodes(&setup, false)?;
        }
        if asked(&["nodes", "branches"]) {
            nodes(&setup, true)?;
            peers();
        }
        println!();
        load("at the end");
        Ok(())
    }
}
