//! Plan files: what each dropout means at inference, in TOML.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::{Options, Stripped};
use crate::dropout::Convention;
use crate::error::{Error, Result};
use crate::rewrite::plan_file::{self, comment, quoted, table};
use crate::rewrite::{Action, Filter};

/// A file that lists what to strip: `[[strip]]` tables with the keys of a [`Filter`], all of which must hold,
/// and a convention. The first table that matches a dropout applies.
pub type PlanFile = plan_file::PlanFile<Strip>;

/// What a plan file has.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[doc(hidden)]
pub struct Strip {
    strip: Vec<Entry>,
}

/// One `[[strip]]`.
#[derive(Debug, Deserialize)]
struct Entry {
    convention: Option<Convention>,
    #[serde(flatten)]
    keys: BTreeMap<String, toml::Value>,
}

impl PlanFile {
    /// Adds its tables to the filters and conventions.
    ///
    /// # Errors
    /// A key or a value of a table is not valid.
    pub fn merge(self, options: &mut Options) -> Result<()> {
        let PlanFile { plan, path } = self;
        for (index, entry) in plan.strip.into_iter().enumerate() {
            let place = format!("strip {}", index + 1);
            let named = |e: Error| e.at(&place).in_file(&path);
            let mut filter = Filter::default();
            for (key, value) in &entry.keys {
                let text = value.as_str().map(str::to_string);
                let text = text.unwrap_or_else(|| value.to_string());
                filter.set(key, &text).map_err(named)?;
            }
            let convention = entry.convention.unwrap_or(options.convention);
            options.filters.push(filter.clone());
            options.conventions.push((filter, convention));
        }
        Ok(())
    }
}

/// A plan file of a strip of `model`; what would be kept is a comment, with the reason.
pub fn plan_text(model: &str, stripped: &Stripped) -> String {
    let mut text = comment(&format!("dropout-onnx strip {model} --plan FILE"));
    for (site, step) in stripped.sites.iter().zip(&stripped.plan.steps) {
        let rate = site.rate.map(|rate| format!("p={rate}"));
        let scaling = site.is_unscaled().then(|| "unscaled".to_string());
        let layer = site.layer.as_ref().map(|layer| format!("layer {layer}"));
        let facts = [
            Some(site.mode.to_string()),
            rate,
            scaling,
            layer,
            Some(step.label.clone()),
        ];
        let facts: Vec<String> = facts.into_iter().flatten().collect();
        let convention = site.convention.unwrap_or(stripped.plan.convention);
        let lines = [
            "[[strip]]".to_string(),
            format!("id = {}", site.id),
            format!("convention = {}", quoted(convention.word())),
        ];
        let kept = match &step.action {
            Action::Apply => None,
            Action::NoEffect(why) | Action::Refused(why) => Some(why.to_string()),
        };
        text.push_str(&table(&facts.join(", "), kept.as_deref(), &lines));
    }
    text
}
