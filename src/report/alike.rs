//! Dropouts in words, and those that differ only in the numbers of their layers together.

use crate::audit::SiteRecord;
use crate::dropout::{Form, Kind, Mode, Scaling};

/// Dropouts that differ only in the numbers of their places.
#[non_exhaustive]
pub struct Alike<'a> {
    /// The remark that all of them have.
    pub remark: String,
    /// Their mode.
    pub mode: Mode,
    /// Their rate: `p=0.5`.
    pub rate: String,
    /// Their form and kind in words.
    pub kind: String,
    /// The dropouts, in order; at least one.
    pub sites: Vec<&'a SiteRecord>,
    /// The places without their numbers.
    words: Vec<String>,
}

/// Groups dropouts, each with a remark; in the order of the first of each group.
pub fn alike<'a>(sites: impl IntoIterator<Item = (&'a SiteRecord, String)>) -> Vec<Alike<'a>> {
    let mut groups: Vec<Alike<'a>> = Vec::new();
    for (record, remark) in sites {
        let group = Alike::new(record, remark);
        match groups.iter_mut().find(|known| known.takes(&group)) {
            Some(known) => known.sites.push(record),
            None => groups.push(group),
        }
    }
    groups
}

impl<'a> Alike<'a> {
    fn new(record: &'a SiteRecord, remark: String) -> Alike<'a> {
        let place = place(record);
        let words = place.split(|c: char| c.is_ascii_digit());
        Alike {
            remark,
            mode: record.mode,
            rate: rate(record),
            kind: kind(record),
            sites: vec![record],
            words: words
                .filter(|word| !word.is_empty())
                .map(str::to_string)
                .collect(),
        }
    }

    fn takes(&self, other: &Alike<'_>) -> bool {
        let key = |group: &Alike<'_>| (group.mode, group.words.clone(), group.remark.clone());
        key(self) == key(other) && self.rate == other.rate && self.kind == other.kind
    }

    /// Their layers or nodes: all of them if they are short, else with `*` for numbers.
    pub fn place(&self) -> String {
        let places: Vec<String> = self.sites.iter().map(|record| place(record)).collect();
        pattern(&places)
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

/// `p` of dropout, `σ` of additive noise.
fn symbol(record: &SiteRecord) -> &'static str {
    match record.kind {
        Kind::GaussianNoise => "σ",
        _ => "p",
    }
}

/// The rate: `p=0.5`, or the standard deviation of noise: `σ=0.1`.
pub fn rate(record: &SiteRecord) -> String {
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

/// The form and the kind in words.
pub fn kind(record: &SiteRecord) -> String {
    let mut kind = match (record.form, record.kind) {
        (Form::Operator, _) => "Dropout operator".to_string(),
        (Form::RandomMask, Kind::Dropout) => "random mask".to_string(),
        (Form::RandomMask, kind) => kind.to_string().replace('_', " "),
        (Form::FrozenMask, _) => "frozen mask".to_string(),
        (Form::Scale, _) => "scale of classic dropout".to_string(),
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
    let node = record.calls.first().or(record.nodes.first());
    let node = node.cloned().unwrap_or_default();
    match record.scope == "graph" {
        true => format!("node {node}"),
        false => format!("node {node} in {}", record.scope),
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
