//! An audit, for people.
//!
//! Of one model: what it is, its dropouts, and what was found with what to do. Of several: a line for each
//! the worst first, then the findings by rule. The last line counts models and
//! findings.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::path::Path;

use anstyle::Style;
use bytesize::ByteSize;
use dropout_onnx::audit::{Document, Level, ModelAudit, RULES, State, TOOL, Verdict};
use dropout_onnx::dropout::Mode;
use dropout_onnx::report::{help, help_in, one_line, rates, summary, worst_first};

use super::findings::{self, Paragraph};
use crate::sites;
use crate::style::{BAD, DIM, GOOD, LABEL, Table, WARN, paint, wrap};
use crate::verification::count;

/// The number of models up to which clean ones are listed without `verbose`.
const SCREEN: usize = 24;

/// The models that could be audited, then all models in one line, and remarks.
pub fn document(document: &Document, verbose: bool) -> String {
    let models: Vec<_> = worst_first(&document.models)
        .into_iter()
        .filter(|model| model.error.is_none())
        .collect();
    let mut out = String::new();
    if verbose && !models.is_empty() {
        out.push_str(&in_force(&models));
    }
    let single = document.models.len() == 1 || verbose;
    for model in &models {
        out.push_str(&match single {
            true => whole(model, verbose),
            false => in_short(model, models.len() <= SCREEN),
        });
    }
    if !single {
        out.push_str(&by_rule(&models));
    }
    if models.iter().any(|model| model.open_findings().count() > 0) {
        let more = "dropout-onnx audit --explain RULE describes a rule";
        let _ = writeln!(out, "{}", paint(DIM, more));
    }
    if !models.is_empty() {
        for line in wrap(&summary(&document.models), 0) {
            let _ = writeln!(out, "{}", paint(LABEL, line));
        }
    }
    out.push_str(&findings::remarks(&document.remarks, verbose));
    out
}

/// The program and the configurations, with the rules whose levels they change.
fn in_force(models: &[&ModelAudit]) -> String {
    let mut lines = BTreeSet::new();
    for model in models {
        let rules = model.rules.iter().map(|(rule, level)| {
            let level = level.as_str().unwrap_or("disabled");
            format!("{rule} {level}")
        });
        let rules: Vec<String> = rules.collect();
        let rules = match rules.is_empty() {
            true => "default rules".to_string(),
            false => rules.join(", "),
        };
        let file = model.configuration.as_deref().unwrap_or("no configuration");
        lines.insert(format!("{}: {rules}\n", one_line(file)));
    }
    let lines: String = lines.into_iter().collect();
    format!("{TOOL}\n{lines}")
}

/// A model with its sites and findings.
fn whole(model: &ModelAudit, verbose: bool) -> String {
    let mut out = format!("{}\n  {}\n", head(model), paint(DIM, described(model)));
    let records: Vec<_> = (model.sites.iter())
        .map(|record| (record, String::new()))
        .collect();
    out.push_str(&sites::table(&records, verbose).render("  "));
    out.push_str(&source(model));
    out.push_str(&findings::text(model, verbose));
    out
}

/// What became of the dropout of the source, if that was given.
fn source(model: &ModelAudit) -> String {
    let Some(source) = &model.source else {
        return String::new();
    };
    let mut table = Table::default();
    table.head(["SOURCE LAYER", "CLASS", "ARGUMENT", "IN THIS MODEL"]);
    let plain = Style::new();
    for dropout in source {
        let style = match dropout.state {
            State::Is(Mode::Active) => BAD,
            State::Is(Mode::Inert) | State::Missing => GOOD,
            _ => WARN,
        };
        let other = dropout.exported_rate;
        let other = other.filter(|rate| (rate - dropout.rate).abs() > 1e-6);
        let other = other.map_or(String::new(), |rate| format!(", rate {rate}"));
        table.row([
            (plain, dropout.layer.clone()),
            (plain, dropout.layer_class.clone()),
            (plain, format!("{}={}", dropout.argument, dropout.rate)),
            (style, format!("{}{other}", dropout.state)),
        ]);
    }
    match source.is_empty() {
        true => "  the source has no dropout\n".to_string(),
        false => table.render("  "),
    }
}

/// A model with its findings, except for those that its verdict implies.
fn in_short(model: &ModelAudit, clean: bool) -> String {
    let findings = findings::in_short(model);
    if !clean
        && model.sites.is_empty()
        && findings.is_empty()
        && model.verdict == Some(Verdict::Clean)
    {
        return String::new();
    }
    let rates: String = (rates(&model.sites).iter())
        .map(|rate| format!(", {rate}"))
        .collect();
    format!("{}{rates}\n{findings}", head(model))
}

fn head(model: &ModelAudit) -> String {
    let verdict = model.verdict.unwrap_or(Verdict::Clean);
    let style = match verdict {
        Verdict::Active => BAD,
        Verdict::Inert | Verdict::Clean => GOOD,
        _ => WARN,
    };
    let verdict = paint(style, verdict);
    let number = match (model.sites.len(), model.verdict) {
        (0, Some(Verdict::Unknown)) => "no dropout found".to_string(),
        (0, Some(Verdict::Random)) => "no dropout, but random operators".to_string(),
        (0, _) => "no dropout in this file".to_string(),
        (some, _) => count(some, "dropout layer"),
    };
    let path = paint(LABEL, one_line(&model.path));
    format!("{path}: {verdict}, {number}")
}

/// `pytorch 2.5.1, opset 17, 412 nodes, 418.1 MiB`.
fn described(model: &ModelAudit) -> String {
    let opset = model.opset.get("ai.onnx");
    let opset = opset.map_or(String::new(), |version| format!("opset {version}"));
    let nodes = model
        .nodes
        .map_or(String::new(), |nodes| count(nodes, "node"));
    let size = model.bytes.map_or(String::new(), |bytes| {
        ByteSize(bytes).display().iec().to_string()
    });
    let parts = [model.producer.to_string(), opset, nodes, size];
    let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
    let parts: Vec<&str> = parts.into_iter().filter(|part| !part.is_empty()).collect();
    one_line(&parts.join(", "))
}

/// What to do about a rule in these models.
fn help_for(rule: &str, models: &[&ModelAudit]) -> String {
    if let [model] = models {
        return help(rule, &model.path);
    }
    let paths = || models.iter().map(|model| Path::new(&model.path));
    let folders = paths().flat_map(|path| path.ancestors().skip(1));
    let mut common = folders.filter(|folder| paths().all(|path| path.starts_with(folder)));
    match common.next().map(Path::to_string_lossy) {
        Some(folder) if !folder.is_empty() => help_in(rule, &folder),
        _ => help_in(rule, "."),
    }
}

/// Errors and warnings of all models, by rule, with what to do.
fn by_rule(models: &[&ModelAudit]) -> String {
    let mut out = String::new();
    for level in [Level::Error, Level::Warning] {
        for rule in RULES {
            let of = |model: &ModelAudit| {
                let open = model.open_findings();
                open.filter(|finding| finding.rule == rule.name && finding.level == level)
                    .count()
            };
            let affected = models.iter().filter(|model| of(model) > 0);
            let affected: Vec<&ModelAudit> = affected.copied().collect();
            let all: usize = affected.iter().map(|model| of(model)).sum();
            if all > 0 {
                let number = count(affected.len(), "model");
                let text = format!("{} in {number}", count(all, "finding"));
                let help = help_for(rule.name, &affected);
                out.push_str(
                    &Paragraph::new(level, rule.name, &text)
                        .help(help)
                        .render(""),
                );
            }
        }
    }
    out
}
