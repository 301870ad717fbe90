//! Options of an audit about rules, and findings as text.

use anstyle::Style;
use anyhow::Result;
use clap::builder::StringValueParser;
use dropout_onnx::audit::{self, Finding, Level, ModelAudit, RULES, Remark, Selection};

use crate::completions::Offering;
use crate::style::{BAD, DIM, Table, WARN, paint};
use crate::verification::count;

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

/// What was found besides the sites, one line a rule; notes only if `verbose`. With a baseline, all
/// that is new: the table does not say of sites whether they are. Then what is allowed, and how many
/// are known.
pub fn text(model: &ModelAudit, verbose: bool) -> String {
    let mut table = Table::default();
    let baseline = model.findings.iter().any(|f| f.baseline.is_some());
    let told = |finding: &Finding| {
        let rule = RULES.iter().find(|rule| rule.name == finding.rule);
        let usual = rule.is_none_or(|rule| rule.level == finding.level);
        !baseline && usual && TOLD.contains(&finding.rule)
    };
    let mut seen = Vec::new();
    for finding in model.open_findings() {
        if told(finding)
            || seen.contains(&finding.rule)
            || (finding.level == Level::Note && !verbose)
        {
            continue;
        }
        seen.push(finding.rule);
        let same = model.open_findings().filter(|f| f.rule == finding.rule);
        let message = and_more(&finding.message, same.count());
        let style = style(finding.level);
        table.row([
            (style, finding.level.to_string()),
            (style, finding.rule.to_string()),
            (DIM, message),
        ]);
    }
    for finding in excused(model, verbose) {
        let (allowed, reason) = match &finding.allowed {
            Some(allowed) => {
                let until = allowed.expires.iter();
                let until: String = until.map(|day| format!(", until {day}")).collect();
                ("allowed", format!(" ({}{until})", allowed.reason))
            }
            None => ("known", String::new()),
        };
        table.row([
            (DIM, allowed.to_string()),
            (DIM, finding.rule.to_string()),
            (DIM, format!("{}{reason}", finding.message)),
        ]);
    }
    let known = model.findings.iter();
    let known = known
        .filter(|f| f.allowed.is_none() && !f.is_open())
        .count();
    let mut out = table.render("  ");
    if known > 0 && !verbose {
        let known = format!("  {} in the baseline", count(known, "known finding"));
        out.push_str(&paint(DIM, known));
        out.push('\n');
    }
    out
}

/// Findings that do not count, to be told: of those that are allowed one for each reason and rule,
/// but if `verbose`; those known only then.
fn excused(model: &ModelAudit, verbose: bool) -> Vec<&Finding> {
    let mut seen = Vec::new();
    let findings = model.findings.iter().filter(|finding| !finding.is_open());
    findings
        .filter(|finding| {
            let what = (finding.rule, &finding.allowed);
            let fresh = finding.allowed.is_some() && !seen.contains(&what);
            seen.push(what);
            verbose || fresh
        })
        .collect()
}

/// Remarks about the configuration and the baseline: one per file and kind, all if `verbose`.
pub fn remarks(remarks: &[Remark], verbose: bool) -> String {
    let mut table = Table::default();
    let mut seen: Vec<(&str, &str)> = Vec::new();
    for remark in remarks {
        let kind = (remark.name, remark.path.as_str());
        if seen.contains(&kind) && !verbose {
            continue;
        }
        seen.push(kind);
        let same = remarks.iter().filter(|r| (r.name, r.path.as_str()) == kind);
        let message = match verbose {
            true => remark.message.clone(),
            false => and_more(&remark.message, same.count()),
        };
        let style = style(remark.level);
        table.row([
            (style, remark.level.to_string()),
            (style, remark.name.to_string()),
            (DIM, format!("{}: {message}", remark.place())),
        ]);
    }
    table.render("")
}

fn and_more(message: &str, all: usize) -> String {
    match all {
        1 => message.to_string(),
        all => format!("{message} (and {} more)", all - 1),
    }
}

fn style(level: Level) -> Style {
    match level {
        Level::Error => BAD,
        Level::Warning => WARN,
        Level::Note => DIM,
    }
}
