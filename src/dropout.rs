//! What dropout is in a model: [`Site`]s, found by recognisers that read and never edit.
//!
//! Inverted dropout (Keras, PyTorch, ONNX) keeps an element with probability `1-p` and scales it by
//! `1/(1-p)` in training; at inference it is the identity. Classic dropout (Srivastava 2014) does
//! not scale in training and multiplies by `1-p` at inference. `p` is Keras' *rate* and ONNX'
//! *ratio*: the probability to drop, in `[0, 1)`.

mod coin;
mod constant;
mod frozen_mask;
mod layer_name;
mod limit;
mod noise_shape;
mod operator;
mod origin;
mod parameter;
mod random_mask;
mod scale;

use crate::error::Result;
use crate::hash::HashSet;
use crate::interrupt;
use crate::onnx::{
    DataType, GraphId, Model, Name, NodeId, Producer, Use, ValueId, Values, encode_float,
};
use crate::semantics::facts::{Facts, Memo};
use crate::semantics::view::View;
use crate::words::words;
pub(crate) use layer_name::Layers;
pub use limit::Limit;
use limit::Limits;
pub use operator::{OperatorVersion, version};
pub(crate) use origin::Origins;

/// One dropout in a model: facts, no verdicts.
#[derive(Clone, Debug)]
pub struct Site {
    /// Its index among the model's sites.
    pub id: usize,
    /// How it is written.
    pub form: Form,
    /// Which kind of dropout it is.
    pub kind: Kind,
    /// Whether it acts.
    pub mode: Mode,
    /// The probability to drop; `None` where the file does not tell or callers differ. The shortest
    /// decimal that is this number in its element type: 0.3, not 0.30000001.
    pub rate: Option<f64>,
    /// Where the rate comes from.
    pub rate_origin: RateOrigin,
    /// How kept elements are scaled.
    pub scaling: Scaling,
    /// What inference multiplies by: 1 for inverted dropout.
    pub inference_scale: f64,
    /// The shape the mask is drawn in, where it is not that of the data: sizes, symbols, `1` where
    /// it is shared along an axis, `?` where the file does not tell.
    pub noise_shape: Option<Vec<String>>,
    /// The seed written in the file.
    pub seed: Option<i64>,
    /// What becomes of the mask.
    pub mask: MaskUse,
    /// The graph that contains it.
    pub graph: GraphId,
    /// Its nodes; the first is the one to name it by.
    pub nodes: Vec<NodeId>,
    /// The value it is applied to.
    pub input: Option<ValueId>,
    /// The name of that value.
    pub input_name: Option<Name>,
    /// What comes out.
    pub output: Option<ValueId>,
    /// The name of what comes out.
    pub output_name: Option<Name>,
    /// The value that decides at run time whether it acts.
    pub switch: Option<ValueId>,
    /// Where a mask meets data and what that means at inference; empty for operators. A mask of
    /// several uses (the gates of an LSTM) has several.
    pub exits: Vec<Exit>,
    /// What the switch is when a mask does not act: 0 or 1.
    pub off: Option<f64>,
    /// An input of the model that is the rate and has no default, and what it was taken to be.
    pub given: Option<(ValueId, f64)>,
    /// A draw that keeps everything: of random masks. `None` if there is none for all calls of a
    /// function.
    pub kept_draw: Option<KeptDraw>,
    /// Why it can be found but not taken out: something else uses the mask, or the rest of the model
    /// needs it for more than dropout.
    pub entangled: Option<String>,
    /// The layer of the framework it comes from, if the file tells: `sequential/dropout_1`,
    /// `encoder.layers.0.dropout`.
    pub layer: Option<String>,
    /// What is wrong with it, in words: a ratio outside `[0, 1)`, a training_mode that is no
    /// boolean.
    pub problem: Option<String>,
}

/// A scalar: its type, and its bytes as in `raw_data`.
pub type ScalarBytes = (DataType, Vec<u8>);

