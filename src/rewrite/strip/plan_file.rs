//! Plan files: what each dropout means at inference, in TOML.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::{Options, Stripped};
use crate::dropout::Convention;
use crate::error::{Error, Result};
use crate::rewrite::plan_file::{comment, parse, quoted, read, table};
use crate::rewrite::{Action, Filter};

/// A file that lists what to strip: `[[strip]]` tables with the keys of a [`Filter`], all of which must hold,
/// and a convention. The first table that matches a dropout applies.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct PlanFile {
    strip: Vec<Entry>,
    #[serde(skip)]
    path: PathBuf,
}

/// One `[[strip]]`.
#[derive(Debug, Deserialize)]
struct Entry {
    convention: Option<Convention>,
    #[serde(flatten)]
    keys: BTreeMap<String, toml::Value>,
}

impl PlanFile {
    /// Reads a plan file.
    ///
    /// # Errors
    /// It cannot be read, or is no such TOML; the message has the line.
    pub fn read(path: &Path) -> Result<PlanFile> {
        let file: PlanFile = read(path)?;
        let path = path.to_path_buf();
        Ok(PlanFile { path, ..file })
    }

    /// Reads the text of a plan file.
    ///
    /// # Errors
    /// It is no such TOML; the message has the line.
    pub fn parse(text: &str) -> Result<PlanFile> {
        parse(text)
    }

    /// Adds its tables to the filters and conventions.
    ///
    /// # Errors
    /// A key or a value of a table is not valid.
    pub fn merge(self, options: &mut Options) -> Result<()> {
        for (index, entry) in self.strip.into_iter().enumerate() {
            let place = format!("strip {}", index + 1);
            let named = |e: Error| e.at(&place).in_file(&self.path);
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
