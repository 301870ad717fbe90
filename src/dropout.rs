//! What dropout is in a model: [`Site`]s, found by recognisers that read and never edit.
//!
//! Inverted dropout (Keras, PyTorch, ONNX) keeps an element with probability `1-p` and scales it by
//! `1/(1-p)` in training; at inference it is the identity. Classic dropout (Srivastava 2014) does
//! not scale in training and multiplies by `1-p` at inference. `p` is Keras' *rate* and ONNX's
//! *ratio*: the probability to drop, in `[0, 1)`.

pub(crate) mod alpha;
pub(crate) mod batch_norm;
mod coin;
mod convention;
mod examined;
mod frozen_mask;
mod junction;
mod layer_name;
mod limit;
mod noise_shape;
mod operator;
mod order;
mod origin;
mod parameter;
mod problem;
mod random_mask;
mod random_operator;
mod scale;
mod scores;
mod site;
mod version;
mod zeroed_weight;

use crate::error::Result;
use crate::hash::HashSet;
use crate::interrupt;
use crate::onnx::{GraphKind, Name, NodeId};
use crate::semantics::analysis::Analysis;
use crate::semantics::draws::{Reach, Reached};
use crate::semantics::facts::{Facts, Runs};
use crate::semantics::foreign::ForeignDropout;
use crate::semantics::view::{NodeRef, View};

#[cfg(feature = "tract")]
pub(crate) use convention::inherited;
pub(crate) use convention::under;
pub(crate) use examined::Side;
#[doc(hidden)]
pub use examined::{Examine, Examined};
#[doc(hidden)]
pub use junction::{FrozenInput, Junction, KeptDraw, Prescale};
pub(crate) use layer_name::Layers;
#[doc(hidden)]
pub use limit::Limit;
use limit::Limits;
pub(crate) use origin::Origins;
#[doc(hidden)]
pub use problem::Problem;
#[doc(hidden)]
pub use random_operator::RandomOperator;
pub use site::{Convention, Form, Kind, Mode, RateOrigin, Scaling, Site};
#[doc(hidden)]
pub use site::{MaskUse, ScalarBytes};
#[doc(hidden)]
pub use version::{OperatorVersion, version};
pub(crate) use zeroed_weight::{folded_weights, zeroed_weights};

/// What the recognisers of a model share.
struct Search<'m> {
    facts: Facts<'m>,
    origins: Origins<'m>,
    limits: &'m Limits,
}