impl Site {
    /// A site of which nothing is told but how it is written and where: inverted dropout that does
    /// nothing, with an unknown rate. A recogniser overrides the known facts.
    fn new(form: Form, graph: GraphId, nodes: Vec<NodeId>) -> Site {
        Site {
            id: 0,
            form,
            kind: Kind::Dropout,
            mode: Mode::Inert,
            rate: None,
            rate_origin: RateOrigin::Unknown,
            scaling: Scaling::Inverted,
            inference_scale: 1.0,
            noise_shape: None,
            seed: None,
            mask: MaskUse::None,
            graph,
            nodes,
            input: None,
            input_name: None,
            output: None,
            output_name: None,
            switch: None,
            exits: Vec::new(),
            off: None,
            given: None,
            kept_draw: None,
            entangled: None,
            layer: None,
            problem: None,
        }
    }

    /// True of an operator without a ratio where exporters always write one: it reads as 0.5, and has
    /// most likely lost its rate.
    pub fn lost_rate(&self, model: &Model) -> bool {
        let opset = model.opset(self.graph, "");
        self.form == Form::Operator
            && self.rate_origin == RateOrigin::Default
            && opset.is_some_and(|opset| version(opset) == OperatorVersion::Inputs)
    }

    /// What inference multiplies by under the classic convention: `1-p`. `None` where this is no
    /// operator, or its rate is not constant.
    pub fn classic_scale(&self) -> Option<f64> {
        let told = [
            RateOrigin::Attribute,
            RateOrigin::Constant,
            RateOrigin::Default,
        ];
        let told = self.form == Form::Operator && told.contains(&self.rate_origin);
        let rate = self.rate.filter(|rate| (0.0..1.0).contains(rate));
        rate.filter(|_| told).map(|rate| scale::plain(1.0 - rate))
    }

    /// The classic scale as a scalar of the data's type, little-endian; `None` if either is not known.
    pub fn classic_factor(&self, model: &Model, values: &Values) -> Option<ScalarBytes> {
        let mut ends = [self.input, self.output].into_iter().flatten();
        let element = ends.find_map(|value| model.element_type(values, value))?;
        Some((element, encode_float(element, self.classic_scale()?)?))
    }

    /// The node that draws a random mask.
    pub fn source(&self) -> Option<NodeId> {
        match self.form {
            Form::RandomMask => self.nodes.get(1).copied(),
            _ => None,
        }
    }

    /// The nodes that make a mask of a draw and drop data with it, and those that scale the data before;
    /// none of an operator.
    pub fn mask_nodes(&self, model: &Model, values: &Values) -> Vec<NodeId> {
        let mut seen = HashSet::default();
        let mut found = Vec::new();
        let mut open: Vec<NodeId> = self.source().into_iter().collect();
        open.extend(self.exits.iter().map(|exit| exit.node));
        while let Some(id) = open.pop() {
            if found.len() > MASK_NODES || !seen.insert(id) {
                continue;
            }
            found.push(id);
            let outputs = 0..model.node(id).outputs.len();
            for output in outputs.filter_map(|output| values.output(model, id, output)) {
                if self.exits.iter().any(|exit| exit.output == output) {
                    continue;
                }
                open.extend(values.uses(output).filter_map(|at| match at {
                    Use::Input { node, .. } => Some(node),
                    _ => None,
                }));
            }
        }
        for exit in &self.exits {
            let before = exit.prescale.map(|prescale| prescale.node);
            let before = before.into_iter().chain(exit.chain(model, values));
            found.extend(before.filter(|&id| seen.insert(id)));
        }
        found
    }
}

/// How many nodes a mask is made of, at most.
const MASK_NODES: usize = 200;

