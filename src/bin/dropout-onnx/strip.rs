//! `dropout-onnx strip`: dropout removed for inference.

mod check;
mod told;

use std::path::{Path, PathBuf};

use anyhow::Result;
use dropout_onnx::audit::SiteRecord;
use dropout_onnx::dropout::{Convention, Kind, Mode};
use dropout_onnx::report::document;
use dropout_onnx::rewrite::strip::{Options, PlanFile, Stripped, plan_text, strip};
use dropout_onnx::rewrite::{Action, Filter};

use crate::Status;
use crate::completions::choices;
use crate::io::{self, Global, PlanFormat};
use crate::many::{self, Done, Report, Reported, Work};
use crate::rewriting::Rewriting;
use crate::verification::count;

/// Remove dropout for inference; verify that nothing else changed
///
/// Removes Dropout operators in every scope, whether or not they are still active, and dropout written
/// as random masks. The result is the inference model. Before it is written, its structure is compared
/// with the original's, and both models are run with tract on the same inputs.
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// Remove only dropout of these modes
    #[arg(long, value_name = "MODE", value_delimiter = ',', value_parser = mode())]
    only: Vec<String>,
    /// Kinds to remove; Gaussian noise and frozen masks are kept by default
    #[arg(
        long = "kind",
        value_name = "KIND",
        value_delimiter = ',',
        value_parser = kind(),
        default_value = "dropout,alpha_dropout,gaussian_dropout",
        hide_default_value = false
    )]
    kinds: Vec<String>,
    /// What dropout means at inference where the file does not declare it
    #[arg(long, value_name = "WHICH", default_value = "inverted", value_parser = choices(Convention::ALL, |it| (it.word(), it.about())))]
    convention: Convention,
    /// Let BatchNormalization that uses batch statistics use the running statistics in the file
    #[arg(long)]
    batchnorm: bool,
    /// Remove inputs that only dropout used: switches, keep probabilities, learning phases
    #[arg(long)]
    prune_inputs: bool,
    /// Accept masks that cannot be measured: structure and runs decide
    #[arg(long)]
    allow_unmeasured: bool,
    /// Fold the scales that remain into the weights around them, like `fold --only dropout`
    #[arg(long)]
    fold: bool,
    /// Only dropout matching all KEY=VALUE pairs; repeat the option for alternatives. Keys: id, name, layer,
    /// scope, form, kind, mode, rate
    #[arg(long = "where", value_name = "SELECTOR")]
    filters: Vec<Filter>,
    /// Read selectors and conventions from a TOML file: `[[strip]]` tables with the keys of --where and
    /// convention, where all keys of a table must match. The first table that matches a dropout applies
    #[arg(long, value_name = "FILE")]
    plan: Option<PathBuf>,
    /// Remove nothing if one of the selected dropouts cannot be removed
    #[arg(long)]
    strict: bool,
    /// Format of the report
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    format: PlanFormat,
    /// Exit with 1 if strip would change any of the models, and write nothing
    ///
    /// Dropout that an `[[allow]]` in dropout-onnx.toml accepts does not count.
    #[arg(long, conflicts_with_all = ["out", "in_place", "force", "dry_run", "output_dir", "evidence"])]
    check: bool,
    #[command(flatten)]
    work: Work,
}

const EXAMPLES: &str = "\
Examples:
  dropout-onnx strip model.onnx                     writes model.stripped.onnx
  dropout-onnx strip model.onnx clean.onnx --dim batch=8
  dropout-onnx strip --in-place model.onnx
  dropout-onnx strip models/ --output-dir out       strips all models in the folder
  dropout-onnx strip --kind all model.onnx          Gaussian noise and frozen masks as well
  dropout-onnx strip --convention classic --fold model.onnx
  dropout-onnx strip --convention identity model.onnx
  dropout-onnx strip --batchnorm --prune-inputs model.onnx
  dropout-onnx strip --where layer=encoder.* model.onnx
  dropout-onnx strip --dry-run model.onnx           prints what would be removed
  dropout-onnx strip -n --format toml model.onnx > strip.toml
  dropout-onnx strip --plan strip.toml model.onnx   with the conventions of a plan
  dropout-onnx strip --check models/                exits with 1 if there is dropout to strip
  dropout-onnx strip - < model.onnx > clean.onnx

