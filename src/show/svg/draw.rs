//! A small graph as SVG elements.

use std::fmt::Write;

use super::layout::{Layout, Place, layout};
use super::panel::{Edge, Item, Panel, Shape};
use crate::escape::{html as escape, tail};

/// The width of a letter of the boxes' font.
const LETTER: f64 = 7.3;
/// Between lines.
const LINE: f64 = 15.0;
/// Longer texts are cut; all of it is shown under the pointer.
const LONGEST: usize = 44;

/// Elements, and the room they take.
#[derive(Debug, Default)]
pub(super) struct Drawing {
    pub body: String,
    pub width: f64,
    pub height: f64,
}

impl Drawing {
    pub fn new(panel: &Panel) -> Drawing {
        let sizes: Vec<_> = panel.items.iter().map(size).collect();
        let edges: Vec<_> = (panel.edges.iter()).map(|e| (e.from, e.to)).collect();
        let Layout {
            places,
            bends,
            width,
            height,
        } = layout(&sizes, &edges);
        let mut body = String::new();
        for (edge, bends) in panel.edges.iter().zip(&bends) {
            draw_edge(&mut body, edge, &places, bends);
        }
        for (item, place) in panel.items.iter().zip(&places) {
            draw_item(&mut body, item, place);
        }
        Drawing {
            body,
            width,
            height,
        }
    }
}

fn size(item: &Item) -> (f64, f64) {
    let letters = item
        .lines
        .iter()
        .map(|line| line.chars().count().min(LONGEST));
    let width = letters.max().unwrap_or(0) as f64 * LETTER + 18.0;
    (width, item.lines.len() as f64 * LINE + 10.0)
}

fn draw_item(out: &mut String, item: &Item, place: &Place) {
    let Place {
        x,
        y,
        width,
        height,
    } = *place;
    let lines: Vec<String> = item.lines.iter().map(|line| escape(line)).collect();
    let (left, title) = (x - width / 2.0, lines.join("\n"));
    let (class, radius) = match item.shape {
        Shape::Node(None) => ("box".to_string(), 4.0),
        Shape::Node(Some((mode, own))) => {
            let own = if own { " own" } else { "" };
            (format!("{}{own}", mode.word()), 4.0)
        }
        Shape::Port => ("port".to_string(), height / 2.0),
        Shape::Cut => ("cut".to_string(), 0.0),
    };
    let _ = writeln!(
        out,
        r#"<g><title>{title}</title><rect class="{class}" x="{left:.1}" y="{y:.1}" width="{width:.1}" height="{height:.1}" rx="{radius:.1}"/>"#
    );
    for (index, line) in item.lines.iter().enumerate() {
        let class = if index == 0 { "op" } else { "dim" };
        let (base, text) = (
            y + LINE * (index as f64 + 1.0) + 1.0,
            escape(&tail(line, LONGEST)),
        );
        let _ = writeln!(
            out,
            r#"<text class="{class}" x="{x:.1}" y="{base:.1}" text-anchor="middle">{text}</text>"#
        );
    }
    out.push_str("</g>\n");
}

fn draw_edge(out: &mut String, edge: &Edge, places: &[Place], bends: &[(f64, f64)]) {
    let (from, to) = (&places[edge.from], &places[edge.to]);
    let mut points = vec![(from.x, from.y + from.height)];
    points.extend(bends);
    points.push((to.x, to.y));
    let (x, y) = points[0];
    let mut path = format!("M{x:.1} {y:.1}");
    for pair in points.windows(2) {
        let ((x, y), (end_x, end_y)) = (pair[0], pair[1]);
        let middle = (y + end_y) / 2.0;
        let _ = write!(
            path,
            "C{x:.1} {middle:.1} {end_x:.1} {middle:.1} {end_x:.1} {end_y:.1}"
        );
    }
    let label = escape(&edge.label);
    let _ = writeln!(
        out,
        r#"<path class="edge" d="{path}"><title>{label}</title></path>"#
    );
}
