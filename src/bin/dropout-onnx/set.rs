//! `dropout-onnx set`: the rate, mode or seed of existing dropout.

use anyhow::Result;
use dropout_onnx::audit::SiteRecord;
use dropout_onnx::job::Written;
use dropout_onnx::report::document;
use dropout_onnx::rewrite::set::{Changed, Filter, Options, Seed, set};
use dropout_onnx::rewrite::{Acting, Action, Rate};

use crate::Status;
use crate::insert::{mode, switched};
use crate::io::{Format, Global};
use crate::lines::Lines;
use crate::many::{self, Done, Report, Reported, Work};
use crate::rewriting::{Conclusion, Rewriting};
use crate::verification::count;

/// Change the rate, mode or seed of existing dropout
///
/// Changes Dropout operators of every version, as far as that version can express the setting, and the
/// rate (threshold and scale together) and seed of random masks. Constants with other readers are
/// copied first.
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// New probability to drop: 0 <= R < 1
    #[arg(long, value_name = "R", allow_negative_numbers = true)]
    rate: Option<Rate>,
    /// New mode: inert, active, or runtime[:NAME], which adds an optional boolean input that is false
    /// by default
    #[arg(long, value_name = "MODE", value_parser = mode(), hide_possible_values = true)]
    mode: Option<Acting>,
    /// New seed of the first dropout, the others get consecutive seeds; or `none`
    #[arg(long, value_name = "N|none", allow_negative_numbers = true)]
    mask_seed: Option<Seed>,
    /// Only dropout matching all KEY=VALUE pairs, separated by commas; repeat the option for
    /// alternatives. Keys are name, layer, scope (patterns), id (its number in an audit, from 0), form,
    /// kind, mode and rate
    #[arg(long = "where", value_name = "SELECTOR")]
    filters: Vec<Filter>,
    /// Format of the report
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    format: Format,
    #[command(flatten)]
    work: Work,
}

const EXAMPLES: &str = "\
Examples:
  dropout-onnx set model.onnx --rate 0.2            writes model.set.onnx
  dropout-onnx set --in-place model.onnx --mode active --mask-seed 7
  dropout-onnx set model.onnx --rate 0.1 --where 'layer=encoder.*,mode=active'
  dropout-onnx set model.onnx --mode runtime:training --where form=operator

Exit status: 0 set and verified; 1 the result differs, nothing is written; 2 error, nothing
is written.";

pub fn run(args: &Args, global: &Global) -> Result<Status> {
    let options = Options::default()
        .filters(args.filters.clone())
        .rate(args.rate)
        .acting(args.mode.clone())
        .seed(args.mask_seed);
    many::run(
        &args.work,
        "set",
        args.format,
        global,
        |rewriting, report| rewrite(args, &options, rewriting, report),
    )
}

/// Changes the dropout of one model.
fn rewrite(
    args: &Args,
    options: &Options,
    rewriting: &Rewriting<'_>,
    report: Report<'_>,
) -> Result<Done> {
    let named = |e: dropout_onnx::Error| e.in_file(rewriting.name());
    let changed = set(rewriting.before(), options).map_err(named)?;
    let expected = changed.expected(options).map_err(named)?;
    let unchanged = changed.outcome.changed == 0;
    let end = rewriting.conclude_change(&changed.edited, unchanged, &expected)?;
    let records = SiteRecord::all(rewriting.model(), changed.sites.iter());
    report(&Reported {
        end: &end,
        words: &|| format!("{} set", count(changed.outcome.changed, "dropout layer")),
        document: &|| document::set(&end, options, &changed),
        text: &|| text(args, &changed, &records, &end),
    })
}

fn text(args: &Args, changed: &Changed, records: &[SiteRecord], end: &Conclusion<'_>) -> String {
    let mut lines = Lines::default();
    let mut what = Vec::new();
    what.extend(args.rate.map(|rate| format!("p={rate}")));
    what.extend(args.mode.as_ref().map(ToString::to_string));
    what.extend(args.mask_seed.map(|seed| match seed {
        Seed::Number(seed) => format!("seeds from {seed}"),
        _ => "no seed".to_string(),
    }));
    let number = count(changed.outcome.changed, "dropout layer");
    let what = what.join(", ");
    match end.written {
        Written::DryRun => lines.line("dry run", format!("would set {number} to {what}")),
        _ => lines.line("set", format!("{number} to {what}")),
    }
    let steps = changed.plan.steps.iter().zip(records);
    let sites = steps.map(|(step, record)| match &step.action {
        Action::Apply => (record, String::new()),
        other => (record, other.to_string()),
    });
    let table = crate::sites::table(&sites.collect::<Vec<_>>(), end.verbose);
    lines.table("before", &table);
    if let Some(switch) = &changed.outcome.switch {
        let added = changed.outcome.added_input;
        lines.line("input", switched(switch.to_string(), added));
    }
    lines.idle_inputs(&changed.outcome.idle_inputs, "");
    end.text(&mut lines);
    lines.into_text()
}
