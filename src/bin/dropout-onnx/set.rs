//! `dropout-onnx set`: the rate, mode or seed of dropout that is there.

use anyhow::Result;
use dropout_onnx::audit::SiteRecord;
use dropout_onnx::report::document;
use dropout_onnx::rewrite::set::{Changed, Filter, Options, Seed, set};
use dropout_onnx::rewrite::{Acting, Action, Rate};
use dropout_onnx::verify::acting::{Expected, verify_change};

use crate::Status;
use crate::insert::{mode, rate, switched};
use crate::io::{self, Files, Format, Global};
use crate::rewriting::{Conclusion, Lines, Rewriting};
use crate::style::{DIM, Table, paint};
use crate::verification::{Verify, count};

/// Change the rate, the mode or the seed of dropout that is there
///
/// Dropout operators are changed in every version, as far as the version can express it; of dropout
/// that is written as a random mask, the rate (its threshold and its scale together) and the seed.
/// Constants that something else uses as well are copied first.
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
#[command(mut_arg("seed", |arg| arg.long("verify-seed")))]
pub struct Args {
    #[command(flatten)]
    files: Files,
    /// The new probability to drop: at least 0, less than 1
    #[arg(long, value_name = "R", value_parser = rate, allow_negative_numbers = true)]
    rate: Option<Rate>,
    /// Whether it acts: inert, active, or runtime[:NAME], which adds an optional boolean input to the
    /// model, false if not given
    #[arg(long, value_name = "MODE", value_parser = mode(), hide_possible_values = true)]
    mode: Option<Acting>,
    /// Seed of the first dropout, the others have those that follow; or `none`
    #[arg(
        id = "dropout_seed",
        long = "seed",
        value_name = "N|none",
        value_parser = seed,
        allow_negative_numbers = true
    )]
    seed: Option<Seed>,
    /// Only dropout of which all of this holds: KEY=VALUE, commas between; keys are name, layer, scope
    /// (patterns), id (its number in an audit, from 0), form, kind, mode, rate. Given again: or of which all of that holds
    #[arg(long = "where", value_name = "SELECTOR", value_parser = filter)]
    filters: Vec<Filter>,
    /// How the report is written
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    format: Format,
    #[command(flatten)]
    verify: Verify,
}

const EXAMPLES: &str = "\
Examples:
  dropout-onnx set model.onnx --rate 0.2            writes model.set.onnx
  dropout-onnx set --in-place model.onnx --mode active --seed 7
  dropout-onnx set model.onnx --rate 0.1 --where 'layer=encoder.*,mode=active'
  dropout-onnx set model.onnx --mode runtime:training --where form=operator

Exit status: 0 set and verified; 1 the result differs, nothing is written; 2 it could not do the
job, nothing is written.";

fn seed(text: &str) -> Result<Seed, String> {
    text.parse().map_err(|e: dropout_onnx::Error| e.to_string())
}

fn filter(text: &str) -> Result<Filter, String> {
    text.parse().map_err(|e: dropout_onnx::Error| e.to_string())
}

pub fn run(args: &Args, global: &Global) -> Result<Status> {
    let options = Options {
        filters: args.filters.clone(),
        rate: args.rate,
        acting: args.mode.clone(),
        seed: args.seed,
    };
    let rewriting = Rewriting::open(&args.files, &args.verify, global, "set")?;
    let named = |e: dropout_onnx::Error| e.in_file(io::name(&args.files.input));
    let changed = set(&rewriting.model, &options).map_err(named)?;
    let expected = Expected::of_set(&changed, &options).map_err(named)?;
    let unchanged = changed.outcome.changed == 0;
    let end = rewriting.conclude(&changed.edited, unchanged, |before, after, how| {
        verify_change(before, after, &expected, how)
    })?;
    let records = changed.sites.iter();
    let records: Vec<_> = records
        .map(|site| SiteRecord::new(&rewriting.model, site))
        .collect();
    let text = match args.format {
        Format::Json => document::text(&document::set(&end, &options, &changed)?)?,
        Format::Text => text(args, global, &changed, &records, &end),
    };
    end.print(&text, args.format)?;
    Ok(end.status())
}

fn text(
    args: &Args,
    global: &Global,
    changed: &Changed,
    records: &[SiteRecord],
    end: &Conclusion<'_>,
) -> String {
    let mut lines = Lines::default();
    let mut what = Vec::new();
    what.extend(args.rate.map(|rate| format!("p={rate}")));
    what.extend(args.mode.as_ref().map(ToString::to_string));
    what.extend(args.seed.map(|seed| match seed {
        Seed::Number(seed) => format!("seeds from {seed}"),
        Seed::None => "no seed".to_string(),
    }));
    let number = count(changed.outcome.changed, "dropout");
    lines.line("set", format!("{number} to {}", what.join(", ")));
    let shown = if global.verbose { usize::MAX } else { 12 };
    let mut table = Table::default();
    let steps = changed.plan.steps.iter().zip(records);
    for (step, record) in steps.take(shown) {
        let mut cells = crate::text::cells(record);
        cells.push((
            DIM,
            match &step.action {
                Action::Apply => "set".to_string(),
                other => other.to_string(),
            },
        ));
        table.row(cells);
    }
    lines.line("were", table.render("          ").trim().to_string());
    let more = records.len().saturating_sub(shown);
    if more > 0 {
        let more = format!("and {more} more; -v lists them all");
        lines.line("", paint(DIM, more));
    }
    if let Some(switch) = &changed.outcome.switch {
        let added = changed.outcome.added_input;
        lines.line("input", switched(switch.to_string(), added));
    }
    for input in &changed.outcome.idle_inputs {
        lines.line(
            "input",
            format!("`{input}` stays in the interface; nothing uses it any more"),
        );
    }
    end.text(&mut lines);
    lines.into_text()
}
