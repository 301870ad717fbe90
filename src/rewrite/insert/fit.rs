//! May a value take a dropout, and how must it be written?

use crate::dropout::{OperatorVersion, version};
use crate::hash::HashSet;
use crate::onnx::{DataType, GraphKind, Model, NodeId, Producer, Use, ValueId, Values};
use crate::rewrite::{Acting, Rate};
use crate::semantics::operator::{Layer, Operator, Role, Type};
use crate::semantics::shapes::Shapes;

use super::flow::Flow;
use super::{Choice, Options};

/// Why a value takes none.
pub(super) enum Unfit {
    /// It is no place for dropout: left out, unless it was asked for by name.
    Left(String),
    /// It is a candidate, but the requested dropout cannot be written there.
    Refused(String),
}

/// What is wanted at a value.
pub(super) struct Wanted<'o> {
    pub rate: Option<Rate>,
    pub shared_axes: Option<&'o [i64]>,
    pub acting: &'o Acting,
    /// True if a seed is written.
    pub seeded: bool,
    /// Whether the value was asked for by name.
    pub exact: bool,
}

impl<'o> Wanted<'o> {
    pub fn new(choice: &'o Choice, options: &'o Options) -> Self {
        Wanted {
            rate: choice.rate.or(options.rate),
            shared_axes: choice.shared_axes.as_deref(),
            acting: &options.acting,
            seeded: options.seed.is_some(),
            exact: choice.at.is_some(),
        }
    }
}

/// Properties of the model, for all values.
pub(super) struct Fit<'m> {
    pub model: &'m Model,
    pub values: &'m Values,
    pub flow: &'m Flow<'m>,
    pub shapes: Shapes<'m>,
    /// The data and the results of existing dropout.
    pub dropped: HashSet<ValueId>,
}

impl Fit<'_> {
    /// Why a value does not take the dropout that is wanted.
    pub fn unfit(&self, value: ValueId, wanted: &Wanted<'_>) -> Option<Unfit> {
        let left = self.misplaced(value, wanted.exact).map(Unfit::Left);
        left.or_else(|| self.inexpressible(value, wanted).map(Unfit::Refused))
    }

    fn misplaced(&self, value: ValueId, exact: bool) -> Option<String> {
        let (model, values) = (self.model, self.values);
        let known = &values[value];
        let root = model.graph(model.root(known.graph));
        if matches!(
            root.kind,
            GraphKind::TrainingInitialization(_) | GraphKind::TrainingAlgorithm(_)
        ) {
            return Some("it is in a training graph".into());
        }
        if !values.is_used(value) {
            return Some("it has no readers".into());
        }
        if !exact && !self.flow.is_data(value) {
            return Some("it does not depend on any model input".into());
        }
        if self.dropped.contains(&value) {
            return Some("it already has dropout, which `set` can change".into());
        }
        let produced = matches!(known.producer, Producer::Node { .. });
        let (mut outputs, mut named) = (false, false);
        for at in values.uses(value) {
            match at {
                Use::Output { graph, .. } if graph == model.main() && !exact => {
                    return Some("it is an output of the model".into());
                }
                Use::Output { graph, .. } if graph != known.graph || !produced => {
                    return Some("it passes through a graph unchanged".into());
                }
                Use::Output { .. } => outputs = true,
                Use::Annotation(_) | Use::Binding(_) => named = true,
                Use::Attribute(node) => {
                    let node = (&model.node(node).op_type, model.label(node));
                    return Some(format!("an attribute of {} `{}` names it", node.0, node.1));
                }
                Use::Input { .. } => {}
            }
        }
        if outputs && named {
            return Some("it is an output, and its name is bound elsewhere".into());
        }
        match self.flow.element_type(value) {
            Some(element) if self.takes(value, element) => None,
            Some(element) => Some(format!("its elements are of type {element}")),
            None => match known.producer {
                Producer::Node { node, output: 0 } if takes_floats(model, node) => None,
                _ => Some("its element type is unknown".into()),
            },
        }
    }

    /// The sizes, symbols and `?` of a shape; `None` if the rank is unknown.
    pub fn shape(&self, value: ValueId) -> Option<Vec<String>> {
        let facts = self.shapes.facts();
        facts.shape_text(&facts.shape(value))
    }

    /// True if a Dropout takes data of this type.
    fn takes(&self, value: ValueId, element: DataType) -> bool {
        let opset = self.model.opset(self.values[value].graph, "");
        match element {
            DataType::FLOAT | DataType::DOUBLE | DataType::FLOAT16 => true,
            DataType::BFLOAT16 => opset.is_some_and(|opset| opset >= 13),
            other => other.is_float() && opset.is_some_and(|opset| opset >= 22),
        }
    }

    fn inexpressible(&self, value: ValueId, wanted: &Wanted<'_>) -> Option<String> {
        let (model, acting, axes) = (self.model, wanted.acting, wanted.shared_axes);
        let graph = self.values[value].graph;
        let Some(opset) = model.opset(graph, "") else {
            return Some("there is no opset_import for the operators of ONNX".into());
        };
        let node = crate::onnx::Node::new("Dropout");
        if axes.is_none() && model.callee(&node).is_some() {
            return Some("the model defines a function named Dropout".into());
        }
        let Some(axes) = axes else {
            return acting.refusal(model, graph).or_else(|| {
                (wanted.seeded && version(opset) != OperatorVersion::Inputs)
                    .then(|| format!("Dropout of opset {opset} has no seed; omit --seed"))
            });
        };
        if opset < 9 {
            return Some(format!(
                "--shared-axes needs opset 9 or later, but this is {opset}"
            ));
        }
        if *acting == Acting::Inert {
            return Some("--shared-axes needs --mode active or runtime".into());
        }
        if wanted.rate.is_some_and(|rate| rate.value() == 0.0) {
            return Some("a mask with a rate of 0 would not be recognised as dropout".into());
        }
        let element = self.flow.element_type(value);
        let written = [DataType::FLOAT, DataType::DOUBLE, DataType::FLOAT16];
        if !element.is_some_and(|element| written.contains(&element)) {
            let element = element.map_or("unknown".to_string(), |e| e.to_string());
            return Some(format!(
                "a mask needs floats, but its element type is {element}"
            ));
        }
        match self.shape(value) {
            None => Some("its rank is unknown".into()),
            Some(shape) => {
                let rank = shape.len() as i64;
                let outside = axes.iter().find(|&&axis| axis >= rank || axis < -rank);
                match outside {
                    Some(axis) => Some(format!("it has {rank} axes, so there is no axis {axis}")),
                    None => acting.unseen(model, graph),
                }
            }
        }
    }
}

/// True of an operator that networks apply to floats.
fn takes_floats(model: &Model, id: NodeId) -> bool {
    Operator::of(model, id).is_some_and(|operator| match operator.role {
        Role::Activation | Role::Normalisation | Role::Softmax | Role::Pool => true,
        Role::Layer(Layer::Convolution) => matches!(operator.type_of(0), Type::Inputs(0, _)),
        _ => false,
    })
}
