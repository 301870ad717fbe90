//! May a value take a dropout, and how must it be written?

use crate::dropout::{OperatorVersion, Shapes, version};
use crate::hash::HashSet;
use crate::onnx::{DataType, GraphKind, Model, NodeId, Producer, Use, ValueId, Values};
use crate::rewrite::{Acting, Rate};
use crate::semantics;
use crate::semantics::operator::{Layer, Operator, Role, Type};

use super::flow::Flow;
use super::{Choice, Options};

/// Why a value takes none.
pub(super) enum Unfit {
    /// It is no place for dropout: left out, unless it was asked for by name.
    Left(String),
    /// It is one, and what was asked for cannot be written there.
    Refused(String),
}

/// What is wanted at a value.
pub(super) struct Wanted<'o> {
    pub rate: Option<Rate>,
    pub shared_axes: Option<&'o [i64]>,
    pub acting: &'o Acting,
    /// Whether a seed is to be written.
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

/// What is known of the model, for all values.
pub(super) struct Fit<'m> {
    pub model: &'m Model,
    pub values: &'m Values,
    pub flow: &'m Flow<'m>,
    pub shapes: Shapes<'m>,
    /// Shapes that follow from operators, without symbols.
    pub implied: semantics::shapes::Shapes<'m>,
    /// What goes into dropouts or comes out of them.
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
            return Some("it stands in a training graph".into());
        }
        if !values.is_used(value) {
            return Some("nothing uses it".into());
        }
        if !exact && !self.flow.is_data(value) {
            return Some("nothing that the model is fed goes into it".into());
        }
        if self.dropped.contains(&value) {
            return Some("it has dropout already, which `set` changes".into());
        }
        let produced = matches!(known.producer, Producer::Node { .. });
        let (mut outputs, mut named) = (false, false);
        for at in values.uses(value) {
            match at {
                Use::Output { graph, .. } if graph == model.main() && !exact => {
                    return Some("it is an output of the model".into());
                }
                Use::Output { graph, .. } if graph != known.graph || !produced => {
                    return Some("a graph hands it on as it came in".into());
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
            return Some("it is an output, and something else is bound to its name".into());
        }
        match self.flow.element_type(value) {
            Some(element) if self.takes(value, element) => None,
            Some(element) => Some(format!("its elements are of type {element}")),
            None => match known.producer {
                Producer::Node { node, output: 0 } if takes_floats(model, node) => None,
                _ => Some("the file does not tell the type of its elements".into()),
            },
        }
    }

    /// The sizes, symbols and `?` of a shape; `None` if the rank is unknown.
    pub fn shape(&self, value: ValueId) -> Option<Vec<String>> {
        let size = |size: Option<i64>| size.map_or("?".to_string(), |size| size.to_string());
        let implied = || self.implied.of(value);
        let declared = self.shapes.of(value);
        declared.or_else(|| Some(implied()?.into_iter().map(size).collect()))
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
            return Some("no opset_import says which operators of ONNX may stand here".into());
        };
        let node = crate::onnx::Node::new("Dropout");
        if axes.is_none() && model.callee(&node).is_some() {
            return Some("the model has a function of its own called Dropout".into());
        }
        let Some(axes) = axes else {
            return acting.refusal(model, graph).or_else(|| {
                (wanted.seeded && version(opset) != OperatorVersion::Inputs)
                    .then(|| format!("no Dropout of opset {opset} has a seed: leave --seed away"))
            });
        };
        if opset < 9 {
            return Some(format!(
                "a mask that is shared along axes needs opset 9 or later, and this is {opset}"
            ));
        }
        if *acting == Acting::Inert {
            return Some(
                "a mask that is shared along axes always acts: ask for active or runtime".into(),
            );
        }
        if wanted.rate.is_some_and(|rate| rate.value() == 0.0) {
            return Some("a mask of rate 0 would not be known for dropout".into());
        }
        let element = self.flow.element_type(value);
        let written = [DataType::FLOAT, DataType::DOUBLE, DataType::FLOAT16];
        if !element.is_some_and(|element| written.contains(&element)) {
            let element = element.map_or("not told".to_string(), |e| e.to_string());
            return Some(format!("a mask needs floats, and its type is {element}"));
        }
        match self.shape(value) {
            None => Some("the file does not tell how many axes it has".into()),
            Some(shape) => {
                let rank = shape.len() as i64;
                let outside = axes.iter().find(|&&axis| axis >= rank || axis < -rank);
                match outside {
                    Some(axis) => Some(format!("it has {rank} axes, and no axis {axis}")),
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
