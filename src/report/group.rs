//! Findings of a model that differ in their place only.

use super::one_line;
use crate::audit::{Finding, Level, ModelAudit, RULES};

/// Findings of one rule with one message, at one or more places.
#[non_exhaustive]
pub struct Group<'a> {
    /// The rule.
    pub rule: &'static str,
    /// The level.
    pub level: Level,
    /// The findings, in the order of the model; at least one.
    pub findings: Vec<&'a Finding>,
}

/// The open findings of a model: errors first, then by rule in the order of [`RULES`].
pub fn groups(model: &ModelAudit) -> Vec<Group<'_>> {
    let mut groups: Vec<Group<'_>> = Vec::new();
    for finding in model.open_findings() {
        let alike = groups.iter_mut().find(|group| group.takes(finding));
        match alike {
            Some(group) => group.findings.push(finding),
            None => groups.push(Group {
                rule: finding.rule,
                level: finding.level,
                findings: vec![finding],
            }),
        }
    }
    let number = |name: &str| RULES.iter().position(|rule| rule.name == name);
    groups.sort_by_key(|group| (std::cmp::Reverse(group.level), number(group.rule)));
    groups
}

impl Group<'_> {
    fn takes(&self, finding: &Finding) -> bool {
        self.rule == finding.rule && self.findings[0].what() == finding.what()
    }

    /// The message, on one line: with the place of the first finding, unless it is the main graph, and the
    /// number of the others.
    pub fn message(&self) -> String {
        let first = self.findings[0];
        let place = first.place();
        let place = place.strip_prefix("graph: ").unwrap_or(place);
        let place = match self.findings.len() {
            1 => place.to_string(),
            all => format!("{place} and {} more", all - 1),
        };
        one_line(&format!("{place}: {}", first.what()))
    }

    /// What to do, for the model of this path.
    pub fn help(&self, path: &str) -> String {
        help(self.rule, path)
    }
}

/// What to do about findings of a rule, for the model of this path, on one line.
pub fn help(rule: &str, path: &str) -> String {
    advice(rule, "model.onnx", path, path)
}

/// The same for the models in a folder.
pub fn help_in(rule: &str, folder: &str) -> String {
    let to = format!("strip {folder} --output-dir stripped");
    advice(rule, "strip model.onnx", &to, folder)
}

/// The advice of a rule for a path that needs no quotes.
fn advice(rule: &str, from: &str, to: &str, path: &str) -> String {
    let rule = RULES.iter().find(|known| known.name == rule);
    let text = rule.map_or(String::new(), |rule| rule.help());
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-".contains(c);
    match path.chars().all(plain) && !path.starts_with('-') {
        true => text.replace(from, to),
        false => text,
    }
}
