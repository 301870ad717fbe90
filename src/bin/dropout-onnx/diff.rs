//! `dropout-onnx diff`: the changes between two models, by name.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use anyhow::Result;
use clap::ValueEnum;
use dropout_onnx::diff::{self, Diff, Options, Verdict, markdown};
use dropout_onnx::report::document;

use crate::Status;
use crate::io::{self, Global};
use crate::output::{self, Output};
use crate::style::{BAD, DIM, GOOD, LABEL, WARN, paint, wrap};

/// List the changes between two models, by name
///
/// Nodes, weights, inputs and outputs are compared. A renamed node is recognised by what it computes. A
/// renamed value is one change: its readers do not count as changed.
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// Original model
    #[arg(value_name = "BEFORE")]
    before: PathBuf,
    /// Changed model
    #[arg(value_name = "AFTER")]
    after: PathBuf,
    /// Format of the report [default: text, or by FILE's extension]
    #[arg(long, value_name = "FORMAT")]
    format: Option<Format>,
    #[command(flatten)]
    output: Output,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people
    Text,
    /// For programs
    Json,
    /// A table, for a comment or a job summary
    #[value(alias = "md")]
    Markdown,
}

const EXAMPLES: &str = "\
Examples:
  dropout-onnx diff model.onnx model.stripped.onnx
  dropout-onnx diff epoch1.onnx epoch2.onnx            by how much weights differ
  dropout-onnx diff a.onnx b.onnx --format markdown >> \"$GITHUB_STEP_SUMMARY\"
  dropout-onnx diff a.onnx b.onnx --output changes.json

Exit status: 0 no differences; 1 different; 2 error.";

pub fn run(args: &Args, global: &Global) -> Result<Status> {
    let paths = [args.before.as_path(), &args.after];
    let report = args.output.open(paths, global)?;
    let format = output::format(args.format, args.output.file(), output::value, || Ok(None))?;
    let (before, after) = io::read_both(paths[0], paths[1])?;
    let options = Options::default().values(true).structure(true);
    let progress = global.progress("comparing");
    let found = diff::diff(&before, &after, &options)?;
    progress.finish_and_clear();
    let [before, after] = paths.map(Path::to_string_lossy);
    report.write(&match format {
        None | Some(Format::Text) if report.is_quiet() => String::new(),
        None | Some(Format::Text) => text(&found, global.verbose),
        Some(Format::Json) => document::text(&document::diff(&found, &before, &after)?)?,
        Some(Format::Markdown) => markdown::text(&found, &before, &after),
    })?;
    Ok(match found.is_empty() {
        true => Status::Done,
        false => Status::Found,
    })
}

fn text(found: &Diff, verbose: bool) -> String {
    let style = match found.verdict {
        Verdict::IdenticalBytes | Verdict::SameModel => GOOD,
        Verdict::SameStructure => WARN,
        _ => BAD,
    };
    let mut out = String::new();
    for line in wrap(&diff::text::summary(found), 0) {
        out.push_str(&(paint(style, line) + "\n"));
    }
    let listed = diff::text::differs_at_interface(found);
    if let Some(parts) = found.parts.as_ref().filter(|_| !listed) {
        let line = format!("structure: {}", dropout_onnx::report::one_line(parts));
        for line in wrap(&line, 0) {
            out.push_str(&(paint(DIM, line) + "\n"));
        }
    }
    let all = diff::text::lines(found);
    let mut lines = match verbose {
        true => all,
        false => {
            let (mut short, all) = (
                diff::text::short_lines(found),
                HashSet::<String>::from_iter(all),
            );
            if short.iter().any(|line| !all.contains(line)) {
                short.push("-v lists all changes".to_string());
            }
            short
        }
    };
    lines = paint_lines(lines);
    out + &lines.join("\n") + if lines.is_empty() { "" } else { "\n" }
}

/// Every difference, in colour.
pub fn lines(found: &Diff) -> Vec<String> {
    paint_lines(diff::text::lines(found))
}

fn paint_lines(lines: Vec<String>) -> Vec<String> {
    let painted = lines
        .into_iter()
        .map(|line| match line.trim_start().chars().next() {
            Some('-') if line.starts_with("  ") => paint(BAD, line),
            Some('+') if line.starts_with("  ") => paint(GOOD, line),
            _ if line.starts_with("  ") => line,
            _ if line.starts_with("also ") || line.starts_with("-v ") => paint(DIM, line),
            _ => paint(LABEL, line),
        });
    painted.collect()
}
