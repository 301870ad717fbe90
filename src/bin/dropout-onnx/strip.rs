//! `dropout-onnx strip`: dropout removed for inference.

mod check;

use std::path::{Path, PathBuf};

use anyhow::Result;
use dropout_onnx::audit::SiteRecord;
use dropout_onnx::dropout::{Convention, Kind, Mode};
use dropout_onnx::job::Written;
use dropout_onnx::report::{document, one_line};
use dropout_onnx::rewrite::fold::Folded;
use dropout_onnx::rewrite::strip::{Left, Options, PlanFile, Stripped, plan_text, strip};
use dropout_onnx::rewrite::{Action, Filter};

use crate::Status;
use crate::completions::choices;
use crate::io::{self, Files, Global, PlanFormat};
use crate::lines::Lines;
use crate::many::{self, Done, Many, Report, Reported};
use crate::rewriting::{Conclusion, Rewriting};
use crate::set::filter;
use crate::style::{Table, WARN, paint, wrap};
use crate::verification::{Verify, count};

/// Remove dropout for inference; verify that nothing else changed
///
/// Removes Dropout operators in every scope, whether or not they are still active, and dropout written
/// as random masks. The result is the inference model. Before it is written, its structure is compared
/// with the original's, and both models are run with tract on the same inputs.
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    #[command(flatten)]
    files: Files,
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
    #[arg(long = "where", value_name = "SELECTOR", value_parser = filter)]
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
    many: Many,
    #[command(flatten)]
    verify: Verify,
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
    let mut options = Options {
        allow_unmeasured: args.allow_unmeasured,
        batchnorm: args.batchnorm,
        prune_inputs: args.prune_inputs,
        filters: args.filters.clone(),
        strict: args.strict,
        ..Options::of_words(&args.only, &args.kinds, args.convention)?
    };
    if let Some(path) = &args.plan {
        PlanFile::read(path)?.merge(&mut options)?;
    }
    Ok(options)
}

pub fn run(args: &Args, global: &Global) -> Result<Status> {
    if args.check {
        return check::run(args, global);
    }
    many::run(
        &args.many,
        (&args.files, &args.verify),
        global,
        args.format.of_report(args.files.dry_run, "--dry-run")?,
        |files, global, report| rewrite(args, files, global, report),
    )
}

