//! Findings and remarks, for people.

use anstyle::Style;
use dropout_onnx::audit::{Finding, Level, ModelAudit, RULES, Remark};
use dropout_onnx::report::{Group, groups, one_line};

use crate::style::{BAD, DIM, WARN, paint, wrap};
use crate::verification::count;

/// Rules that repeat the verdict and the table of sites.
const IMPLIED: &[&str] = &[
    "active-dropout",
    "runtime-dropout",
    "frozen-mask",
    "leftover-dropout",
    "invalid-rate",
    "invalid-dropout",
];

/// A finding in lines: its level, its rule and its message, and below it what to do.
pub struct Paragraph {
    label: String,
    lines: Vec<(Style, String)>,
}

impl Paragraph {
    pub fn new(level: Level, rule: &str, message: &str) -> Paragraph {
        let style = style(level);
        Paragraph {
            label: paint(style, format!("{:<7}", level.to_string())),
            lines: vec![(Style::new(), format!("{}: {message}", paint(style, rule)))],
        }
    }

    /// With advice.
    pub fn help(mut self, help: String) -> Paragraph {
        self.lines.push((DIM, format!("help: {}", lower(&help))));
        self
    }

    pub fn render(&self, indent: &str) -> String {
        let hanging = format!("{indent}         ");
        let mut out = format!("{indent}{}  ", self.label);
        for (index, (style, text)) in self.lines.iter().enumerate() {
            if index > 0 {
                out.push_str(&hanging);
            }
            for (index, line) in wrap(text, hanging.len()).iter().enumerate() {
                if index > 0 {
                    out.push_str(&hanging);
                }
                out.push_str(&paint(*style, line));
                out.push('\n');
            }
        }
        out
    }
}

/// `Run x` as `run x`.
fn lower(text: &str) -> String {
    let mut chars = text.chars();
    match chars.next() {
        Some(first) => first.to_lowercase().chain(chars).collect(),
        None => String::new(),
    }
}

/// Open findings, those of one rule and message together, with what to do; then those that are allowed,
/// and how many are in the baseline.
pub fn text(model: &ModelAudit, verbose: bool) -> String {
    let mut out = String::new();
    for group in groups(model) {
        let help = group.help(&model.path);
        let paragraphs = match verbose {
            true => group
                .findings
                .iter()
                .map(|f| one_line(&f.message))
                .collect(),
            false => vec![group.message()],
        };
        let last = paragraphs.len() - 1;
        for (index, message) in paragraphs.into_iter().enumerate() {
            let paragraph = Paragraph::new(group.level, group.rule, &message);
            let paragraph = match index == last {
                true => paragraph.help(help.clone()),
                false => paragraph,
            };
            out.push_str(&paragraph.render("  "));
        }
    }
    out.push_str(&excused(model, verbose));
    out
}

/// Errors and warnings that the verdict does not imply, one line each; with a baseline, all that are new.
pub fn in_short(model: &ModelAudit) -> String {
    let baseline = model.findings.iter().any(|f| f.baseline.is_some());
    let implied = |group: &Group<'_>| {
        let rule = RULES.iter().find(|rule| rule.name == group.rule);
        let usual = rule.is_none_or(|rule| rule.level == group.level);
        !baseline && usual && IMPLIED.contains(&group.rule)
    };
    let groups = groups(model).into_iter();
    let groups = groups.filter(|group| group.level > Level::Note && !implied(group));
    let lines: String = groups
        .map(|group| Paragraph::new(group.level, group.rule, &group.message()).render("  "))
        .collect();
    lines + &excused(model, false)
}

/// Findings that are allowed, one for each reason and rule, and the number of those in the baseline; all
/// of them if `verbose`.
fn excused(model: &ModelAudit, verbose: bool) -> String {
    let mut out = String::new();
    let mut seen = Vec::new();
    let closed: Vec<&Finding> = model.findings.iter().filter(|f| !f.is_open()).collect();
    for finding in &closed {
        let what = (finding.rule, &finding.allowed);
        let fresh = finding.allowed.is_some() && !seen.contains(&what);
        seen.push(what);
        if !verbose && !fresh {
            continue;
        }
        let (word, reason) = match &finding.allowed {
            Some(allowed) => {
                let until = allowed.expires.iter();
                let until: String = until.map(|day| format!(", until {day}")).collect();
                ("allowed", format!(" ({}{until})", allowed.reason))
            }
            None => ("known", String::new()),
        };
        let text = one_line(&format!("{}: {}{reason}", finding.rule, finding.message));
        let paragraph = Paragraph {
            label: paint(DIM, format!("{word:<7}")),
            lines: vec![(DIM, text)],
        };
        out.push_str(&paragraph.render("  "));
    }
    let known = closed.iter().filter(|f| f.allowed.is_none()).count();
    if known > 0 && !verbose {
        let known = format!("  {} in the baseline", count(known, "known finding"));
        out.push_str(&paint(DIM, known));
        out.push('\n');
    }
    out
}

/// Remarks about the configuration and the baseline: one per file and kind, all if `verbose`.
pub fn remarks(remarks: &[Remark], verbose: bool) -> String {
    let mut out = String::new();
    let mut seen: Vec<(&str, &str)> = Vec::new();
    for remark in remarks {
        let kind = (remark.name, remark.path.as_str());
        if seen.contains(&kind) && !verbose {
            continue;
        }
        seen.push(kind);
        let same = remarks.iter().filter(|r| (r.name, r.path.as_str()) == kind);
        let more = match same.count() {
            many if many > 1 && !verbose => format!(" (and {} more)", many - 1),
            _ => String::new(),
        };
        let message = format!("{}: {}{more}", remark.place(), remark.message);
        let message = one_line(&message);
        out.push_str(&Paragraph::new(remark.level, remark.name, &message).render(""));
    }
    out
}

fn style(level: Level) -> Style {
    match level {
        Level::Error => BAD,
        Level::Warning => WARN,
        _ => DIM,
    }
}
