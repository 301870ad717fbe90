//! What sampling came to, in words and for programs.

mod sweep;

use std::collections::BTreeMap;

use dropout_onnx::dropout::{Mode, Site};
use dropout_onnx::onnx::Model;
use dropout_onnx::sample::{ClassSpec, Numbers, Output, Report, is_sampled};

use crate::lines::Lines;
use crate::style::{DIM, LABEL, Table, WARN, paint};
use crate::verification::count;

/// Rows of a table unless more are asked for.
const ROWS: usize = 10;

/// A report to print.
pub struct Told<'a> {
    model: &'a Model,
    report: &'a Report,
    /// The declared classes.
    said: &'a [ClassSpec],
}

impl<'a> Told<'a> {
    pub fn new(model: &'a Model, report: &'a Report, said: &'a [ClassSpec]) -> Told<'a> {
        Told {
            model,
            report,
            said,
        }
    }

    /// The report as text; `all`: every row.
    pub fn text(&self, all: bool) -> String {
        let report = self.report;
        let mut lines = Lines::default();
        lines.line("sampled", self.sites());
        let per = match report.samplings.len() {
            1 => "",
            _ => " per rate",
        };
        let runs = report.runs;
        lines.line(
            "runs",
            format!("{runs}{per}, {} ({})", seeds(report), report.engine),
        );
        for (input, shape) in &report.shapes {
            let made = match report.made.contains(input) {
                true => paint(WARN, "random (use --input to supply data)"),
                false => "from --input".to_string(),
            };
            lines.line("input", format!("{input}{shape:?}: {made}"));
        }
        let chosen = report.chosen.iter();
        let chosen: Vec<_> = chosen
            .map(|(name, size)| format!("{name}={size}"))
            .collect();
        if !chosen.is_empty() {
            lines.line("assumed", format!("{} (set with --dim)", chosen.join(", ")));
        }
        for note in &report.notes {
            lines.line("note", note.clone());
        }
        let mut out = lines.into_text();
        match &report.samplings[..] {
            [at] => {
                for output in &at.outputs {
                    one(&mut out, output, all);
                    out.push_str(&self.hint(output));
                }
            }
            [first, ..] => {
                for (index, output) in first.outputs.iter().enumerate() {
                    out.push_str(&title(output));
                    out.push_str(&sweep::rates(report, index, output));
                    out.push_str(&self.hint(output));
                }
            }
            [] => {}
        }
        out + &sweep::sites(report)
    }

    /// The sampled dropouts, and how they were made active.
    fn sites(&self) -> String {
        let sites = self.report.sites.iter();
        let sites: Vec<&Site> = sites.filter(|site| is_sampled(self.model, site)).collect();
        let mut text = count(sites.len(), "dropout layer");
        if let [at] = &self.report.samplings[..]
            && at.rate.is_none()
        {
            let mut rates: BTreeMap<String, usize> = BTreeMap::new();
            for site in &sites {
                *rates.entry(strength(site)).or_default() += 1;
            }
            let rates: Vec<String> = match rates.len() {
                1 => rates.into_keys().collect(),
                _ => rates
                    .into_iter()
                    .map(|(rate, n)| format!("{n} with {rate}"))
                    .collect(),
            };
            text = format!("{text}, {}", rates.join(", "));
        }
        let of = |mode: Mode| sites.iter().filter(|site| site.mode == mode).count();
        for (mode, why) in [
            (Mode::Inert, "inert in the file, made active in memory"),
            (Mode::Runtime, "switched by an input, made active in memory"),
        ] {
            match of(mode) {
                0 => {}
                n if n == sites.len() => text = format!("{text}; {why}"),
                n => text = format!("{text}; {n} {why}"),
            }
        }
        text
    }

    /// A hint for outputs that may be logits, which cannot be recognised by their values.
    fn hint(&self, output: &Output) -> String {
        let name = &output.name;
        let said = self.said.iter().any(|spec| spec.output == *name);
        let rows = output.shape.len() == 2 && output.shape[1] >= 2;
        let float = ["float16", "float", "double"].contains(&output.element_type);
        if said || output.classes.is_some() || !rows || !float {
            return String::new();
        }
        let hint = format!("if these are logits, --classes {name} adds entropy and agreement");
        format!("{INDENT}{}\n", paint(DIM, hint))
    }
}

/// `seed 7`, or both seeds if they differ.
fn seeds(report: &Report) -> String {
    match report.mask_seed == report.seed {
        true => format!("seed {}", report.seed),
        false => format!("seed {}, mask seed {}", report.seed, report.mask_seed),
    }
}

/// The rate of a dropout: `p=0.5`, of noise its standard deviation.
fn strength(site: &Site) -> String {
    let symbol = site.kind.symbol();
    match site.rate {
        Some(rate) => format!("{symbol}={rate}"),
        None => format!("{symbol} from a model input"),
    }
}

const INDENT: &str = "          ";

fn plain(cell: String) -> (anstyle::Style, String) {
    (anstyle::Style::new(), cell)
}

fn title(output: &Output) -> String {
    let classes = output.classes.as_ref().map(|classes| {
        let over = match classes.numbers.is_binary() {
            true => "a binary classifier".to_string(),
            false => format!("probabilities of {} classes", classes.count),
        };
        let by = match classes.numbers {
            Numbers::Logits => " by softmax",
            Numbers::BinaryLogits => " by sigmoid",
            _ => "",
        };
        let along = match classes.axis {
            Some(axis) if axis + 1 < output.shape.len() => format!(" along axis {axis}"),
            _ => String::new(),
        };
        format!(": {over}{by}{along}")
    });
    let (name, shape) = (&output.name, &output.shape);
    let label = paint(LABEL, "output  ");
    format!("{label}  {name}{shape:?}{}\n", classes.unwrap_or_default())
}

/// One output at the rates of the model.
fn one(out: &mut String, output: &Output, all: bool) {
    out.push_str(&title(output));
    let spread = (figure(output.spread()), figure(largest(&output.std)));
    out.push_str(&format!(
        "{INDENT}std: {} on average, {} at most\n",
        spread.0, spread.1
    ));
    if let Some(accuracy) = accuracy(output) {
        out.push_str(&format!("{INDENT}{accuracy}\n"));
    }
    let rows = match &output.classes {
        Some(classes) => classes.top.len(),
        None => output.mean.len(),
    };
    let shown = if all { rows } else { rows.min(ROWS) };
    let mut table = Table::default();
    match output.classes {
        Some(_) => by_row(&mut table, output, shown),
        None => by_element(&mut table, output, shown),
    }
    if shown > 0 {
        out.push_str(&table.render(INDENT));
    }
    if rows > shown {
        let more = format!("and {} more; -v shows all", rows - shown);
        out.push_str(&format!("{INDENT}{}\n", paint(DIM, more)));
    }
}

/// The share of right rows, with labels.
fn accuracy(output: &Output) -> Option<String> {
    let classes = output.classes.as_ref()?;
    let sampled = figure(classes.accuracy?);
    let inference = match classes.deterministic_accuracy {
        Some(accuracy) => format!(", {} at inference", figure(accuracy)),
        None => String::new(),
    };
    Some(format!("accuracy: {sampled} with dropout{inference}"))
}

fn by_row(table: &mut Table, output: &Output, shown: usize) {
    let Some(classes) = &output.classes else {
        return;
    };
    let head = [
        "row",
        "deterministic",
        "top class",
        "its mean",
        "its std",
        "entropy",
        "agreement",
    ];
    table.row(head.map(|cell| (DIM, cell.to_string())));
    let deterministic = output.deterministic_top();
    for row in 0..shown {
        let cells = [
            place(row, &classes.shape),
            deterministic
                .as_ref()
                .map_or("-".to_string(), |of| of[row].to_string()),
            classes.top[row].to_string(),
            figure(classes.top_mean(row)),
            // of logits, the deviation is that of the logit
            match classes.numbers {
                Numbers::Probabilities | Numbers::Binary => {
                    figure(output.std[classes.top_element(row)])
                }
                _ => "-".to_string(),
            },
            figure(classes.entropy[row]),
            figure(classes.agreement[row]),
        ];
        table.row(cells.map(plain));
    }
}

fn by_element(table: &mut Table, output: &Output, shown: usize) {
    let head = ["element", "deterministic", "mean", "std"];
    table.row(head.map(|cell| (DIM, cell.to_string())));
    for element in 0..shown {
        let deterministic = output.deterministic.as_ref();
        let cells = [
            place(element, &output.shape),
            deterministic.map_or("-".to_string(), |of| figure(of[element])),
            figure(output.mean[element]),
            figure(output.std[element]),
        ];
        table.row(cells.map(plain));
    }
}

/// The indices of an element in row-major order: `[1, 3]`.
fn place(mut element: usize, shape: &[usize]) -> String {
    let mut indices = vec![0; shape.len()];
    for (index, &size) in indices.iter_mut().zip(shape).rev() {
        let size = size.max(1);
        (*index, element) = (element % size, element / size);
    }
    format!("{indices:?}")
}

/// The largest number that is one; NaN if none is.
fn largest(numbers: &[f64]) -> f64 {
    numbers.iter().copied().fold(f64::NAN, f64::max)
}

/// A number with four digits that count.
fn figure(number: f64) -> String {
    if number == 0.0 || !number.is_finite() {
        return number.to_string();
    }
    let magnitude = number.abs().log10().floor();
    match magnitude {
        -4.0..6.0 => format!("{number:.*}", (3.0 - magnitude).max(0.0) as usize),
        _ => format!("{number:.3e}"),
    }
}

/// The files that were written, if any.
pub fn written(files: &[String]) -> String {
    let mut lines = Lines::default();
    for file in files {
        lines.line("written", file.clone());
    }
    lines.into_text()
}
