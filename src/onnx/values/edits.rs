//! How edits keep values right.

use crate::onnx::graph::GraphId;
use crate::onnx::model::Model;
use crate::onnx::name::Name;
use crate::onnx::node::{Node, NodeId};

use super::{NONE, Producer, Use, ValueId, Values};

impl Values {
    pub(in crate::onnx) fn set_input(&mut self, node: NodeId, input: usize, value: ValueId) {
        let inputs = &mut self.inputs[node.graph.0 as usize][node.index as usize];
        if inputs.len() <= input {
            let mut longer = std::mem::take(inputs).into_vec();
            longer.resize(input + 1, NONE);
            *inputs = longer.into();
        }
        let old = std::mem::replace(&mut inputs[input], value.0);
        self.forget_use(old);
        let input = input as u32;
        self.add_use(value, Use::Input { node, input });
    }

    pub(in crate::onnx) fn clear_input(&mut self, node: NodeId, input: usize) {
        let inputs = &mut self.inputs[node.graph.0 as usize][node.index as usize];
        let old = std::mem::replace(&mut inputs[input], NONE);
        self.forget_use(old);
    }

    /// Forgets a node: it uses nothing and produces nothing any more, nor do the graphs inside it.
    /// Returns what it produced.
    pub(in crate::onnx) fn forget_node(&mut self, model: &Model, id: NodeId) -> Vec<ValueId> {
        self.forget_inputs(id);
        self.forget_named(model, id);
        let inside = |node: &Node| -> Vec<GraphId> {
            let graphs = node.attributes.iter().flat_map(|a| a.graphs());
            graphs.copied().collect()
        };
        let mut graphs = inside(model.node(id));
        while let Some(graph) = graphs.pop() {
            for (index, node) in model.graph(graph).nodes() {
                self.forget_inputs(NodeId { graph, index });
                self.forget_named(model, NodeId { graph, index });
                graphs.extend(inside(node));
            }
            let outputs = model.graph(graph).outputs.iter().map(|info| &info.name);
            let annotations = model.graph(graph).annotations().iter();
            let named = annotations.flat_map(|annotation| &annotation.parameters);
            for name in outputs.chain(named) {
                if let Some(value) = self.lookup(model, graph, name) {
                    self.retain_uses(value, |at| match at {
                        Use::Output { graph: of, .. } | Use::Annotation(of) => of != graph,
                        _ => true,
                    });
                }
            }
        }
        let outputs = 0..model.node(id).outputs.len();
        let values = outputs.filter_map(|output| self.output(model, id, output));
        let produced: Vec<ValueId> = values
            .filter(
                |&value| matches!(self[value].producer, Producer::Node { node, .. } if node == id),
            )
            .collect();
        for &value in &produced {
            self.forget(value);
        }
        produced
    }

    fn forget_inputs(&mut self, id: NodeId) {
        let inputs = &mut self.inputs[id.graph.0 as usize][id.index as usize];
        for value in std::mem::take(inputs) {
            self.forget_use(value);
        }
    }

    fn forget_named(&mut self, model: &Model, id: NodeId) {
        for name in model.node(id).named_values() {
            if let Some(value) = self.lookup(model, id.graph, &name) {
                self.retain_uses(value, |at| at != Use::Attribute(id));
            }
        }
    }

    /// Keeps some of the uses of a value, none of which is stale among the others.
    fn retain_uses(&mut self, value: ValueId, keep: impl Fn(Use) -> bool) {
        let value = &mut self.values[value.0 as usize];
        let all = value.uses.len();
        value.uses.retain(|&at| keep(at));
        let gone = (all - value.uses.len()) as u32;
        value.live = value.live.saturating_sub(gone);
    }

    /// One use of a value, if it is one, is stale from now on.
    fn forget_use(&mut self, value: u32) {
        if let Some(value) = self.values.get_mut(value as usize) {
            value.live = value.live.saturating_sub(1);
        }
    }

    /// A value loses its producer; it keeps its name and uses until something defines it again.
    pub(in crate::onnx) fn forget(&mut self, value: ValueId) {
        let gone = &mut self.values[value.0 as usize];
        gone.producer = Producer::Gone;
        gone.initializer = None;
    }

    /// Takes note of a node that an edit added.
    pub(in crate::onnx) fn add_node(&mut self, model: &Model, id: NodeId) {
        let all = &mut self.inputs[id.graph.0 as usize];
        all.resize(id.index as usize + 1, Box::default());
        let node = model.node(id);
        let inputs: Box<[u32]> = (node.inputs.iter().enumerate())
            .map(|(input, name)| {
                let input = input as u32;
                self.use_name(model, id.graph, name, Use::Input { node: id, input })
            })
            .collect();
        self.inputs[id.graph.0 as usize][id.index as usize] = inputs;
        self.use_named(model, id, node);
        for (output, name) in node.outputs.iter().enumerate() {
            let output = output as u32;
            self.add(id.graph, name, Producer::Node { node: id, output });
        }
    }

    /// Takes note that an output of a node now has this name.
    pub(in crate::onnx) fn define_output(&mut self, node: NodeId, output: u32, name: &Name) {
        self.add(node.graph, name, Producer::Node { node, output });
    }

    /// Takes note of an input that an edit added to a graph.
    pub(in crate::onnx) fn add_input(&mut self, graph: GraphId, name: &Name, index: u32) {
        self.add(graph, name, Producer::Input(index));
    }

    /// Takes note of an output that an edit added to a graph.
    pub(in crate::onnx) fn add_output(&mut self, graph: GraphId, value: ValueId, output: u32) {
        self.add_use(value, Use::Output { graph, output });
    }

    /// Takes note of an initializer that an edit added: a value, or the default of an input.
    pub(in crate::onnx) fn add_initializer(&mut self, graph: GraphId, name: &Name, index: u32) {
        if let Some(&input) = self.scopes[graph.0 as usize].get(name)
            && let known = &mut self.values[input as usize]
            && matches!(known.producer, Producer::Input(_))
        {
            known.initializer = Some(index);
            return;
        }
        if let Some(value) = self.add(graph, name, Producer::Initializer(index)) {
            self.values[value.0 as usize].initializer = Some(index);
        }
    }

    /// A value takes another name in its graph, and the uses of the value that had it and is gone.
    pub(in crate::onnx) fn rename(&mut self, value: ValueId, name: &Name) {
        let graph = self[value].graph.0 as usize;
        if let Some(&gone) = self.scopes[graph].get(name) {
            let gone = ValueId(gone);
            let uses = self.uses(gone).collect::<Vec<_>>();
            self.drop_uses(gone);
            for at in uses {
                match at {
                    Use::Input { node, input } => self.set_input(node, input as usize, value),
                    other => self.add_use(value, other),
                }
            }
        }
        self.scopes[graph].remove(&self.values[value.0 as usize].name);
        self.scopes[graph].insert(name.clone(), value.0);
        self.values[value.0 as usize].name = name.clone();
    }

    pub(in crate::onnx) fn drop_uses(&mut self, value: ValueId) -> Vec<Use> {
        let value = &mut self.values[value.0 as usize];
        value.live = 0;
        std::mem::take(&mut value.uses)
    }

    pub(in crate::onnx) fn put_uses(&mut self, value: ValueId, uses: Vec<Use>) {
        let value = &mut self.values[value.0 as usize];
        value.live += uses.len() as u32;
        value.uses.extend(uses);
    }
}
