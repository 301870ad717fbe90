//! Arguments about the rules of an audit, and what the rules found, for people.

use anyhow::Result;
use clap::builder::StringValueParser;
use dropout_onnx::audit::{self, Finding, Level, ModelAudit, RULES, Selection};

use crate::completions::Offering;
use crate::style::{BAD, DIM, Table, WARN};

/// Which rules are told.
#[derive(clap::Args)]
#[command(next_help_heading = "Rules")]
pub struct RuleArgs {
    /// Make what a rule finds an error; RULE may also be `all`, `errors`, `warnings` or `notes`
    #[arg(long, value_name = "RULE", value_delimiter = ',', value_parser = rules(GROUPS), hide_possible_values = true)]
    deny: Vec<String>,
    /// Leave a rule out
    #[arg(long, value_name = "RULE", value_delimiter = ',', value_parser = rules(GROUPS), hide_possible_values = true)]
    allow: Vec<String>,
    /// Leave out all rules but this
    #[arg(long, value_name = "RULE", value_delimiter = ',', value_parser = rules(GROUPS), hide_possible_values = true)]
    select: Vec<String>,
    /// Print what a rule is about, or the pages of `all` rules, and audit nothing
    #[arg(long, value_name = "RULE", conflicts_with = "paths", value_parser = rules(&["all"]), hide_possible_values = true)]
    explain: Option<String>,
}

/// Words for several rules.
const GROUPS: &[&str] = &["all", "errors", "warnings", "notes"];

/// A rule or a word for several; which there are is for the library to say.
fn rules(groups: &[&'static str]) -> Offering<StringValueParser> {
    let names = RULES.iter().map(|rule| rule.name);
    Offering::new(
        StringValueParser::new(),
        names.chain(groups.iter().copied()),
    )
}

impl RuleArgs {
    /// The rules to audit by.
    pub fn selection(&self) -> Result<Selection> {
        let mut rules = Selection::default();
        for name in &self.select {
            rules = rules.select(name)?;
        }
        for name in &self.allow {
            rules = rules.allow(name)?;
        }
        for name in &self.deny {
            rules = rules.deny(name)?;
        }
        Ok(rules)
    }

    /// The page that was asked for.
    pub fn explained(&self) -> Result<Option<String>> {
        Ok(match self.explain.as_deref() {
            None => None,
            Some("all") => Some(audit::handbook()),
            Some(name) => Some(audit::rule(name)?.page()),
        })
    }
}

/// Rules that say again what the table of sites says, unless `--deny` made an error of it, and those
/// that are complained about.
const TOLD: &[&str] = &[
    "active-dropout",
    "runtime-dropout",
    "frozen-mask",
    "leftover-dropout",
    "invalid-rate",
    "invalid-dropout",
];

/// What was found besides the sites, one line a rule; notes only if `verbose`.
pub fn text(model: &ModelAudit, verbose: bool) -> String {
    let mut table = Table::default();
    let mut seen = Vec::new();
    let told = |finding: &Finding| {
        let rule = RULES.iter().find(|rule| rule.name == finding.rule);
        TOLD.contains(&finding.rule) && rule.is_none_or(|rule| rule.level == finding.level)
    };
    for finding in &model.findings {
        if told(finding)
            || seen.contains(&finding.rule)
            || (finding.level == Level::Note && !verbose)
        {
            continue;
        }
        seen.push(finding.rule);
        let same = model.findings.iter().filter(|f| f.rule == finding.rule);
        let message = match same.count() - 1 {
            0 => finding.message.clone(),
            more => format!("{} (and {more} more)", finding.message),
        };
        let style = match finding.level {
            Level::Error => BAD,
            Level::Warning => WARN,
            Level::Note => DIM,
        };
        table.row([
            (style, finding.level.to_string()),
            (style, finding.rule.to_string()),
            (DIM, message),
        ]);
    }
    table.render("  ")
}
