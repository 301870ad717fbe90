//! Uncertainty against rate, as a small SVG: the spread of every output, and of classifiers the entropy
//! and the agreement of runs.
//!
//! Text and axes are of a grey that is read on white and on black; there is no background.

use std::ops::Range;

use plotters::prelude::*;

use super::{Classes, Output, Sampling, average};

/// The size of one panel.
const PANEL: (u32, u32) = (360, 300);
/// Height of the title.
const TITLE: u32 = 28;
/// The maximum number of outputs, so that they can be distinguished.
const OUTPUTS: usize = 6;
/// Okabe and Ito's colours with contrast on white and on black, the blue made lighter for that.
const COLOURS: [RGBColor; OUTPUTS] = [
    RGBColor(0x2a, 0x88, 0xc8),
    RGBColor(0xd5, 0x5e, 0x00),
    RGBColor(0x00, 0x9e, 0x73),
    RGBColor(0xcc, 0x79, 0xa7),
    RGBColor(0xe6, 0x9f, 0x00),
    RGBColor(0x56, 0xb4, 0xe9),
];
const GREY: RGBColor = RGBColor(0x80, 0x80, 0x80);

/// A figure of an output: what it is called, and its value, unless the output has none.
struct Measure {
    title: &'static str,
    axis: &'static str,
    of: fn(&Output) -> Option<f64>,
}

const MEASURES: [Measure; 3] = [
    Measure {
        title: "Spread",
        axis: "mean standard deviation",
        of: |output| Some(output.spread()),
    },
    Measure {
        title: "Predictive entropy",
        axis: "mean over rows, in nats",
        of: |output| of_rows(output, |classes| &classes.entropy),
    },
    Measure {
        title: "Agreement",
        axis: "share of runs with the top class",
        of: |output| of_rows(output, |classes| &classes.agreement),
    },
];

/// The mean of a figure that every row of a classifier has.
fn of_rows(output: &Output, figure: impl Fn(&Classes) -> &[f64]) -> Option<f64> {
    let classes = output.classes.as_ref()?;
    Some(average(figure(classes)))
}

/// One panel for each figure that an output has.
struct Panel<'s> {
    measure: &'static Measure,
    lines: Vec<Line<'s>>,
}

struct Line<'s> {
    name: &'s str,
    colour: RGBColor,
    points: Vec<(f64, f64)>,
}

/// `None` unless there are two rates.
pub(super) fn svg(samplings: &[Sampling]) -> Option<String> {
    let mut order: Vec<(f64, &Sampling)> = (samplings.iter())
        .filter_map(|at| Some((at.rate?, at)))
        .collect();
    order.sort_by(|(a, _), (b, _)| a.total_cmp(b));
    order.dedup_by(|(a, _), (b, _)| a == b);
    if order.len() < 2 {
        return None;
    }
    let panels = MEASURES
        .iter()
        .filter_map(|measure| Panel::of(measure, &order));
    let panels: Vec<Panel<'_>> = panels.collect();
    let mut out = String::new();
    draw(&mut out, &panels, order.last()?.0, order[0].1.outputs.len()).ok()?;
    let title = "<title>Uncertainty of the outputs against the dropout rate</title>";
    let head = out
        .find("<svg")
        .and_then(|at| Some(at + out[at..].find('>')? + 1))?;
    out.insert_str(head, title);
    Some(out)
}

impl<'s> Panel<'s> {
    fn of(measure: &'static Measure, order: &[(f64, &'s Sampling)]) -> Option<Panel<'s>> {
        let outputs = order[0].1.outputs.iter().zip(COLOURS).enumerate();
        let lines = outputs.filter_map(|(index, (output, colour))| {
            let points = order.iter().filter_map(|(rate, at)| {
                let value = (measure.of)(at.outputs.get(index)?)?;
                value.is_finite().then_some((*rate, value))
            });
            let points: Vec<_> = points.collect();
            let name = output.name.as_str();
            (!points.is_empty()).then_some(Line {
                name,
                colour,
                points,
            })
        });
        let lines: Vec<_> = lines.collect();
        (!lines.is_empty()).then_some(Panel { measure, lines })
    }

    /// From 0 to a little above the highest point.
    fn range(&self) -> Range<f64> {
        let points = self.lines.iter().flat_map(|line| &line.points);
        match points.map(|(_, y)| *y).fold(0.0, f64::max) {
            0.0 => 0.0..1.0,
            highest => 0.0..highest * 1.1,
        }
    }
}

