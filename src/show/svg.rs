//! A picture of the graph around each dropout: an SVG that any browser shows.

mod draw;
mod layout;
mod panel;

use std::fmt::Write;

use super::Options;
use super::marks::Marked;
use crate::dropout::Site;
use crate::error::Result;
use crate::onnx::{Model, Values};
use crate::report::one_line;
use draw::{Drawing, escape};
use panel::panel;

/// Between panels and around them.
const MARGIN: f64 = 24.0;
/// Of the lines above a panel.
const TITLE: f64 = 26.0;

/// Draws the graph around every dropout of a model, one below the other.
///
/// # Errors
/// The model is not sound ([`Model::check`]), or cannot be read where a rate stands.
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
        panels.push(("no dropout in this file".to_string(), Drawing::default()));
    }
    let widths = panels.iter().map(|(title, drawing)| {
        let title = title.chars().count() as f64 * 8.0;
        drawing.width.max(title)
    });
    let width = widths.fold(0.0, f64::max) + 2.0 * MARGIN;
    let mut body = String::new();
    let mut y = MARGIN;
    for (title, drawing) in &panels {
        let (base, text) = (y + 14.0, escape(title));
        let _ = writeln!(
            body,
            r#"<text class="title" x="{MARGIN}" y="{base}">{text}</text>"#
        );
        y += TITLE;
        let (body_of, height) = (&drawing.body, drawing.height);
        let _ = writeln!(body, r#"<g transform="translate({MARGIN} {y})">"#);
        let _ = writeln!(body, "{body_of}</g>");
        y += height + MARGIN;
    }
    Ok(document(width, y, &body))
}

fn document(width: f64, height: f64, body: &str) -> String {
    format!(
        r##"<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0}" height="{height:.0}" viewBox="0 0 {width:.0} {height:.0}">
<style>
text {{ font: 12px ui-monospace, "DejaVu Sans Mono", Menlo, Consolas, monospace; fill: #1b1f24; }}
.title {{ font: bold 14px system-ui, "DejaVu Sans", Helvetica, Arial, sans-serif; }}
.op {{ font-weight: bold; }}
.dim {{ fill: #57606a; font-size: 10px; }}
.box {{ fill: #ffffff; stroke: #8c959f; }}
.port {{ fill: #eef3fa; stroke: #4a6fa5; }}
.cut {{ fill: none; stroke: none; }}
.edge {{ fill: none; stroke: #57606a; marker-end: url(#arrow); }}
</style>
<defs><marker id="arrow" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="7" markerHeight="7" orient="auto"><path d="M0 0L8 4L0 8z" fill="#57606a"/></marker></defs>
<rect width="100%" height="100%" fill="#ffffff"/>
{body}</svg>
"##
    )
}

/// `dropout 0: active, p=0.5, random_mask, layer sequential/dropout_1`.
fn title(marked: &mut Marked<'_>, index: usize) -> String {
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
    let rate = rate.map_or("p=?".to_string(), |rate| format!("p={rate}"));
    let mut title = format!("{kind} {id}: {mode}, {rate}, {form}");
    match layer {
        // layers are names, too
        Some(layer) if !marked.is_anonymous() => {
            let _ = write!(title, ", layer {}", one_line(layer));
        }
        _ => {}
    }
    if marked.model.depth(*graph) > 0 && !marked.is_anonymous() {
        let _ = write!(title, ", in {}", one_line(&marked.model.scope(*graph)));
    }
    title
}