/// A way of finding sites. A new one is one file and one line in [`RECOGNISERS`].
type Recogniser = fn(&Search<'_>) -> Result<Vec<Site>>;

const RECOGNISERS: &[Recogniser] = &[operator::find, random_mask, frozen_mask, |search| {
    Ok(scale::find(search.facts, &search.origins))
}];

/// Those of dropout that is written as masks.
#[cfg(feature = "tract")]
const MASKS: &[Recogniser] = &[random_mask, frozen_mask];

fn random_mask(search: &Search<'_>) -> Result<Vec<Site>> {
    random_mask::find(search.facts, search.limits)
}

fn frozen_mask(search: &Search<'_>) -> Result<Vec<Site>> {
    let Search {
        facts,
        origins,
        limits,
    } = search;
    Ok(frozen_mask::find(*facts, origins, limits))
}

/// The dropout in a model, the other operators that draw random numbers, and where the search stopped
/// early.
#[derive(Clone, Debug)]
#[non_exhaustive]
#[doc(hidden)]
pub struct Findings {
    /// Every dropout that was found, in file order.
    pub sites: Vec<Site>,
    /// Searches that stopped at a limit, in file order. If there are any, a model without sites may
    /// still have dropout.
    pub limits: Vec<Limit>,
    /// Random operators that are not part of a dropout and may change an output, in file order.
    pub random: Vec<RandomOperator>,
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
#[doc(hidden)]
pub fn search(analysis: &Analysis<'_>) -> Result<Findings> {
    let limits = Limits::default();
    let sites = find_within(analysis.facts(), &limits)?;
    unknown_operators(analysis.view(), &limits);
    Ok(Findings {
        random: random_operator::find(analysis.facts(), &sites)?,
        sites,
        limits: limits.into_vec(),
    })
}

/// The domains of the functions that exporters write: those of modules and of torch_lib.
const EXPORTED: [&[u8]; 2] = [b"pkg.", b"torch"];

/// Records nodes that may drop in a way that no recogniser knows.
fn unknown_operators(view: View<'_>, limits: &Limits) {
    let functions = view.model.functions();
    let is_own = |node: NodeRef<'_>| {
        let mut domains = functions.iter().map(|function| &function.domain);
        let domain = node.domain.as_bytes();
        !node.in_default_domain()
            && (EXPORTED.iter().any(|part| domain.starts_with(part))
                || domains.any(|domain| *domain == node.domain))
    };
    let known = |node: &NodeRef<'_>| node.is("Dropout") || ForeignDropout::of(*node).is_some();
    for node in view.nodes().filter(|node| !known(node)) {
        let what = match node {
            _ if is_named_dropout(node) => "dropout of this operator is not analysed",
            _ if is_own(node) => "the model calls a function that it does not define",
            _ => continue,
        };
        if node.callee().is_none() {
            limits.reached(node.id, what);
        }
    }
}

/// Parts of the names of dropout, in small letters.
const DROPOUT: [&str; 8] = [
    "dropout",
    "dropblock",
    "drop_block",
    "dropconnect",
    "drop_connect",
    "droppath",
    "drop_path",
    "stochasticdepth",
];

/// True of an unknown operator that is named after dropout. Gradients have no effect at inference.
fn is_named_dropout(node: NodeRef<'_>) -> bool {
    let name = match node.op_type == "ATen" {
        true => node.string("operator").unwrap_or_default(),
        false => node.op_type.as_bytes(),
    };
    let name = String::from_utf8_lossy(name).to_lowercase();
    DROPOUT.iter().any(|part| name.contains(part)) && !name.ends_with("grad")
}

/// Finds the dropouts that are written as masks: those with junctions. Their ids, layers and noise shapes
/// are unknown.
///
/// # Errors
/// As [`find`].
#[cfg(feature = "tract")]
pub(crate) fn find_masks(view: View<'_>) -> Result<Vec<Site>> {
    let memo = crate::semantics::facts::Memo::default();
    recognise(MASKS, Facts::new(view, &memo), &Limits::default())
}

fn find_within(facts: Facts<'_>, limits: &Limits) -> Result<Vec<Site>> {
    let mut sites = recognise(RECOGNISERS, facts, limits)?;
    sites.sort_by_key(|site| site.nodes.first().copied());
    for (id, site) in sites.iter_mut().enumerate() {
        site.id = id;
    }
    noise_shape::tell(facts, &mut sites);
    layer_name::name(facts, &mut sites)?;
    for (node, what) in facts.limits() {
        limits.reached(node, what);
    }
    Ok(sites)
}

fn recognise(all: &[Recogniser], facts: Facts<'_>, limits: &Limits) -> Result<Vec<Site>> {
    let search = Search {
        facts,
        origins: Origins::new(facts),
        limits,
    };
    let mut sites = Vec::new();
    for recogniser in all {
        interrupt::check()?;
        let mut found = recogniser(&search)?;
        match sites.is_empty() {
            true => sites = found,
            false => sites.append(&mut found),
        }
    }
    let drawn: HashSet<NodeId> = sites.iter().filter_map(Site::source).collect();
    sites.retain(|site| site.form != Form::Operator || !drawn.contains(&site.nodes[0]));
    for site in &mut sites {
        within(facts, site);
    }
    let view = facts.view();
    without_effect(view, &mut sites);
    sites.retain(|site| site.kind != Kind::GaussianNoise || is_noise_layer(view, site));
    Ok(sites)
}

/// Corrects the mode of a site by whether its graphs run.
fn within(facts: Facts<'_>, site: &mut Site) {
    let junctions = site.junctions.iter().map(|junction| junction.node.graph);
    let applied = junctions.map(|graph| facts.runs(graph)).max();
    let applied = applied.unwrap_or_else(|| facts.runs(site.graph));
    let drawn = site.source().map(|source| facts.runs(source.graph));
    let runs = applied.min(drawn.unwrap_or(Runs::Always));
    site.unreachable = runs == Runs::Never;
    site.mode = match (runs, site.mode) {
        (Runs::Never, _) => Mode::Inert,
        (Runs::Sometimes, Mode::Active) => Mode::Runtime,
        (_, mode) => mode,
    };
}

/// Marks draws that change no output: what is drawn ends unused, or only its shape is read.
fn without_effect(view: View<'_>, sites: &mut [Site]) {
    let kind = |site: &Site| &view.model.graph(view.model.root(site.graph)).kind;
    let is_run = |site: &Site| matches!(kind(site), GraphKind::Main | GraphKind::Function(_));
    let draws = |site: &Site| matches!(site.form, Form::Operator | Form::RandomMask);
    let acts = |site: &&mut Site| site.mode != Mode::Inert && draws(site) && is_run(site);
    let mut reach = None;
    for site in sites.iter_mut().filter(acts) {
        let reach = reach.get_or_insert_with(|| Reach::new(view));
        if reach.of(site.source().unwrap_or(site.nodes[0])) == Reached::Nothing {
            site.unreachable = true;
            site.mode = Mode::Inert;
        }
    }
}

/// True of Gaussian noise that can be switched off, that Keras wrote, or that is named after its layer: no
/// other framework has such a layer. Elsewhere, noise is what the model is for, as in diffusion.
fn is_noise_layer(view: View<'_>, site: &Site) -> bool {
    let has = |name: &Name, part: &str| {
        let name = name.as_str().map(str::to_lowercase);
        name.is_some_and(|name| name.contains(part))
    };
    let producer = &view.model.producer_name;
    let mut names = site.nodes.iter().flat_map(|&id| {
        let node = view.node(id).get();
        std::iter::once(&node.name).chain(&node.outputs)
    });
    let by_name = names.any(|name| has(name, "gaussian_noise") || has(name, "gaussiannoise"));
    site.mode == Mode::Runtime || by_name || has(producer, "tf2onnx") || has(producer, "keras")
}
