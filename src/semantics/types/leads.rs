//! The values from which the type of a value follows.

use crate::onnx::{
    Attribute, AttributeValue, DataType, GraphId, GraphKind, Node, NodeId, Producer, ValueId,
    Values,
};
use crate::semantics::control_flow::{Formal, Loop, Outcome};
use crate::semantics::operator::{Control, Operator, Role, Type};
use crate::semantics::view::{ValueRef, View};

use super::{Element, Known, Types};

/// Sources of a type, tried in order.
pub(super) enum Leads {
    Known(Option<Known>),
    /// A range of inputs of a node.
    Inputs(NodeId, std::ops::Range<usize>, Change),
    Values(std::vec::IntoIter<ValueId>, Change),
    /// The result of a function, whose type may be that of an argument.
    Call {
        node: NodeId,
        result: ValueId,
    },
}

/// How the type differs from that of the lead.
#[derive(Clone, Copy, Debug)]
pub(super) enum Change {
    Same,
    /// The contents of a sequence or optional.
    Inside,
    /// A sequence or optional of it.
    Around,
}

const NONE: Leads = Leads::Known(None);

impl Leads {
    fn is(element: DataType) -> Leads {
        let told = element != DataType(0);
        Leads::Known(told.then(|| Known::tensor(element)))
    }

    fn value(value: Option<ValueId>, change: Change) -> Leads {
        Leads::Values(Vec::from_iter(value).into_iter(), change)
    }

    /// The next value to look at.
    pub fn peek(&mut self, values: &Values) -> Option<ValueId> {
        match self {
            Leads::Inputs(node, range, _) => {
                while range.start < range.end {
                    if let Some(value) = values.input(*node, range.start) {
                        return Some(value);
                    }
                    range.start += 1;
                }
                None
            }
            Leads::Values(values, _) => values.as_slice().first().copied(),
            Leads::Known(_) | Leads::Call { .. } => None,
        }
    }

    pub fn advance(&mut self) {
        match self {
            Leads::Inputs(_, range, _) => range.start += 1,
            Leads::Values(values, _) => {
                values.next();
            }
            Leads::Known(_) | Leads::Call { .. } => {}
        }
    }

    pub fn change(&self) -> Change {
        match self {
            Leads::Inputs(.., change) | Leads::Values(_, change) => *change,
            Leads::Known(_) | Leads::Call { .. } => Change::Same,
        }
    }
}

