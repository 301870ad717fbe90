//! Uncertainty as a small SVG: the spread of every output, and of classifiers the entropy and the agreement of
//! runs; with labels the accuracy. Lines against the rate, or a bar for each dropout that ran alone.
//!
//! Text and axes are of a grey that is read on white and on black; there is no background.

mod bars;
mod lines;

use plotters::coord::Shift;
use plotters::prelude::*;

use super::{Classes, Output, average};
use crate::escape::tail;

pub(super) use bars::sites;
pub(super) use lines::rates;

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

const MEASURES: [Measure; 4] = [
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
    Measure {
        title: "Accuracy",
        axis: "share of rows with the right class",
        of: |output| output.classes.as_ref()?.accuracy,
    },
];

/// The mean of a figure that every row of a classifier has.
fn of_rows(output: &Output, figure: impl Fn(&Classes) -> &[f64]) -> Option<f64> {
    let classes = output.classes.as_ref()?;
    Some(average(figure(classes)))
}

/// The document with a title.
fn titled(mut svg: String, title: &str) -> Option<String> {
    let start = svg.find("<svg")?;
    let head = start + svg[start..].find('>')? + 1;
    svg.insert_str(head, &format!("<title>{title}</title>"));
    Some(svg)
}

type Failed = Box<dyn std::error::Error>;

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

/// The page below its title, which reports how many of the outputs are left out.
fn headed<'a>(page: &Area<'a>, title: &str, outputs: usize) -> Result<Area<'a>, Failed> {
    let (head, body) = page.split_vertically(TITLE);
    let title = match outputs.checked_sub(OUTPUTS) {
        Some(more @ 1..) => format!("{title} (and {more} more outputs)"),
        _ => title.to_string(),
    };
    let style = text(18).into_font().color(&GREY);
    head.draw(&Text::new(title, (12, 8), style))?;
    Ok(body)
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

/// A name that fits, of characters that XML has.
fn shortened(name: &str) -> String {
    let plain = name.replace(
        |c: char| c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}'),
        "\u{fffd}",
    );
    tail(&plain, 24)
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
