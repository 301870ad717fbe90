//! The `dropout-onnx` command. Each subcommand is a file: it reads its arguments, calls the
//! library, and writes.

#![forbid(unsafe_code)]

mod audit;
mod baseline;
mod completions;
mod config;
mod diff;
mod fold;
mod help;
mod insert;
mod io;
mod lines;
mod man;
mod many;
mod output;
mod parallel;
mod paths;
mod rewriting;
mod rules;
mod sample;
mod set;
mod show;
mod sites;
mod strip;
mod style;
mod verification;
mod verify;

use std::process::ExitCode;

use clap::{FromArgMatches, Parser, Subcommand};
use dropout_onnx::verify::engine::{ENGINE_ARGUMENT, serve};

/// glibc's allocator keeps what tract frees between its passes: running a model took up to 2.7 times
/// its weights, with this one 1.4 (`cargo bench --bench strip -- weights`).
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Audit, strip, insert and verify dropout in ONNX models.
#[derive(Parser)]
#[command(name = "dropout-onnx", version, propagate_version = true, after_help = AFTER_HELP)]
struct Cli {
    #[command(flatten)]
    global: io::Global,
    #[command(subcommand)]
    command: Command,
}

const AFTER_HELP: &str = "\
Examples:
  dropout-onnx audit models/                lists dropout and whether it is still active
  dropout-onnx strip model.onnx             writes model.stripped.onnx
  dropout-onnx strip --help                 options and more examples

Exit status: 0 success; 1 findings, or outputs differ; 2 error.";

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
    Completions(completions::Args),
    Man(man::Args),
}

/// The exit status of a subcommand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Status {
    /// 0: done and equal, nothing to report.
    Done,
    /// 1: findings, or outputs differ.
    Found,
    /// 2: an error, which has been reported.
    Failed,
}

fn main() -> ExitCode {
    if std::env::args_os().skip(1).eq([ENGINE_ARGUMENT]) {
        return match serve(|| std::process::exit(0)) {
            Ok(()) => ExitCode::SUCCESS,
            Err(_) => ExitCode::from(2), // the process that asks is gone
        };
    }
    let matches = help::command().try_get_matches();
    let cli = Cli::from_arg_matches(&matches.unwrap_or_else(|error| help::suggested(error).exit()));
    let cli = cli.unwrap_or_else(|error| error.exit());
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
        Command::Completions(args) => completions::run(args),
        Command::Man(args) => man::run(args, &cli.global),
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

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::Cli;

    #[test]
    fn arguments_agree_with_each_other() {
        Cli::command().debug_assert();
    }

    /// The text itself is in `tests/cases/help/`.
    #[test]
    fn every_subcommand_has_help_with_examples_and_exit_statuses() {
        let program = Cli::command();
        assert!(program.get_subcommands().count() >= 11);
        for command in program.get_subcommands().chain([&program]) {
            let name = command.get_name();
            assert!(!command.is_hide_set(), "{name} is hidden");
            assert!(command.get_about().is_some(), "{name} has no description");
            let below = command.get_after_help().map(ToString::to_string);
            let below = below.unwrap_or_default();
            assert!(below.starts_with("Examples:\n  dropout-onnx "), "{name}");
            assert!(below.contains("\n\nExit status: 0 "), "{name}");
            assert!(below.contains("; 2 "), "{name}: when is it 2?");
            assert!(below.ends_with('.'), "{name}");
            let widest = below.lines().map(str::len).max();
            assert!(widest <= Some(100), "{name}: a line is {widest:?} wide");
            for argument in command.get_arguments() {
                let about = argument.get_help().map(ToString::to_string);
                let said = about.is_some_and(|about| !about.is_empty());
                let id = argument.get_id();
                assert!(said || argument.is_hide_set(), "{name} {id} has no help");
            }
        }
    }
}
