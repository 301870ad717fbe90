//! The places that were chosen, or that presets know, before anything is written.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::dropout::{Examine, Examined};
use crate::error::Result;
use crate::onnx::ValueId;
use crate::rewrite::Rate;

use super::choose::Chooser;
use super::fit::{Unfit, Wanted};
use super::flow::Flow;
use super::{Choice, Options, Preset, fit};

/// A rate for values that no preset knows.
const USUAL: f64 = 0.1;

/// A place for dropout.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Candidate {
    /// The value after which dropout would be inserted.
    pub value: String,
    /// The graph it is of.
    pub scope: String,
    /// The operator that makes it; none of an input or a weight.
    pub operator: Option<String>,
    /// The layer it comes from, if known.
    pub layer: Option<String>,
    /// Its element type, if known.
    pub element: Option<String>,
    /// Its dimensions, symbols and `?`, if its rank is known.
    pub shape: Option<Vec<String>>,
    /// The preset that knows it.
    pub preset: Option<&'static str>,
    /// The rate that was asked for, or is usual there.
    pub rate: f64,
    /// The axes along which its mask is shared.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shared_axes: Option<Vec<i64>>,
    /// Why dropout would not be put there.
    pub left: Option<String>,
}

impl Candidate {
    /// The choice of this value and no other, at this rate: what a plan file keeps.
    ///
    /// # Errors
    /// The rate was changed to none.
    pub fn choice(&self) -> Result<Choice> {
        Ok(Choice {
            at: Some(self.value.as_str().into()),
            scope: Some(globset::escape(&self.scope)),
            rate: Some(Rate::new(self.rate)?),
            shared_axes: self.shared_axes.clone(),
            ..Choice::default()
        })
    }
}

/// Lists what these options choose; what the presets know, if they choose nothing. [`Candidate::choice`]
/// makes a choice of one of them.
///
/// # Errors
/// The model is not sound, a choice matches nothing, or two want different things at one value.
///
/// # Examples
/// ```
/// # fn main() -> dropout_onnx::Result<()> {
/// use dropout_onnx::rewrite::insert::{Options, candidates};
///
/// let model = dropout_onnx::onnx::Model::open("fixtures/torch_course_eval_op17.onnx")?;
/// let found = candidates(&model, &Options::default())?;
/// assert_eq!(found.len(), 2); // behind each Relu of the head
/// assert_eq!((found[0].preset, found[0].rate), (Some("head"), 0.5));
/// # Ok(())
/// # }
/// ```
pub fn candidates(model: &impl Examine, options: &Options) -> Result<Vec<Candidate>> {
    model.examined(|examined| {
        list(examined, options).map_err(|e| examined.model().source().name_in(e))
    })
}

fn list(examined: &Examined<'_>, options: &Options) -> Result<Vec<Candidate>> {
    let view = examined.view();
    let flow = Flow::new(examined.facts())?;
    let fit = fit::Fit::new(&flow, examined.facts(), examined.sites()?);
    let mut chooser = Chooser::new(&flow);
    let mut presets: BTreeMap<ValueId, Preset> = chooser.positions()?.usual();
    let chosen = chooser.all(options)?.into_iter();
    let chosen = chosen.map(|((value, _), index)| (value, Some(&options.choices[index])));
    let mut chosen: BTreeMap<ValueId, Option<&Choice>> = chosen.collect();
    if options.choices.is_empty() {
        chosen.extend(presets.keys().map(|&value| (value, None)));
    }
    for &preset in Preset::ALL {
        for value in chooser.positions()?.of(preset) {
            presets.entry(value).or_insert(preset);
        }
    }
    let fits = chosen.iter().any(|(&value, choice)| {
        choice.is_some_and(|choice| fit.has_axes(view.value(value), choice))
    });
    let layers = chooser.layers()?;
    let found = chosen.into_iter().map(|(value, choice)| {
        let asked = choice.and_then(|choice| choice.preset);
        let preset = asked.or_else(|| presets.get(&value).copied());
        let value = view.value(value);
        let producer = value.node();
        let asked = choice.and_then(|choice| choice.rate).or(options.rate);
        let usual = Choice {
            preset,
            ..Choice::default()
        };
        let choice = choice.unwrap_or(&usual);
        let shared_axes = fit.axes(value, choice, fits);
        // what a preset implies is listed, whether or not the mode allows it
        let given = choice.shared_axes.as_ref().and(shared_axes.as_deref());
        let unfit = fit.unfit(value, &Wanted::new(choice, options, given));
        Candidate {
            value: value.name.to_string(),
            scope: view.model.scope(value.graph),
            operator: producer.map(|node| node.op_type.to_string()),
            layer: producer.and_then(|node| layers.get(&node.id).cloned()),
            element: value.element_type().map(|e| e.to_string()),
            shape: fit.shape(value),
            preset: preset.map(Preset::word),
            rate: asked.map_or(preset.map_or(USUAL, Preset::usual_rate), |r| r.value()),
            shared_axes,
            left: unfit.map(|unfit| match unfit {
                Unfit::Left(why) | Unfit::Refused(why) => why.to_string(),
            }),
        }
    });
    Ok(found.collect())
}
