//! What strip did, in words.

use dropout_onnx::audit::SiteRecord;
use dropout_onnx::dropout::{Convention, Mode};
use dropout_onnx::job::Written;
use dropout_onnx::report::one_line;
use dropout_onnx::rewrite::Action;
use dropout_onnx::rewrite::fold::Folded;
use dropout_onnx::rewrite::strip::{Left, Options, Stripped};

use super::{Args, NORM};
use crate::io;
use crate::lines::Lines;
use crate::rewriting::Conclusion;
use crate::style::{Table, WARN, paint, wrap};
use crate::verification::count;

/// What was done to one of many models.
pub fn words(report: &Summary<'_>) -> String {
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

/// What came of one model.
pub struct Summary<'a> {
    pub stripped: &'a Stripped,
    pub folded: Option<&'a Folded>,
    pub records: Vec<SiteRecord>,
    pub end: Conclusion<'a>,
}

pub fn text(args: &Args, report: &Summary<'_>, rest: &Left) -> String {
    let files = report.end.job.files();
    let nothing = matches!(report.end.written, Written::Untouched | Written::DryRun);
    let mut lines = Lines::default();
    if report.records.is_empty() && nothing && report.stripped.outcome.is_unchanged() {
        let input = one_line(&io::name(&files.input).to_string_lossy());
        let found = format!("{input}: no dropout in this file; nothing to strip, nothing written");
        tell_left(&mut lines, args, rest);
        return wrap(&found, 0).join("\n") + "\n" + &lines.into_text();
    }
    lines.line("found", found(report));
    lines.table("", &sites(report, report.end.verbose));
    changed(&mut lines, report, files.dry_run);
    stayed(&mut lines, report);
    if let Some(folded) = report.folded {
        crate::fold::tell(&mut lines, folded, &report.end);
    }
    report.end.text(&mut lines);
    tell_left(&mut lines, args, rest);
    lines.into_text()
}

/// What was removed and rewritten, or would be.
fn changed(lines: &mut Lines, report: &Summary<'_>, dry_run: bool) {
    let outcome = &report.stripped.outcome;
    let active = modes(report, Mode::Active);
    if active > 0 {
        let verb = if active == 1 { "was" } else { "were" };
        let were = paint(WARN, format!("{active} {verb} active,"));
        let left = (report.stripped.plan.steps.iter())
            .filter(|step| step.action != Action::Apply)
            .filter(|step| report.stripped.sites[step.site].mode == Mode::Active);
        let result = match (left.count(), dry_run) {
            (0, false) => "is the inference model".to_string(),
            (0, true) => "would be the inference model".to_string(),
            (some, false) => format!("still has {some} active"),
            (some, true) => format!("would still have {some} active"),
        };
        let result = format!("so the original was non-deterministic; the result {result}");
        lines.line("", format!("{were} {result}"));
    }
    if outcome.removed > 0 {
        match dry_run {
            true => lines.line("dry run", format!("would remove {}", removed(report))),
            false => lines.line("removed", removed(report)),
        }
    }
    if outcome.batch_norms > 0 {
        let norms = count(outcome.batch_norms, NORM);
        let would = if dry_run { "would switch " } else { "" };
        let text = format!("{would}{norms} to running statistics");
        lines.line("switched", text);
    }
    for (value, scale) in &outcome.scales {
        let scale = *scale as f32;
        let text = format!("`{value}` by {scale}, the mean of its mask");
        lines.line("scaled", text);
    }
    for assumed in assumed(report.stripped) {
        lines.line("assumed", assumed);
    }
}

/// What stays of the dropout, and of the inputs that it used.
fn stayed(lines: &mut Lines, report: &Summary<'_>) {
    let outcome = &report.stripped.outcome;
    let kept = report.stripped.plan.steps.len() - report.stripped.plan.applied().count();
    if kept > 0 {
        let kept = paint(WARN, count(kept, "dropout layer"));
        lines.line("kept", format!("{kept}, see above"));
    }
    lines.identities(&outcome.identities);
    if !outcome.masks.is_empty() {
        let masks = outcome.masks.iter().map(|mask| format!("`{mask}`"));
        let masks: Vec<_> = masks.collect();
        let text = format!("replaced by all true: {}", masks.join(", "));
        lines.line("masks", text);
    }
    lines.idle_inputs(&outcome.idle_inputs, " (--prune-inputs removes it)");
    for input in &outcome.pruned_inputs {
        lines.line("input", format!("`{input}` removed: only dropout used it"));
    }
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
        let verb = if left.frozen == 1 { "drops" } else { "drop" };
        lines.push(format!(
            "{masks} that {verb} the same elements on every run{hint}"
        ));
    }
    let switchable = left.batch_norms - left.written_out;
    if switchable > 0 {
        let verb = if switchable == 1 { "uses" } else { "use" };
        let hint = match args.batchnorm {
            true => "",
            false => "; --batchnorm switches to running statistics",
        };
        let norms = count(switchable, NORM);
        lines.push(format!("{norms} still {verb} batch statistics{hint}"));
    }
    if left.written_out > 0 {
        let verb = if left.written_out == 1 { "uses" } else { "use" };
        let norms = count(left.written_out, "batch normalization");
        lines.push(format!(
            "{norms} without running statistics still {verb} those of the batch; export again in inference mode"
        ));
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