/// A place where a mask is applied to data.
///
/// At inference `output` is `scale · data`, its elements moved as the nodes of `path` do; where there
/// is a `prescale` it is what data is without that factor, to the last bit.
#[derive(Clone, Debug, PartialEq)]
pub struct Exit {
    /// The node whose output is what dropout makes of the data.
    pub node: NodeId,
    /// The data: it does not depend on the draw.
    pub data: ValueId,
    /// Nodes between data and output that move elements about (Transpose, Reshape) or cast them.
    pub path: Vec<NodeId>,
    /// What becomes of it.
    pub output: ValueId,
    /// What inference multiplies `data` by. Not [`Site::inference_scale`] where the data was scaled
    /// before.
    pub scale: f64,
    /// Where the data got the factor `1 / scale`, if it did.
    pub prescale: Option<Prescale>,
    /// `a` and `b` where a draw keeps its element: there output is `a · data + b`.
    pub kept: (f64, f64),
    /// The input of a constant mask.
    pub frozen: Option<FrozenInput>,
}

/// An input of a node that is a constant mask.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FrozenInput {
    /// The node.
    pub node: NodeId,
    /// Which input.
    pub input: usize,
    /// What the mask is where it keeps.
    pub kept: f64,
    /// The node that scaled the data before the mask, if one did.
    pub scaled: Option<NodeId>,
}

/// Tolerance within which a scale counts as 1, so no Mul is needed.
const ONE: f64 = 1e-9;

impl Exit {
    /// True if inference multiplies by a number that is nowhere in the model.
    pub fn needs_scale(&self) -> bool {
        self.prescale.is_none() && (self.scale - 1.0).abs() > ONE
    }

    /// The scale as a scalar of the data's type, little-endian; `None` if that is not known.
    pub fn factor(&self, model: &Model, values: &Values) -> Option<(DataType, Vec<u8>)> {
        let ends = [self.data, self.output];
        let element = (ends.into_iter()).find_map(|value| model.element_type(values, value))?;
        Some((element, encode_float(element, self.scale)?))
    }

    /// The nodes between the factor before the mask and the data, in order: they move elements about
    /// or cast them.
    pub fn chain(&self, model: &Model, values: &Values) -> Vec<NodeId> {
        let mut chain = Vec::new();
        let Some(prescale) = &self.prescale else {
            return chain;
        };
        let mut at = self.data;
        while let Producer::Node { node, .. } = values[at].producer
            && node != prescale.node
            && let Some(input) = values.input(node, 0)
        {
            if !model.node(node).is("Identity") {
                chain.push(node);
            }
            at = input;
        }
        chain.reverse();
        chain
    }
}

/// A node that multiplies by a constant (or divides) before the mask does. Only nodes that move
/// elements about or cast them stand between its output and the data of the exit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Prescale {
    /// The Mul or Div.
    pub node: NodeId,
    /// What it multiplies.
    pub from: ValueId,
    /// True if something else than this dropout also uses what comes of it.
    pub shared: bool,
}

/// A draw for which nothing is dropped.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct KeptDraw {
    /// The node that draws.
    pub source: NodeId,
    /// What it draws, for instance 0.75.
    pub value: f64,
    /// What it draws where everything is dropped; `None` if no draw does that.
    pub dropped: Option<f64>,
}

words! {
    /// How a dropout is written.
    Form {
        /// A `Dropout` operator.
        Operator = "operator",
        /// A random mask, made of other operators.
        RandomMask = "random_mask",
        /// A mask that was drawn once and is now a constant.
        FrozenMask = "frozen_mask",
        /// The factor that classic dropout leaves at inference.
        Scale = "scale",
    }
}

words! {
    /// Kinds of dropout.
    Kind {
        /// A random mask of zeros and ones.
        Dropout = "dropout",
        /// As dropout, but keeps mean and variance for SELU networks.
        AlphaDropout = "alpha_dropout",
        /// Multiplies by a normal number of mean 1.
        GaussianDropout = "gaussian_dropout",
        /// Adds a normal number of mean 0; its rate is the standard deviation.
        GaussianNoise = "gaussian_noise",
    }
}

words! {
    /// Whether a dropout acts, from the mildest to the worst.
    Mode {
        /// It passes its input through.
        Inert = "inert",
        /// It drops the same elements in every run: its mask is a constant.
        Frozen = "frozen",
        /// An input of the model decides.
        Runtime = "runtime",
        /// It drops, whenever the model runs.
        Active = "active",
    }
}

