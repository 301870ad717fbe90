//! Numbering the values of one model.

use std::collections::BTreeMap;

use crate::hash::HashMap;

use crate::error::{Error, Result};
use crate::onnx::{
    Attribute, AttributeValue, DataType, Graph, GraphId, GraphKind, Model, Node, NodeId, Producer,
    SparseInitializer, Tensor, Values,
};

use super::Shared;
use super::expression::{Expression, Tag};

/// Operators of ONNX' own domain that draw at random.
const RANDOM: &[&str] = &[
    "RandomNormal",
    "RandomNormalLike",
    "RandomUniform",
    "RandomUniformLike",
    "Bernoulli",
    "Multinomial",
    "StatelessRandomUniformV2",
    "StatelessRandomNormalV2",
];

/// The expressions of a model.
#[derive(Debug)]
pub(super) struct Numbering<'m> {
    pub model: &'m Model,
    values: &'m Values,
    numbers: Vec<Expression>,
    /// What each function computes, and whether it draws at random.
    functions: Vec<Option<(Expression, bool)>>,
    /// How many draws that look alike there were.
    draws: HashMap<Expression, u32>,
    /// Graphs in which something draws at random.
    impure: Vec<bool>,
    /// The node an application was first met at.
    pub nodes: HashMap<Expression, NodeId>,
    /// What is to be equal: outputs of the main graph, of training graphs, of functions.
    pub results: BTreeMap<String, Expression>,
}

impl<'m> Numbering<'m> {
    /// Numbers every value of a model.
    pub fn new(model: &'m Model, values: &'m Values, shared: &mut Shared<'m>) -> Result<Self> {
        let order = model.check_order(values)?;
        let mut this = Numbering {
            model,
            values,
            numbers: vec![Expression::ABSENT; values.len()],
            functions: vec![None; model.functions().len()],
            draws: HashMap::default(),
            impure: vec![false; model.graph_slots()],
            nodes: HashMap::default(),
            results: BTreeMap::new(),
        };
        let mut by_root: HashMap<GraphId, Vec<NodeId>> = HashMap::default();
        for id in order {
            by_root.entry(model.root(id.graph)).or_default().push(id);
        }
        let mut graphs: HashMap<GraphId, Vec<GraphId>> = HashMap::default();
        for (id, _) in model.graphs() {
            graphs.entry(model.root(id)).or_default().push(id);
        }
        for root in this.roots(&by_root)? {
            for &graph in graphs.get(&root).into_iter().flatten() {
                this.leaves(graph, shared)?;
            }
            for &node in by_root.get(&root).into_iter().flatten() {
                this.node(node, shared)?;
            }
            this.root(root, shared)?;
        }
        this.bindings(shared);
        Ok(this)
    }

    /// Main and training graphs and functions, a function before those that call it.
    fn roots(&self, nodes: &HashMap<GraphId, Vec<NodeId>>) -> Result<Vec<GraphId>> {
        let calls = |graph: GraphId| -> Vec<usize> {
            let nodes = nodes.get(&graph).into_iter().flatten();
            nodes
                .filter_map(|&id| self.model.callee(self.model.node(id)))
                .collect()
        };
        let functions = self.model.functions();
        let mut order = Vec::new();
        // 0: not met, 1: being followed, 2: done
        let mut state = vec![0u8; functions.len()];
        for start in 0..functions.len() {
            let mut stack = vec![(start, None::<Vec<usize>>)];
            while let Some((function, callees)) = stack.last_mut() {
                let function = *function;
                if callees.is_none() {
                    if state[function] == 2 {
                        stack.pop();
                        continue;
                    }
                    if state[function] == 1 {
                        let scope = self.model.scope(functions[function].body);
                        return Err(Error::model("the function calls itself").at(scope));
                    }
                    state[function] = 1;
                    *callees = Some(calls(functions[function].body));
                }
                match callees.as_mut().and_then(Vec::pop) {
                    Some(callee) => stack.push((callee, None)),
                    None => {
                        state[function] = 2;
                        order.push(functions[function].body);
                        stack.pop();
                    }
                }
            }
        }
        order.push(self.model.main());
        for training in self.model.training() {
            order.extend(training.initialization);
            order.extend(training.algorithm);
        }
        Ok(order)
    }

