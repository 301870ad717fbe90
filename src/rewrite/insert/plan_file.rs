//! Plan files: positions and rates of dropout, in TOML.

use serde::Deserialize;

use super::{Candidate, Choice, Options};
use crate::error::{Error, Result};
use crate::rewrite::names::usage;
use crate::rewrite::plan_file::{self, comment, quoted, table};
use crate::rewrite::{Acting, Rate};

/// A file that lists what to insert: `[[insert]]` tables with at, after, name, layer, preset, scope,
/// rate and shared_axes, all of which must hold; `rate`, `mode` and `seed` above them.
pub type PlanFile = plan_file::PlanFile<Insert>;

/// What a plan file has.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[doc(hidden)]
pub struct Insert {
    rate: Option<f64>,
    mode: Option<String>,
    seed: Option<i64>,
    #[serde(default)]
    insert: Vec<Entry>,
}

/// One `[[insert]]`: all of its keys must match.
#[derive(Debug, Deserialize)]
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

/// A plan file that chooses what was found in a model called `model`; what would be left out is a
/// comment, with the reason.
///
/// # Errors
/// The rate of a candidate is not valid.
pub fn plan_text(model: &str, found: &[Candidate], options: &Options) -> Result<String> {
    let mut text = comment(&format!("dropout-onnx insert {model} --plan FILE"));
    text.push_str(&format!("mode = {}\n", quoted(&options.acting.to_string())));
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
        text.push_str(&table(&facts.join(", "), site.left.as_deref(), &lines));
    }
    Ok(text)
}

/// The scope of the model's own graph.
const MAIN: &str = "graph";

impl PlanFile {
    /// Adds the settings of the file; options take precedence. `mode_given`: the options have a mode.
    ///
    /// # Errors
    /// A rate, a mode or a preset is not valid, or an `[[insert]]` selects nothing.
    pub fn merge(self, options: &mut Options, mode_given: bool) -> Result<()> {
        let rate = |rate: Option<f64>| rate.map(Rate::new).transpose();
        let PlanFile { plan, path } = self;
        let named = |e: Error| e.in_file(&path);
        if let (false, Some(mode)) = (mode_given, &plan.mode) {
            options.acting = mode.parse::<Acting>().map_err(named)?;
        }
        options.seed = options.seed.or(plan.seed);
        options.rate = match options.rate {
            Some(rate) => Some(rate),
            None => rate(plan.rate).map_err(named)?,
        };
        for (index, entry) in plan.insert.into_iter().enumerate() {
            let place = format!("insert {}", index + 1);
            let named = |e: Error| e.at(&place).in_file(&path);
            let preset = entry.preset.map(|preset| preset.parse()).transpose();
            let choice = Choice {
                at: entry.at.map(|at| at.as_str().into()),
                scope: entry.scope,
                after: entry.after,
                name: entry.name,
                layer: entry.layer,
                preset: preset.map_err(named)?,
                rate: rate(entry.rate).map_err(named)?,
                shared_axes: entry.shared_axes,
                ..Choice::default()
            };
            if choice.to_string().is_empty() {
                let why = "selects nothing: give at, after, name, layer, preset or scope";
                return Err(named(usage(why.into())));
            }
            options.choices.push(choice);
        }
        Ok(())
    }
}
