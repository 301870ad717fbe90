//! Whether runs reach what differs between two models: the rows of a Gather, the sides of a Where, the
//! branches of an If, the bodies of a Loop or Scan, constants, attributes, and elementwise operators.
//!
//! Nodes in a copy of each model observe indices and conditions. A constant or an attribute is reached if the
//! outputs change, if only by a bit, once that of the other model takes its place: a run in which they do not
//! shows nothing about it. Elements that differ are exchanged in several groups, so that none hides in the
//! others. Where the other model has nothing in its place, numbers take the place of others. An elementwise
//! operator is reached if outputs change once its input takes its place, unlike a Relu of positive numbers.

mod attribute;
mod constant;
mod exchange;
mod observe;

use serde::Serialize;

use super::engine::Stop;
use super::run::Settings;
use super::structure::{Mismatch, What};
use crate::dropout::Side;
use crate::error::Result;
use crate::semantics::view::View;

/// The places that differ, and whether runs reach them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Report {
    /// One entry for each place.
    pub places: Vec<Place>,
}

/// A place at which two models differ.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Place {
    /// The place, for people.
    pub place: String,
    /// Why runs do not reach it; `None` if they do.
    pub unreached: Option<String>,
}

impl Report {
    /// The first place that no run reaches.
    pub fn unreached(&self) -> Option<String> {
        self.places.iter().find_map(|place| {
            let why = place.unreached.as_ref()?;
            Some(format!("{}: {why}", place.place))
        })
    }
}

/// How many exchanges are tried.
const EXCHANGES: usize = 128;

/// One of both models, while its places are tried.
struct Trial<'a> {
    side: Side<'a>,
    other: Side<'a>,
    label: &'static str,
    settings: &'a Settings,
    /// Exchanges that may still be tried.
    left: usize,
}

/// Looks which differences between two models without functions are reached; `None` if no run shows it.
///
/// # Errors
/// The settings do not fit the model, or a file cannot be read.
pub(super) fn check(
    before: Side<'_>,
    after: Side<'_>,
    differs: &Mismatch,
    settings: &Settings,
) -> Result<Option<Report>> {
    let mut report = Report::default();
    if differs.kind.hidden_from_runs().is_none() {
        return Ok(Some(report));
    }
    if differs.hidden.is_empty() {
        return Ok(None);
    }
    let mut left = EXCHANGES;
    for (second, label, [side, other]) in [
        (false, "before", [before, after]),
        (true, "after", [after, before]),
    ] {
        let places = differs.hidden.iter().filter(|place| place.after == second);
        let places: Vec<&What> = places.map(|place| &place.what).collect();
        let mut trial = Trial {
            side,
            other,
            label,
            settings,
            left,
        };
        let observed = trial.observed(&places)?;
        for (index, what) in places.into_iter().enumerate() {
            let unreached = match what {
                What::Never { why, .. } => Some((*why).to_string()),
                What::Constant { value, other } => trial.exchanged(*value, *other)?,
                What::Attributes { node, other } => trial.attributes(*node, *other)?,
                What::Passed { node, input } => trial.passed(*node, *input)?,
                _ => trial.missed(what, &observed, index)?,
            };
            report.places.push(Place {
                place: place(side.view, what, label),
                unreached,
            });
        }
        left = trial.left;
    }
    Ok(Some(report))
}

/// A place in words.
fn place(view: View<'_>, what: &What, label: &str) -> String {
    let node = |node| view.node(node).place();
    let named = match what {
        What::Rows { node: id, .. } => format!("rows that {} reads", node(*id)),
        What::Side { node: id, input: 1 } => format!("{}: where it is true", node(*id)),
        What::Side { node: id, .. } => format!("{}: where it is false", node(*id)),
        What::Branch { node: id, graph } | What::Body { node: id, graph } => {
            let inner = view.model.scope(*graph);
            format!("{}: {inner}", node(*id))
        }
        What::Constant { value, .. } => format!("constant `{}`", view.value(*value).get().name),
        What::Attributes { node: id, .. } => format!("attributes of {}", node(*id)),
        What::Passed { node: id, input } => {
            format!("{}, without which it is input {input}", node(*id))
        }
        What::Never { node: id, .. } => node(*id),
    };
    format!("{named} ({label})")
}

/// Why a model did not run.
fn stopped(stop: Stop) -> Result<String> {
    match stop {
        Stop::Error(error) => Err(error),
        Stop::Unrunnable(why) => Ok(format!("it cannot be observed: {}", why.reason)),
    }
}
