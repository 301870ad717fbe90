//! One page for a browser, with nothing outside it: the models, sortable and to be filtered by verdict, rule,
//! producer and text; the dropout and the findings of each below its row, with pictures of the graph around them.
//! Without scripts it is a table.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use super::{alike_sites, groups, kind, rate, summary, worst_first};
use crate::audit::{Document, Level, ModelAudit, TOOL, Verdict};
use crate::escape::html as escape;
use crate::show::svg::{self, ARROW, Picture};

const STYLE: &str = include_str!("html/style.css");
const SCRIPT: &str = include_str!("html/script.js");

/// The columns, each with how its cells are ordered.
const COLUMNS: &[(&str, &str)] = &[
    ("Model", "text"),
    ("Verdict", "number"),
    ("Dropout layers", "number"),
    ("Errors", "number"),
    ("Warnings", "number"),
    ("Producer", "text"),
    ("Nodes", "number"),
    ("Bytes", "number"),
];

/// Pictures of models, by path.
#[doc(hidden)]
pub type Pictures = BTreeMap<String, Vec<Picture>>;

/// The maximum size of all pictures of a page, in bytes; the worst models come first.
const MOST: usize = 3_500_000;

/// The maximum size of the pictures of one model.
const MOST_OF_ONE: usize = 60_000;

/// The page.
pub fn text(document: &Document, pictures: &Pictures) -> String {
    let models = worst_first(&document.models);
    let mut left = MOST;
    let mut out = String::new();
    let _ = write!(
        out,
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n\
         <title>Dropout: {summary}</title>\n<style>\n{STYLE}{graphs}</style>\n</head>\n<body>\n\
         <svg class=\"graph\" width=\"0\" height=\"0\" aria-hidden=\"true\">{ARROW}</svg>\n\
         <h1>Dropout</h1>\n<p>{summary}. {TOOL}</p>\n",
        summary = escape(&summary(&document.models)),
        graphs = svg::style(".graph "),
    );
    filters(&mut out, &models);
    out.push_str("<table>\n<thead><tr>");
    for (name, kind) in COLUMNS {
        let _ = write!(
            out,
            "<th scope=\"col\"><button type=\"button\" data-kind=\"{kind}\">{name}</button></th>"
        );
    }
    out.push_str("</tr></thead>\n<tbody>\n");
    for model in &models {
        let pictures = pictures.get(&model.path).map_or(&[][..], Vec::as_slice);
        row(&mut out, model, pictures, &mut left);
    }
    out.push_str("</tbody>\n</table>\n");
    for remark in &document.remarks {
        let (level, place) = (remark.level, escape(&remark.place()));
        let message = escape(&remark.message);
        let _ = writeln!(
            out,
            "<p>{}: {place}: {message}</p>",
            chip(&level.to_string())
        );
    }
    let _ = write!(out, "<script>\n{SCRIPT}</script>\n</body>\n</html>\n");
    out
}

/// The controls, which scripts show.
fn filters(out: &mut String, models: &[&ModelAudit]) {
    let verdicts = models.iter().map(|model| verdict(model));
    let rules = models.iter().flat_map(|model| rules(model));
    let producers = models.iter().map(|model| model.producer.name.clone());
    out.push_str(
        "<form id=\"filters\" hidden>\n<label>Text <input type=\"search\" id=\"text\" \
         placeholder=\"path or layer\"></label>\n",
    );
    select(out, "Verdict", "verdict", verdicts);
    select(out, "Rule", "rule", rules.map(str::to_string));
    select(out, "Producer", "producer", producers);
    out.push_str("<output id=\"count\" aria-live=\"polite\"></output>\n</form>\n");
}

fn select(out: &mut String, label: &str, id: &str, values: impl Iterator<Item = String>) {
    let _ = write!(
        out,
        "<label>{label} <select id=\"{id}\"><option value=\"\">all</option>"
    );
    let values: BTreeSet<String> = values.filter(|value| !value.is_empty()).collect();
    for value in values {
        let _ = write!(out, "<option>{}</option>", escape(&value));
    }
    out.push_str("</select></label>\n");
}