words! {
    /// Where a rate comes from.
    RateOrigin {
        /// An attribute of the operator.
        Attribute = "attribute",
        /// An initializer or a Constant node.
        Constant = "constant",
        /// Nowhere: the operator's default of 0.5.
        Default = "default",
        /// An input of the model or the function, perhaps with a default.
        Input = "input",
        /// How often the mask is zero.
        Mask = "mask",
        /// Computed, or unknown.
        Unknown = "unknown",
    }
}

words! {
    /// How kept elements are scaled in training.
    Scaling {
        /// By `1/(1-p)`: inference is the identity.
        Inverted = "inverted",
        /// Not at all: inference scales by `1-p`.
        Classic = "classic",
        /// By something else.
        Other = "other",
    }
}

words! {
    /// What a `Dropout` operator is taken to mean at inference.
    #[derive(Default)]
    Convention {
        /// Nothing: it scales in training, as ONNX, Keras and PyTorch have it.
        #[default]
        Inverted = "inverted",
        /// A product by `1-p`: it does not scale in training (Srivastava 2014).
        Classic = "classic",
    }
}

words! {
    /// What becomes of a dropout's mask.
    MaskUse {
        /// There is no mask output.
        None = "none",
        /// The mask has a name that nothing uses.
        Unused = "unused",
        /// Nodes use the mask.
        Used = "used",
        /// The mask is an output of its graph.
        Output = "output",
    }
}

/// What the recognisers of a model share.
struct Search<'m> {
    facts: Facts<'m>,
    origins: Origins<'m>,
    limits: &'m Limits,
}

/// A way of finding sites. A new one is one file and one line in [`RECOGNISERS`].
type Recogniser = fn(&Search<'_>) -> Result<Vec<Site>>;

const RECOGNISERS: &[Recogniser] = &[
    |search| operator::find(search.facts),
    random_mask,
    frozen_mask,
    |search| Ok(scale::find(search.facts, &search.origins)),
];

/// Those of dropout that is written as masks.
const MASKS: &[Recogniser] = &[random_mask, frozen_mask];

fn random_mask(search: &Search<'_>) -> Result<Vec<Site>> {
    let view = search.facts.view();
    random_mask::find(view.model, view.values, search.limits)
}

fn frozen_mask(search: &Search<'_>) -> Result<Vec<Site>> {
    Ok(frozen_mask::find(
        search.facts,
        &search.origins,
        search.limits,
    ))
}

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
pub fn find(model: &Model, values: &Values) -> Result<Vec<Site>> {
    search(model, values).map(|findings| findings.sites)
}

/// As [`find`], with the limits that the search ran into.
///
/// # Errors
/// As [`find`].
pub fn search(model: &Model, values: &Values) -> Result<Findings> {
    let (limits, memo) = (Limits::default(), Memo::default());
    let facts = Facts::new(View::new(model, values), &memo);
    let mut sites = recognise(RECOGNISERS, facts, &limits)?;
    sites.sort_by_key(|site| site.nodes.first().copied());
    for (id, site) in sites.iter_mut().enumerate() {
        site.id = id;
    }
    noise_shape::tell(facts, &mut sites);
    layer_name::name(model, values, &mut sites)?;
    for (node, what) in facts.limits() {
        limits.reached(node, what);
    }
    Ok(Findings {
        sites,
        limits: limits.into_vec(),
    })
}

/// Finds the dropouts that are written as masks: those with exits. Their ids, layers and noise shapes
/// are unknown.
///
/// # Errors
/// As [`find`].
pub fn find_masks(model: &Model, values: &Values) -> Result<Vec<Site>> {
    let memo = Memo::default();
    recognise(
        MASKS,
        Facts::new(View::new(model, values), &memo),
        &Limits::default(),
    )
}

fn recognise(all: &[Recogniser], facts: Facts<'_>, limits: &Limits) -> Result<Vec<Site>> {
    let search = Search {
        facts,
        origins: Origins::new(facts.view()),
        limits,
    };
    let mut sites = Vec::new();
    for recogniser in all {
        interrupt::check()?;
        sites.extend(recogniser(&search)?);
    }
    Ok(sites)
}
