//! Editing: the few things a rewrite may do to a model. Each keeps values and scopes right.

mod declare;
mod describe;
mod initializer;
mod insert;
mod states;

use crate::hash::{HashMap, HashSet};

use crate::error::{Error, ErrorKind, Result};

use super::attribute::Attribute;
use super::graph::{Graph, GraphKind};
use super::ids::{GraphId, NodeId};
use super::model::Model;
use super::name::Name;
use super::node::{Node, NodeState};
use super::values::{Producer, Use, Value, ValueId, Values};
use describe::Described;
pub(crate) use initializer::encode_tensor;
pub(super) use initializer::push_elements;
pub(crate) use insert::{At, Elements};
pub use states::StatePlaces;

/// Field numbers of `GraphProto`.
const INPUT: u32 = 11;
const OUTPUT: u32 = 12;

/// A model being edited, and its values as they are now.
#[derive(Debug)]
#[non_exhaustive]
pub struct Editor<'m> {
    model: &'m mut Model,
    values: Values,
    /// Value names anywhere in the model, once a fresh one was asked for.
    taken: Option<HashSet<Name>>,
    /// The last number of a fresh name, by its hint.
    numbers: HashMap<Name, usize>,
    /// Values that lost their producer.
    gone: Vec<ValueId>,
    /// For each graph, its value_info entries and annotations by name, once one was asked for.
    described: HashMap<GraphId, Described>,
}

impl<'m> Editor<'m> {
    /// Starts editing. `values` are the model's.
    pub fn new(model: &'m mut Model, values: Values) -> Self {
        Editor {
            model,
            values,
            taken: None,
            numbers: HashMap::default(),
            gone: Vec::new(),
            described: HashMap::default(),
        }
    }

    /// The model as it is now.
    pub fn model(&self) -> &Model {
        self.model
    }

    /// Its values as they are now.
    pub fn values(&self) -> &Values {
        &self.values
    }

    /// Marks a graph, and those around it, as changed.
    fn touch(&mut self, graph: GraphId) -> &mut Graph {
        let mut around = Some(graph);
        while let Some(id) = around {
            let graph = self.model.graph_mut(id);
            if graph.edits.dirty {
                break;
            }
            graph.edits.dirty = true;
            around = match &graph.kind {
                GraphKind::Attribute { node, .. } => Some(node.graph),
                _ => None,
            };
        }
        self.model.graph_mut(graph)
    }

    fn node_mut(&mut self, id: NodeId) -> &mut Node {
        let graph = self.touch(id.graph);
        let node = &mut graph.nodes[id.index as usize];
        if node.state == NodeState::Kept {
            node.state = NodeState::Changed;
        }
        node
    }

    /// Takes a node out, with the graphs inside it. Its outputs are then defined by nothing: redirect
    /// their uses, or insert a node that defines them again.
    pub fn remove_node(&mut self, id: NodeId) {
        let gone = self.values.forget_node(self.model, id);
        self.gone.extend(gone);
        self.node_mut(id).state = NodeState::Removed;
    }

    /// Puts a node in before another; before none: at the end.
    pub fn insert_node(&mut self, graph: GraphId, before: Option<NodeId>, node: Node) -> NodeId {
        let body = self.touch(graph);
        let index = body.nodes.len() as u32;
        body.nodes.push(node);
        body.edits
            .inserted
            .push((before.map(|before| before.index), index));
        let id = NodeId { graph, index };
        self.values.add_node(self.model, id);
        if let Some(taken) = &mut self.taken {
            taken.extend(self.model.node(id).outputs.iter().cloned());
        }
        id
    }

    /// The node of the file after another one; inserting before it inserts after the other.
    pub fn node_behind(&self, id: NodeId) -> Option<NodeId> {
        let graph = self.model.graph(id.graph);
        let inserted = &graph.edits.inserted;
        let read = (graph.nodes.len() - inserted.len()) as u32;
        let next = match id.index < read {
            true => Some(id.index + 1).filter(|&next| next < read),
            false => {
                let place = inserted.iter().find(|(_, index)| *index == id.index);
                place.and_then(|&(before, _)| before)
            }
        };
        next.map(|index| NodeId {
            graph: id.graph,
            index,
        })
    }

