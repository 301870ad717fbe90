//! A picture of the graph around each dropout: an SVG that any browser shows.

mod draw;
mod layout;
mod panel;

use std::fmt::Write;

use super::Options;
use super::marks::{Marked, colours};
use crate::dropout::{Mode, Site};
use crate::error::Result;
use crate::escape::{html as escape, one_line};
use crate::onnx::{GraphKind, Model, Values};
use draw::Drawing;
use panel::{Panel, panel};

/// Between panels and around them.
const MARGIN: f64 = 24.0;
/// Of a line above a panel.
const TITLE: f64 = 20.0;

/// Rows of panels are no wider, unless one panel is.
const PAGE: f64 = 1200.0;

/// Draws the graph around every dropout of a model, in rows. Panels that differ only in the numbers of names
/// are drawn once, with their number.
///
/// # Errors
/// The model is not valid ([`Model::check`]), or the rate of a dropout cannot be read.
pub fn text(model: &Model, options: &Options) -> Result<String> {
    let mut marked = marked(model, options)?;
    let groups = groups(&mut marked);
    let mut blocks = vec![legend(&marked.sites)];
    for group in &groups {
        let title = title(&mut marked, group);
        blocks.push(block(&title, &Drawing::new(&group.panel)));
    }
    if groups.is_empty() {
        let title = vec!["no dropout in this file".to_string()];
        blocks.push(block(&title, &Drawing::default()));
    }
    let widest = blocks.iter().map(|block| block.width).fold(PAGE, f64::max);
    let mut body = String::new();
    let (mut x, mut y, mut row, mut width) = (MARGIN, MARGIN, 0.0_f64, 0.0_f64);
    for (index, block) in blocks.iter().enumerate() {
        // the legend has a row of its own
        if index == 1 || x + block.width > widest + MARGIN {
            (x, y, row) = (MARGIN, y + row, 0.0);
        }
        let _ = writeln!(body, r#"<g transform="translate({x} {y})">"#);
        let _ = writeln!(body, "{}</g>", block.body);
        x += block.width + 2.0 * MARGIN;
        width = width.max(x - MARGIN);
        row = row.max(block.height + MARGIN);
    }
    Ok(document(width, y + row, &body))
}

/// The graph around a dropout, as an element of a page that has [`style`] and [`ARROW`].
#[derive(Clone, Debug)]
#[non_exhaustive]
#[doc(hidden)]
pub struct Picture {
    /// Which dropout it is, and where.
    pub title: Vec<String>,
    /// The element.
    pub svg: String,
}

/// Pictures of all dropout of a model, those alike once.
///
/// # Errors
/// As [`text`].
#[doc(hidden)]
pub fn pictures(model: &Model) -> Result<Vec<Picture>> {
    let mut marked = marked(model, &Options::default())?;
    let groups = groups(&mut marked);
    let pictures = groups.iter().map(|group| {
        let Drawing {
            body,
            width,
            height,
        } = Drawing::new(&group.panel);
        let title = title(&mut marked, group);
        let label = escape(&title.join(", "));
        Picture {
            svg: format!(
                r#"<svg class="graph" role="img" aria-label="{label}" width="{width:.0}" height="{height:.0}" viewBox="-2 -2 {:.0} {:.0}">{body}</svg>"#,
                width + 4.0,
                height + 4.0
            ),
            title,
        }
    });
    Ok(pictures.collect())
}

fn marked<'m>(model: &'m Model, options: &Options) -> Result<Marked<'m>> {
    model.check(&Values::new(model))?;
    Marked::new(model, options)
}

fn groups(marked: &mut Marked<'_>) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    for index in 0..marked.sites.len() {
        let panel = panel(marked, index);
        let key = (heading(&marked.sites[index]), panel.pattern());
        match groups.iter_mut().find(|group| group.key == key) {
            Some(group) => group.more += 1,
            None => groups.push(Group {
                key,
                first: index,
                panel,
                more: 0,
            }),
        }
    }
    groups
}

/// Dropouts with the same picture.
struct Group {
    key: (String, Vec<String>),
    /// The first of them, which is drawn.
    first: usize,
    panel: Panel,
    /// The number of the others.
    more: usize,
}