    /// Inputs and initializers of a graph.
    fn leaves(&mut self, id: GraphId, shared: &mut Shared<'m>) -> Result<()> {
        let graph = self.model.graph(id);
        for (index, input) in graph.inputs.iter().enumerate() {
            let Some(value) = self.values.lookup(self.model, id, &input.name) else {
                continue;
            };
            let default = match self.values[value].initializer {
                Some(index) => self.tensor(graph.initializer(index), shared)?,
                None => Expression::ABSENT,
            };
            self.numbers[value.index()] = match graph.kind {
                GraphKind::Attribute { .. } | GraphKind::Function(_) => {
                    let depth = self.model.depth(id) as u32;
                    shared
                        .expressions
                        .number(Tag::Formal, &[depth, index as u32])
                }
                _ => {
                    let name = shared.expressions.string(input.name.as_bytes());
                    shared.expressions.number(Tag::Input, &[name, default.0])
                }
            };
        }
        for (_, tensor) in graph.initializers() {
            let value = self.values.lookup(self.model, id, &tensor.name);
            if let Some(value) = value
                && matches!(self.values[value].producer, Producer::Initializer(_))
            {
                self.numbers[value.index()] = self.tensor(tensor, shared)?;
            }
        }
        for sparse in graph.sparse_initializers() {
            if let Some(value) = self.values.lookup(self.model, id, &sparse.values.name) {
                self.numbers[value.index()] = self.sparse(sparse, shared)?;
            }
        }
        Ok(())
    }

    fn tensor(&mut self, tensor: &'m Tensor, shared: &mut Shared<'m>) -> Result<Expression> {
        let mut words = Vec::new();
        self.tensor_words(&mut words, tensor, shared)?;
        Ok(shared.expressions.number(Tag::Constant, &words))
    }

    fn tensor_words(
        &mut self,
        words: &mut Vec<u32>,
        tensor: &'m Tensor,
        shared: &mut Shared<'m>,
    ) -> Result<()> {
        words.extend([tensor.data_type.0 as u32, tensor.dims.len() as u32]);
        for &dim in &tensor.dims {
            push_long(words, dim as u64);
        }
        words.push(shared.contents.number(self.model, tensor)?);
        Ok(())
    }

    fn sparse(
        &mut self,
        sparse: &'m SparseInitializer,
        shared: &mut Shared<'m>,
    ) -> Result<Expression> {
        let mut words = vec![sparse.dims.len() as u32];
        for &dim in &sparse.dims {
            push_long(&mut words, dim as u64);
        }
        self.tensor_words(&mut words, &sparse.values, shared)?;
        self.tensor_words(&mut words, &sparse.indices, shared)?;
        Ok(shared.expressions.number(Tag::Sparse, &words))
    }

    fn input(&self, id: NodeId, input: usize) -> Expression {
        let value = self.values.input(id, input);
        value.map_or(Expression::ABSENT, |value| self.numbers[value.index()])
    }

    fn set_output(&mut self, id: NodeId, output: usize, number: Expression) {
        if let Some(value) = self.values.output(self.model, id, output) {
            self.numbers[value.index()] = number;
        }
    }

