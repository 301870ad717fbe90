//! Changing the sites of a plan.

use crate::dropout::{Form, Site};
use crate::error::{Error, ErrorKind, Result};
use crate::hash::HashSet;
use crate::onnx::{Attribute, AttributeValue, Editor, Model, Values};
use crate::rewrite::idle::{graph_inputs, idle_names};
use crate::semantics::view::View;

use super::plan::Planned;
use super::{Options, Outcome, Seed, change, mask, operator};

/// Changes the sites of the plan.
///
/// # Errors
/// The plan refuses a site, or the name of the switch is taken; the model is then not to be used.
pub(super) fn apply(
    model: &mut Model,
    values: Values,
    sites: &[Site],
    options: &Options,
    planned: &Planned,
) -> Result<Outcome> {
    if let Some((step, why)) = planned.plan.refusals().next() {
        return Err(Error::new(ErrorKind::Unsupported, why.to_string()).at(&step.label));
    }
    let inputs = graph_inputs(View::new(model, &values));
    let done = planned.changes.iter().map(|change| change.at).collect();
    let mut editor = Editor::new(model, values);
    let mut outcome = Outcome::default();
    change::apply(&mut editor, &planned.changes);
    let mut seen = HashSet::default();
    for (index, step) in planned.plan.applied().enumerate() {
        let site = &sites[step.site];
        if let Some(seed) = options.seed {
            let seed = match seed {
                Seed::Number(first) => Some(first.wrapping_add(index as i64)),
                Seed::None => None,
            };
            set_seed(&mut editor, site, seed);
        }
        // one node, whichever calls set it
        let is_new = seen.insert(&site.nodes) || site.passed.is_some();
        if site.form == Form::Operator && is_new {
            operator::apply(&mut editor, site, options, &done, &mut outcome)?;
        }
        if let (Some(rate), Some(now), Form::RandomMask) = (options.rate, site.rate, site.form)
            && let Some(name) = mask::deviation(editor.view(), site, now)
            && let Some(source) = site.source()
        {
            let deviation = AttributeValue::Float(mask::deviation_at(rate));
            editor.set_attribute(source, Attribute::new(name, deviation));
        }
        outcome.changed += 1;
    }
    outcome.idle_inputs = idle_names(editor.view(), &inputs);
    editor.finish()?;
    Ok(outcome)
}

fn set_seed(editor: &mut Editor<'_>, site: &Site, seed: Option<i64>) {
    let node = site.source().unwrap_or(site.nodes[0]);
    match seed {
        None => editor.remove_attribute(node, "seed"),
        Some(seed) => {
            let seed = match site.form {
                Form::Operator => AttributeValue::Int(seed),
                _ => AttributeValue::Float(seed as f32),
            };
            editor.set_attribute(node, Attribute::new("seed", seed));
        }
    }
}
