//! The enabled rules and their levels.

use super::Level;
use super::rules::{RULES, Rule};
use crate::error::{Error, ErrorKind, Result};
use crate::words::instead;

/// The rules of an audit and their levels. By default all rules, at their default levels.
///
/// A name is that of a rule, or of a group: `all`, or the rules of one level by default (`errors`,
/// `warnings`, `notes`). A rule's own name counts for more than its level's, and that for more than
/// `all`: `deny("all")` and `allow("notes")` leave only errors.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Selection {
    selected: Vec<Choice>,
    allowed: Vec<Choice>,
    denied: Vec<Choice>,
    weights: bool,
    /// The selection for rules that this one does not mention.
    below: Option<Box<Selection>>,
}

/// The meaning of a name, from the broadest to the narrowest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Choice {
    All,
    Level(Level),
    Rule(&'static str),
}

impl Selection {
    /// Disables every rule that is not selected.
    ///
    /// # Errors
    /// The rule is unknown.
    pub fn select(mut self, name: &str) -> Result<Selection> {
        self.selected.push(Choice::new(name)?);
        Ok(self)
    }

    /// Disables a rule.
    ///
    /// # Errors
    /// The rule is unknown, or it was denied by the same name.
    pub fn allow(mut self, name: &str) -> Result<Selection> {
        self.allowed.push(Choice::new(name)?);
        self.consistent(name)
    }

    /// Reports a rule as an error.
    ///
    /// # Errors
    /// The rule is unknown, or it was allowed by the same name.
    pub fn deny(mut self, name: &str) -> Result<Selection> {
        self.denied.push(Choice::new(name)?);
        self.consistent(name)
    }

    /// Lets rules read weights, which they otherwise leave alone.
    #[must_use]
    pub fn read_weights(mut self, read: bool) -> Selection {
        self.weights = read;
        self
    }

    pub(super) fn reads_weights(&self) -> bool {
        let below = self.below.as_ref();
        self.weights || below.is_some_and(|below| below.reads_weights())
    }

    fn consistent(self, name: &str) -> Result<Selection> {
        match self
            .denied
            .iter()
            .any(|choice| self.allowed.contains(choice))
        {
            true => Err(usage(format!("`{name}` is both allowed and denied"))),
            false => Ok(self),
        }
    }

    /// This selection where it has a level for a rule, by whatever name; else `below`: a command
    /// line over a file. What this one selects replaces what `below` does; what it selects, allows or
    /// denies by a rule's own name counts even if `below` leaves the rule out.
    #[must_use]
    pub fn over(mut self, below: Selection) -> Selection {
        let lower = match self.below.take() {
            Some(own) => own.over(below),
            None => below,
        };
        self.below = Some(Box::new(lower));
        self
    }

    /// The level of a rule; `None` if it is disabled.
    pub fn level(&self, rule: &Rule) -> Option<Level> {
        match self.selects(rule) {
            true => self.decided(rule).unwrap_or(Some(rule.level)),
            false => None,
        }
    }

    /// The rules whose level is not the default; null for those that are disabled.
    pub(super) fn changed(&self) -> serde_json::Map<String, serde_json::Value> {
        let rules = RULES.iter().map(|rule| (rule, self.level(rule)));
        let changed = rules.filter(|(rule, level)| *level != Some(rule.level));
        changed
            .map(|(rule, level)| {
                let level = level.map(|level| level.to_string());
                (rule.name.to_string(), level.into())
            })
            .collect()
    }

    fn selects(&self, rule: &Rule) -> bool {
        let Some(below) = self.below.as_ref().filter(|_| self.selected.is_empty()) else {
            return self.selected.is_empty() || narrowest(&self.selected, rule).is_some();
        };
        below.selects(rule) || by_name(&self.denied, rule)
    }

    /// The level that a rule was given, or that it was allowed; `None` if neither.
    fn decided(&self, rule: &Rule) -> Option<Option<Level>> {
        let (allowed, denied) = (
            narrowest(&self.allowed, rule),
            narrowest(&self.denied, rule),
        );
        if denied > allowed {
            return Some(Some(Level::Error));
        }
        if allowed.is_some() {
            return Some(None);
        }
        let below = self.below.as_ref()?.decided(rule);
        below.filter(|level| level.is_some() || !by_name(&self.selected, rule))
    }
}

/// True if the rule's own name is among these choices.
fn by_name(choices: &[Choice], rule: &Rule) -> bool {
    narrowest(choices, rule) == Some(Choice::Rule(rule.name))
}

/// The narrowest of these choices that a rule is among.
fn narrowest(choices: &[Choice], rule: &Rule) -> Option<Choice> {
    let among = choices.iter().filter(|choice| choice.has(rule));
    among.max().copied()
}

impl Choice {
    fn new(name: &str) -> Result<Choice> {
        Ok(match name {
            "all" => Choice::All,
            "errors" => Choice::Level(Level::Error),
            "warnings" => Choice::Level(Level::Warning),
            "notes" => Choice::Level(Level::Note),
            name => Choice::Rule(rule(name)?.name),
        })
    }

    fn has(self, rule: &Rule) -> bool {
        match self {
            Choice::All => true,
            Choice::Level(level) => rule.level == level,
            Choice::Rule(name) => rule.name == name,
        }
    }
}

/// Names for groups of rules.
#[cfg(test)]
pub(super) const GROUPS: &[&str] = &["all", "errors", "warnings", "notes"];

/// The rule of this name.
///
/// # Errors
/// The name is unknown; the message has the closest name.
pub fn rule(name: &str) -> Result<&'static Rule> {
    let found = RULES.iter().find(|rule| rule.name == name);
    found.ok_or_else(|| {
        let names = RULES.iter().map(|rule| rule.name);
        usage(format!("unknown rule `{name}`{}", instead(name, names)))
    })
}

fn usage(why: String) -> Error {
    Error::new(ErrorKind::Usage, why)
}
