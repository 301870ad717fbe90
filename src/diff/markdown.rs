//! The differences as a table in GitHub's Markdown, for a comment or a job's summary.

use std::fmt::Write;

use super::text::{Class, summary};
use super::{Change, Diff};
use crate::escape::markdown as escape;

/// The summary and a table.
pub fn text(diff: &Diff, before: &str, after: &str) -> String {
    let mut out = format!("### {} → {}\n\n", escape(before), escape(after));
    let _ = writeln!(out, "{}", escape(&summary(diff)));
    if let Some(parts) = &diff.parts {
        let _ = writeln!(out, "\nStructure: {}", escape(parts));
    }
    if diff.changes.is_empty() {
        return out;
    }
    out.push_str(
        "\n| scope | part | name | change | before | after |\n|---|---|---|---|---|---|\n",
    );
    let mut changes: Vec<&Change> = diff.changes.iter().collect();
    changes.sort_by_key(|change| Class::of(change));
    for change in changes {
        let cells = [
            &change.scope,
            change.part.word(),
            &change.name,
            &how(change),
            change.before.as_deref().unwrap_or_default(),
            &after_of(change),
        ];
        let cells = cells.map(escape);
        let _ = writeln!(out, "| {} |", cells.join(" | "));
    }
    out
}

fn how(change: &Change) -> String {
    let word = change.change.word();
    match change.what.as_deref() {
        Some(what) => format!("{what} {word}"),
        _ => word.to_string(),
    }
}

fn after_of(change: &Change) -> String {
    let mut parts: Vec<String> = change.after.iter().cloned().collect();
    if !change.past.is_empty() {
        parts.push(format!("past {}", change.past.join(", ")));
    }
    if !change.through.is_empty() {
        parts.push(format!("through {}", change.through.join(", ")));
    }
    parts.extend(change.values.as_ref().map(ToString::to_string));
    parts.join(", ")
}