    /// True if every use of `from` could name `to` instead: `to` is seen there under its own name,
    /// and no use is bound to the very name (outputs, bindings, annotations, attributes).
    pub fn can_redirect(&self, from: ValueId, to: ValueId) -> bool {
        self.values.uses(from).all(|at| match at {
            Use::Input { node, .. } => self.sees(node.graph, to),
            Use::Output { .. } | Use::Annotation(_) | Use::Binding(_) | Use::Attribute(_) => false,
        })
    }

    /// True if in `graph` the name of `value` means that value.
    pub fn sees(&self, graph: GraphId, value: ValueId) -> bool {
        let name = &self.values[value].name;
        self.values.lookup(self.model, graph, name) == Some(value)
    }

    /// Makes every use of `from` as a node's input a use of `to`. Other uses stay.
    ///
    /// # Errors
    /// In some graph the name of `to` means something else; nothing is changed then.
    pub fn redirect(&mut self, from: ValueId, to: ValueId) -> Result<()> {
        let target = self.values[to].name.clone();
        let hidden = self.values.uses(from).find_map(|at| match at {
            Use::Input { node, .. } if !self.sees(node.graph, to) => Some(node),
            _ => None,
        });
        if let Some(node) = hidden {
            let why = format!("`{target}` is already in use in this scope");
            return Err(Error::model(why).at(self.model.place(node)));
        }
        let mut others = Vec::new();
        for at in self.values.drop_uses(from) {
            match at {
                Use::Input { node, input }
                    if self.values.input(node, input as usize) == Some(from) =>
                {
                    self.node_mut(node).inputs[input as usize] = target.clone();
                    self.values.set_input(node, input as usize, to);
                }
                Use::Input { .. } => {}
                other => others.push(other),
            }
        }
        self.values.put_uses(from, others);
        Ok(())
    }

    /// True if [`Editor::rename`] can be done: the value is the output of a node, no use of it is
    /// bound to its very name (outputs, bindings, annotations, attributes), and wherever it is used
    /// the new name is free, or that of a removed value of its graph.
    pub fn can_rename(&self, value: ValueId, name: &Name) -> bool {
        let old = &self.values[value];
        let free = match self.values.lookup(self.model, old.graph, name) {
            None => !name.is_empty(),
            Some(other) => {
                let other = &self.values[other];
                other.graph == old.graph && other.producer == Producer::Gone
            }
        };
        let unbound = |at| match at {
            Use::Input { node, .. } => self
                .values
                .between(self.model, node.graph, old.graph)
                .all(|graph| !self.values.defines(graph, name)),
            _ => false,
        };
        let produced = matches!(old.producer, Producer::Node { .. });
        produced && free && self.values.uses(value).all(unbound)
    }

    /// Gives the output of a node another name, everywhere it is used. If that was the name of a
    /// removed value, its readers read this one. The type entry of the old name is removed;
    /// its quantisation annotation moves to the new name, unless that one has its own.
    ///
    /// # Errors
    /// It cannot be done, see [`Editor::can_rename`]; nothing is changed then.
    pub fn rename(&mut self, value: ValueId, name: &Name) -> Result<()> {
        let old = self.values[value].clone();
        let Producer::Node { node, output } = old.producer else {
            let why = format!(
                "`{}` cannot be renamed: it is not the output of a node",
                old.name
            );
            return Err(Error::model(why));
        };
        if !self.can_rename(value, name) {
            let why = format!("`{}` cannot be renamed to `{name}`", old.name);
            return Err(Error::model(why).at(self.model.place(node)));
        }
        self.node_mut(node).outputs[output as usize] = name.clone();
        let uses: Vec<Use> = self.values.uses(value).collect();
        for at in uses {
            if let Use::Input { node, input } = at {
                self.node_mut(node).inputs[input as usize] = name.clone();
            }
        }
        self.values.rename(value, name);
        self.rename_description(old.graph, &old.name, name);
        if let Some(taken) = &mut self.taken {
            taken.insert(name.clone());
        }
        Ok(())
    }

