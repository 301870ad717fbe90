//! The `dropout-onnx` command. Each subcommand is a file: it reads its arguments, calls the
//! library, and writes.

#![forbid(unsafe_code)]

mod audit;
mod baseline;
mod config;
mod diff;
mod fold;
mod insert;
mod io;
mod parallel;
mod paths;
mod rewriting;
mod rules;
mod sample;
mod set;
mod show;
mod strip;
mod style;
mod text;
mod verification;
mod verify;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// glibc's allocator keeps what tract frees between its passes: running a model took up to 2.7 times
/// its weights, with this one 1.4 (`cargo bench --bench strip -- weights`).
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Audit, strip and verify dropout in ONNX models.
#[derive(Parser)]
#[command(name = "dropout-onnx", version, propagate_version = true, after_help = AFTER_HELP)]
struct Cli {
    #[command(flatten)]
    global: io::Global,
    #[command(subcommand)]
    command: Command,
}

const AFTER_HELP: &str = "\
Exit status: 0 done and equal, or nothing to report; 1 findings, or outputs differ; 2 it could not
do the job.";

#[derive(Subcommand)]
enum Command {
    Audit(audit::Args),
    Strip(strip::Args),
    Fold(fold::Args),
    Insert(insert::Args),
    Set(set::Args),
    Sample(sample::Args),
    Verify(verify::Args),
    Show(show::Args),
    Diff(diff::Args),
}

/// What a subcommand came to, as an exit status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Status {
    /// 0: done and equal, nothing to report.
    Done,
    /// 1: findings, or outputs differ.
    Found,
    /// 2: it could not do (all of) the job, and has said so.
    Failed,
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    cli.global.apply();
    let result = match &cli.command {
        Command::Audit(args) => audit::run(args, &cli.global),
        Command::Strip(args) => strip::run(args, &cli.global),
        Command::Fold(args) => fold::run(args, &cli.global),
        Command::Insert(args) => insert::run(args, &cli.global),
        Command::Set(args) => set::run(args, &cli.global),
        Command::Sample(args) => sample::run(args, &cli.global),
        Command::Verify(args) => verify::run(args, &cli.global),
        Command::Show(args) => show::run(args, &cli.global),
        Command::Diff(args) => diff::run(args, &cli.global),
    };
    let status = result.unwrap_or_else(|error| {
        io::complain(&error);
        Status::Failed
    });
    match status {
        Status::Done => ExitCode::SUCCESS,
        Status::Found => ExitCode::from(1),
        Status::Failed => ExitCode::from(2),
    }
}