    fn node(&mut self, id: NodeId, shared: &mut Shared<'m>) -> Result<()> {
        let node = self.model.node(id);
        let callee = self.model.callee(node);
        if callee.is_none() && node.in_default_domain() && self.known(id, node, shared)? {
            return Ok(());
        }
        let mut words = vec![
            shared.expressions.string(node.op_type.as_bytes()),
            match node.in_default_domain() {
                true => shared.expressions.string(b""),
                false => shared.expressions.string(node.domain.as_bytes()),
            },
            shared.expressions.string(node.overload.as_bytes()),
        ];
        let outputs = node.outputs.iter().rposition(|name| !name.is_empty());
        words.push(outputs.map_or(0, |last| last as u32 + 1));
        let mut impure = false;
        match callee.and_then(|function| self.functions[function]) {
            Some((body, draws)) => {
                words.extend([1, body.0]);
                impure |= draws;
            }
            None => {
                let domain = node.domain.as_str().unwrap_or_default();
                let version = self.model.opset(id.graph, domain).unwrap_or(0);
                words.push(0);
                push_long(&mut words, version as u64);
                impure |= !node.in_default_domain() || RANDOM.iter().any(|op| node.op_type == *op);
            }
        }
        let inputs = node.inputs.iter().rposition(|name| !name.is_empty());
        let inputs = inputs.map_or(0, |last| last + 1);
        words.push(inputs as u32);
        words.extend((0..inputs).map(|input| self.input(id, input).0));
        impure |= self.attributes(&mut words, &node.attributes, shared)?;
        let mut number = shared.expressions.number(Tag::Apply, &words);
        self.nodes.entry(number).or_insert(id);
        if impure {
            self.impure[id.graph.0 as usize] = true;
            let count = self.draws.entry(number).or_insert(0);
            *count += 1;
            let draw = [number.0, *count];
            number = shared.expressions.number(Tag::Draw, &draw);
            self.nodes.entry(number).or_insert(id);
        }
        for output in 0..node.outputs.len() {
            let words = [number.0, output as u32];
            let number = shared.expressions.number(Tag::Output, &words);
            self.set_output(id, output, number);
        }
        Ok(())
    }

    /// Operators that are known to compute something simpler. False if this is none of them.
    fn known(&mut self, id: NodeId, node: &'m Node, shared: &mut Shared<'m>) -> Result<bool> {
        let data = self.input(id, 0);
        if node.op_type == "Identity" && node.inputs.len() == 1 {
            self.set_output(id, 0, data);
            return Ok(true);
        }
        if node.op_type == "Dropout" && data != Expression::ABSENT {
            // looking for the type takes a while, and nobody asks for that of an idle mask
            let mask = self.values.output(self.model, id, 1);
            let mask = mask.filter(|&mask| self.values.is_used(mask));
            let element = match self.model.opset(id.graph, "") {
                Some(..=9) if mask.is_some() => {
                    let output = self.values.output(self.model, id, 0);
                    let ends = [mask, output, self.values.input(id, 0)];
                    let mut ends = ends.into_iter().flatten();
                    ends.find_map(|value| self.model.element_type(self.values, value))
                }
                _ => Some(DataType::BOOL),
            };
            let element = element.map_or(0, |element| element.0 as u32);
            let ones = shared.expressions.number(Tag::Ones, &[data.0, element]);
            self.set_output(id, 0, data);
            self.set_output(id, 1, ones);
            return Ok(true);
        }
        if node.op_type == "Constant"
            && let [attribute] = &node.attributes[..]
            && let Some(number) = self.constant(attribute, shared)?
        {
            self.set_output(id, 0, number);
            return Ok(true);
        }
        if let Some(ones) = self.ones(id, node, data, shared)? {
            self.set_output(id, 0, ones);
            return Ok(true);
        }
        Ok(false)
    }

    fn constant(
        &mut self,
        attribute: &'m Attribute,
        shared: &mut Shared<'m>,
    ) -> Result<Option<Expression>> {
        match &attribute.value {
            AttributeValue::Tensor(tensor) if attribute.name == "value" => {
                self.tensor(tensor, shared).map(Some)
            }
            AttributeValue::Sparse(sparse) if attribute.name == "sparse_value" => {
                self.sparse(sparse, shared).map(Some)
            }
            _ => Ok(None),
        }
    }

