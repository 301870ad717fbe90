//! The element types of all values, as far as the file tells them: from declarations, weights and
//! attributes, carried through operators, inner graphs and calls of functions.

use crate::hash::HashMap;

use super::attribute::AttributeValue;
use super::data_type::DataType;
use super::element_type::{ANY_INPUT, BOOLEAN, SAME_TYPE, SIZES};
use super::graph::GraphId;
use super::model::Model;
use super::node::{Node, NodeId};
use super::value_type::ValueType;
use super::values::{ValueId, Values};

/// How often a change may reach the formal inputs of functions, and what they compute from them.
const PASSES: usize = 16;

/// By value.
#[derive(Debug)]
pub struct ElementTypes {
    of: Vec<Option<DataType>>,
}

impl ElementTypes {
    /// Follows all nodes, which are given such that one comes after what it depends on.
    pub fn new(model: &Model, values: &Values, order: &[NodeId]) -> Self {
        let mut types = ElementTypes {
            of: vec![None; values.len()],
        };
        types.declared(model, values);
        let has_calls = !model.functions.is_empty();
        for _ in 0..PASSES {
            let mut news = false;
            for &id in order {
                news |= types.follow(model, values, id);
            }
            if !(news && has_calls) {
                break;
            }
        }
        types
    }

    /// The element type of a value.
    pub fn of(&self, value: ValueId) -> Option<DataType> {
        self.of[value.index()]
    }

    /// Declared types, and those of weights. Of functions, the types of inner values may stand in the
    /// main graph, as `domain::function/value`: <https://github.com/microsoft/onnxscript>, before IR
    /// version 10.
    fn declared(&mut self, model: &Model, values: &Values) {
        let functions = model.functions.iter();
        let bodies: HashMap<String, GraphId> = functions
            .map(|f| (format!("{}::{}", f.domain, f.name), f.body))
            .collect();
        for (id, graph) in model.graphs() {
            let infos = graph.inputs.iter().chain(&graph.outputs);
            for info in infos.chain(&graph.value_infos) {
                let ValueType::Tensor { element, .. } = info.value_type() else {
                    continue;
                };
                let mut value = values.lookup(model, id, &info.name);
                if value.is_none() && id == model.main() {
                    let name = info.name.to_string();
                    let inner = name.split_once('/');
                    let inner = inner.and_then(|(f, name)| Some((*bodies.get(f)?, name)));
                    value = inner.and_then(|(body, name)| values.lookup(model, body, &name.into()));
                }
                if let Some(value) = value.filter(|_| element.0 != 0) {
                    self.of[value.index()].get_or_insert(element);
                }
            }
        }
        for value in values.ids() {
            let known = &values[value];
            if let Some(index) = known.initializer {
                let element = model.graph(known.graph).initializer(index).data_type;
                self.of[value.index()].get_or_insert(element);
            }
        }
    }

    /// Learns what one node tells. Returns whether that was new.
    fn follow(&mut self, model: &Model, values: &Values, id: NodeId) -> bool {
        let node = model.node(id);
        let mut news = false;
        if let Some(callee) = model.callee(node) {
            let body = model.functions[callee].body;
            let graph = model.graph(body);
            for (index, info) in graph.inputs.iter().enumerate() {
                let given = values.input(id, index).and_then(|value| self.of(value));
                news |= self.learn(values.lookup(model, body, &info.name), given);
            }
            for (index, info) in graph.outputs.iter().enumerate() {
                let inner = values.lookup(model, body, &info.name);
                let made = inner.and_then(|value| self.of(value));
                news |= self.learn(values.output(model, id, index), made);
            }
            return news;
        }
        for index in 0..node.outputs.len() {
            let output = values.output(model, id, index);
            if output.is_some_and(|value| self.of(value).is_none()) {
                let told = self.told(model, values, id, index);
                news |= self.learn(output, told);
            }
        }
        news
    }

    fn learn(&mut self, value: Option<ValueId>, element: Option<DataType>) -> bool {
        let place = value.map(|value| &mut self.of[value.index()]);
        match (place, element) {
            (Some(place @ None), Some(_)) => {
                *place = element;
                true
            }
            _ => false,
        }
    }

    /// What a node tells of one of its outputs.
    fn told(&self, model: &Model, values: &Values, id: NodeId, index: usize) -> Option<DataType> {
        let node = model.node(id);
        let is = |names: &[&str]| names.iter().any(|name| node.is(name));
        let input = |index: usize| values.input(id, index).and_then(|value| self.of(value));
        let any = || (0..node.inputs.len()).find_map(input);
        let int = |name: &str| match node.attribute(name).map(|a| &a.value) {
            Some(AttributeValue::Int(number)) if *number != 0 => Some(DataType(*number as i32)),
            _ => None,
        };
        if !node.in_default_domain() {
            return None;
        }
        if is(&["If", "Scan", "Loop"]) {
            // the first output of a Loop's body says whether it goes on
            let inner = index + usize::from(node.is("Loop"));
            let mut graphs = node.attributes.iter().flat_map(|a| a.graphs());
            return graphs.find_map(|&graph| {
                let info = model.graph(graph).outputs.get(inner)?;
                self.of(values.lookup(model, graph, &info.name)?)
            });
        }
        if is(&["Split", "LSTM", "GRU", "RNN"]) {
            return any();
        }
        if index > 0 {
            return None;
        }
        match () {
            () if is(&["Constant", "ConstantOfShape"]) => constant(node),
            () if is(&["Cast"]) => int("to"),
            () if is(&["CastLike"]) => input(1),
            () if is(&["RandomUniform", "RandomNormal"]) => int("dtype").or(Some(DataType::FLOAT)),
            () if is(&["RandomUniformLike", "RandomNormalLike", "Bernoulli"]) => {
                int("dtype").or_else(|| input(0))
            }
            () if is(BOOLEAN) => Some(DataType::BOOL),
            () if is(SIZES) => Some(DataType::INT64),
            () if is(&["Where"]) => input(1).or_else(|| input(2)),
            () if is(&["DequantizeLinear"]) => input(1),
            () if is(ANY_INPUT) => any(),
            () if is(SAME_TYPE) => input(0),
            () => None,
        }
    }
}

fn constant(node: &Node) -> Option<DataType> {
    let shaped = node.is("ConstantOfShape");
    let Some(attribute) = node.attributes.first() else {
        return shaped.then_some(DataType::FLOAT);
    };
    match &attribute.value {
        AttributeValue::Float(_) | AttributeValue::Floats(_) => Some(DataType::FLOAT),
        AttributeValue::Int(_) | AttributeValue::Ints(_) => Some(DataType::INT64),
        _ => attribute.tensors().first().map(|tensor| tensor.data_type),
    }
}
