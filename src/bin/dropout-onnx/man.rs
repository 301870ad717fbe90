//! `dropout-onnx man`: manual pages, one per subcommand.

use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::builder::PossibleValuesParser;
use clap::{Command, CommandFactory};
use clap_mangen::Man;
use clap_mangen::roff::{Roff, bold, roman};
use dropout_onnx::Error;
use dropout_onnx::source::{Destination, Rope, write_atomic};

use crate::help;
use crate::io::Global;
use crate::output;
use crate::{Cli, Status};

/// Print a manual page, or write all manual pages
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// Subcommand of the page [default: the program]
    #[arg(value_name = "SUBCOMMAND", value_parser = PossibleValuesParser::new(help::subcommands()))]
    subcommand: Option<String>,
    /// Write all pages to this folder: dropout-onnx.1, dropout-onnx-audit.1 and so on
    #[arg(short, long, value_name = "FOLDER", conflicts_with = "subcommand")]
    output: Option<PathBuf>,
}

const EXAMPLES: &str = "\
Examples:
  dropout-onnx man | man -l -
  dropout-onnx man strip | man -l -
  dropout-onnx man --output ~/.local/share/man/man1     then: man dropout-onnx-strip

Exit status: 0 printed or written; 2 error.";

pub fn run(args: &Args, global: &Global) -> Result<Status> {
    let mut program = Cli::command().disable_help_subcommand(true);
    program.build();
    if let Some(folder) = &args.output {
        std::fs::create_dir_all(folder)
            .map_err(|e| Error::io("cannot create this folder", e).in_file(folder))?;
        let pages = program.get_subcommands().chain([&program]);
        for command in pages {
            let path = folder.join(format!("{}.1", title(command)));
            let mut rope = Rope::new();
            rope.push(page(command, &program)?);
            let destination = Destination::new(&path)?.synced(!global.no_sync);
            write_atomic(&destination, &rope)?;
            if !global.quiet {
                output::print(&format!("{}\n", path.display()))?;
            }
        }
        return Ok(Status::Done);
    }
    let name = args.subcommand.as_deref().unwrap_or_default();
    let command = program.find_subcommand(name).unwrap_or(&program);
    output::print(&page(command, &program)?)?;
    Ok(Status::Done)
}

/// `dropout-onnx-strip`.
fn title(command: &Command) -> &str {
    command.get_display_name().unwrap_or(command.get_name())
}

/// A page in `man(7)`: clap_mangen's sections, then the end of `--help`, which clap_mangen
/// would set as running text.
fn page(command: &Command, program: &Command) -> Result<String> {
    let version = program.get_version().unwrap_or_default();
    let man = Man::new(command.clone());
    // Not render_title: it loses the date that is not given, and the source takes its place.
    let (own, name) = (title(command), program.get_name());
    let mut out = format!(".TH {own} 1 \"\" \"{name} {version}\" \"User Commands\"\n").into_bytes();
    man.render_name_section(&mut out)?;
    man.render_synopsis_section(&mut out)?;
    man.render_description_section(&mut out)?;
    man.render_options_section(&mut out)?;
    if command.has_subcommands() {
        man.render_subcommands_section(&mut out)?;
    }
    let below = command.get_after_help().map(ToString::to_string);
    let mut roff = Roff::new();
    for paragraph in below.unwrap_or_default().split("\n\n") {
        if let Some(examples) = paragraph.strip_prefix("Examples:\n") {
            roff.control("SH", ["EXAMPLES"]);
            roff.control("nf", []);
            for line in examples.lines() {
                roff.text([roman(line.trim())]);
            }
            roff.control("fi", []);
        } else if let Some(status) = paragraph.strip_prefix("Exit status: ") {
            roff.control("SH", ["EXIT STATUS"]);
            for each in status.replace('\n', " ").trim_end_matches('.').split("; ") {
                let (number, meaning) = each.split_once(' ').unwrap_or((each, ""));
                roff.control("TP", []);
                roff.text([bold(number)]);
                roff.text([roman(meaning)]);
            }
        } else {
            roff.control("PP", []);
            roff.text([roman(paragraph)]);
        }
    }
    roff.control("SH", ["SEE ALSO"]);
    let others = program.get_subcommands().chain([program]);
    let others = others.filter(|other| title(other) != title(command));
    let others: Vec<_> = others.map(|other| format!("{}(1)", title(other))).collect();
    roff.text([roman(others.join(", "))]);
    roff.to_writer(&mut out)?;
    String::from_utf8(out).context("the manual page is not UTF-8")
}
