//! The differences for people: a line each.

use std::fmt;

use super::{Change, Delta, Diff, Kind, Part, Verdict};
use crate::escape::one_line;

/// What it comes down to, in a line.
pub fn summary(diff: &Diff) -> String {
    let counts = counts(diff);
    match diff.verdict {
        Verdict::IdenticalBytes => "identical bytes".to_string(),
        Verdict::SameModel => {
            "the same model, with fields in a different order or encoding".to_string()
        }
        Verdict::SameStructure => format!("different, but structurally equal: {counts}"),
        Verdict::Different => format!("different: {counts}"),
    }
}

/// `2 nodes removed, 1 input renamed`.
fn counts(diff: &Diff) -> String {
    let key = |c: &Change| match (c.change, c.what.as_deref()) {
        // what a node makes is called otherwise, not the node
        (Kind::Renamed, Some(what)) if what.starts_with("output ") => (Part::Value, c.change),
        _ => (c.part, c.change),
    };
    let mut kinds: Vec<_> = diff.changes.iter().map(key).collect();
    kinds.sort();
    kinds.dedup();
    let words = kinds.into_iter().map(|(part, change)| {
        let mut names: Vec<_> = (diff.changes.iter())
            .filter(|c| key(c) == (part, change))
            .map(|c| (&c.scope, &c.name))
            .collect();
        // a node of which two inputs changed is one node
        names.sort();
        names.dedup();
        let plural = if names.len() == 1 { "" } else { "s" };
        let word = match (part.word(), plural) {
            ("metadata", _) => "key of metadata".to_string(),
            ("training", _) => "training".to_string(),
            ("model", "s") => "fields of the model".to_string(),
            ("model", _) => "field of the model".to_string(),
            (word, plural) => format!("{word}{plural}"),
        };
        format!("{} {word} {}", names.len(), change.word())
    });
    words.collect::<Vec<_>>().join(", ")
}

/// Every difference in a line, those of a scope below its name. A line starts with `-`, `+` or `~`
/// after two blanks.
pub fn lines(diff: &Diff) -> Vec<String> {
    let mut lines = Vec::new();
    let mut scope = None;
    for change in &diff.changes {
        if scope != Some(&change.scope) {
            lines.push(one_line(&change.scope));
            scope = Some(&change.scope);
        }
        lines.push(format!("  {}", one_line(&change.to_string())));
    }
    lines
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = match self.change {
            Kind::Added => '+',
            Kind::Removed => '-',
            _ => '~',
        };
        write!(f, "{sign} {}", self.part.word())?;
        if !self.name.is_empty() {
            write!(f, " {}", self.name)?;
        }
        write!(f, ":{}", Aspect(self))?;
        let (before, after) = (self.before.as_deref(), self.after.as_deref());
        match (self.change, before, after) {
            (Kind::Added, _, text) | (Kind::Removed, text, _) => {
                write!(f, " {}", text.unwrap_or(self.change.word()))?;
            }
            (Kind::Moved, ..) => {
                f.write_str(" changed")?;
            }
            (_, before, after) => {
                let (before, after) = (before.unwrap_or("nothing"), after.unwrap_or("nothing"));
                write!(f, " {before} -> {after}")?;
            }
        }
        if !self.past.is_empty() {
            write!(f, ", past {}", self.past.join(", "))?;
        }
        if !self.through.is_empty() {
            write!(f, ", through {}", self.through.join(", "))?;
        }
        match &self.values {
            Some(delta) => write!(f, ", {delta}"),
            None => Ok(()),
        }
    }
}

/// What about a part differs.
struct Aspect<'a>(&'a Change);

impl fmt::Display for Aspect<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.0.what.as_deref(), self.0.change) {
            (Some(what), Kind::Renamed) => write!(f, " {what} renamed:"),
            (None, Kind::Renamed) => f.write_str(" renamed:"),
            (Some(what), Kind::Moved) => write!(f, " {what}"),
            (Some(what), _) => write!(f, " {what}:"),
            (None, _) => Ok(()),
        }
    }
}

impl fmt::Display for Delta {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {} differ", self.differing, self.elements)?;
        if let (Some(max), Some(at)) = (&self.max_abs, &self.at) {
            write!(f, ", max |Δ| {max} at {at:?}")?;
        }
        match self.nan {
            0 => Ok(()),
            nan => write!(f, ", {nan} NaN on one side"),
        }
    }
}
