//! What a TRUTH.tsv says a file ought to hold.

use std::collections::BTreeMap;
use std::path::Path;

use dropout_onnx::dropout::Kind;

/// A row of the table, by column.
pub type Row = BTreeMap<String, String>;

/// The rows of a table of tab-separated values, whose quotes are doubled inside quotes.
pub fn rows(path: &Path) -> Vec<Row> {
    let text = std::fs::read_to_string(path).expect("a table");
    let field = |field: &str| match field.strip_prefix('"').and_then(|f| f.strip_suffix('"')) {
        Some(inner) => inner.replace("\"\"", "\""),
        None => field.to_string(),
    };
    let mut lines = text.lines().map(|line| line.split('\t').map(field));
    let header: Vec<String> = lines.next().expect("a header").collect();
    lines
        .map(|line| header.iter().cloned().zip(line).collect())
        .collect()
}

/// A dropout of the source.
#[derive(Clone, Debug)]
pub struct Source {
    /// `None` for what stands in the model's own code, in no layer.
    pub layer: Option<String>,
    pub kind: Kind,
    /// In millionths.
    pub rate: i64,
    /// It acted when the model was exported, and the exporter is not known to have lost it.
    pub acts: bool,
    /// It leaves a scale at inference.
    pub downscales: bool,
}

/// What a file ought to hold.
#[derive(Clone, Debug)]
pub struct Truth {
    pub sources: Vec<Source>,
    /// Rate and whether it may act, of each `Dropout` operator, in order.
    pub operators: Vec<(i64, bool)>,
    pub masks: usize,
    pub frozen: usize,
    /// What the source has and the file has not, by the table.
    pub lost: Option<String>,
}

pub fn millionths(rate: f64) -> i64 {
    (rate * 1e6).round() as i64
}

impl Truth {
    pub fn new(row: &Row) -> Truth {
        let told = &row["source_vs_file"];
        let gone = ["INERT", "LOST", "FROZEN"];
        let lost = gone.iter().any(|gone| told.starts_with(gone));
        let mut others = 0;
        let mut sources = Vec::new();
        // a kind may have a semicolon in it, and then too few columns before
        let mut text = String::new();
        for piece in row["source_dropouts(layer|kind|rate|active_as_called)"].split(';') {
            text.push_str(piece);
            if text.matches('|').count() < 3 {
                continue;
            }
            match source(&std::mem::take(&mut text), !lost) {
                Some(source) => sources.push(source),
                None => others += 1,
            }
        }
        assert!(text.is_empty(), "{text} is no source");
        let mut operators: Vec<(i64, bool)> = Vec::new();
        for (form, count) in forms(&row["Dropout_forms"]) {
            operators.extend(std::iter::repeat_n(operator(&form), count));
        }
        operators.sort_unstable();
        let draws: usize = forms(&row["random_forms"]).values().sum();
        let frozen = row["frozen_mask_inits"].split(';');
        Truth {
            sources,
            operators,
            masks: draws.saturating_sub(others),
            frozen: frozen.filter(|mask| !mask.is_empty()).count(),
            lost: lost.then(|| told.clone()),
        }
    }

    /// Kind and rate of what acts as a mask: what acts and is no operator.
    pub fn acting_masks(&self) -> Vec<(Kind, i64)> {
        let mut operators: Vec<i64> = self.operators.iter().map(|o| o.0).collect();
        let mut masks = Vec::new();
        for source in self.sources.iter().filter(|source| source.acts) {
            let operator = operators.iter().position(|&rate| rate == source.rate);
            match operator.filter(|_| source.kind == Kind::Dropout) {
                Some(index) => {
                    operators.swap_remove(index);
                }
                None => masks.push((source.kind, source.rate)),
            }
        }
        if self.masks == 0 {
            masks.clear();
        }
        masks.sort_unstable();
        masks.dedup();
        masks
    }
}

/// A source as the table has it: `layer|kind|rate|active`; `None` if it is no dropout.
fn source(text: &str, may_act: bool) -> Option<Source> {
    let parts: Vec<&str> = text.split('|').collect();
    let &[layer, kind, rate, acts, ..] = &parts[..] else {
        panic!("{text} is no source");
    };
    if kind.to_lowercase().contains("not dropout") {
        return None;
    }
    let mut rate = millionths(rate.parse().expect("a rate"));
    let known = match kind {
        "AlphaDropout" => Kind::AlphaDropout,
        "GaussianDropout" => Kind::GaussianDropout,
        "GaussianNoise(stddev)" => Kind::GaussianNoise,
        // 1 + σ·n is the Gaussian dropout of σ²/(1+σ²), whatever the table calls its rate
        _ => match kind.split_once("multiplicative noise, sigma ") {
            Some((_, sigma)) => {
                let sigma: f64 = format!("0{sigma}").parse().expect("a deviation");
                rate = millionths(sigma * sigma / (1.0 + sigma * sigma));
                Kind::GaussianDropout
            }
            None => Kind::Dropout,
        },
    };
    // `d (inside If)`, `d (call 1)`
    let layer = layer.split(" (").next().unwrap_or(layer);
    Some(Source {
        layer: (!matches!(layer, "forward" | "fn")).then(|| layer.to_string()),
        kind: known,
        rate,
        acts: may_act && acts == "True",
        downscales: kind.contains("downscale_in_infer"),
    })
}

/// How often each form occurs.
fn forms(text: &str) -> BTreeMap<String, usize> {
    serde_json::from_str(text).expect("forms as JSON")
}

/// Rate and whether it may act, of an operator: `ratio input=0.3 training_mode=True in If.then_branch`.
fn operator(form: &str) -> (i64, bool) {
    let after = |key: &str| {
        let rest = form.split_once(key)?.1;
        rest.split([' ', ')']).next()
    };
    let rate = after("ratio=")
        .or_else(|| after("ratio input="))
        .or_else(|| after("spec default "));
    let rate = millionths(rate.and_then(|rate| rate.parse().ok()).expect("a rate"));
    let switch = after("training_mode=").unwrap_or("inert");
    let acts = switch == "True" || switch.starts_with("dynamic");
    (rate, acts && rate != 0)
}
