//! Dropouts in words, and what differs only in the numbers of its layers together.

use std::hash::Hash;

use indexmap::IndexMap;

use crate::audit::SiteRecord;
use crate::dropout::{Form, Kind, Scaling};

/// Things that differ only in the numbers of their places.
#[non_exhaustive]
pub struct Alike<T, const N: usize> {
    /// The things, in order; at least one.
    pub items: Vec<T>,
    places: [Vec<String>; N],
}

/// Groups what has the same key and places that differ only in numbers; in the order of the first of each
/// group. `of` is the key and the places of one.
pub fn alike<T, K: Eq + Hash, const N: usize>(
    items: impl IntoIterator<Item = T>,
    of: impl Fn(&T) -> (K, [String; N]),
) -> Vec<Alike<T, N>> {
    let mut groups: IndexMap<_, Alike<T, N>> = IndexMap::new();
    for item in items {
        let (key, places) = of(&item);
        let words = places.each_ref().map(|place| {
            let words = place.split(|c: char| c.is_ascii_digit());
            let words = words.filter(|word| !word.is_empty());
            words.map(str::to_string).collect::<Vec<_>>()
        });
        let group = groups.entry((key, words)).or_insert_with(|| Alike {
            items: Vec::new(),
            places: [const { Vec::new() }; N],
        });
        group.items.push(item);
        for (all, place) in group.places.iter_mut().zip(places) {
            all.push(place);
        }
    }
    groups.into_values().collect()
}

/// Groups dropouts that differ only in the numbers of their layers or nodes; each has a remark.
pub fn alike_sites<'a>(
    sites: impl IntoIterator<Item = (&'a SiteRecord, String)>,
) -> Vec<Alike<(&'a SiteRecord, String), 1>> {
    alike(sites, |(record, remark)| {
        let key = (record.mode, rate(record), kind(record), remark.clone());
        (key, [place(record)])
    })
}

impl<T, const N: usize> Alike<T, N> {
    /// The number of things: `×3`; empty for one.
    pub fn times(&self) -> String {
        match self.items.len() {
            1 => String::new(),
            many => format!("×{many}"),
        }
    }

    /// Their places: all of them if they are short, else with `*` for numbers.
    pub fn places(&self) -> [String; N] {
        self.places.each_ref().map(|places| pattern(places))
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

/// The rate: `p=0.5`, or the standard deviation of noise: `σ=0.1`.
pub fn rate(record: &SiteRecord) -> String {
    let symbol = record.kind.symbol();
    match record.rate {
        Some(rate) => format!("{symbol}={rate}"),
        None => format!("{symbol}=?"),
    }
}

/// The rates of all dropouts: `p=0.1–0.3`, `σ=0.1`.
pub fn rates(records: &[SiteRecord]) -> Vec<String> {
    let ranges = ["p", "σ"].into_iter().filter_map(|of| {
        let known = records.iter().filter(|record| record.kind.symbol() == of);
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
