//! Plan files: positions and rates of dropout, in TOML.

use serde::Deserialize;

use super::{Candidate, Choice, Options};
use crate::error::Result;
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
    rate: Option<Rate>,
    mode: Option<Acting>,
    seed: Option<i64>,
    /// One for each `[[insert]]`: all of its keys must match.
    #[serde(default)]
    insert: Vec<Choice>,
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
    /// An `[[insert]]` selects nothing.
    pub fn merge(self, options: &mut Options, mode_given: bool) -> Result<()> {
        let PlanFile { plan, path } = self;
        if let (false, Some(mode)) = (mode_given, plan.mode) {
            options.acting = mode;
        }
        options.seed = options.seed.or(plan.seed);
        options.rate = options.rate.or(plan.rate);
        let empty = |choice: &Choice| choice.to_string().is_empty();
        if let Some(index) = plan.insert.iter().position(empty) {
            let why = "selects nothing: give at, after, name, layer, preset or scope";
            let place = format!("insert {}", index + 1);
            return Err(usage(why.into()).at(place).in_file(&path));
        }
        options.choices.extend(plan.insert);
        Ok(())
    }
}
