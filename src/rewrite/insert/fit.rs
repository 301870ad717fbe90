//! May a value take a dropout, and how must it be written?

use crate::dropout::{OperatorVersion, Site, version};
use crate::hash::HashSet;
use crate::onnx::{DataType, GraphKind, Use, ValueId};
use crate::rewrite::{Acting, Rate, Reason};
use crate::semantics::facts::Facts;
use crate::semantics::operator::{Layer, Operator, Role, Type};
use crate::semantics::view::{NodeRef, ValueRef, View};

use super::flow::Flow;
use super::{Choice, Options, Preset};

/// Why a value takes none.
pub(super) enum Unfit {
    /// It is no place for dropout: left out, unless it was asked for by name.
    Left(Reason),
    /// It is a candidate, but the requested dropout cannot be written there.
    Refused(Reason),
}

/// What is wanted at a value.
pub(super) struct Wanted<'o> {
    pub rate: Option<Rate>,
    pub shared_axes: Option<&'o [i64]>,
    pub acting: &'o Acting,
    /// True if a seed is written.
    pub seeded: bool,
    /// True if the mask is an output.
    pub mask_output: bool,
    /// Whether the value was asked for by name.
    pub exact: bool,
    /// The position it was asked for as.
    pub preset: Option<Preset>,
}

impl<'o> Wanted<'o> {
    pub fn new(choice: &Choice, options: &'o Options, shared_axes: Option<&'o [i64]>) -> Self {
        Wanted {
            rate: options.rate_of(choice),
            shared_axes,
            acting: &options.acting,
            seeded: options.seed.is_some(),
            mask_output: options.mask_output,
            exact: choice.at.is_some(),
            preset: choice.preset,
        }
    }
}

/// Properties of the model, for all values.
pub(super) struct Fit<'m> {
    pub view: View<'m>,
    pub flow: &'m Flow<'m>,
    facts: Facts<'m>,
    /// The data and the results of existing dropout.
    pub dropped: HashSet<ValueId>,
}

impl<'m> Fit<'m> {
    pub fn new(flow: &'m Flow<'m>, facts: Facts<'m>, sites: &[Site]) -> Self {
        let view = flow.view;
        let mut dropped = HashSet::default();
        for site in sites {
            dropped.extend(site.input);
            dropped.extend(site.output);
            for junction in &site.junctions {
                dropped.extend([junction.data, junction.output]);
            }
            let mask = site.mask_nodes(view).into_iter();
            for id in mask.chain(site.nodes.iter().copied()) {
                dropped.extend(view.node(id).produced().map(|value| value.id));
            }
        }
        through_calls(flow, &mut dropped);
        Fit {
            view,
            flow,
            facts,
            dropped,
        }
    }
}

/// Adds what calls pass to dropout inside functions, and what they return from it.
fn through_calls(flow: &Flow<'_>, dropped: &mut HashSet<ValueId>) {
    let view = flow.view;
    for &function in flow.calls.callers_first().iter().rev() {
        let body = view.model.functions()[function].body;
        let is_dropped =
            |value: &Option<ValueRef<'_>>| value.is_some_and(|value| dropped.contains(&value.id));
        let inputs: Vec<bool> = view.graph_inputs(body).map(|v| is_dropped(&v)).collect();
        let outputs: Vec<bool> = view.graph_outputs(body).map(|v| is_dropped(&v)).collect();
        for &call in flow.calls.of(function) {
            let call = view.node(call);
            let passed = call.inputs().zip(&inputs);
            let returned = call.outputs().zip(&outputs);
            let all = passed.chain(returned).filter(|(_, is)| **is);
            dropped.extend(all.filter_map(|(value, _)| Some(value?.id)));
        }
    }
}

