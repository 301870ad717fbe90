//! Options of an audit about rules.

use anyhow::Result;
use clap::builder::StringValueParser;
use dropout_onnx::audit::{self, RULES, Selection};

use crate::completions::Offering;

/// Which rules are reported.
#[derive(clap::Args)]
#[command(next_help_heading = "Rules")]
pub struct RuleArgs {
    /// Report this rule as an error; RULE may also be `all`, `errors`, `warnings` or `notes`
    #[arg(long, value_name = "RULE", value_delimiter = ',', value_parser = rules(GROUPS), hide_possible_values = true)]
    deny: Vec<String>,
    /// Disable this rule
    #[arg(long, value_name = "RULE", value_delimiter = ',', value_parser = rules(GROUPS), hide_possible_values = true)]
    allow: Vec<String>,
    /// Run only this rule; repeat the option for several
    #[arg(long, value_name = "RULE", value_delimiter = ',', value_parser = rules(GROUPS), hide_possible_values = true)]
    select: Vec<String>,
    /// Read weights to look for zeros that a folded dropout left
    #[arg(long)]
    read_weights: bool,
    /// Print the page of this rule, or of `all` rules, and audit nothing
    #[arg(long, value_name = "RULE", conflicts_with = "paths", value_parser = rules(&["all"]), hide_possible_values = true)]
    explain: Option<String>,
}

/// Words for several rules.
const GROUPS: &[&str] = &["all", "errors", "warnings", "notes"];

/// A rule or a word for several, as the library lists them.
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
        Ok(rules.read_weights(self.read_weights))
    }

    /// The page of `--explain`.
    pub fn explained(&self) -> Result<Option<String>> {
        Ok(match self.explain.as_deref() {
            None => None,
            Some("all") => Some(audit::handbook()),
            Some(name) => Some(audit::rule(name)?.page()),
        })
    }
}
