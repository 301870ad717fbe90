//! The facts about one dropout.

use crate::hash::HashSet;
use crate::onnx::{DataType, GraphId, Model, Name, NodeId, ValueId, encode_float};
use crate::semantics::foreign::ForeignDropout;
use crate::semantics::scalar::plain;
use crate::semantics::view::View;
use crate::words::words;

use super::junction::{Junction, KeptDraw};
use super::problem::Problem;
use super::version::{OperatorVersion, version};

/// One dropout in a model: facts, no verdicts.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Site {
    /// Its index among the model's sites.
    pub id: usize,
    /// How it is written.
    pub form: Form,
    /// Which kind of dropout it is.
    pub kind: Kind,
    /// Whether it acts.
    pub mode: Mode,
    /// The probability to drop; `None` where the file does not declare it or callers differ. The shortest
    /// decimal that is this number in its element type: 0.3, not 0.30000001.
    pub rate: Option<f64>,
    /// Where the rate comes from.
    pub rate_origin: RateOrigin,
    /// How kept elements are scaled.
    pub scaling: Scaling,
    /// What inference multiplies by: 1 for inverted dropout.
    pub inference_scale: f64,
    /// What it is taken to mean at inference, if that differs from the rest of the model.
    pub convention: Option<Convention>,
    /// The shape the mask is drawn in, where it is not that of the data: sizes, symbols, `1` where
    /// it is shared along an axis, `?` where it is unknown.
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
    /// Where a mask is applied to data, and what that means at inference; empty for operators. A mask of
    /// several uses (the gates of an LSTM) has several.
    pub junctions: Vec<Junction>,
    /// What the switch is when a mask does not act: 0 or 1.
    pub off: Option<f64>,
    /// An input of the model that is the rate and has no default, and what it was taken to be.
    pub given: Option<(ValueId, f64)>,
    /// A draw that keeps everything: of random masks. `None` if there is none for all calls of a
    /// function.
    pub kept_draw: Option<Box<KeptDraw>>,
    /// The condition of an If that runs a layer which a draw skips; the If is the first node.
    pub runs_if: Option<bool>,
    /// Why it can be found but not removed: something else uses the mask, or the rest of the model
    /// needs it for more than dropout.
    pub entangled: Option<String>,
    /// The layer of the framework it comes from, if known: `sequential/dropout_1`,
    /// `encoder.layers.0.dropout`.
    pub layer: Option<String>,
    /// True if it is in a branch that is never taken or in a function that is never called, and if nothing
    /// reads its result, or only its shape.
    pub unreachable: bool,
    /// The calls of functions that set this rate and mode, the innermost first. Empty where all calls set
    /// the same; otherwise other sites have the same nodes, and other calls.
    pub calls: Vec<NodeId>,
    /// The call and its attribute that is the rate, if one is.
    pub passed: Option<Box<(NodeId, Name)>>,
    /// The operator of another domain that it is.
    pub(crate) foreign: Option<&'static ForeignDropout>,
    /// Its fault: a ratio outside `[0, 1)`, a training_mode that is no boolean.
    pub problem: Option<Box<Problem>>,
}

/// A scalar: its type, and its bytes as in `raw_data`.
pub type ScalarBytes = (DataType, Vec<u8>);

impl Site {
    /// A site of which only form and place are known: inverted dropout that does
    /// nothing, with an unknown rate. A recogniser overrides the known facts.
    pub(super) fn new(form: Form, graph: GraphId, nodes: Vec<NodeId>) -> Site {
        Site {
            id: 0,
            form,
            kind: Kind::Dropout,
            mode: Mode::Inert,
            rate: None,
            rate_origin: RateOrigin::Unknown,
            scaling: Scaling::Inverted,
            inference_scale: 1.0,
            convention: None,
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
            junctions: Vec::new(),
            off: None,
            given: None,
            kept_draw: None,
            runs_if: None,
            entangled: None,
            layer: None,
            unreachable: false,
            calls: Vec::new(),
            passed: None,
            foreign: None,
            problem: None,
        }
    }

