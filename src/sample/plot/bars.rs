//! A bar for each dropout that ran alone.

use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::{
    Area, COLOURS, Failed, GREY, MEASURES, Measure, OUTPUTS, TITLE, headed, number, shortened,
    text, titled,
};
use crate::sample::{Output, SiteSampling};

/// The width of one panel, a part of it for names.
const PANEL: u32 = 420;
const NAMES: u32 = 180;
/// The height of one bar, and of what is around all of them.
const BAR: u32 = 14;
const AROUND: u32 = 90;

/// The dropout whose first output spreads most is on top; `None` without any.
pub(in crate::sample) fn sites(all: &[SiteSampling]) -> Option<String> {
    let outputs = all.first()?.outputs.len();
    let spread = |site: &SiteSampling| site.outputs.first().map_or(0.0, Output::spread);
    let mut order: Vec<&SiteSampling> = all.iter().collect();
    order.sort_by(|a, b| spread(b).total_cmp(&spread(a)));
    let has = |measure: &&Measure| {
        let mut outputs = order.iter().flat_map(|site| &site.outputs);
        outputs.any(|output| (measure.of)(output).is_some_and(f64::is_finite))
    };
    let panels: Vec<&Measure> = MEASURES.iter().filter(has).collect();
    let mut out = String::new();
    draw(&mut out, &panels, &order, outputs).ok()?;
    titled(out, "Uncertainty of the outputs with each dropout alone")
}

fn draw(
    out: &mut String,
    panels: &[&Measure],
    order: &[&SiteSampling],
    outputs: usize,
) -> Result<(), Failed> {
    let shown = outputs.min(OUTPUTS);
    let bars = order.len() as u32 * (shown as u32 * BAR + BAR / 2);
    let size = (PANEL * panels.len().max(1) as u32, TITLE + AROUND + bars);
    let page = SVGBackend::with_string(out, size).into_drawing_area();
    let body = headed(&page, "Uncertainty with each dropout alone", outputs)?;
    for (measure, area) in panels
        .iter()
        .zip(body.split_evenly((1, panels.len().max(1))))
    {
        panel(&area, measure, order, shown)?;
    }
    if shown > 1 {
        for (place, (output, colour)) in order[0].outputs.iter().zip(COLOURS).enumerate() {
            let at = (12 + 180 * place as i32, TITLE as i32);
            let style = text(13).into_font().color(&colour);
            page.draw(&Text::new(shortened(&output.name), at, style))?;
        }
    }
    page.present()?;
    Ok(())
}

fn panel(
    area: &Area<'_>,
    measure: &Measure,
    order: &[&SiteSampling],
    shown: usize,
) -> Result<(), Failed> {
    let bars = order.iter().enumerate().flat_map(|(group, site)| {
        let outputs = site.outputs.iter().take(shown).enumerate();
        outputs.map(move |(bar, output)| (group, bar, (measure.of)(output).unwrap_or(f64::NAN)))
    });
    let bars: Vec<_> = bars.filter(|(_, _, value)| value.is_finite()).collect();
    let end = match bars.iter().map(|(_, _, value)| *value).fold(0.0, f64::max) {
        0.0 => 1.0,
        highest => highest * 1.1,
    };
    let groups = order.len() as f64;
    let mut chart = ChartBuilder::on(area)
        .margin(8)
        .caption(measure.title, text(16).into_font().color(&GREY))
        .x_label_area_size(40)
        .y_label_area_size(NAMES)
        .build_cartesian_2d(0.0..end, 0.0..groups)?;
    chart
        .configure_mesh()
        .axis_style(GREY)
        .bold_line_style(GREY.mix(0.25))
        .light_line_style(TRANSPARENT)
        .disable_y_mesh()
        .label_style(text(13).into_font().color(&GREY))
        .x_labels(5)
        .y_labels(0)
        .x_desc(measure.axis)
        .x_label_formatter(&|x| number(*x, end))
        .draw()?;
    // from the top
    let thick = 0.7 / shown as f64;
    let bars = bars.into_iter().map(|(group, bar, value)| {
        let top = groups - group as f64 - 0.15 - thick * bar as f64;
        Rectangle::new([(0.0, top - thick), (value, top)], COLOURS[bar].filled())
    });
    chart.draw_series(bars)?;
    let plot = chart.plotting_area();
    let ((left, top), (x, y)) = (plot.get_base_pixel(), area.get_base_pixel());
    let right = Pos::new(HPos::Right, VPos::Center);
    let style = text(13).into_font().color(&GREY).pos(right);
    for (group, site) in order.iter().enumerate() {
        let middle = f64::from(plot.dim_in_pixel().1) * (group as f64 + 0.5) / groups;
        let at = (left - x - 8, top - y + middle as i32);
        area.draw(&Text::new(shortened(&site.dropout), at, style.clone()))?;
    }
    Ok(())
}