    /// `ConstantOfShape(Shape(x))` of one, and `Cast(Not(Greater(x, x)))`: ones in the shape of x.
    fn ones(
        &mut self,
        id: NodeId,
        node: &Node,
        data: Expression,
        shared: &mut Shared<'m>,
    ) -> Result<Option<Expression>> {
        let model = self.model;
        let producer = |id: NodeId, op_type: &str| -> Option<NodeId> {
            match self.values[self.values.input(id, 0)?].producer {
                Producer::Node { node, .. } if model.node(node).is(op_type) => Some(node),
                _ => None,
            }
        };
        let of = if node.op_type == "ConstantOfShape"
            && let Some(AttributeValue::Tensor(value)) = node.attribute("value").map(|a| &a.value)
            && value.elements() == Some(1)
            && let Some(shape) = producer(id, "Shape")
            && model.node(shape).attributes.is_empty()
        {
            let bytes = model.small_elements(value, 16)?;
            let one: &[u8] = match value.data_type {
                DataType::BOOL => &[1],
                DataType::FLOAT16 => &[0, 0x3c],
                DataType::FLOAT => &[0, 0, 0x80, 0x3f],
                DataType::DOUBLE => &[0, 0, 0, 0, 0, 0, 0xf0, 0x3f],
                _ => return Ok(None),
            };
            (bytes.as_deref() == Some(one)).then_some((shape, value.data_type))
        } else if node.op_type == "Cast"
            && data != Expression::ABSENT
            && let Some(not) = producer(id, "Not")
            && let Some(greater) = producer(not, "Greater")
            && self.input(greater, 0) == self.input(greater, 1)
        {
            let to = match node.attribute("to").map(|a| &a.value) {
                Some(AttributeValue::Int(to)) => Some(DataType(*to as i32)),
                Some(AttributeValue::String(name)) => [
                    DataType::FLOAT16,
                    DataType::FLOAT,
                    DataType::DOUBLE,
                    DataType::BOOL,
                ]
                .into_iter()
                .find(|t| {
                    t.name()
                        .is_some_and(|n| n.as_bytes().eq_ignore_ascii_case(name))
                }),
                _ => None,
            };
            to.map(|to| (greater, to))
        } else {
            None
        };
        Ok(of.map(|(of, element)| {
            let words = [self.input(of, 0).0, element.0 as u32];
            shared.expressions.number(Tag::Ones, &words)
        }))
    }

    /// Appends attributes, by name. True if a graph among them draws at random.
    fn attributes(
        &mut self,
        words: &mut Vec<u32>,
        attributes: &'m [Attribute],
        shared: &mut Shared<'m>,
    ) -> Result<bool> {
        let mut sorted: Vec<&Attribute> = attributes.iter().collect();
        sorted.sort_by(|a, b| a.name.cmp(&b.name));
        let mut impure = false;
        words.push(sorted.len() as u32);
        for attribute in sorted {
            words.push(shared.expressions.string(attribute.name.as_bytes()));
            impure |= self.attribute(words, attribute, shared)?;
        }
        Ok(impure)
    }