    /// Sites, each node once: without those that only other calls distinguish from one before.
    pub(crate) fn each_node<'s>(
        sites: impl IntoIterator<Item = &'s Site>,
    ) -> impl Iterator<Item = &'s Site> {
        let mut seen = HashSet::default();
        let sites = sites.into_iter();
        sites.filter(move |site| site.calls.is_empty() || seen.insert(&site.nodes))
    }

    /// True of two sites of the same nodes, which different calls set.
    pub(crate) fn is_twin_of(&self, other: &Site) -> bool {
        self.id != other.id && self.nodes == other.nodes && !self.calls.is_empty()
    }

    /// True of an operator without a ratio where exporters always write one: it reads as 0.5, and has
    /// most likely lost its rate.
    pub fn lost_rate(&self, model: &Model) -> bool {
        let opset = model.opset(self.graph, "");
        self.form == Form::Operator
            && self.foreign.is_none()
            && self.rate_origin == RateOrigin::Default
            && opset.is_some_and(|opset| version(opset) == OperatorVersion::Inputs)
    }

    /// True of an operator that leaves a factor of its rate.
    pub(crate) fn is_classic(&self) -> bool {
        let classic = self.convention == Some(Convention::Classic);
        classic && self.form == Form::Operator && self.rate != Some(0.0)
    }

    /// What inference multiplies by under the classic convention: `1-p`. `None` where this is no
    /// operator, or its rate is not constant.
    pub fn classic_scale(&self) -> Option<f64> {
        let told = [
            RateOrigin::Attribute,
            RateOrigin::Constant,
            RateOrigin::Default,
        ];
        let is_operator = self.form == Form::Operator && self.foreign.is_none();
        let told = is_operator && told.contains(&self.rate_origin);
        let rate = self.rate.filter(|rate| (0.0..1.0).contains(rate));
        rate.filter(|_| told).map(|rate| plain(1.0 - rate))
    }

    /// The classic scale as a scalar of the data's type, little-endian; `None` if either is not known.
    pub(crate) fn classic_factor(&self, view: View<'_>) -> Option<ScalarBytes> {
        let mut ends = [self.input, self.output].into_iter().flatten();
        let element = ends.find_map(|value| view.value(value).element_type())?;
        Some((element, encode_float(element, self.classic_scale()?)?))
    }

    /// True if inference multiplies by a number that the file does not have: it is an assumption that the
    /// mask, which leaves what it keeps as it is, is classic dropout.
    pub fn is_unscaled(&self) -> bool {
        self.junctions.iter().any(Junction::is_unscaled)
    }

    /// The node that draws a random mask.
    pub fn source(&self) -> Option<NodeId> {
        match self.form {
            Form::RandomMask => self.nodes.get(1).copied(),
            _ => None,
        }
    }

    /// True of dropout that is written as a mask, drawn or constant, and of a draw that decides about a layer:
    /// not of an operator.
    pub(crate) fn is_mask(&self) -> bool {
        !self.junctions.is_empty() || self.runs_if.is_some()
    }

    /// The nodes that make a mask of a draw and drop data with it, and those that scale the data before;
    /// none of an operator.
    pub(crate) fn mask_nodes(&self, view: View<'_>) -> Vec<NodeId> {
        let results = self.junctions.iter().map(|junction| junction.output);
        let results: HashSet<ValueId> = results.collect();
        let mut seen = HashSet::default();
        let mut found = Vec::new();
        let mut open: Vec<NodeId> = self.source().into_iter().collect();
        open.extend(self.junctions.iter().map(|junction| junction.node));
        while let Some(id) = open.pop() {
            if !seen.insert(id) {
                continue;
            }
            found.push(id);
            let node = view.node(id);
            // what a body computes is data; masks inside of it have junctions of their own
            if node.bodies().next().is_some() {
                continue;
            }
            for output in node
                .produced()
                .filter(|output| !results.contains(&output.id))
            {
                open.extend(output.readers().map(|(node, _)| node.id));
            }
        }
        for junction in &self.junctions {
            let before = junction.prescale.map(|prescale| prescale.node);
            let before = before.into_iter().chain(junction.chain(view));
            found.extend(before.filter(|&id| seen.insert(id)));
        }
        found
    }
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

impl Kind {
    /// The symbol of its strength: a probability, or of additive noise the standard deviation.
    pub fn symbol(self) -> &'static str {
        match self {
            Kind::GaussianNoise => "σ",
            _ => "p",
        }
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
        /// By one over the share that the mask keeps in this run (DropBlock, DropHead): inference is the
        /// identity.
        Count = "count",
        /// By something else, or not at all where inference leaves the data as it is.
        Other = "other",
    }
}

words! {
    /// What dropout means at inference where the file does not declare it.
    Convention {
        /// The identity, as ONNX, Keras and PyTorch scale in training; 1-p for a mask that does not scale.
        Inverted = "inverted",
        /// A product by 1-p: a Mul replaces each operator, which fold can move into weights.
        Classic = "classic",
        /// The identity, also for a mask that does not scale (DropEdge, SpecAugment, token dropout).
        Identity = "identity",
    }
}

#[expect(
    clippy::derivable_impls,
    reason = "variants of `words!` have no attributes"
)]
impl Default for Convention {
    fn default() -> Self {
        Convention::Inverted
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