/// A drawing below its title.
fn block(title: &[String], drawing: &Drawing) -> Drawing {
    let (mut body, mut y, mut width) = (String::new(), 0.0, drawing.width);
    for (index, line) in title.iter().enumerate() {
        let (class, letter) = match index {
            0 => ("title", 8.5),
            _ => ("dim", 6.1),
        };
        let (base, text) = (y + 14.0, escape(line));
        let _ = writeln!(
            body,
            r#"<text class="{class}" x="0" y="{base}">{text}</text>"#
        );
        width = width.max(line.chars().count() as f64 * letter);
        y += TITLE;
    }
    y += TITLE / 2.0;
    let _ = writeln!(body, r#"<g transform="translate(0 {y})">"#);
    let _ = writeln!(body, "{}</g>", drawing.body);
    Drawing {
        body,
        width,
        height: y + drawing.height,
    }
}

/// The colours of the modes that occur.
fn legend(sites: &[Site]) -> Drawing {
    let (mut body, mut x) = (String::new(), 0.0);
    let modes = Mode::ALL.iter().rev();
    for mode in modes.filter(|mode| sites.iter().any(|site| site.mode == **mode)) {
        let (word, text) = (mode.word(), x + 20.0);
        let _ = writeln!(
            body,
            r#"<rect class="{word}" x="{x}" y="2" width="14" height="14" rx="3"/><text x="{text}" y="13">{word}</text>"#
        );
        x = text + word.chars().count() as f64 * 7.3 + 24.0;
    }
    Drawing {
        body,
        width: x,
        height: if x > 0.0 { TITLE } else { 0.0 },
    }
}

/// How boxes, texts and edges look; a line each.
const STYLE: &str = r##"text { font: 12px ui-monospace, "DejaVu Sans Mono", Menlo, Consolas, monospace; fill: #1b1f24; }
text.title { font: bold 14px system-ui, "DejaVu Sans", Helvetica, Arial, sans-serif; }
text.op { font-weight: bold; }
text.dim { fill: #57606a; font-size: 10px; }
.page { fill: #ffffff; }
.box { fill: #ffffff; stroke: #8c959f; }
.port { fill: #eef3fa; stroke: #4a6fa5; }
.cut { fill: none; stroke: none; }
.edge { fill: none; stroke: #57606a; marker-end: url(#arrow); }
.tip { fill: #57606a; }
"##;

/// The same in dark.
const DARK: &str = "text { fill: #e6edf3; }
text.dim { fill: #9da7b3; }
.page { fill: #0d1117; }
.box { fill: #0d1117; }
.port { fill: #172033; }
.inert { fill: #12361b; }
.frozen { fill: #45330a; }
.runtime { fill: #45330a; }
.active { fill: #521c1c; }
.edge { stroke: #8b949e; }
.tip { fill: #8b949e; }
";

/// The end of an edge, once in a document.
#[doc(hidden)]
pub const ARROW: &str = r#"<defs><marker id="arrow" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="7" markerHeight="7" orient="auto"><path class="tip" d="M0 0L8 4L0 8z"/></marker></defs>"#;

/// The rules of pictures below an element: where colours are set by classes, a browser that shows dark pages
/// shows a dark picture.
#[doc(hidden)]
pub fn style(below: &str) -> String {
    let mut modes = String::new();
    for mode in Mode::ALL {
        let (word, (fill, line)) = (mode.word(), colours(*mode));
        let _ = writeln!(modes, ".{word} {{ fill: {fill}; stroke: {line}; }}");
    }
    let rules = |text: &str| -> String {
        let lines = text.lines();
        lines.map(|line| format!("{below}{line}\n")).collect()
    };
    let (light, modes, dark) = (rules(STYLE), rules(&modes), rules(DARK));
    format!(
        "{light}{modes}{below}.own {{ stroke-width: 3px; }}\n\
         @media (prefers-color-scheme: dark) {{\n{dark}}}\n"
    )
}

fn document(width: f64, height: f64, body: &str) -> String {
    // in a notebook or a page, its rules must not reach other pictures
    let style = style(".dropout-onnx ");
    format!(
        r##"<svg class="dropout-onnx" xmlns="http://www.w3.org/2000/svg" width="{width:.0}" height="{height:.0}" viewBox="0 0 {width:.0} {height:.0}">
<style>
{style}</style>
{ARROW}
<rect class="page" width="100%" height="100%"/>
{body}</svg>
"##
    )
}

/// `dropout 0 and 11 more: active, p=0.5, random_mask`, then where the first is.
fn title(marked: &mut Marked<'_>, group: &Group) -> Vec<String> {
    let site = &marked.sites[group.first];
    let more = match group.more {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let mut lines = vec![format!("{} {}{more}: {}", site.kind, site.id, group.key.0)];
    if marked.is_anonymous() {
        // layers and scopes are names, too
        return lines;
    }
    let layer = site.layer.as_ref();
    lines.extend(layer.map(|layer| format!("layer {}{more}", one_line(layer))));
    if marked.model.graph(site.graph).kind != GraphKind::Main {
        lines.push(format!("in {}", one_line(&marked.model.scope(site.graph))));
    }
    lines
}

/// `active, p=0.5, random_mask`.
fn heading(site: &Site) -> String {
    let Site {
        mode,
        kind,
        form,
        rate,
        ..
    } = site;
    let rate = rate.map_or("?".to_string(), |rate| rate.to_string());
    format!("{mode}, {}={rate}, {form}", kind.symbol())
}