/// Strips one model.
fn rewrite(args: &Args, files: &Files, global: &Global, report: Report<'_>) -> Result<Done> {
    let rewriting = Rewriting::open(files, &args.verify, global, "stripped")?;
    let stripped = strip(rewriting.before(), &options(args)?);
    let stripped = stripped.map_err(|e| e.in_file(io::name(&files.input)))?;
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
    let records = stripped.sites.iter();
    let records = records.map(|site| SiteRecord::new(rewriting.model(), site));
    let summary = Summary {
        stripped: &stripped,
        folded: folded.as_ref(),
        records: records.collect(),
        end,
    };
    warn(summary.stripped, io::name(&files.input));
    let left = stripped.left()?;
    report(&Reported {
        end: &summary.end,
        words: &|| words(&summary),
        document: &|| document::strip(&summary.end, summary.stripped, summary.folded),
        text: &|| match args.format {
            PlanFormat::Toml => plan_text(&io::name(&files.input).display().to_string(), &stripped),
            _ => text(args, global, &summary, &left),
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

/// What was done to one of many models.
fn words(report: &Summary<'_>) -> String {
    let kept = report.records.len() - report.stripped.outcome.removed;
    let kept = match kept {
        0 => String::new(),
        some => format!(", {} kept", count(some, "dropout layer")),
    };
    let removed = match report.stripped.outcome.removed {
        0 if report.stripped.outcome.batch_norms > 0 => {
            count(report.stripped.outcome.batch_norms, NORM) + " in inference form"
        }
        0 if report.records.is_empty() => "no dropout".to_string(),
        0 => "nothing to strip".to_string(),
        some => format!("{} removed", count(some, "dropout layer")),
    };
    removed + &kept
}

struct Summary<'a> {
    stripped: &'a Stripped,
    folded: Option<&'a Folded>,
    records: Vec<SiteRecord>,
    end: Conclusion<'a>,
}

fn text(args: &Args, global: &Global, report: &Summary<'_>, rest: &Left) -> String {
    let nothing = matches!(report.end.written, Written::Untouched | Written::DryRun);
    let mut lines = Lines::default();
    if report.records.is_empty() && nothing && report.stripped.outcome.is_unchanged() {
        let input = one_line(&io::name(&args.files.input).to_string_lossy());
        let found = format!("{input}: no dropout in this file; nothing to strip, nothing written");
        tell_left(&mut lines, args, rest);
        return wrap(&found, 0).join("\n") + "\n" + &lines.into_text();
    }
    let outcome = &report.stripped.outcome;
    lines.line("found", found(report));
    lines.table("", &sites(report, global.verbose));
    let mut line = |label: &str, text: String| lines.line(label, text);
    let active = modes(report, Mode::Active);
    if active > 0 {
        let were = match active {
            1 => "1 was active,".to_string(),
            many => format!("{many} were active,"),
        };
        let still = (report.stripped.plan.steps.iter())
            .filter(|step| step.action != Action::Apply)
            .filter(|step| report.stripped.sites[step.site].mode == Mode::Active);
        let would = args.files.dry_run;
        let result = match (still.count(), would) {
            (0, false) => "is the inference model".to_string(),
            (0, true) => "would be the inference model".to_string(),
            (some, false) => format!("still has {some} active"),
            (some, true) => format!("would still have {some} active"),
        };
        let were = paint(WARN, were);
        line(
            "",
            format!("{were} so the original was non-deterministic; the result {result}"),
        );
    }
    if outcome.removed > 0 {
        match args.files.dry_run {
            true => line("dry run", format!("would remove {}", removed(report))),
            false => line("removed", removed(report)),
        }
    }
    if outcome.batch_norms > 0 {
        let norms = count(outcome.batch_norms, NORM);
        let would = if args.files.dry_run {
            "would switch "
        } else {
            ""
        };
        line("switched", format!("{would}{norms} to running statistics"));
    }
    for (value, scale) in &outcome.scales {
        let scale = *scale as f32;
        line(
            "scaled",
            format!("`{value}` by {scale}, the mean of its mask"),
        );
    }
    for assumed in assumed(report.stripped) {
        line("assumed", assumed);
    }
    let kept = report.stripped.plan.steps.iter();
    let kept = kept.filter(|step| step.action != Action::Apply).count();
    if kept > 0 {
        let kept = paint(WARN, count(kept, "dropout layer"));
        line("kept", format!("{kept}, see above"));
    }
    for (value, why) in &outcome.identities {
        line("kept", format!("an Identity for `{value}`: {why}"));
    }
    if !outcome.masks.is_empty() {
        let masks: Vec<_> = outcome
            .masks
            .iter()
            .map(|mask| format!("`{mask}`"))
            .collect();
        line(
            "masks",
            format!("replaced by all true: {}", masks.join(", ")),
        );
    }
    for input in &outcome.idle_inputs {
        line(
            "input",
            format!(
                "`{input}` is no longer used, but stays in the interface (--prune-inputs removes it)"
            ),
        );
    }
    for input in &outcome.pruned_inputs {
        line("input", format!("`{input}` removed: only dropout used it"));
    }
    if let Some(folded) = report.folded {
        crate::fold::tell(&mut lines, folded, &args.files, global);
    }
    report.end.text(&mut lines);
    tell_left(&mut lines, args, rest);
    lines.into_text()
}

/// What was assumed about masks that leave what they keep as it is.
fn assumed(stripped: &Stripped) -> impl Iterator<Item = String> {
    let number = |identity: bool| {
        let masks = stripped.outcome.assumed.iter();
        let of = masks.filter(|mask| (mask.convention == Convention::Identity) == identity);
        Some(of.count()).filter(|number| *number > 0)
    };
    let identity = number(true).map(|masks| {
        format!(
            "inference uses the data of {} as it is. If this is classic dropout, which scales it by 1-p, use \
             --convention inverted",
            count(masks, "unscaled mask")
        )
    });
    let classic = number(false).map(|masks| {
        format!(
            "classic dropout for {}: inference scales by 1-p. If it uses the data as it is (DropEdge, \
             SpecAugment, token dropout), use --convention identity",
            count(masks, "unscaled mask")
        )
    });
    classic.into_iter().chain(identity)
}

fn tell_left(lines: &mut Lines, args: &Args, rest: &Left) {
    let left = left(args, rest);
    for (place, text) in left.into_iter().enumerate() {
        lines.line(if place == 0 { "left" } else { "" }, paint(WARN, text));
    }
}

/// What the result has left that draws random numbers or that no runtime loads, a line each.
fn left(args: &Args, left: &Left) -> Vec<String> {
    let option = |word: &str| {
        let asked = args
            .kinds
            .iter()
            .any(|kind| kind == word || kind == Options::ALL);
        match asked {
            true => String::new(),
            false => format!("; --kind {word} removes it"),
        }
    };
    let mut draws: Vec<String> = Vec::new();
    for (kind, number) in &left.acting {
        let word = kind.word();
        draws.push(format!("{number} {word}{}", option(word)));
    }
    if left.random > 0 {
        let outside = count(left.random, "operator") + " outside dropout";
        draws.push(outside);
    }
    let mut lines = Vec::new();
    if !draws.is_empty() {
        let draws = draws.join(", ");
        lines.push(format!("the result still draws random numbers ({draws})"));
    }
    if left.frozen > 0 {
        let masks = count(left.frozen, "frozen mask");
        let hint = option(Options::FROZEN_MASK);
        lines.push(format!(
            "{masks} that drops the same elements on every run{hint}"
        ));
    }
    if left.batch_norms > 0 {
        let verb = if left.batch_norms == 1 { "uses" } else { "use" };
        let hint = match args.batchnorm {
            true => "",
            false => "; --batchnorm switches to running statistics",
        };
        let norms = count(left.batch_norms, NORM);
        lines.push(format!("{norms} still {verb} batch statistics{hint}"));
    }
    if left.unloadable > 0 {
        lines.push(count(left.unloadable, "operator") + " that no runtime loads");
    }
    lines
}

fn modes(report: &Summary<'_>, mode: Mode) -> usize {
    let steps = report.stripped.plan.applied();
    steps
        .filter(|step| report.stripped.sites[step.site].mode == mode)
        .count()
}

fn found(report: &Summary<'_>) -> String {
    if report.records.is_empty() {
        return "no dropout in this file".to_string();
    }
    let scopes: std::collections::BTreeSet<_> =
        report.records.iter().map(|record| &record.scope).collect();
    let modes = Mode::ALL.iter().rev().filter_map(|mode| {
        let of = report.records.iter().filter(|record| record.mode == *mode);
        match of.count() {
            0 => None,
            some => Some(format!("{some} {mode}")),
        }
    });
    let modes: Vec<_> = modes.collect();
    let scopes = match scopes.len() {
        1 => String::new(),
        many => format!(", in {many} scopes"),
    };
    let number = count(report.records.len(), "dropout layer");
    format!("{number} ({}){scopes}", modes.join(", "))
}

fn removed(report: &Summary<'_>) -> String {
    let outcome = &report.stripped.outcome;
    let mut parts = vec![count(outcome.removed, "dropout layer")];
    if !outcome.nodes.is_empty() {
        parts.push(count(outcome.nodes.len(), "unused node"));
    }
    if !outcome.initializers.is_empty() {
        parts.push(count(outcome.initializers.len(), "unused initializer"));
    }
    let states: usize = outcome.states.iter().map(|(_, count)| count).sum();
    if states > 0 {
        parts.push(count(states, "loop state") + " that carried a mask");
    }
    if !outcome.functions.is_empty() {
        parts.push(count(outcome.functions.len(), "uncalled function"));
    }
    parts.join(", ")
}

fn sites(report: &Summary<'_>, verbose: bool) -> Table {
    let steps = report.stripped.plan.steps.iter();
    let sites = report.records.iter().zip(steps).map(|(record, step)| {
        let remark = match &step.action {
            Action::Apply => String::new(),
            other => other.to_string(),
        };
        (record, remark)
    });
    crate::sites::table(&sites.collect::<Vec<_>>(), verbose)
}
