//! Spread against rate, as a small SVG.
//!
//! Text and axes are of a grey that is read on white and on black; there is no background.

use std::fmt::Write;

use super::Sampling;

const WIDTH: f64 = 560.0;
const HEIGHT: f64 = 320.0;
/// Margins: left, right, top, bottom.
const MARGINS: [f64; 4] = [64.0, 16.0, 40.0, 48.0];
/// Height of a row of the legend.
const ROW: f64 = 16.0;
/// The maximum number of lines, so that they can be distinguished.
const LINES: usize = 6;
/// Okabe and Ito's colours with contrast on white and on black, the blue made lighter for that.
const COLOURS: [&str; LINES] = [
    "#2a88c8", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9",
];
const GREY: &str = "#808080";

/// A line for every output; `None` unless there are two rates, and a spread to show.
pub(super) fn svg(samplings: &[Sampling]) -> Option<String> {
    let mut order: Vec<(f64, &Sampling)> = (samplings.iter())
        .filter_map(|at| Some((at.rate?, at)))
        .collect();
    order.sort_by(|(a, _), (b, _)| a.total_cmp(b));
    order.dedup_by(|(a, _), (b, _)| a == b);
    if order.len() < 2 {
        return None;
    }
    let lines: Vec<(&str, Vec<(f64, f64)>)> = (order[0].1.outputs.iter().enumerate())
        .map(|(index, output)| {
            let spread =
                |&(rate, at): &(f64, &Sampling)| Some((rate, at.outputs.get(index)?.spread()));
            let points = order.iter().filter_map(spread);
            (
                output.name.as_str(),
                points.filter(|(_, y)| y.is_finite()).collect(),
            )
        })
        .collect();
    let highest = lines
        .iter()
        .take(LINES)
        .flat_map(|(_, points)| points)
        .map(|&(_, y)| y)
        .fold(0.0, f64::max);
    let legend = Legend::of(&lines);
    let across = Axis::new(0.0, order.last()?.0, MARGINS[0], WIDTH - MARGINS[1]);
    let bottom = HEIGHT + legend.height - MARGINS[3];
    let up = Axis::new(0.0, highest, bottom, MARGINS[2] + legend.height);
    let mut out = String::new();
    draw(&mut out, &lines, &across, &up, &legend).ok()?;
    Some(out)
}

/// What each line is, in as many rows as that takes.
struct Legend {
    /// The position and the text of each entry.
    entries: Vec<(f64, f64, String)>,
    /// By how much it is higher than one row.
    height: f64,
}

impl Legend {
    fn of(lines: &[(&str, Vec<(f64, f64)>)]) -> Legend {
        let names = lines.iter().take(LINES).map(|(name, _)| shortened(name));
        let more = lines.len().checked_sub(LINES).filter(|&more| more > 0);
        let more = more.map(|more| format!("and {more} more"));
        let (mut x, mut y) = (MARGINS[0], 20.0);
        let mut entries = Vec::new();
        for text in names.chain(more) {
            let width = 28.0 + 7.0 * text.chars().count() as f64;
            if x > MARGINS[0] && x + width > WIDTH {
                (x, y) = (MARGINS[0], y + ROW);
            }
            entries.push((x, y, text));
            x += width;
        }
        Legend {
            entries,
            height: y - 20.0,
        }
    }
}

/// Numbers along an axis, and where they are on the page.
struct Axis {
    step: f64,
    last: f64,
    start: f64,
    end: f64,
}

impl Axis {
    /// From `low` to the first round number that is not below `high`.
    fn new(low: f64, high: f64, start: f64, end: f64) -> Axis {
        let span = if high > low { high - low } else { 1.0 };
        let unit = 10f64.powf((span / 5.0).log10().floor());
        let round = [1.0, 2.0, 5.0, 10.0].map(|n| n * unit);
        let step = round
            .into_iter()
            .find(|step| span / step <= 5.0 + 1e-9)
            .unwrap_or(10.0 * unit);
        let last = (span / step - 1e-9).ceil() * step;
        Axis {
            step,
            last,
            start,
            end,
        }
    }

    fn at(&self, number: f64) -> f64 {
        self.start + (self.end - self.start) * number / self.last
    }

    /// The round numbers, and what they are written as.
    fn ticks(&self) -> impl Iterator<Item = (f64, String)> {
        let count = (self.last / self.step).round() as usize;
        let decimals = (-self.step.log10().floor()).max(0.0) as usize;
        (0..=count).map(move |i| {
            let number = i as f64 * self.step;
            let text = match decimals {
                0..=5 => format!("{number:.decimals$}"),
                _ => format!("{number:.1e}"),
            };
            (self.at(number), text)
        })
    }
}

