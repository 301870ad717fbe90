//! An audit, for people.

use std::fmt::Write;

use anstyle::Style;
use dropout_onnx::audit::{Document, ModelAudit, SiteRecord, Verdict};
use dropout_onnx::dropout::{Form, Kind, Mode, RateOrigin};
use dropout_onnx::report::{one_line, summary};

use crate::rules;
use crate::style::{BAD, DIM, GOOD, LABEL, Table, WARN, paint};
use crate::verification::count;

/// The models that could be audited, each with its sites and findings, and all models in one line.
pub fn document(document: &Document, verbose: bool) -> String {
    let mut out = String::new();
    for model in document.models.iter().filter(|model| model.error.is_none()) {
        out.push_str(&self::model(model, verbose));
        out.push_str(&rules::text(model, verbose));
    }
    if !out.is_empty() {
        let _ = writeln!(out, "{}", paint(LABEL, summary(&document.models)));
    }
    out.push_str(&rules::remarks(&document.remarks, verbose));
    out
}

fn model(model: &ModelAudit, verbose: bool) -> String {
    let mut out = String::new();
    let verdict = match model.verdict {
        Some(Verdict::Active) => paint(BAD, "active"),
        Some(Verdict::Unknown) => paint(WARN, "unknown"),
        Some(Verdict::Random) => paint(WARN, "random"),
        Some(Verdict::Training) => paint(WARN, "training"),
        Some(Verdict::Runtime) => paint(WARN, "runtime"),
        Some(Verdict::Frozen) => paint(WARN, "frozen"),
        Some(Verdict::Inert) => paint(GOOD, "inert"),
        Some(Verdict::Clean) | None => paint(GOOD, "clean"),
    };
    let number = match (model.sites.len(), model.verdict) {
        (0, Some(Verdict::Unknown)) => "no dropout found".to_string(),
        (0, Some(Verdict::Random)) => "no dropout, but random operators".to_string(),
        (0, _) => "no dropout in this file".to_string(),
        (some, _) => count(some, "dropout layer"),
    };
    let path = paint(LABEL, one_line(&model.path));
    let _ = writeln!(out, "{path}: {verdict}, {number}");
    let mut table = Table::default();
    for record in &model.sites {
        let print = record.fingerprint.iter().filter(|_| verbose);
        let print = print.map(|print| (DIM, format!("#{print}")));
        table.row(cells(record).into_iter().chain(print));
    }
    out.push_str(&table.render("  "));
    out
}

/// A site in a table.
pub fn cells(record: &SiteRecord) -> Vec<(Style, String)> {
    let style = match record.mode {
        Mode::Active => BAD,
        Mode::Runtime | Mode::Frozen => WARN,
        Mode::Inert => GOOD,
    };
    let symbol = match record.kind {
        Kind::GaussianNoise => "σ",
        _ => "p",
    };
    let rate = match record.rate {
        Some(rate) => format!("{symbol}={rate}"),
        None => format!("{symbol}=?"),
    };
    let origin = match record.rate_origin {
        RateOrigin::Default => "default rate".to_string(),
        other => format!("rate from {other}"),
    };
    let written = match (record.form, record.kind) {
        (Form::Operator, _) => format!("mask {}", record.mask),
        (Form::RandomMask, Kind::Dropout) => match &record.noise_shape {
            Some(shape) => format!("random mask [{}], {}", shape.join(", "), record.scaling),
            None => format!("random mask, {}", record.scaling),
        },
        (Form::RandomMask, kind) => format!("random {kind}"),
        (Form::FrozenMask, _) => format!("frozen mask, {}", record.scaling),
        (Form::Scale, _) => "scale left by classic dropout".to_string(),
    };
    // people know their layers; without one, name the node
    let node = record.calls.first().or(record.nodes.first()).cloned();
    let layer = record.layer.as_ref().map(|layer| format!("layer {layer}"));
    let place = layer.or(node).unwrap_or_default();
    vec![
        (style, record.mode.to_string()),
        (Style::new(), rate),
        (DIM, origin),
        (DIM, written),
        (Style::new(), record.scope.clone()),
        (Style::new(), place),
    ]
}