type Failed = Box<dyn std::error::Error>;

fn draw(out: &mut String, panels: &[Panel<'_>], last: f64, outputs: usize) -> Result<(), Failed> {
    let size = (PANEL.0 * panels.len().max(1) as u32, PANEL.1 + TITLE);
    let page = SVGBackend::with_string(out, size).into_drawing_area();
    let (head, body) = page.split_vertically(TITLE);
    let more = match outputs.checked_sub(OUTPUTS) {
        Some(more @ 1..) => format!(" (and {more} more outputs)"),
        _ => String::new(),
    };
    let title = format!("Uncertainty against dropout rate{more}");
    head.draw(&Text::new(
        title,
        (12, 8),
        text(18).into_font().color(&GREY),
    ))?;
    for (index, (panel, area)) in panels
        .iter()
        .zip(body.split_evenly((1, panels.len())))
        .enumerate()
    {
        let (across, up) = (0.0..last * 1.05, panel.range());
        let [x_end, y_end] = [across.end, up.end];
        let mut chart = ChartBuilder::on(&area)
            .margin(8)
            .caption(panel.measure.title, text(16).into_font().color(&GREY))
            .x_label_area_size(40)
            .y_label_area_size(64)
            .build_cartesian_2d(across, up)?;
        chart
            .configure_mesh()
            .axis_style(GREY)
            .bold_line_style(GREY.mix(0.25))
            .light_line_style(TRANSPARENT)
            .label_style(text(13).into_font().color(&GREY))
            .x_labels(6)
            .y_labels(6)
            .x_desc("dropout rate")
            .y_desc(panel.measure.axis)
            .x_label_formatter(&|x| number(*x, x_end))
            .y_label_formatter(&|y| number(*y, y_end))
            .draw()?;
        for line in &panel.lines {
            let colour = line.colour;
            let series = LineSeries::new(line.points.iter().copied(), colour.stroke_width(2));
            chart
                .draw_series(series.point_size(3))?
                .label(shortened(line.name))
                .legend(move |(x, y)| {
                    PathElement::new([(x, y), (x + 12, y)], colour.stroke_width(2))
                });
        }
        if index == 0 {
            chart
                .configure_series_labels()
                .position(SeriesLabelPosition::UpperLeft)
                .label_font(text(13).into_font().color(&GREY))
                .legend_area_size(16)
                .draw()?;
        }
    }
    page.present()?;
    Ok(())
}

fn text(size: u32) -> (&'static str, u32) {
    ("sans-serif", size)
}

/// A number on an axis that ends at `end`.
fn number(value: f64, end: f64) -> String {
    let decimals = 1.0 - end.log10().floor();
    match decimals {
        0.0..=4.0 => format!("{value:.0$}", decimals as usize),
        _ => format!("{value:.1e}"),
    }
}

/// The last of a long name: that is where outputs differ. Characters that XML cannot hold are replaced.
fn shortened(name: &str) -> String {
    let plain = name.chars().map(|c| match c {
        c if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') => '\u{fffd}',
        c => c,
    });
    let count = name.chars().count();
    match count > 24 {
        true => format!("…{}", plain.skip(count - 23).collect::<String>()),
        false => plain.collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_on_an_axis_are_short() {
        assert_eq!(number(0.1 + 0.2, 0.5), "0.30");
        assert_eq!(number(0.043, 0.06), "0.043");
        assert_eq!(number(6.0, 8.0), "6.0");
        assert_eq!(number(250.0, 400.0), "2.5e2");
        assert_eq!(number(3e-9, 3e-9), "3.0e-9");
    }

    #[test]
    fn long_names_are_shortened_and_controls_replaced() {
        assert_eq!(shortened("y\u{0}"), "y\u{fffd}");
        assert_eq!(
            shortened("StatefulPartitionedCall/dense_2/Softmax:0"),
            "…dCall/dense_2/Softmax:0"
        );
    }
}