    fn attribute(
        &mut self,
        words: &mut Vec<u32>,
        attribute: &'m Attribute,
        shared: &mut Shared<'m>,
    ) -> Result<bool> {
        let expressions = &mut shared.expressions;
        let mut strings = |kind: u32, strings: &[bytes::Bytes]| {
            words.extend([kind, strings.len() as u32]);
            words.extend(strings.iter().map(|s| expressions.string(s)));
        };
        match &attribute.value {
            AttributeValue::String(s) => strings(3, std::slice::from_ref(s)),
            AttributeValue::Strings(s) => strings(8, s),
            AttributeValue::NewTensor(bytes) => strings(100, std::slice::from_ref(bytes)),
            AttributeValue::Float(f) => words.extend([1, f.to_bits()]),
            AttributeValue::Int(i) => {
                words.push(2);
                push_long(words, *i as u64);
            }
            AttributeValue::Floats(floats) => {
                words.extend([6, floats.len() as u32]);
                words.extend(floats.iter().map(|f| f.to_bits()));
            }
            AttributeValue::Ints(ints) => {
                words.extend([7, ints.len() as u32]);
                ints.iter().for_each(|&i| push_long(words, i as u64));
            }
            AttributeValue::Tensor(tensor) => {
                words.push(4);
                self.tensor_words(words, tensor, shared)?;
            }
            AttributeValue::Tensors(tensors) => {
                words.extend([9, tensors.len() as u32]);
                for tensor in tensors {
                    self.tensor_words(words, tensor, shared)?;
                }
            }
            AttributeValue::Sparse(sparse) => {
                words.extend([11, self.sparse(sparse, shared)?.0]);
            }
            AttributeValue::Reference(name, kind) => {
                words.extend([101, expressions.string(name.as_bytes()), *kind as u32]);
            }
            AttributeValue::Other(range) => {
                let bytes = self.model.source().bytes(range.clone())?;
                words.extend([102, expressions.string(&bytes)]);
            }
            AttributeValue::Graph(_) | AttributeValue::Graphs(_) => {
                words.extend([10, attribute.graphs().len() as u32]);
                let mut impure = false;
                for &graph in attribute.graphs() {
                    words.push(self.body(graph, shared).0);
                    impure |= self.impure[graph.0 as usize];
                }
                return Ok(impure);
            }
        }
        Ok(false)
    }

    fn outputs(&self, id: GraphId, graph: &Graph) -> Vec<Expression> {
        let outputs = graph.outputs.iter();
        outputs
            .map(|info| self.values.lookup(self.model, id, &info.name))
            .map(|value| value.map_or(Expression::ABSENT, |value| self.numbers[value.index()]))
            .collect()
    }

    /// What a graph computes from its inputs (and from what it captures).
    fn body(&self, id: GraphId, shared: &mut Shared<'m>) -> Expression {
        let graph = self.model.graph(id);
        let mut words = vec![graph.inputs.len() as u32];
        words.extend(self.outputs(id, graph).iter().map(|output| output.0));
        shared.expressions.number(Tag::Body, &words)
    }

    /// Takes down what a main graph, training graph or function computes.
    fn root(&mut self, id: GraphId, shared: &mut Shared<'m>) -> Result<()> {
        let graph = self.model.graph(id);
        let scope = self.model.scope(id);
        if let GraphKind::Function(index) = graph.kind {
            let mut words = vec![self.body(id, shared).0];
            let defaults = &self.model.functions()[index].defaults;
            self.attributes(&mut words, defaults, shared)?;
            let body = shared.expressions.number(Tag::Function, &words);
            self.functions[index] = Some((body, self.impure[id.0 as usize]));
            self.results.insert(scope, body);
            return Ok(());
        }
        for (info, number) in graph.outputs.iter().zip(self.outputs(id, graph)) {
            let place = match graph.kind {
                GraphKind::Main => format!("output `{}`", info.name),
                _ => format!("{scope}: output `{}`", info.name),
            };
            self.results.insert(place, number);
        }
        Ok(())
    }

    /// Takes down what training assigns to what: by name, as both are outputs and initializers.
    fn bindings(&mut self, shared: &mut Shared<'m>) {
        for (index, training) in self.model.training().iter().enumerate() {
            for (pair, names) in training.bound.chunks(2).enumerate() {
                let words: Vec<u32> = (names.iter())
                    .map(|name| shared.expressions.string(name.as_bytes()))
                    .collect();
                let number = shared.expressions.number(Tag::Binding, &words);
                let place = format!("training_info[{index}]: binding {pair}");
                self.results.insert(place, number);
            }
        }
    }
}

fn push_long(words: &mut Vec<u32>, value: u64) {
    words.extend([value as u32, (value >> 32) as u32]);
}
