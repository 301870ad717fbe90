//! A picture of the graph around each dropout: an SVG that any browser shows.

mod draw;
mod layout;
mod panel;

use std::fmt::Write;

use super::Options;
use super::marks::{Marked, colours};
use crate::dropout::{Kind, Mode, Site};
use crate::error::Result;
use crate::escape::one_line;
use crate::onnx::{GraphKind, Model, Values};
use draw::{Drawing, escape};
use panel::panel;

/// Between panels and around them.
const MARGIN: f64 = 24.0;
/// Of a line above a panel.
const TITLE: f64 = 20.0;

/// Draws the graph around every dropout of a model, one below the other.
///
/// # Errors
/// The model is not valid ([`Model::check`]), or the rate of a dropout cannot be read.
pub fn text(model: &Model, options: &Options) -> Result<String> {
    model.check(&Values::new(model))?;
    let mut marked = Marked::new(model, options)?;
    let mut panels = Vec::new();
    for index in 0..marked.sites.len() {
        let title = title(&mut marked, index);
        let panel = panel(&mut marked, index);
        panels.push((title, Drawing::new(&panel)));
    }
    if panels.is_empty() {
        let title = vec!["no dropout in this file".to_string()];
        panels.push((title, Drawing::default()));
    }
    let widths = panels.iter().map(|(title, drawing)| {
        let lines = title.iter().enumerate().map(|(index, line)| {
            let letter = if index == 0 { 8.5 } else { 6.1 };
            line.chars().count() as f64 * letter
        });
        lines.fold(drawing.width, f64::max)
    });
    let width = widths.fold(0.0, f64::max) + 2.0 * MARGIN;
    let mut body = String::new();
    let mut y = MARGIN;
    for (title, drawing) in &panels {
        for (index, line) in title.iter().enumerate() {
            let class = if index == 0 { "title" } else { "dim" };
            let (base, text) = (y + 14.0, escape(line));
            let _ = writeln!(
                body,
                r#"<text class="{class}" x="{MARGIN}" y="{base}">{text}</text>"#
            );
            y += TITLE;
        }
        y += TITLE / 2.0;
        let (body_of, height) = (&drawing.body, drawing.height);
        let _ = writeln!(body, r#"<g transform="translate({MARGIN} {y})">"#);
        let _ = writeln!(body, "{body_of}</g>");
        y += height + MARGIN;
    }
    Ok(document(width, y, &body))
}

/// Where colours are set by classes, a browser that shows dark pages shows a dark picture.
fn document(width: f64, height: f64, body: &str) -> String {
    let mut modes = String::new();
    for mode in Mode::ALL {
        let (word, (fill, line)) = (mode.word(), colours(*mode));
        let _ = writeln!(modes, ".{word} {{ fill: {fill}; stroke: {line}; }}");
    }
    format!(
        r##"<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0}" height="{height:.0}" viewBox="0 0 {width:.0} {height:.0}">
<style>
text {{ font: 12px ui-monospace, "DejaVu Sans Mono", Menlo, Consolas, monospace; fill: #1b1f24; }}
text.title {{ font: bold 14px system-ui, "DejaVu Sans", Helvetica, Arial, sans-serif; }}
text.op {{ font-weight: bold; }}
text.dim {{ fill: #57606a; font-size: 10px; }}
.page {{ fill: #ffffff; }}
.box {{ fill: #ffffff; stroke: #8c959f; }}
.port {{ fill: #eef3fa; stroke: #4a6fa5; }}
.cut {{ fill: none; stroke: none; }}
{modes}.own {{ stroke-width: 3px; }}
.edge {{ fill: none; stroke: #57606a; marker-end: url(#arrow); }}
.tip {{ fill: #57606a; }}
@media (prefers-color-scheme: dark) {{
text {{ fill: #e6edf3; }}
text.dim {{ fill: #9da7b3; }}
.page, .box {{ fill: #0d1117; }}
.port {{ fill: #172033; }}
.inert {{ fill: #12361b; }}
.frozen, .runtime {{ fill: #45330a; }}
.active {{ fill: #521c1c; }}
.edge {{ stroke: #8b949e; }}
.tip {{ fill: #8b949e; }}
}}
</style>
<defs><marker id="arrow" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="7" markerHeight="7" orient="auto"><path class="tip" d="M0 0L8 4L0 8z"/></marker></defs>
<rect class="page" width="100%" height="100%"/>
{body}</svg>
"##
    )
}

/// `dropout 0: active, p=0.5, random_mask`, then where that is.
fn title(marked: &mut Marked<'_>, index: usize) -> Vec<String> {
    let Site {
        id,
        mode,
        kind,
        form,
        rate,
        layer,
        graph,
        ..
    } = &marked.sites[index];
    // the strength of noise is its standard deviation
    let strength = if *kind == Kind::GaussianNoise {
        "σ"
    } else {
        "p"
    };
    let rate = rate.map_or("?".to_string(), |rate| rate.to_string());
    let rate = format!("{strength}={rate}");
    let mut lines = vec![format!("{kind} {id}: {mode}, {rate}, {form}")];
    if marked.is_anonymous() {
        // layers and scopes are names, too
        return lines;
    }
    lines.extend((layer.as_ref()).map(|layer| format!("layer {}", one_line(layer))));
    if marked.model.graph(*graph).kind != GraphKind::Main {
        lines.push(format!("in {}", one_line(&marked.model.scope(*graph))));
    }
    lines
}