Exit status: 0 stripped and verified, or nothing to strip (a warning names dropout that cannot be
removed, unless --strict makes it an error, or it is all there is); 1 the result differs and is
not written, or --check found dropout to strip; 2 error, nothing is written.";

/// What batch normalization is called.
const NORM: &str = "BatchNormalization layer";

/// The number of dropouts that a report lists, unless asked for all.
const SHOWN: usize = 12;

fn mode() -> clap::builder::PossibleValuesParser {
    let words: Vec<&'static str> = Mode::ALL.iter().map(|mode| mode.word()).collect();
    clap::builder::PossibleValuesParser::new(words)
}

fn kind() -> clap::builder::PossibleValuesParser {
    let kinds = Kind::ALL.iter().map(|kind| kind.word());
    clap::builder::PossibleValuesParser::new(kinds.chain([Options::FROZEN_MASK, Options::ALL]))
}

fn options(args: &Args) -> Result<Options> {
    let mut options = Options::of_words(&args.only, &args.kinds, args.convention)?
        .allow_unmeasured(args.allow_unmeasured)
        .batchnorm(args.batchnorm)
        .prune_inputs(args.prune_inputs)
        .filters(args.filters.clone())
        .strict(args.strict);
    if let Some(path) = &args.plan {
        PlanFile::read(path)?.merge(&mut options)?;
    }
    Ok(options)
}

pub fn run(args: &Args, global: &Global) -> Result<Status> {
    if args.check {
        return check::run(args, global);
    }
    let format = args
        .format
        .of_report(args.work.files.dry_run, "--dry-run")?;
    many::run(
        &args.work,
        "stripped",
        format,
        global,
        |rewriting, report| rewrite(args, rewriting, report),
    )
}

/// Strips one model.
fn rewrite(args: &Args, rewriting: &Rewriting<'_>, report: Report<'_>) -> Result<Done> {
    let stripped = strip(rewriting.before(), &options(args)?);
    let stripped = stripped.map_err(|e| e.in_file(rewriting.name()))?;
    let folded = match args.fold {
        true => Some(stripped.fold_scales()?),
        false => None,
    };
    let edited = folded
        .as_ref()
        .map_or(&stripped.edited, |folded| &folded.edited);
    let unchanged = stripped.outcome.is_unchanged()
        && folded
            .as_ref()
            .is_none_or(|folded| folded.outcome.is_unchanged());
    let end = rewriting.conclude(edited, unchanged, |options| {
        stripped.verify(rewriting.before(), folded.as_ref(), options)
    })?;
    let records = SiteRecord::all(rewriting.model(), stripped.sites.iter());
    let summary = told::Summary {
        stripped: &stripped,
        folded: folded.as_ref(),
        records,
        end,
    };
    warn(summary.stripped, rewriting.name());
    let left = stripped.left()?;
    report(&Reported {
        end: &summary.end,
        words: &|| told::words(&summary),
        document: &|| document::strip(&summary.end, summary.stripped, summary.folded),
        text: &|| match args.format {
            PlanFormat::Toml => plan_text(&rewriting.name().display().to_string(), &stripped),
            _ => told::text(args, &summary, &left),
        },
    })
}

/// Names what could not be removed.
fn warn(stripped: &Stripped, path: &Path) {
    let steps = stripped.plan.steps.iter();
    let steps = steps.map(|step| (&step.label, &step.action));
    let norms = stripped.batch_norms.iter();
    let norms = norms.map(|norm| (&norm.label, &norm.action));
    let refused = steps
        .chain(norms)
        .filter_map(|(label, action)| match action {
            Action::Refused(why) => Some((label, why)),
            _ => None,
        });
    let refused: Vec<_> = refused.collect();
    for (label, why) in refused.iter().take(SHOWN) {
        io::warn(&format!("{}: {label}: kept: {why}", path.display()));
    }
    if let Some(more @ 1..) = refused.len().checked_sub(SHOWN) {
        io::warn(&format!("{}: {more} more were kept", path.display()));
    }
    let untrained = stripped.batch_norms.iter().filter(|norm| norm.untrained);
    let untrained: Vec<_> = untrained.collect();
    if let [first, ..] = &untrained[..] {
        let number = count(untrained.len(), NORM);
        io::warn(&format!(
            "{}: {number}, first {}: running mean 0 and variance 1: never trained, or lost by the exporter",
            path.display(),
            first.label
        ));
    }
}
