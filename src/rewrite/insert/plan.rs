//! Which values take dropout, and why others do not.

use std::collections::BTreeMap;

use crate::dropout::Examined;
use crate::error::Result;
use crate::onnx::{DataType, ValueId};
use crate::rewrite::names::usage;
use crate::rewrite::{Action, Plan, Reason, Step};
use crate::semantics::view::ValueRef;

use super::choose::Chooser;
use super::fit::{Fit, Unfit, Wanted};
use super::flow::Flow;
use super::{Options, Place, Preset, write};

/// Plans dropout for the values that were chosen.
///
/// # Errors
/// As [`insert`](super::insert), except for what cannot be written: that is in the plan.
pub fn plan(before: &Examined<'_>, options: &Options) -> Result<(Vec<Place>, Plan)> {
    let view = before.view();
    if options.choices.is_empty() {
        return Err(usage("no position selected for dropout".into()));
    }
    let flow = Flow::new(before.facts())?;
    let fit = Fit::new(&flow, before.facts(), before.sites()?);
    let mut places = chosen(&flow, &fit, options)?;
    let mut plan = Plan::default();
    let mut seeds = 0;
    for (index, place) in places.iter_mut().enumerate() {
        let choice = &options.choices[place.choice];
        let axes = place.shared_axes.clone();
        let wanted = Wanted::new(choice, options, axes.as_deref());
        let value = view.value(place.value);
        let instead = place.instead.map(|of| {
            let first = &options.choices[of];
            let why = format!("a value takes one dropout, and {first} comes before {choice}");
            Unfit::Left(Reason::Position(why.into()))
        });
        let action = match instead.or_else(|| fit.unfit(value, &wanted)) {
            None => Action::Apply,
            Some(Unfit::Left(why) | Unfit::Refused(why)) if choice.optional => {
                Action::NoEffect(why)
            }
            Some(Unfit::Left(why)) if wanted.exact => Action::Refused(why),
            Some(Unfit::Left(why)) => Action::NoEffect(why),
            Some(Unfit::Refused(why)) => Action::Refused(why),
        };
        if action == Action::Apply {
            place.seed = options.seed.map(|seed| seed.wrapping_add(seeds));
            seeds += 1;
        }
        plan.steps.push(Step {
            site: index,
            label: label(value),
            action,
        });
    }
    Ok((places, plan))
}

/// The selected values, each with its settings.
fn chosen(flow: &Flow<'_>, fit: &Fit<'_>, options: &Options) -> Result<Vec<Place>> {
    let mut chooser = Chooser::new(flow);
    let chosen = chooser.all(options)?;
    for choice in &options.choices {
        if options.rate_of(choice).is_none() {
            return Err(usage(format!(
                "{choice}: no rate; give --rate, or append =RATE"
            )));
        }
    }
    let seconds = seconds(&mut chooser, options, &chosen)?;
    let fits = |(&(value, _), &index): (&(ValueId, _), &usize)| {
        fit.has_axes(flow.view.value(value), &options.choices[index])
    };
    let fits = chosen.iter().any(fits);
    let chosen = chosen.into_iter();
    let chosen = chosen.map(|((value, _), index)| (value, index, None));
    let places = chosen.chain(seconds).filter_map(|(value, index, instead)| {
        let (value, choice) = (flow.view.value(value), &options.choices[index]);
        let shared_axes = fit.axes(value, choice, fits);
        Some(Place {
            value: value.id,
            graph: value.graph,
            data: value.name.clone(),
            output: value.name.clone(),
            rate: options.rate_of(choice)?,
            seed: None,
            shared_axes: shared_axes.clone(),
            readers: choice.readers.clone(),
            choice: index,
            instead,
            shared: shared_axes.map(|axes| write::Shared {
                axes,
                rank: fit.shape(value).map_or(0, |shape| shape.len()),
                element: value.element_type().unwrap_or(DataType::FLOAT),
            }),
        })
    });
    Ok(places.collect())
}

/// Where one preset drops elements and another whole samples: the value, the choice that is left out, and the
/// one that comes first.
fn seconds(
    chooser: &mut Chooser<'_, '_>,
    options: &Options,
    chosen: &BTreeMap<(ValueId, Option<usize>), usize>,
) -> Result<Vec<(ValueId, usize, Option<usize>)>> {
    let whole = |choice: usize| {
        options.choices[choice]
            .preset
            .map(|of| of == Preset::DropPath)
    };
    let mut found = Vec::new();
    for (index, choice) in options.choices.iter().enumerate() {
        let Some(this) = whole(index) else { continue };
        for value in chooser.values(choice)? {
            let first = chosen.get(&(value, None)).copied();
            let first = first.filter(|&first| whole(first) == Some(!this));
            found.extend(first.map(|first| (value, index, Some(first))));
        }
    }
    Ok(found)
}

fn label(value: ValueRef<'_>) -> String {
    let scope = || value.view().model.scope(value.graph);
    match value.node() {
        Some(node) => node.place(),
        None => format!("{}: `{}`", scope(), value.name),
    }
}
