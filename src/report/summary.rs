//! All models in one line.

use std::cmp::Reverse;
use std::fmt::Display;

use crate::audit::{Level, ModelAudit, Verdict};

/// `12 models: 3 active, 1 runtime, 8 clean; 5 errors, 2 warnings, 3 known, 1 allowed`. Known to the
/// baseline, and not allowed.
pub fn summary(models: &[ModelAudit]) -> String {
    let verdicts = Verdict::ALL.iter().rev().map(|verdict| {
        let of = models.iter().filter(|m| m.verdict == Some(*verdict));
        part(of.count(), verdict)
    });
    let unreadable = models.iter().filter(|model| model.error.is_some());
    let mut parts: Vec<String> = verdicts.collect();
    parts.push(part(unreadable.count(), "unreadable"));

    let levels = [Level::Error, Level::Warning, Level::Note].map(|level| {
        let findings = models.iter().flat_map(ModelAudit::open_findings);
        match findings.filter(|finding| finding.level == level).count() {
            1 => part(1, level),
            some => part(some, format!("{level}s")),
        }
    });
    let excused = models.iter().flat_map(|model| &model.findings);
    let (allowed, known): (Vec<_>, Vec<_>) = excused
        .filter(|finding| !finding.is_open())
        .partition(|finding| finding.allowed.is_some());
    let mut findings = levels.to_vec();
    findings.push(part(known.len(), "known"));
    findings.push(part(allowed.len(), "allowed"));

    let mut out = match models.len() {
        1 => "1 model: ".to_string(),
        many => format!("{many} models: "),
    };
    out.push_str(&listed(&parts));
    let findings = listed(&findings);
    if !findings.is_empty() {
        out.push_str("; ");
        out.push_str(&findings);
    }
    out
}

/// The models, the worst verdict first; models that could not be audited come before all others.
pub fn worst_first(models: &[ModelAudit]) -> Vec<&ModelAudit> {
    let mut models: Vec<&ModelAudit> = models.iter().collect();
    models.sort_by_key(|model| model.verdict.map_or((0, None), |v| (1, Some(Reverse(v)))));
    models
}

/// `3 active`; empty for 0.
fn part(number: usize, what: impl Display) -> String {
    match number {
        0 => String::new(),
        some => format!("{some} {what}"),
    }
}

fn listed(parts: &[String]) -> String {
    let some: Vec<&str> = parts
        .iter()
        .map(String::as_str)
        .filter(|part| !part.is_empty())
        .collect();
    some.join(", ")
}
