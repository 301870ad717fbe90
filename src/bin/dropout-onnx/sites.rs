//! Dropouts as rows of a table. Rows that differ only in the numbers of their layers are one row with a
//! count, unless every dropout is asked for.

use anstyle::Style;
use dropout_onnx::audit::SiteRecord;
use dropout_onnx::dropout::{Form, Kind, Mode, RateOrigin, Scaling};

use crate::style::{BAD, DIM, GOOD, Table, WARN};

/// Dropouts, each with a remark of the report.
pub type Sites<'a> = [(&'a SiteRecord, String)];

/// The table of dropouts: alike ones in one row, or all of them with their details if `verbose`.
pub fn table(sites: &Sites<'_>, verbose: bool) -> Table {
    let mut table = Table::default();
    if verbose {
        table.head([
            "STATE",
            "RATE",
            "KIND",
            "RATE FROM",
            "MASK",
            "SCOPE",
            "LAYER",
            "NODE",
            "SEED",
            "ID",
        ]);
        for (record, remark) in sites {
            table.row(details(record));
            table.remark(remark.clone());
        }
        return table.compact();
    }
    table.head(["STATE", "RATE", "", "KIND", "LAYER"]);
    let mut groups: Vec<(Key, Vec<&SiteRecord>)> = Vec::new();
    for (record, remark) in sites {
        let key = Key::of(record, remark);
        match groups.iter_mut().find(|(known, _)| *known == key) {
            Some((_, records)) => records.push(record),
            None => groups.push((key, vec![record])),
        }
    }
    for (key, records) in groups {
        let number = match records.len() {
            1 => String::new(),
            many => format!("×{many}"),
        };
        let places: Vec<String> = records.iter().map(|record| place(record)).collect();
        table.row([
            (style(key.mode), key.mode.to_string()),
            (Style::new(), key.rate),
            (Style::new(), number),
            (DIM, key.kind),
            (Style::new(), pattern(&places)),
        ]);
        table.remark(key.remark);
    }
    table.compact()
}

/// What rows of one group have in common.
#[derive(PartialEq)]
struct Key {
    mode: Mode,
    rate: String,
    kind: String,
    /// The place without its numbers.
    place: Vec<String>,
    remark: String,
}

impl Key {
    fn of(record: &SiteRecord, remark: &str) -> Key {
        let place = place(record);
        let words = place.split(|c: char| c.is_ascii_digit());
        Key {
            mode: record.mode,
            rate: rate(record),
            kind: kind(record),
            place: words
                .filter(|word| !word.is_empty())
                .map(str::to_string)
                .collect(),
            remark: remark.to_string(),
        }
    }
}

/// Several places that differ only in numbers: all of them if they are short, else `layer.*.dropout`, with
/// the numbers that all share.
fn pattern(places: &[String]) -> String {
    let mut distinct = places.to_vec();
    distinct.dedup();
    let all = distinct.join(", ");
    if all.len() <= 32 {
        return all;
    }
    let split: Vec<Vec<&str>> = places.iter().map(|place| chunks(place)).collect();
    let (first, others) = match split.split_first() {
        Some(parts) => parts,
        None => return String::new(),
    };
    let mut out = String::new();
    for (index, chunk) in first.iter().enumerate() {
        let same = others.iter().all(|other| other.get(index) == Some(chunk));
        out.push_str(if same { chunk } else { "*" });
    }
    out
}

/// The runs of digits and the texts between them; the first is text, which may be empty.
fn chunks(text: &str) -> Vec<&str> {
    let mut chunks = Vec::new();
    let (mut rest, mut digits) = (text, false);
    while !rest.is_empty() || chunks.is_empty() {
        let end = rest.find(|c: char| c.is_ascii_digit() != digits);
        let (chunk, after) = rest.split_at(end.unwrap_or(rest.len()));
        chunks.push(chunk);
        (rest, digits) = (after, !digits);
    }
    chunks
}

