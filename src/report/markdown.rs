//! Tables in GitHub's Markdown, for a job's summary or a comment. Findings that are allowed or known
//! to the baseline are in the summary only.

use std::fmt::Write;

use super::{groups, summary, worst_first};
use crate::audit::{Document, Level, ModelAudit, TOOL};
use crate::escape::markdown as escape;

/// The summary, a table of models and a table of findings.
pub fn text(document: &Document) -> String {
    let models = worst_first(&document.models);
    let mut out = format!("### Dropout: {}\n\n", summary(&document.models));
    out.push_str("| model | verdict | dropout layers | errors | warnings | notes |\n");
    out.push_str("|---|---|--:|--:|--:|--:|\n");
    for model in &models {
        let verdict = match model.verdict {
            Some(verdict) => verdict.to_string(),
            None => "unreadable".to_string(),
        };
        let [errors, warnings, notes] =
            [Level::Error, Level::Warning, Level::Note].map(|level| count(model, level));
        let (path, sites) = (escape(&model.path), model.sites.len());
        let _ = writeln!(
            out,
            "| {path} | {verdict} | {sites} | {errors} | {warnings} | {notes} |"
        );
    }
    if document.models.iter().any(told) || !document.remarks.is_empty() {
        out.push_str("\n| model | level | rule | message | what to do |\n|---|---|---|---|---|\n");
    }
    for model in &models {
        let path = escape(&model.path);
        if let Some(error) = &model.error {
            let _ = writeln!(out, "| {path} | error | | {} | |", escape(error));
        }
        for group in groups(model) {
            let (level, rule, message) = (group.level, group.rule, escape(&group.message()));
            let help = escape(&group.help(&model.path));
            let _ = writeln!(out, "| {path} | {level} | {rule} | {message} | {help} |");
        }
    }
    for remark in &document.remarks {
        let (level, name, message) = (remark.level, remark.name, escape(&remark.message));
        let place = escape(&remark.place());
        let _ = writeln!(out, "| {place} | {level} | {name} | {message} | |");
    }
    let _ = writeln!(out, "\n{TOOL}");
    out
}

fn told(model: &ModelAudit) -> bool {
    model.error.is_some() || model.open_findings().next().is_some()
}

fn count(model: &ModelAudit, level: Level) -> usize {
    let findings = model.open_findings();
    findings.filter(|finding| finding.level == level).count()
}
