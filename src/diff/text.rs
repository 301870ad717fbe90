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

/// `2 nodes removed, 1 input renamed`: what matters most first.
fn counts(diff: &Diff) -> String {
    let class = |c: &Change| match Class::of(c) {
        Class::Implied => Class::Real,
        other => other,
    };
    let key = |c: &Change| (class(c), part(c), c.change);
    let mut kinds: Vec<_> = diff.changes.iter().map(key).collect();
    kinds.sort();
    kinds.dedup();
    let words = kinds.into_iter().map(|kind| {
        let changes = diff.changes.iter();
        let changes: Vec<&Change> = changes.filter(|c| key(c) == kind).collect();
        let what = match kind.0 {
            Class::Described => "metadata changed",
            _ => kind.2.word(),
        };
        format!("{} {what}", numbers(&changes))
    });
    words.collect::<Vec<_>>().join(", ")
}

/// The part that a change is about: a node whose output has a new name is unchanged, the value is not.
fn part(change: &Change) -> Part {
    match (change.change, change.what.as_deref()) {
        (Kind::Renamed, Some(what)) if what.starts_with("output ") => Part::Value,
        _ => change.part,
    }
}

/// `2 nodes, 1 input`: each counted once, however many changes are about it.
fn numbers(changes: &[&Change]) -> String {
    let mut parts: Vec<Part> = changes.iter().map(|change| part(change)).collect();
    parts.sort();
    parts.dedup();
    let numbers = parts.into_iter().map(|of| {
        let mut names: Vec<_> = (changes.iter())
            .filter(|change| part(change) == of)
            .map(|change| (&change.scope, &change.name))
            .collect();
        names.sort();
        names.dedup();
        let plural = if names.len() == 1 { "" } else { "s" };
        let word = match (of.word(), plural) {
            ("metadata", _) => "key of metadata".to_string(),
            ("training", _) => "training".to_string(),
            ("model", "s") => "fields of the model".to_string(),
            ("model", _) => "field of the model".to_string(),
            (word, plural) => format!("{word}{plural}"),
        };
        format!("{} {word}", names.len())
    });
    numbers.collect::<Vec<_>>().join(", ")
}

/// Every difference in a line, those of a scope below its name. A line starts with `-`, `+` or `~`
/// after two blanks.
pub fn lines(diff: &Diff) -> Vec<String> {
    let mut lines = Vec::new();
    scopes(diff.changes.iter().collect(), &mut lines);
    lines
}

/// The differences that matter, in lines: several initializers that were added or removed in one; the others are
/// counted. What describes the model comes last.
pub fn short_lines(diff: &Diff) -> Vec<String> {
    let class = |change: &&Change| Class::of(change);
    let real = diff.changes.iter();
    let mut real: Vec<&Change> = real.filter(|c| class(c) == Class::Real).collect();
    let place = |change: &Change| diff.changes.iter().position(|c| c.scope == change.scope);
    real.sort_by_cached_key(|c| (place(c), matches!(c.part, Part::Initializer | Part::Value)));
    let mut lines = Vec::new();
    for changes in real.chunk_by(|a, b| a.scope == b.scope) {
        lines.push(one_line(&changes[0].scope));
        let together = |a: &&Change, b: &&Change| bulk(a).is_some() && bulk(a) == bulk(b);
        for changes in changes.chunk_by(together) {
            lines.push(format!("  {}", one_line(&several(changes))));
        }
    }
    let others = [
        (Class::Implied, "rewired past removed nodes"),
        (Class::Renamed, "renamed"),
        (Class::Described, "with other metadata"),
    ];
    let others = others.into_iter().filter_map(|(of, text)| {
        let changes = diff.changes.iter();
        let changes: Vec<&Change> = changes.filter(|c| class(c) == of).collect();
        (!changes.is_empty()).then(|| format!("{} {text}", numbers(&changes)))
    });
    let others: Vec<String> = others.collect();
    if !others.is_empty() {
        lines.push(format!("also {}", others.join("; ")));
    }
    let model = diff.changes.iter();
    scopes(
        model.filter(|c| class(c) == Class::Model).collect(),
        &mut lines,
    );
    lines
}

/// A kind of change that is reported together if there are several.
fn bulk(change: &Change) -> Option<Kind> {
    let whole = matches!(change.change, Kind::Added | Kind::Removed);
    (whole && change.part == Part::Initializer).then_some(change.change)
}

/// The line of a change, or of several of [`bulk`].
fn several(changes: &[&Change]) -> String {
    const NAMED: usize = 4;
    let [first, _, ..] = changes else {
        return changes[0].to_string();
    };
    let names: Vec<&str> = changes.iter().map(|change| &*change.name).collect();
    let more = match names.len().saturating_sub(NAMED) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let named = names[..names.len().min(NAMED)].join(", ");
    format!("{} {}: {named}{more}", sign(first.change), numbers(changes))
}

/// True if the interface differs, which the structures are compared by first.
pub fn differs_at_interface(diff: &Diff) -> bool {
    let part = |change: &Change| matches!(change.part, Part::Input | Part::Output);
    let mut changes = diff.changes.iter();
    changes.any(|change| change.scope == "graph" && part(change))
}

/// Lines of changes, under the names of their scopes.
fn scopes(changes: Vec<&Change>, lines: &mut Vec<String>) {
    let mut scope = None;
    for change in changes {
        if scope != Some(&change.scope) {
            lines.push(one_line(&change.scope));
            scope = Some(&change.scope);
        }
        lines.push(format!("  {}", one_line(&change.to_string())));
    }
}

/// How much a change matters, the most first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Class {
    /// A change of what is computed, or of the interface.
    Real,
    /// A node that reads past nodes that were removed.
    Implied,
    /// Another name for the same node, value or weight.
    Renamed,
    /// Metadata and documentation of nodes and graphs.
    Described,
    /// Versions, the producer and metadata of the model.
    Model,
}

/// Fields of graphs and nodes that describe and do not compute.
const DESCRIBED: [&str; 2] = ["metadata_props", "doc_string"];

impl Class {
    pub(super) fn of(change: &Change) -> Class {
        let interface = matches!(change.part, Part::Input | Part::Output);
        let what = change.what.as_deref().unwrap_or_default();
        match (change.part, change.change) {
            (Part::Model | Part::Metadata, _) => Class::Model,
            _ if [what, &change.name].iter().any(|of| DESCRIBED.contains(of)) => Class::Described,
            (_, Kind::Renamed) if !interface => Class::Renamed,
            (_, Kind::Rewired) if !change.past.is_empty() && change.through.is_empty() => {
                match interface {
                    true => Class::Real,
                    false => Class::Implied,
                }
            }
            _ => Class::Real,
        }
    }
}

fn sign(kind: Kind) -> char {
    match kind {
        Kind::Added => '+',
        Kind::Removed => '-',
        _ => '~',
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", sign(self.change), self.part.word())?;
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
            (_, Some(_), Some(_)) if self.values.is_some() => {}
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
            Some(delta) => write!(f, " {delta}"),
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
            // four digits say how large it is; the document has all of them
            let max = match max.0.parse::<f64>() {
                Ok(max) => format!("{:?}", format!("{max:.3e}").parse().unwrap_or(max)),
                Err(_) => max.to_string(),
            };
            write!(f, ", max |Δ| {max} at {at:?}")?;
        }
        match self.nan {
            0 => Ok(()),
            nan => write!(f, ", {nan} NaN on one side"),
        }
    }
}