fn details(record: &SiteRecord) -> Vec<(Style, String)> {
    let origin = match record.rate_origin {
        RateOrigin::Default => "default".to_string(),
        other => other.to_string(),
    };
    let seed = record.seed.map_or(String::new(), |seed| seed.to_string());
    let print = record.fingerprint.as_ref();
    let print = print.map_or(String::new(), |print| format!("#{print}"));
    let mask = match record.form {
        Form::Operator => record.mask.to_string(),
        _ => String::new(),
    };
    vec![
        (style(record.mode), record.mode.to_string()),
        (Style::new(), rate(record)),
        (DIM, kind(record)),
        (DIM, origin),
        (DIM, mask),
        (DIM, record.scope.clone()),
        (Style::new(), record.layer.clone().unwrap_or_default()),
        (DIM, record.nodes.first().cloned().unwrap_or_default()),
        (DIM, seed),
        (DIM, print),
    ]
}

fn style(mode: Mode) -> Style {
    match mode {
        Mode::Active => BAD,
        Mode::Inert => GOOD,
        _ => WARN,
    }
}

/// `p` of dropout, `σ` of additive noise.
fn symbol(record: &SiteRecord) -> &'static str {
    match record.kind {
        Kind::GaussianNoise => "σ",
        _ => "p",
    }
}

fn rate(record: &SiteRecord) -> String {
    let symbol = symbol(record);
    match record.rate {
        Some(rate) => format!("{symbol}={rate}"),
        None => format!("{symbol}=?"),
    }
}

/// The rates of all dropouts: `p=0.1–0.3`, `σ=0.1`.
pub fn rates(records: &[SiteRecord]) -> Vec<String> {
    let ranges = ["p", "σ"].into_iter().filter_map(|of| {
        let known = records.iter().filter(|record| symbol(record) == of);
        let known: Vec<f64> = known.filter_map(|record| record.rate).collect();
        let least = known.iter().copied().reduce(f64::min)?;
        let most = known.iter().copied().reduce(f64::max)?;
        Some(match least == most {
            true => format!("{of}={least}"),
            false => format!("{of}={least}–{most}"),
        })
    });
    ranges.collect()
}

fn kind(record: &SiteRecord) -> String {
    let mut kind = match (record.form, record.kind) {
        (Form::Operator, _) => "Dropout operator".to_string(),
        (Form::RandomMask, Kind::Dropout) => "random mask".to_string(),
        (Form::RandomMask, kind) => kind.to_string().replace('_', " "),
        (Form::FrozenMask, _) => "frozen mask".to_string(),
        (Form::Scale, _) => "scale of classic dropout".to_string(),
        (form, _) => form.to_string().replace('_', " "),
    };
    if let Some(shape) = &record.noise_shape {
        kind.push_str(&format!(" [{}]", shape.join(", ")));
    }
    let mask = matches!(record.form, Form::RandomMask | Form::FrozenMask);
    if mask && record.scaling != Scaling::Inverted && record.kind == Kind::Dropout {
        kind.push_str(&format!(", scaling {}", record.scaling));
    }
    kind
}

/// The layer; without one, the node and its scope.
fn place(record: &SiteRecord) -> String {
    if let Some(layer) = &record.layer {
        return layer.clone();
    }
    let node = record
        .calls
        .first()
        .or(record.nodes.first())
        .map_or("", String::as_str);
    match record.scope.as_str() {
        "graph" => format!("node {node}"),
        scope => format!("node {node} in {scope}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_that_differ_become_asterisks() {
        let pattern = |places: &[&str]| {
            let places: Vec<String> = places.iter().map(ToString::to_string).collect();
            pattern(&places)
        };
        for (places, expected) in [
            (&["drop"][..], "drop"),
            (&["drop", "drop"], "drop"),
            (&["2", "5"], "2, 5"),
            (
                &["layer.7.a.long.name.of.dropout1"],
                "layer.7.a.long.name.of.dropout1",
            ),
            (
                &[
                    "layer.0.a.long.name.of.dropout1",
                    "layer.10.a.long.name.of.dropout1",
                ],
                "layer.*.a.long.name.of.dropout1",
            ),
            (
                &["1.a.long.name.of.dropout2", "2.a.long.name.of.dropout1"],
                "*.a.long.name.of.dropout*",
            ),
            (&["", ""], ""),
        ] {
            assert_eq!(pattern(places), expected, "{places:?}");
        }
    }

    #[test]
    fn texts_are_cut_at_their_numbers() {
        assert_eq!(chunks("a12b"), ["a", "12", "b"]);
        assert_eq!(chunks("1a"), ["", "1", "a"]);
        assert_eq!(chunks(""), [""]);
    }
}
