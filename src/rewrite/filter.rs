//! The selection of dropouts to rewrite.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use super::Rate;
use super::names::{glob, usage};
use crate::dropout::{Form, Kind, Mode, Site};
use crate::error::{Error, Result};
use crate::onnx::{Model, Name};
use crate::words::instead;

/// Dropouts that match all of these criteria.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Filter {
    /// Its number, from 0, as an audit counts.
    pub id: Option<usize>,
    /// A pattern of the name of its node, its data, its result or the call that sets it.
    pub name: Option<String>,
    /// A pattern of its layer's path, or of the path of a layer around it.
    pub layer: Option<String>,
    /// A pattern of its scope: `graph`, `function:*`.
    pub scope: Option<String>,
    /// How it is written.
    pub form: Option<Form>,
    /// Its kind.
    pub kind: Option<Kind>,
    /// Its mode.
    pub mode: Option<Mode>,
    /// Its rate.
    pub rate: Option<Rate>,
}

const KEYS: [&str; 8] = [
    "id", "name", "layer", "scope", "form", "kind", "mode", "rate",
];

impl FromStr for Filter {
    type Err = Error;

    /// `KEY=VALUE`, several with commas between; without a key it is a name.
    fn from_str(text: &str) -> Result<Filter> {
        let mut filter = Filter::default();
        for part in text.split(',') {
            let (key, value) = part.split_once('=').unwrap_or(("name", part));
            filter.set(key, value)?;
        }
        Ok(filter)
    }
}

impl Filter {
    /// Adds a criterion.
    pub(super) fn set(&mut self, key: &str, value: &str) -> Result<()> {
        if value.is_empty() {
            return Err(usage(format!("{key} is empty")));
        }
        let pattern = || glob(value).map(|_| Some(value.to_string()));
        match key {
            "id" => {
                let why = || format!("`{value}` is not an id; ids are numbers from 0");
                self.id = Some(value.parse().map_err(|_| usage(why()))?);
            }
            "name" => self.name = pattern()?,
            "layer" => self.layer = pattern()?,
            "scope" => self.scope = pattern()?,
            "form" => self.form = Some(value.parse()?),
            "kind" => self.kind = Some(value.parse()?),
            "mode" => self.mode = Some(value.parse()?),
            "rate" => self.rate = Some(value.parse()?),
            _ => {
                let instead = instead(key, KEYS.iter().copied());
                return Err(usage(format!("unknown key `{key}`{instead}")));
            }
        }
        Ok(())
    }
}

impl fmt::Display for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let pairs = [
            ("id", self.id.map(|id| id.to_string())),
            ("name", self.name.clone()),
            ("layer", self.layer.clone()),
            ("scope", self.scope.clone()),
            ("form", self.form.map(|form| form.to_string())),
            ("kind", self.kind.map(|kind| kind.to_string())),
            ("mode", self.mode.map(|mode| mode.to_string())),
            ("rate", self.rate.map(|rate| rate.to_string())),
        ];
        let words = pairs.into_iter();
        let words = words.filter_map(|(key, value)| Some(format!("{key}={}", value?)));
        f.write_str(&words.collect::<Vec<_>>().join(","))
    }
}

impl Filter {
    /// True for a dropout that matches.
    fn holds(&self, model: &Model, site: &Site) -> Result<bool> {
        let matches = |pattern: &Option<String>, names: &[String]| match pattern {
            None => Ok(true),
            Some(pattern) => {
                let glob = glob(pattern)?;
                Ok::<bool, Error>(names.iter().any(|name| glob.is_match(name)))
            }
        };
        let ends = [&site.input_name, &site.output_name].into_iter().flatten();
        let nodes = site.nodes.iter().chain(&site.calls);
        let nodes = nodes.map(|&id| model.label(id).to_string());
        let names: Vec<String> = ends.map(Name::to_string).chain(nodes).collect();
        let layer = site.layer.as_deref().unwrap_or_default();
        let around = layer.match_indices(['/', '.']).map(|(end, _)| end);
        let around = around.chain([layer.len()]).filter(|&end| end > 0);
        let layers: Vec<String> = around.map(|end| layer[..end].to_string()).collect();
        let rate = self.rate.is_none_or(|wanted| {
            site.rate
                .is_some_and(|rate| (rate - wanted.value()).abs() < 1e-7)
        });
        Ok(self.id.is_none_or(|id| id == site.id)
            && matches(&self.name, &names)?
            && matches(&self.layer, &layers)?
            && matches(&self.scope, &[model.scope(site.graph)])?
            && self.form.is_none_or(|form| form == site.form)
            && self.kind.is_none_or(|kind| kind == site.kind)
            && self.mode.is_none_or(|mode| mode == site.mode)
            && rate)
    }
}

/// For each site, whether it matches a filter; all match without filters.
///
/// # Errors
/// A filter matches none.
pub(super) fn chosen(model: &Model, sites: &[Site], filters: &[Filter]) -> Result<Vec<bool>> {
    let mut chosen = vec![filters.is_empty(); sites.len()];
    for filter in filters {
        let mut some = false;
        for (site, chosen) in sites.iter().zip(&mut chosen) {
            let holds = filter.holds(model, site)?;
            some |= holds;
            *chosen |= holds;
        }
        if !some {
            return Err(usage(format!(
                "no dropout matches {filter}{}",
                known(model, sites, filter)
            )));
        }
    }
    Ok(chosen)
}

/// What there is, of what a filter asks for.
fn known(model: &Model, sites: &[Site], filter: &Filter) -> String {
    let of = |what: &dyn Fn(&Site) -> Option<String>| -> BTreeSet<String> {
        sites.iter().filter_map(what).collect()
    };
    let (asked, names) = match (&filter.layer, &filter.name) {
        (Some(layer), _) => (layer, of(&|site| site.layer.clone())),
        (None, Some(name)) => (
            name,
            of(&|site| Some(model.label(site.nodes[0]).to_string())),
        ),
        (None, None) if filter.id.is_some() => {
            return format!("; ids are 0 to {}", sites.len() - 1);
        }
        (None, None) => return String::new(),
    };
    match names.is_empty() {
        true => ": this file does not declare layers".into(),
        false => instead(asked, names.iter().map(String::as_str)),
    }
}
