//! `dropout-onnx audit`: what dropout is in there, and does it still act?

use std::num::NonZeroUsize;
use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::ValueEnum;
use dropout_onnx::audit::{Document, Level, ModelAudit, Selection};
use dropout_onnx::report::{concise, github, json, jsonl, junit, markdown, sarif};

use crate::Status;
use crate::io::{self, Global};
use crate::parallel;
use crate::paths::{Found, PathArgs};
use crate::rules::RuleArgs;
use crate::text;

/// List the dropout in models, and whether it still acts
///
/// In folders, hidden files are left out, and what `.gitignore` excludes.
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// How the report is written
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    format: Format,
    /// Write the report to a file, once it is complete
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Audit so many models at a time; one a core if not given
    #[arg(short, long, value_name = "N")]
    jobs: Option<NonZeroUsize>,
    /// Exit with 0 whatever is found
    #[arg(long)]
    exit_zero: bool,
    #[command(flatten)]
    paths: PathArgs,
    #[command(flatten)]
    rules: RuleArgs,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// A table, for people
    Text,
    /// A line a finding: `path: level rule: message`
    Concise,
    /// The audit document; docs/audit.schema.json describes it
    Json,
    /// A model a line, as soon as it is audited
    Jsonl,
    /// SARIF 2.1.0, for code scanning
    Sarif,
    /// Annotations of GitHub Actions
    Github,
    /// JUnit XML: a suite a model, a test a finding
    Junit,
    /// Tables, for a job's summary
    Markdown,
}

const EXAMPLES: &str = "\
Examples:
  dropout-onnx audit model.onnx
  dropout-onnx audit --format sarif --output audit.sarif models/
  git ls-files '*.onnx' | dropout-onnx audit -
  dropout-onnx audit --deny runtime-dropout --allow notes model.onnx
  dropout-onnx audit --explain active-dropout

Exit status: 0 no rule found an error; 1 one did: active dropout, an operator that nothing loads, or
what --deny names; 2 a file could not be audited.";

/// Rules about dropout that cannot be judged.
const INVALID: &[&str] = &["invalid-dropout", "invalid-rate"];

pub fn run(args: &Args, global: &Global) -> Result<Status> {
    if let Some(page) = args.rules.explained()? {
        io::print(&page)?;
        return Ok(Status::Done);
    }
    let rules = args.rules.selection()?;
    let found = args.paths.find()?;
    let report = match &args.output {
        Some(path) => Some(io::ReportFile::new(path, found.iter().map(Found::path))?),
        None => None,
    };
    let streams = args.format == Format::Jsonl && report.is_none();

    let progress = global.bar("auditing", found.len());
    let mut models = Vec::new();
    parallel::in_order(
        args.jobs,
        &found,
        |found| audit(found, &rules),
        |model| {
            if streams {
                let line = jsonl::line(&model)?;
                progress.suspend(|| io::print(&line))?;
            }
            models.push(model);
            progress.inc(1);
            Ok(())
        },
    )?;
    progress.finish_and_clear();

    let document = Document::new(models);
    if !streams {
        let text = self::report(args.format, &document, global)?;
        match &report {
            Some(file) => file.write(&text)?,
            None => io::print(&text)?,
        }
    }
    Ok(status(&document, args.exit_zero))
}

fn audit(found: &Found, rules: &Selection) -> ModelAudit {
    match found {
        Found::File(path) => ModelAudit::open_with(path, rules),
        Found::Nothing(path, error) => ModelAudit::failed(&path.to_string_lossy(), error),
    }
}

fn report(format: Format, document: &Document, global: &Global) -> Result<String> {
    let models = document.models.iter();
    let base = || std::env::current_dir().context("cannot tell the current folder");
    Ok(match format {
        Format::Text | Format::Concise if global.quiet => String::new(),
        Format::Text => text::document(document, global.verbose),
        Format::Concise => models.map(concise::lines).collect(),
        Format::Json => json::text(document)?,
        Format::Jsonl => models.map(jsonl::line).collect::<Result<_, _>>()?,
        Format::Sarif => sarif::text(document, &base()?),
        Format::Github => {
            let base = base()?;
            models.map(|model| github::commands(model, &base)).collect()
        }
        Format::Junit => junit::text(document)?,
        Format::Markdown => markdown::text(document),
    })
}

/// Complains about what could not be audited.
fn status(document: &Document, exit_zero: bool) -> Status {
    let mut status = Status::Done;
    for model in &document.models {
        let broken = model.findings.iter().find(|f| INVALID.contains(&f.rule));
        let said = broken.map(|finding| format!("{}: {}", model.path, finding.message));
        if let Some(error) = model.error.clone().or(said) {
            io::complain(&anyhow::Error::msg(error));
            status = Status::Failed;
        } else if model.findings.iter().any(|f| f.level == Level::Error)
            && status == Status::Done
            && !exit_zero
        {
            status = Status::Found;
        }
    }
    status
}
