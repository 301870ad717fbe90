//! All models in one line.

use std::fmt::Display;

use crate::audit::{Level, ModelAudit, Verdict};

/// `12 models: 3 active, 1 runtime, 8 clean; 5 errors, 2 warnings`.
pub fn summary(models: &[ModelAudit]) -> String {
    let verdicts = Verdict::ALL.iter().rev().map(|verdict| {
        let of = models.iter().filter(|m| m.verdict == Some(*verdict));
        part(of.count(), verdict)
    });
    let unreadable = models.iter().filter(|model| model.error.is_some());
    let mut parts: Vec<String> = verdicts.collect();
    parts.push(part(unreadable.count(), "unreadable"));

    let levels = [Level::Error, Level::Warning, Level::Note].map(|level| {
        let findings = models.iter().flat_map(|model| &model.findings);
        match findings.filter(|finding| finding.level == level).count() {
            1 => part(1, level),
            some => part(some, format!("{level}s")),
        }
    });

    let mut out = match models.len() {
        1 => "1 model: ".to_string(),
        many => format!("{many} models: "),
    };
    out.push_str(&listed(&parts));
    let findings = listed(&levels);
    if !findings.is_empty() {
        out.push_str("; ");
        out.push_str(&findings);
    }
    out
}

/// `3 active`; nothing if there are none.
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
