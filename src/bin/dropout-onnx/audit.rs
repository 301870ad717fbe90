//! `dropout-onnx audit`: what dropout is in there, and does it still act?

use std::fmt::Write;
use std::path::{Path, PathBuf};

use anstyle::Style;
use anyhow::Result;
use dropout_onnx::audit::{Document, Level, ModelAudit, Selection, SiteRecord, Verdict};
use dropout_onnx::dropout::{Form, Kind, Mode, RateOrigin};

use crate::Status;
use crate::io::{self, Format, Global};
use crate::rules::{self, RuleArgs};
use crate::style::{BAD, DIM, GOOD, LABEL, Table, WARN, paint};
use crate::verification::count;

/// List the dropout in models, and whether it still acts
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// Models; `-` is standard input
    #[arg(value_name = "PATH", required_unless_present = "explain")]
    paths: Vec<PathBuf>,
    /// How the report is written
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    format: Format,
    /// Exit with 0 whatever is found
    #[arg(long)]
    exit_zero: bool,
    #[command(flatten)]
    rules: RuleArgs,
}

const EXAMPLES: &str = "\
Examples:
  dropout-onnx audit model.onnx
  dropout-onnx audit --format json exported/*.onnx
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
    let models = args.paths.iter().map(|path| audit(path, &rules));
    let document = Document::new(models.collect());
    match args.format {
        Format::Json => {
            let mut text = serde_json::to_string_pretty(&document)?;
            text.push('\n');
            io::print(&text)?;
        }
        Format::Text => {
            let mut text = String::new();
            for model in document.models.iter().filter(|model| model.error.is_none()) {
                text.push_str(&self::model(model));
                text.push_str(&rules::text(model, global.verbose));
            }
            if !global.quiet {
                io::print(&text)?;
            }
        }
    }
    let mut status = Status::Done;
    for model in &document.models {
        let broken = model.findings.iter().find(|f| INVALID.contains(&f.rule));
        let said = broken.map(|finding| format!("{}: {}", model.path, finding.message));
        if let Some(error) = model.error.clone().or(said) {
            io::complain(&anyhow::Error::msg(error));
            status = Status::Failed;
        } else if model.findings.iter().any(|f| f.level == Level::Error)
            && status == Status::Done
            && !args.exit_zero
        {
            status = Status::Found;
        }
    }
    Ok(status)
}

/// Audits a file, or standard input if the path is `-`.
fn audit(path: &Path, rules: &Selection) -> ModelAudit {
    let name = io::name(path).to_string_lossy();
    io::read(path)
        .and_then(|model| ModelAudit::with(&name, &model, rules))
        .unwrap_or_else(|e| ModelAudit::failed(&name, &e.in_file(io::name(path))))
}

fn model(model: &ModelAudit) -> String {
    let mut out = String::new();
    let verdict = match model.verdict {
        Some(Verdict::Active) => paint(BAD, "active"),
        Some(Verdict::Runtime) => paint(WARN, "runtime"),
        Some(Verdict::Frozen) => paint(WARN, "frozen"),
        Some(Verdict::Inert) => paint(GOOD, "inert"),
        Some(Verdict::Clean) | None => paint(GOOD, "clean"),
    };
    let number = match model.sites.len() {
        0 => "no dropout in this file".to_string(),
        some => count(some, "dropout"),
    };
    let path = paint(LABEL, &model.path);
    let _ = writeln!(out, "{path}: {verdict}, {number}");
    let mut table = Table::default();
    for record in &model.sites {
        table.row(cells(record));
    }
    out.push_str(&table.render("  "));
    out
}

/// A site in a table.
pub fn cells(record: &SiteRecord) -> Vec<(Style, String)> {
    let style = match record.mode {
        Mode::Active => BAD,
        Mode::Runtime | Mode::Frozen => WARN,
        Mode::Inert => GOOD,
    };
    let symbol = match record.kind {
        Kind::GaussianNoise => "σ",
        _ => "p",
    };
    let rate = match record.rate {
        Some(rate) => format!("{symbol}={rate}"),
        None => format!("{symbol}=?"),
    };
    let origin = match record.rate_origin {
        RateOrigin::Default => "default rate".to_string(),
        other => format!("rate from {other}"),
    };
    let written = match (record.form, record.kind) {
        (Form::Operator, _) => format!("mask {}", record.mask),
        (Form::RandomMask, Kind::Dropout) => format!("random mask, {}", record.scaling),
        (Form::RandomMask, kind) => format!("random {kind}"),
        (Form::FrozenMask, _) => format!("frozen mask, {}", record.scaling),
        (Form::Scale, _) => "scale left by classic dropout".to_string(),
    };
    let node = record.nodes.first().cloned().unwrap_or_default();
    vec![
        (style, record.mode.to_string()),
        (Style::new(), rate),
        (DIM, origin),
        (DIM, written),
        (Style::new(), record.scope.clone()),
        (Style::new(), node),
    ]
}
