//! Lines against the rate.

use std::ops::Range;

use plotters::prelude::*;

use super::{
    COLOURS, Failed, GREY, MEASURES, Measure, TITLE, headed, number, shortened, text, titled,
};
use crate::sample::Sampling;

/// The size of one panel.
const PANEL: (u32, u32) = (360, 300);

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

/// Lines against the rate; `None` unless there are two rates.
pub(in crate::sample) fn rates(samplings: &[Sampling]) -> Option<String> {
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
    titled(out, "Uncertainty of the outputs against the dropout rate")
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

fn draw(out: &mut String, panels: &[Panel<'_>], last: f64, outputs: usize) -> Result<(), Failed> {
    let size = (PANEL.0 * panels.len().max(1) as u32, PANEL.1 + TITLE);
    let page = SVGBackend::with_string(out, size).into_drawing_area();
    let body = headed(&page, "Uncertainty against dropout rate", outputs)?;
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
