//! What dropout is in a model: [`Site`]s, found by recognisers that read and never edit.
//!
//! Inverted dropout (Keras, PyTorch, ONNX) keeps an element with probability `1-p` and scales it by
//! `1/(1-p)` in training; at inference it is the identity. Classic dropout (Srivastava 2014) does
//! not scale in training and multiplies by `1-p` at inference. `p` is Keras' *rate* and ONNX's
//! *ratio*: the probability to drop, in `[0, 1)`.

mod coin;
mod constant;
mod exit;
mod frozen_mask;
mod layer_name;
mod limit;
mod noise_shape;
mod operator;
mod origin;
mod random_mask;
mod scale;
mod site;

use crate::error::Result;
use crate::interrupt;
use crate::semantics::analysis::Analysis;
use crate::semantics::view::View;

pub(crate) use constant::shortest;
pub use exit::{Exit, FrozenInput, KeptDraw, Prescale};
pub(crate) use layer_name::Layers;
pub use limit::Limit;
use limit::Limits;
pub(crate) use noise_shape::Shapes;
pub use operator::{OperatorVersion, version};
pub(crate) use origin::is_drawn;
pub use site::{Convention, Form, Kind, MaskUse, Mode, RateOrigin, ScalarBytes, Scaling, Site};

/// A way of finding sites. A new one is one file and one line in [`RECOGNISERS`].
type Recogniser = fn(View<'_>, &Limits) -> Result<Vec<Site>>;

const RECOGNISERS: &[Recogniser] = &[
    operator::find,
    random_mask::find,
    frozen_mask::find,
    scale::find,
];

/// Those of dropout that is written as masks.
const MASKS: &[Recogniser] = &[random_mask::find, frozen_mask::find];

/// The dropout in a model, and where the search for it stopped early.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Findings {
    /// Every dropout that was found, in file order.
    pub sites: Vec<Site>,
    /// Searches that stopped at a limit, in file order. If there are any, a model without sites may
    /// still have dropout.
    pub limits: Vec<Limit>,
}

/// Finds every dropout in every scope of a model, in file order.
///
/// # Errors
/// The rate of a dropout cannot be read.
pub fn find(analysis: &Analysis<'_>) -> Result<Vec<Site>> {
    search(analysis).map(|findings| findings.sites)
}

/// As [`find`], with the limits that the search ran into.
///
/// # Errors
/// As [`find`].
pub fn search(analysis: &Analysis<'_>) -> Result<Findings> {
    let limits = Limits::default();
    let sites = find_within(analysis.view(), &limits)?;
    Ok(Findings {
        sites,
        limits: limits.into_vec(),
    })
}

/// As [`find`], on a view.
///
/// # Errors
/// As [`find`].
pub(crate) fn find_in(view: View<'_>) -> Result<Vec<Site>> {
    find_within(view, &Limits::default())
}

/// Finds the dropouts that are written as masks: those with exits. Their ids, layers and noise shapes
/// are unknown.
///
/// # Errors
/// As [`find`].
pub(crate) fn find_masks(view: View<'_>) -> Result<Vec<Site>> {
    recognise(MASKS, view, &Limits::default())
}

fn find_within(view: View<'_>, limits: &Limits) -> Result<Vec<Site>> {
    let mut sites = recognise(RECOGNISERS, view, limits)?;
    sites.sort_by_key(|site| site.nodes.first().copied());
    for (id, site) in sites.iter_mut().enumerate() {
        site.id = id;
    }
    noise_shape::tell(view.model, view.values, &mut sites);
    layer_name::name(view.model, view.values, &mut sites)?;
    Ok(sites)
}

fn recognise(all: &[Recogniser], view: View<'_>, limits: &Limits) -> Result<Vec<Site>> {
    let mut sites = Vec::new();
    for recogniser in all {
        interrupt::check()?;
        sites.extend(recogniser(view, limits)?);
    }
    Ok(sites)
}
