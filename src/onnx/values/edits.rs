//! How edits keep values right.

use crate::onnx::ids::{GraphId, NodeId};
use crate::onnx::model::Model;
use crate::onnx::name::Name;
use crate::onnx::node::Node;

use super::{NONE, Ports, Producer, Use, ValueId, Values};

impl Values {
    pub(in crate::onnx) fn set_input(&mut self, node: NodeId, input: usize, value: ValueId) {
        let ports = self.ports_of(node);
        if ports.inputs as usize <= input {
            let [mut inputs, outputs] = self.ports_in(ports).map(<[u32]>::to_vec);
            inputs.resize(input + 1, NONE);
            self.set_ports(node, &inputs, &outputs);
        }
        let port = self.ports_of(node).first as usize + input;
        let old = std::mem::replace(&mut self.at_ports[port], value.0);
        self.forget_use(old);
        let input = input as u32;
        self.add_use(value, Use::Input { node, input });
    }

    pub(in crate::onnx) fn clear_input(&mut self, node: NodeId, input: usize) {
        let port = self.ports_of(node).first as usize + input;
        let old = std::mem::replace(&mut self.at_ports[port], NONE);
        self.forget_use(old);
    }

    /// The inputs and the outputs there.
    pub(super) fn ports_in(&self, ports: Ports) -> [&[u32]; 2] {
        let first = ports.first as usize;
        let outputs = first + ports.inputs as usize;
        let end = outputs + ports.outputs as usize;
        [&self.at_ports[first..outputs], &self.at_ports[outputs..end]]
    }

    /// Gives a node as many inputs and outputs, at a new place. The uses of its inputs stay as they are.
    pub(super) fn set_ports(&mut self, node: NodeId, inputs: &[u32], outputs: &[u32]) {
        self.ports[node.graph.0 as usize][node.index as usize] = Ports {
            first: self.at_ports.len() as u32,
            inputs: inputs.len() as u32,
            outputs: outputs.len() as u32,
        };
        self.at_ports.extend(inputs.iter().chain(outputs));
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
        let ports = self.ports_of(id);
        for port in ports.first..ports.first + ports.inputs {
            let value = std::mem::replace(&mut self.at_ports[port as usize], NONE);
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

    /// A value loses its producer; it keeps its name and uses until something defines it again.
    pub(in crate::onnx) fn forget(&mut self, value: ValueId) {
        let gone = &mut self.values[value.0 as usize];
        gone.producer = Producer::Gone;
        gone.initializer = None;
    }

    /// Takes note of a node that an edit added.
    pub(in crate::onnx) fn add_node(&mut self, model: &Model, id: NodeId) {
        let all = &mut self.ports[id.graph.0 as usize];
        all.resize(id.index as usize + 1, Ports::default());
        let node = model.node(id);
        self.define_node(id, node);
        self.resolve_node(model, id, node);
    }

    /// Takes note that an output of a node now has this name.
    pub(in crate::onnx) fn define_output(&mut self, node: NodeId, output: u32, name: &Name) {
        let added = self.add(node.graph, name, Producer::Node { node, output });
        let value = added.or_else(|| self.find(node.graph, name));
        let ports = self.ports_of(node);
        let port = ports.first + ports.inputs + output;
        self.at_ports[port as usize] = value.map_or(NONE, |value| value.0);
    }

    /// Takes note of an input that an edit added to a graph.
    pub(in crate::onnx) fn add_input(&mut self, graph: GraphId, name: &Name, index: u32) {
        self.add(graph, name, Producer::Input(index));
    }

    /// Takes note of an output that an edit added to a graph.
    pub(in crate::onnx) fn add_output(&mut self, graph: GraphId, value: ValueId, output: u32) {
        self.add_use(value, Use::Output { graph, output });
    }

    /// Takes note that an output of a graph has changed.
    pub(in crate::onnx) fn set_output(
        &mut self,
        model: &Model,
        graph: GraphId,
        output: usize,
        value: ValueId,
    ) {
        let name = &model.graph(graph).outputs[output].name;
        let at = Use::Output {
            graph,
            output: output as u32,
        };
        if let Some(old) = self.lookup(model, graph, name) {
            self.retain_uses(old, |other| other != at);
        }
        self.add_use(value, at);
    }

    /// Takes note of an initializer that an edit added: a value, or the default of an input.
    pub(in crate::onnx) fn add_initializer(&mut self, graph: GraphId, name: &Name, index: u32) {
        if let Some(input) = self.find(graph, name)
            && let known = &mut self.values[input.index()]
            && matches!(known.producer, Producer::Input(_))
        {
            known.initializer = Some(index);
            return;
        }
        if let Some(value) = self.add(graph, name, Producer::Initializer(index)) {
            self.values[value.0 as usize].initializer = Some(index);
        }
    }

    /// A value takes another name in its graph, and the readers of the removed value that had it.
    pub(in crate::onnx) fn rename(&mut self, value: ValueId, name: &Name) {
        if let Some(gone) = self.find(self[value].graph, name) {
            for at in self.drop_uses(gone) {
                match at {
                    Use::Input { node, input } => self.set_input(node, input as usize, value),
                    other => self.add_use(value, other),
                }
            }
            self.leave(gone);
        }
        self.leave(value);
        self.values[value.index()].name = name.clone();
        let (values, hasher) = (&self.values, &self.hasher);
        let of = |id: &u32| {
            super::hash(
                hasher,
                values[*id as usize].graph,
                &values[*id as usize].name,
            )
        };
        self.names.insert_unique(of(&value.0), value.0, of);
    }

    /// Takes a value out of the table of names.
    fn leave(&mut self, value: ValueId) {
        let hash = super::hash(&self.hasher, self[value].graph, &self[value].name);
        if let Ok(entry) = self.names.find_entry(hash, |&id| id == value.0) {
            entry.remove();
        }
    }
}