fn draw(
    out: &mut String,
    lines: &[(&str, Vec<(f64, f64)>)],
    across: &Axis,
    up: &Axis,
    legend: &Legend,
) -> std::fmt::Result {
    let height = HEIGHT + legend.height;
    let (left, right, top, bottom) = (across.start, across.end, up.end, up.start);
    writeln!(
        out,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" width=\"{WIDTH}\" \
         height=\"{height}\" font-family=\"system-ui, sans-serif\" font-size=\"12\" fill=\"{GREY}\">"
    )?;
    writeln!(
        out,
        "<title>Spread of the outputs against the dropout rate</title>"
    )?;
    writeln!(out, "<g stroke=\"{GREY}\" stroke-opacity=\"0.3\">")?;
    for (y, _) in up.ticks().skip(1) {
        writeln!(out, "<path d=\"M{left} {y:.1}H{right}\"/>")?;
    }
    writeln!(out, "</g>")?;
    writeln!(
        out,
        "<path d=\"M{left} {top}V{bottom}H{right}\" fill=\"none\" stroke=\"{GREY}\"/>"
    )?;
    for (x, text) in across.ticks() {
        let (y, below) = (bottom + 5.0, bottom + 18.0);
        writeln!(out, "<path d=\"M{x:.1} {bottom}V{y}\" stroke=\"{GREY}\"/>")?;
        writeln!(
            out,
            "<text x=\"{x:.1}\" y=\"{below}\" text-anchor=\"middle\">{text}</text>"
        )?;
    }
    for (y, text) in up.ticks() {
        let (x, y) = (left - 8.0, y + 4.0);
        writeln!(
            out,
            "<text x=\"{x}\" y=\"{y:.1}\" text-anchor=\"end\">{text}</text>"
        )?;
    }
    let (middle, below, centre) = ((left + right) / 2.0, height - 10.0, (top + bottom) / 2.0);
    writeln!(
        out,
        "<text x=\"{middle}\" y=\"{below}\" text-anchor=\"middle\">dropout rate</text>"
    )?;
    writeln!(
        out,
        "<text transform=\"translate(14 {centre}) rotate(-90)\" text-anchor=\"middle\">mean standard deviation</text>"
    )?;
    for ((_, points), colour) in lines.iter().zip(COLOURS) {
        let points: Vec<String> = (points.iter())
            .map(|&(rate, y)| format!("{:.1},{:.1}", across.at(rate), up.at(y)))
            .collect();
        let path = points.join(" ");
        writeln!(
            out,
            "<polyline points=\"{path}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\"/>"
        )?;
        for point in &points {
            if let Some((x, y)) = point.split_once(',') {
                writeln!(
                    out,
                    "<circle cx=\"{x}\" cy=\"{y}\" r=\"3\" fill=\"{colour}\"/>"
                )?;
            }
        }
    }
    let colours = COLOURS.into_iter().map(Some).chain([None]);
    for ((x, y, label), colour) in legend.entries.iter().zip(colours) {
        if let Some(colour) = colour {
            let end = x + 10.0;
            writeln!(
                out,
                "<path d=\"M{x} {y}H{end}\" stroke=\"{colour}\" stroke-width=\"2\"/>"
            )?;
        }
        let (x, y) = (x + 14.0, y + 4.0);
        writeln!(out, "<text x=\"{x}\" y=\"{y}\">{}</text>", escaped(label))?;
    }
    writeln!(out, "</svg>")
}

/// The last of a long name: that is where outputs differ.
fn shortened(name: &str) -> String {
    let count = name.chars().count();
    match count > 24 {
        true => format!("…{}", name.chars().skip(count - 23).collect::<String>()),
        false => name.to_string(),
    }
}

/// Text as XML; characters that XML has no way to write are replaced.
fn escaped(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            c if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_numbers() {
        let ticks = |high| {
            Axis::new(0.0, high, 0.0, 100.0)
                .ticks()
                .map(|(_, text)| text)
                .collect::<Vec<_>>()
        };
        assert_eq!(ticks(0.5), ["0.0", "0.1", "0.2", "0.3", "0.4", "0.5"]);
        assert_eq!(
            ticks(0.043),
            ["0.00", "0.01", "0.02", "0.03", "0.04", "0.05"]
        );
        assert_eq!(ticks(7.0), ["0", "2", "4", "6", "8"]);
        assert_eq!(ticks(0.0).last().unwrap(), "1.0");
        assert_eq!(ticks(3e-9).last().unwrap(), "3.0e-9");
    }

    #[test]
    fn a_legend_stays_on_the_page() {
        let name = "a_name_of_twenty_five_chars_";
        let lines = |count: usize| vec![(name, Vec::new()); count];
        let one = Legend::of(&lines(1));
        assert_eq!((one.entries.len(), one.height), (1, 0.0));
        let many = Legend::of(&lines(9));
        assert_eq!(many.entries.len(), 7); // and how many more
        assert_eq!(many.height, 2.0 * ROW); // two in a row, and the rest beside the last two
        for (x, _, text) in &many.entries {
            assert!(x + 28.0 + 7.0 * text.chars().count() as f64 <= WIDTH);
        }
        assert_eq!(many.entries[6].2, "and 3 more");
    }

    #[test]
    fn names_cannot_break_out_of_the_document() {
        assert_eq!(escaped("<a&b>\u{0}"), "&lt;a&amp;b&gt;\u{fffd}");
        assert_eq!(
            shortened("StatefulPartitionedCall/dense_2/Softmax:0"),
            "…dCall/dense_2/Softmax:0"
        );
    }
}
