//! Plan files: where dropout goes, and at which rates, in TOML.

use std::path::Path;

use anyhow::{Context, Result};
use dropout_onnx::rewrite::insert::{Choice, Options};
use dropout_onnx::rewrite::{Acting, Rate};
use serde::Deserialize;

/// The whole file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlanFile {
    rate: Option<f64>,
    mode: Option<String>,
    seed: Option<i64>,
    #[serde(default)]
    insert: Vec<Entry>,
    #[serde(skip)]
    name: String,
}

/// One `[[insert]]`: all that stands in it must hold.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    at: Option<String>,
    after: Option<String>,
    name: Option<String>,
    layer: Option<String>,
    preset: Option<String>,
    rate: Option<f64>,
    shared_axes: Option<Vec<i64>>,
}

/// Reads a plan file.
pub fn read(path: &Path) -> Result<PlanFile> {
    let name = path.display().to_string();
    let text = std::fs::read_to_string(path)
        .map_err(|e| dropout_onnx::Error::io("cannot read", e).in_file(path))?;
    let file: PlanFile = toml::from_str(&text).map_err(|e| {
        let line = e
            .span()
            .map(|span| text[..span.start].matches('\n').count() + 1);
        let line = line.map_or(String::new(), |line| format!(" line {line}:"));
        anyhow::anyhow!("{name}:{line} {}", e.message())
    })?;
    Ok(PlanFile { name, ..file })
}

impl PlanFile {
    /// Adds what the file says; what options said counts for more. `mode_given`: they gave a mode.
    pub fn merge(self, options: &mut Options, mode_given: bool) -> Result<()> {
        let rate = |rate: Option<f64>| rate.map(Rate::new).transpose();
        let name = || self.name.clone();
        if let (false, Some(mode)) = (mode_given, &self.mode) {
            options.acting = mode.parse::<Acting>().with_context(name)?;
        }
        options.seed = options.seed.or(self.seed);
        options.rate = match options.rate {
            Some(rate) => Some(rate),
            None => rate(self.rate).with_context(name)?,
        };
        for (index, entry) in self.insert.into_iter().enumerate() {
            let at = || format!("{}: insert {}", self.name, index + 1);
            let preset = entry.preset.map(|preset| preset.parse()).transpose();
            let choice = Choice {
                at: entry.at.map(|at| at.as_str().into()),
                after: entry.after,
                name: entry.name,
                layer: entry.layer,
                preset: preset.with_context(at)?,
                rate: rate(entry.rate).with_context(at)?,
                shared_axes: entry.shared_axes,
            };
            let empty = choice.to_string().is_empty();
            anyhow::ensure!(
                !empty,
                "{}: chooses nothing: at, after, name, layer or preset",
                at()
            );
            options.choices.push(choice);
        }
        Ok(())
    }
}
