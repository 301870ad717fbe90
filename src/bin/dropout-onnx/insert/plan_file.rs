//! Plan files: where dropout goes, and at which rates, in TOML.

use std::path::Path;

use anyhow::{Context, Result};
use dropout_onnx::rewrite::insert::{Candidate, Choice, Options};
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
    scope: Option<String>,
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

/// A plan file that chooses what was found; what would be left out is a comment, with the reason.
pub fn write(model: &str, found: &[Candidate], options: &Options) -> Result<String> {
    let quoted = |text: &str| toml::Value::from(text).to_string();
    // a name may have line breaks
    let comment = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut text = format!(
        "# {}\nmode = {}\n",
        comment(&format!("dropout-onnx insert {model} --plan FILE")),
        quoted(&options.acting.to_string())
    );
    if let Some(seed) = options.seed {
        text.push_str(&format!("seed = {seed}\n"));
    }
    for site in found {
        let shape = site.shape.as_ref();
        let shape = shape.map(|shape| format!("[{}]", shape.join(", ")));
        let element = site.element.clone().unwrap_or_default() + &shape.unwrap_or_default();
        let layer = site.layer.as_ref().map(|layer| format!("layer {layer}"));
        let facts = [
            site.preset.map(str::to_string),
            site.operator.clone(),
            Some(element),
            layer,
        ];
        let facts: Vec<String> = facts
            .into_iter()
            .flatten()
            .filter(|f| !f.is_empty())
            .collect();
        let mut lines = vec![
            "[[insert]]".to_string(),
            format!("at = {}", quoted(&site.value)),
        ];
        let choice = site.choice()?;
        let inner = choice.scope.filter(|_| site.scope != MAIN);
        lines.extend(inner.map(|scope| format!("scope = {}", quoted(&scope))));
        lines.push(format!("rate = {}", site.rate));
        let axes = site.shared_axes.as_ref();
        lines.extend(axes.map(|axes| format!("shared_axes = {axes:?}")));
        text.push_str(&format!("\n# {}\n", comment(&facts.join(", "))));
        let out = match &site.left {
            Some(why) => {
                text.push_str(&format!("# left out: {}\n", comment(why)));
                "# "
            }
            None => "",
        };
        lines
            .iter()
            .for_each(|line| text.push_str(&format!("{out}{line}\n")));
    }
    Ok(text)
}

/// The scope of the model's own graph.
const MAIN: &str = "graph";

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
                scope: entry.scope,
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
                "{}: chooses nothing: at, after, name, layer, preset or scope",
                at()
            );
            options.choices.push(choice);
        }
        Ok(())
    }
}