impl Fit<'_> {
    /// Why a value does not take the dropout that is wanted.
    pub fn unfit(&self, value: ValueRef<'_>, wanted: &Wanted<'_>) -> Option<Unfit> {
        let inside = wanted.preset == Some(Preset::Attention) && is_attention(value);
        let why = "its softmax is inside the operator, which has no dropout of its own";
        let inside = inside.then(|| Reason::Position(why.into()));
        let left = inside.or_else(|| self.misplaced(value, wanted.exact));
        let left = left.map(Unfit::Left);
        left.or_else(|| self.inexpressible(value, wanted).map(Unfit::Refused))
    }

    fn misplaced(&self, value: ValueRef<'_>, exact: bool) -> Option<Reason> {
        let position = |why: &'static str| Some(Reason::Position(why.into()));
        let model = self.view.model;
        if matches!(
            model.graph(model.root(value.graph)).kind,
            GraphKind::TrainingInitialization(_) | GraphKind::TrainingAlgorithm(_)
        ) {
            return position("it is in a training graph");
        }
        if !value.is_used() {
            return position("it has no readers");
        }
        if !exact && !self.flow.is_data(value) {
            return position("it does not depend on any model input");
        }
        if self.dropped.contains(&value.id) {
            return position("it already has dropout, which `set` can change");
        }
        self.bound(value, exact).or_else(|| self.untyped(value))
    }

    /// Why the graph outputs and the names bound to a value do not allow dropout after it.
    fn bound(&self, value: ValueRef<'_>, exact: bool) -> Option<Reason> {
        let position = |why: &'static str| Some(Reason::Position(why.into()));
        let produced = value.node().is_some();
        let (mut outputs, mut named) = (false, false);
        for at in value.uses() {
            match at {
                Use::Output { graph, .. } if graph == self.view.model.main() && !exact => {
                    return position("it is an output of the model");
                }
                Use::Output { graph, .. } if graph != value.graph || !produced => {
                    return position("it passes through a graph unchanged");
                }
                Use::Output { .. } => outputs = true,
                Use::Annotation(_) | Use::Binding(_) => named = true,
                Use::Attribute(node) => {
                    let node = self.view.node(node);
                    let (op, label) = (&node.op_type, node.label());
                    let why = format!("an attribute of {op} `{label}` names it");
                    return Some(Reason::Shared(why.into()));
                }
                Use::Input { .. } => {}
            }
        }
        let why = "it is an output, and its name is bound elsewhere";
        (outputs && named).then(|| Reason::Shared(why.into()))
    }

    /// Why the element type of a value does not allow dropout.
    fn untyped(&self, value: ValueRef<'_>) -> Option<Reason> {
        match value.element_type() {
            Some(element) if self.takes(value, element) => None,
            Some(element) => {
                let why = format!("its elements are of type {element}");
                Some(Reason::Type(why.into()))
            }
            None => match value.producer() {
                Some((node, 0)) if takes_floats(node) => None,
                _ => Some(Reason::Unknown("its element type is unknown".into())),
            },
        }
    }

    /// The axes along which the mask of a value is shared: those asked for, unless it does not have them while
    /// another selected value does; for samples that are dropped as a whole all but the first.
    pub fn axes(&self, value: ValueRef<'_>, choice: &Choice, others_fit: bool) -> Option<Vec<i64>> {
        let rank = self.shape(value).map(|shape| shape.len() as i64);
        match &choice.shared_axes {
            None if choice.preset == Some(Preset::DropPath) => {
                Some((1..rank.unwrap_or(1)).collect())
            }
            Some(axes) if others_fit && choice.at.is_none() && !are_axes(axes, rank) => None,
            axes => axes.clone(),
        }
    }

    /// True of a value that has the axes asked for.
    pub fn has_axes(&self, value: ValueRef<'_>, choice: &Choice) -> bool {
        let rank = self.shape(value).map(|shape| shape.len() as i64);
        let axes = choice.shared_axes.as_deref();
        axes.is_some_and(|axes| are_axes(axes, rank))
    }

    /// The sizes, symbols and `?` of a shape; `None` if the rank is unknown.
    pub fn shape(&self, value: ValueRef<'_>) -> Option<Vec<String>> {
        self.facts.shape_text(&self.facts.shape(value.id))
    }

    /// True if a Dropout takes data of this type.
    fn takes(&self, value: ValueRef<'_>, element: DataType) -> bool {
        let opset = self.view.model.opset(value.graph, "");
        match element {
            DataType::FLOAT | DataType::DOUBLE | DataType::FLOAT16 => true,
            DataType::BFLOAT16 => opset.is_some_and(|opset| opset >= 13),
            other => other.is_float() && opset.is_some_and(|opset| opset >= 22),
        }
    }

    fn inexpressible(&self, value: ValueRef<'_>, wanted: &Wanted<'_>) -> Option<Reason> {
        let (model, acting, graph) = (self.view.model, wanted.acting, value.graph);
        let Some(opset) = model.opset(graph, "") else {
            let why = "there is no opset_import for the operators of ONNX";
            return Some(Reason::Inexpressible(why.into()));
        };
        if let Some(axes) = wanted.shared_axes {
            return self.unshared(value, wanted, opset, axes);
        }
        if model.callee(&crate::onnx::Node::new("Dropout")).is_some() {
            let why = "the model defines a function named Dropout";
            return Some(Reason::Inexpressible(why.into()));
        }
        acting.refusal(model, graph).or_else(|| {
            let why = || format!("Dropout of opset {opset} has no seed; omit --mask-seed");
            let seedless = wanted.seeded && version(opset) != OperatorVersion::Inputs;
            seedless.then(|| Reason::Inexpressible(why().into()))
        })
    }

    /// Why a mask that is shared along axes cannot be written for a value.
    fn unshared(
        &self,
        value: ValueRef<'_>,
        wanted: &Wanted<'_>,
        opset: i64,
        axes: &[i64],
    ) -> Option<Reason> {
        let inexpressible = |why: &'static str| Some(Reason::Inexpressible(why.into()));
        if wanted.mask_output {
            return inexpressible(
                "--mask-output needs a Dropout operator, and --shared-axes writes masks",
            );
        }
        if opset < 9 {
            let why = format!("--shared-axes needs opset 9 or later, but this is {opset}");
            return Some(Reason::Inexpressible(why.into()));
        }
        if *wanted.acting == Acting::Inert {
            return inexpressible(
                "a mask shared along axes (--shared-axes, drop-path) needs --mode active or runtime",
            );
        }
        if wanted.rate.is_some_and(|rate| rate.value() == 0.0) {
            return inexpressible("a mask with a rate of 0 would not be recognised as dropout");
        }
        let written = [DataType::FLOAT, DataType::DOUBLE, DataType::FLOAT16];
        let element = value.element_type();
        if !element.is_some_and(|element| written.contains(&element)) {
            let element = element.map_or("unknown".to_string(), |e| e.to_string());
            let why = format!("a mask needs floats, but its element type is {element}");
            return Some(Reason::Type(why.into()));
        }
        let Some(shape) = self.shape(value) else {
            return Some(Reason::Unknown("its rank is unknown".into()));
        };
        let rank = shape.len() as i64;
        match axes.iter().find(|&&axis| axis >= rank || axis < -rank) {
            Some(axis) => {
                let why = format!("it has {rank} axes, so there is no axis {axis}");
                Some(Reason::Shape(why.into()))
            }
            None => wanted.acting.unseen(self.view.model, value.graph),
        }
    }
}

/// True of what an operator gives that has its softmax inside.
fn is_attention(value: ValueRef<'_>) -> bool {
    let operator = value.node().and_then(NodeRef::operator);
    operator.is_some_and(|operator| operator.role == Role::Layer(Layer::Attention))
}

/// True of axes of a value with this rank, if that is known.
fn are_axes(axes: &[i64], rank: Option<i64>) -> bool {
    axes.iter()
        .all(|axis| rank.is_none_or(|rank| (-rank..rank).contains(axis)))
}

/// True of an operator that networks apply to floats.
fn takes_floats(node: NodeRef<'_>) -> bool {
    node.operator()
        .is_some_and(|operator: &Operator| match operator.role {
            Role::Activation | Role::Normalisation | Role::Softmax | Role::Pool => true,
            Role::Layer(Layer::Convolution) => matches!(operator.type_of(0), Type::Inputs(0, _)),
            _ => false,
        })
}