impl Types<'_> {
    pub(super) fn leads(&self, value: ValueId) -> Leads {
        let (model, known) = (self.model, &self.values[value]);
        let graph = model.graph(known.graph);
        if let Some(index) = known.initializer {
            return Leads::is(graph.initializer(index).data_type);
        }
        match known.producer {
            Producer::Node { node, output } => self.result(node, output as usize),
            Producer::SparseInitializer(index) => {
                let sparse = &graph.sparse_initializers()[index as usize];
                Leads::is(sparse.values.data_type)
            }
            Producer::Input(index) => match graph.kind {
                GraphKind::Function(_) => Leads::Known(Some(Known {
                    element: Element::Argument(index),
                    depth: 0,
                })),
                GraphKind::Attribute { node, .. } => self.formal(node, index as usize),
                _ => NONE,
            },
            Producer::Initializer(_) | Producer::Gone => NONE,
        }
    }

    /// An input of a graph in an attribute of a node.
    fn formal(&self, id: NodeId, index: usize) -> Leads {
        let node = View::new(self.model, self.values).node(id);
        let value = |value: Option<ValueRef<'_>>| Leads::value(value.map(|v| v.id), Change::Same);
        match Loop::of(node).map(|of| of.formal(index)) {
            Some(Formal::Iteration) => Leads::is(DataType::INT64),
            Some(Formal::Condition) => Leads::is(DataType::BOOL),
            Some(Formal::State(state)) => value(state.input),
            Some(Formal::Slice(input)) => value(input),
            None => match node.operator().map(|operator| operator.role) {
                Some(Role::Control(Control::SequenceMap)) => {
                    Leads::value(node.input(index).map(|input| input.id), Change::Inside)
                }
                _ => NONE,
            },
        }
    }

    /// An output of a node.
    fn result(&self, id: NodeId, output: usize) -> Leads {
        let (model, node) = (self.model, self.model.node(id));
        if let Some(function) = model.callee(node) {
            let body = model.functions()[function].body;
            let result = self.output_of(body, output);
            return result.map_or(NONE, |result| Leads::Call { node: id, result });
        }
        let Some(operator) = Operator::of(model, id) else {
            return NONE;
        };
        let (mut kind, inputs) = (operator.type_of(output), node.inputs.len());
        loop {
            kind = match kind {
                Type::Attribute(name, otherwise) => match named(node, name) {
                    Some(leads) => return leads,
                    None => *otherwise,
                },
                Type::Optional(input, otherwise) => match self.values.input(id, input.into()) {
                    Some(value) => return Leads::value(Some(value), Change::Same),
                    None => *otherwise,
                },
                Type::Inputs(from, to) | Type::EachOf(from, to) => {
                    let end = match to {
                        u8::MAX => inputs,
                        to => inputs.min(to.into()),
                    };
                    return Leads::Inputs(id, from.into()..end, Change::Same);
                }
                Type::Inside => return Leads::Inputs(id, 0..inputs.min(1), Change::Inside),
                Type::Around => return Leads::Inputs(id, 0..inputs, Change::Around),
                Type::Bodies => {
                    let of = Loop::of(View::new(model, self.values).node(id));
                    let values = match of.map(|of| of.outcome(output)) {
                        Some(Outcome::State(state)) => [state.next, state.input],
                        Some(Outcome::Stack(next)) => [next, None],
                        None => return self.bodies(node, output, Change::Same),
                    };
                    let values: Vec<ValueId> = values.into_iter().flatten().map(|v| v.id).collect();
                    return Leads::Values(values.into_iter(), Change::Same);
                }
                Type::Mapped => return self.bodies(node, output, Change::Around),
                Type::Is(element) => return Leads::is(element),
                Type::Constant => return node.attributes.first().map_or(NONE, constant),
                Type::Filled => {
                    let value = node.attribute("value");
                    return value.map_or(Leads::is(DataType::FLOAT), constant);
                }
                Type::Empty => {
                    let around = |known| Change::Around.of(known);
                    return match named(node, "dtype").unwrap_or(Leads::is(DataType::FLOAT)) {
                        Leads::Known(known) => Leads::Known(known.map(around)),
                        other => other,
                    };
                }
                Type::Unknown => return NONE,
            }
        }
    }

    fn bodies(&self, node: &Node, output: usize, change: Change) -> Leads {
        let graphs = node.attributes.iter().flat_map(Attribute::graphs);
        let results = graphs.filter_map(|&graph| self.output_of(graph, output));
        let results: Vec<ValueId> = results.collect();
        Leads::Values(results.into_iter(), change)
    }

    fn output_of(&self, graph: GraphId, output: usize) -> Option<ValueId> {
        let info = self.model.graph(graph).outputs.get(output)?;
        self.values.lookup(self.model, graph, &info.name)
    }
}

/// The type in an attribute; Cast-1 has it as a string.
fn named(node: &Node, attribute: &str) -> Option<Leads> {
    let element = match &node.attribute(attribute)?.value {
        AttributeValue::Int(0) => return None,
        AttributeValue::Int(number) => i32::try_from(*number).ok().map(DataType),
        AttributeValue::String(name) => {
            let name = std::str::from_utf8(name).ok();
            name.and_then(DataType::from_name)
        }
        _ => None,
    };
    Some(element.map_or(NONE, Leads::is))
}

fn constant(attribute: &Attribute) -> Leads {
    match &attribute.value {
        AttributeValue::Float(_) | AttributeValue::Floats(_) => Leads::is(DataType::FLOAT),
        AttributeValue::Int(_) | AttributeValue::Ints(_) => Leads::is(DataType::INT64),
        AttributeValue::String(_) | AttributeValue::Strings(_) => Leads::is(DataType::STRING),
        _ => {
            let tensors = attribute.tensors();
            tensors.first().map_or(NONE, |t| Leads::is(t.data_type))
        }
    }
}