    /// Gives an output of a node another, fresh name that nothing uses. What used the old name uses
    /// nothing until a node that defines it is inserted.
    pub fn detach_output(&mut self, node: NodeId, output: usize, name: &Name) {
        if let Some(old) = self.values.output(self.model, node, output) {
            self.values.forget(old);
            self.gone.push(old);
        }
        self.node_mut(node).outputs[output] = name.clone();
        let output = output as u32;
        self.values.define_output(node, output, name);
    }

    /// Removes the outputs of a node from a place on. Nothing may use them; those that have names are
    /// `values`.
    pub fn keep_outputs(&mut self, node: NodeId, count: usize, values: &[ValueId]) {
        let further: Vec<usize> = (count..self.model.node(node).outputs.len()).collect();
        self.values.remove_ports(node, &[], &further);
        self.node_mut(node).outputs.truncate(count);
        self.gone.extend(values);
    }

    /// Changes one input of a node; missing inputs before it become omitted inputs.
    pub fn set_input(&mut self, node: NodeId, input: usize, value: ValueId) {
        let name = self.values[value].name.clone();
        let inputs = &mut self.node_mut(node).inputs;
        if inputs.len() <= input {
            inputs.resize(input + 1, Name::default());
        }
        inputs[input] = name;
        self.values.set_input(node, input, value);
    }

    /// Leaves an optional input of a node away.
    pub fn clear_input(&mut self, node: NodeId, input: usize) {
        self.node_mut(node).inputs[input] = Name::default();
        self.values.clear_input(node, input);
    }

    /// Sets an attribute, in place of one of that name if there is one.
    pub fn set_attribute(&mut self, node: NodeId, attribute: Attribute) {
        let attributes = &mut self.node_mut(node).attributes;
        attributes.retain(|old| old.name != attribute.name);
        attributes.push(attribute);
    }

    /// Takes an attribute away.
    pub fn remove_attribute(&mut self, node: NodeId, name: &str) {
        self.node_mut(node).attributes.retain(|a| a.name != name);
    }

    /// A name that no value of the model has, made from a readable hint.
    pub fn fresh_name(&mut self, hint: &str) -> Name {
        let model = &*self.model;
        let taken = self.taken.get_or_insert_with(|| model.value_names());
        let mut name = Name::from(hint);
        if taken.insert(name.clone()) {
            return name;
        }
        let count = self.numbers.entry(name).or_insert(1);
        loop {
            *count += 1;
            name = Name::from(format!("{hint}_{count}"));
            if taken.insert(name.clone()) {
                return name;
            }
        }
    }

    /// Removes a function without calls.
    pub fn remove_function(&mut self, function: usize) {
        self.model.removed_functions.insert(function);
    }

    /// Ends the editing: removes types and annotations of removed values.
    ///
    /// # Errors
    /// A removed value still has uses, which is a bug in the rewrite.
    pub fn finish(mut self) -> Result<()> {
        self.settle()
    }

    fn settle(&mut self) -> Result<()> {
        for value in std::mem::take(&mut self.gone) {
            let Value { graph, name, .. } = self.values[value].clone();
            if self.values.defines(graph, &name) {
                continue;
            }
            if let Some(at) = self.values.uses(value).next() {
                let why = format!("an edit removed `{name}`, which {at:?} still uses");
                return Err(Error::new(ErrorKind::Verification, why));
            }
            self.remove_description(graph, &name);
        }
        Ok(())
    }
}

impl Model {
    /// The names of all values, and those that nothing defines.
    pub(crate) fn value_names(&self) -> HashSet<Name> {
        let of_graph = |graph: &Graph| {
            let nodes = graph.nodes();
            let nodes = nodes.flat_map(|(_, node)| node.outputs.iter().chain(&node.inputs));
            let infos = graph.inputs.iter().chain(&graph.outputs);
            let tensors = graph.initializers().map(|(_, tensor)| &tensor.name);
            let all = nodes.chain(infos.map(|info| &info.name)).chain(tensors);
            all.cloned().collect::<Vec<_>>()
        };
        let graphs = self.graphs();
        graphs.flat_map(|(_, graph)| of_graph(graph)).collect()
    }
}