fn row(out: &mut String, model: &ModelAudit, pictures: &[Picture], left: &mut usize) {
    let count = |level| {
        let findings = model.open_findings();
        findings.filter(|finding| finding.level == level).count()
    };
    let rules: Vec<&str> = rules(model).into_iter().collect();
    let verdict = verdict(model);
    let producer = &model.producer;
    let _ = write!(
        out,
        "<tr data-verdict=\"{verdict}\" data-rule=\"{}\" data-producer=\"{}\"><th scope=\"row\">",
        rules.join(" "),
        escape(&producer.name)
    );
    details(out, model, pictures, left);
    let rank = model.verdict.map_or(Verdict::ALL.len(), |verdict| {
        let place = Verdict::ALL.iter().position(|known| *known == verdict);
        place.unwrap_or_default()
    });
    let number = |number: Option<u64>| number.map_or(String::new(), |number| number.to_string());
    let _ = writeln!(
        out,
        "</th><td data-sort=\"{rank}\">{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td>\
         <td>{}</td><td>{}</td></tr>",
        chip(&verdict),
        model.sites.len(),
        count(Level::Error),
        count(Level::Warning),
        escape(&producer.to_string()),
        number(model.nodes.map(|nodes| nodes as u64)),
        number(model.bytes),
    );
}

/// The path; below it, the dropout, the findings and the pictures.
fn details(out: &mut String, model: &ModelAudit, pictures: &[Picture], left: &mut usize) {
    let path = escape(&model.path);
    if model.error.is_none() && model.sites.is_empty() && model.findings.is_empty() {
        out.push_str(&path);
        return;
    }
    let _ = write!(out, "<details><summary>{path}</summary>");
    if let Some(error) = &model.error {
        let _ = write!(out, "<p>{}</p>", escape(error));
    }
    if !model.sites.is_empty() {
        out.push_str("<ul>");
        let sites = model.sites.iter().map(|site| (site, String::new()));
        for group in alike_sites(sites) {
            let ((record, _), times) = (&group.items[0], group.times());
            let (mode, [place]) = (chip(&record.mode.to_string()), group.places());
            let (rate, kind, place) = (rate(record), escape(&kind(record)), escape(&place));
            let _ = write!(
                out,
                "<li>{mode} {rate} {kind} {times}: <code>{place}</code></li>"
            );
        }
        out.push_str("</ul>");
    }
    for group in groups(model) {
        let _ = write!(
            out,
            "<p>{} <b>{}</b>: {}. {}.</p>",
            chip(&group.level.to_string()),
            group.rule,
            escape(&group.message()),
            escape(&group.help(&model.path)),
        );
    }
    let excused = model.findings.iter().filter(|finding| !finding.is_open());
    for finding in excused {
        let reason = finding
            .allowed
            .as_ref()
            .map(|allowed| escape(&allowed.reason));
        let reason = reason.map_or("in the baseline".to_string(), |why| {
            format!("allowed: {why}")
        });
        let _ = write!(out, "<p>{} ({reason})</p>", finding.rule);
    }
    drawn(out, &path, pictures, left);
    out.push_str("</details>");
}

/// The pictures that there is room for, and how to see the others.
fn drawn(out: &mut String, path: &str, pictures: &[Picture], left: &mut usize) {
    let mut room = MOST_OF_ONE.min(*left);
    let fits = pictures.iter().take_while(|picture| {
        let fits = picture.svg.len() <= room;
        room -= if fits { picture.svg.len() } else { 0 };
        fits
    });
    let shown: Vec<&Picture> = fits.collect();
    for Picture { title, svg, .. } in &shown {
        *left -= svg.len();
        let title = escape(&title.join(", "));
        let _ = write!(
            out,
            "<figure tabindex=\"0\"><figcaption>{title}</figcaption>{svg}</figure>"
        );
    }
    let others = pictures.len() - shown.len();
    if others > 0 {
        let more = if shown.is_empty() { "" } else { "more " };
        let plural = if others == 1 { "" } else { "s" };
        let _ = write!(
            out,
            "<p>{others} {more}picture{plural}: <code>dropout-onnx show --format svg {path}</code></p>"
        );
    }
}

/// The rules of the open findings.
fn rules(model: &ModelAudit) -> BTreeSet<&'static str> {
    model.open_findings().map(|finding| finding.rule).collect()
}

fn verdict(model: &ModelAudit) -> String {
    model
        .verdict
        .map_or("unreadable".to_string(), |v| v.to_string())
}

/// A word in a colour of its own.
fn chip(word: &str) -> String {
    format!("<span class=\"chip {word}\">{word}</span>")
}
