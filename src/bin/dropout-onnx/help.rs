//! What `-h` shows, on one screen: the options used most, in this order, and an example. `--help` shows
//! all of them, these first.

use clap::error::ErrorKind;
use clap::{Arg, Command, CommandFactory};

use crate::Cli;

/// The screen of a subcommand.
struct Screen {
    command: &'static str,
    /// The options, by id.
    options: &'static [&'static str],
    example: &'static str,
}

const SCREENS: &[Screen] = &[
    Screen {
        command: "audit",
        options: &["format", "deny", "allow", "explain"],
        example: "audit models/",
    },
    Screen {
        command: "strip",
        options: &["in_place", "dry_run", "check", "output_dir"],
        example: "strip model.onnx",
    },
    Screen {
        command: "fold",
        options: &["only", "at", "in_place", "dry_run", "output_dir"],
        example: "fold model.onnx",
    },
    Screen {
        command: "insert",
        options: &["sites", "preset", "after", "rate", "mode"],
        example: "insert model.onnx --preset head --rate 0.3",
    },
    Screen {
        command: "set",
        options: &["rate", "mode", "mask_seed", "filters", "dry_run"],
        example: "set model.onnx --rate 0.1",
    },
    Screen {
        command: "sample",
        options: &[
            "runs", "rates", "labels", "per_site", "inputs", "output", "plot",
        ],
        example: "sample model.onnx --runs 100",
    },
    Screen {
        command: "verify",
        options: &["verify", "runs", "inputs", "rtol", "atol"],
        example: "verify model.onnx model.stripped.onnx",
    },
    Screen {
        command: "show",
        options: &[
            "format",
            "output",
            "anonymous",
            "no_hash",
            "check",
            "update",
            "write_snapshots",
        ],
        example: "show model.onnx --check model.snap --update",
    },
    Screen {
        command: "diff",
        options: &["format", "output"],
        example: "diff model.onnx model.stripped.onnx",
    },
    Screen {
        command: "completions",
        options: &[],
        example: "completions bash",
    },
    Screen {
        command: "man",
        options: &["output"],
        example: "man strip | man -l -",
    },
];

/// The names of the subcommands.
pub fn subcommands() -> impl Iterator<Item = &'static str> {
    SCREENS.iter().map(|screen| screen.command)
}

/// The program, with its screens.
pub fn command() -> Command {
    let mut program = on_one_screen(Cli::command(), &[], "audit models/");
    for screen in SCREENS {
        let arrange = |command| on_one_screen(command, screen.options, screen.example);
        program = program.mut_subcommand(screen.command, arrange);
    }
    program
}

fn on_one_screen(command: Command, shown: &[&str], example: &str) -> Command {
    let mut rest = shown.len();
    let long = command.get_after_help().cloned().unwrap_or_default();
    command
        .mut_args(|arg| place(arg, shown, &mut rest))
        .after_help(format!("Example: dropout-onnx {example}"))
        .after_long_help(long)
}

/// Hides an option from the screen, or puts it in its place.
fn place(arg: Arg, shown: &[&str], rest: &mut usize) -> Arg {
    if arg.is_positional() {
        return arg;
    }
    let order = shown.iter().position(|id| *arg.get_id() == **id);
    let hidden = order.is_none();
    let order = order.unwrap_or_else(|| {
        *rest += 1;
        *rest
    });
    // global options come last
    let order = if arg.is_global_set() {
        1000 + order
    } else {
        order
    };
    arg.display_order(order).hide_short_help(hidden)
}

/// The error with the subcommands that are meant: clap suggests none for `help strp`.
pub fn suggested(error: clap::Error) -> clap::Error {
    let mut arguments = std::env::args_os();
    let program = arguments.next();
    match (error.kind(), arguments.next(), arguments.next()) {
        (ErrorKind::InvalidSubcommand, Some(help), Some(unknown)) if help == "help" => {
            let parsed = command().try_get_matches_from(program.into_iter().chain([unknown]));
            parsed.err().unwrap_or(error)
        }
        _ => error,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_subcommand_has_a_screen_with_options_it_has() {
        for command in Cli::command().get_subcommands() {
            let name = command.get_name();
            let screen = SCREENS.iter().find(|screen| screen.command == name);
            let screen = screen.unwrap_or_else(|| panic!("{name} has no screen"));
            for option in screen.options {
                let mut options = command.get_arguments().map(Arg::get_id);
                assert!(options.any(|id| *id == **option), "{name} {option}");
            }
        }
    }

    #[test]
    fn the_screen_of_every_command_is_80_columns_wide_and_24_lines_long() {
        let mut program = command().term_width(80);
        program.build();
        let commands = program.get_subcommands().filter(|c| c.get_name() != "help");
        let all: Vec<Command> = commands.chain([&program]).cloned().collect();
        let mut long_screens = Vec::new();
        for mut command in all {
            let name = command.get_name().to_string();
            let short = command.render_help().to_string();
            let widest = short.lines().map(|line| line.chars().count()).max();
            if widest > Some(80) || short.lines().count() > 24 {
                long_screens.push(short);
            }
            // the twin: everything is in the long help
            let long = command.render_long_help().to_string();
            assert!(
                name == "completions" || name == "man" || long.lines().count() > 24,
                "{name}"
            );
            assert!(long.contains("\nExamples:\n"), "{name}");
        }
        assert!(long_screens.is_empty(), "{}", long_screens.join("\n====\n"));
    }
}
