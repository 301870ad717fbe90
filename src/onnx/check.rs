//! What a model must be before it is edited: names defined once and before use, no cycles.

use crate::error::{Error, Result};

use super::model::Model;
use super::node::NodeId;
use super::values::{Producer, Use, Value, Values};

impl Model {
    /// Checks that every name is defined, once, and that no node feeds itself, in any scope.
    ///
    /// Operators are not checked against their schemas: a model of operators nobody knows, or used
    /// in ways nobody allows, can still be read, audited and stripped.
    ///
    /// # Errors
    /// The first of: a name defined twice, an undefined input or output, a cycle.
    pub fn check(&self, values: &Values) -> Result<()> {
        self.check_order(values).map(|_| ())
    }

    /// As [`Model::check`]; returns all nodes of all graphs such that a node comes after those it
    /// depends on, be it through the graphs inside it; nodes inside a graph come before the node that
    /// holds it. File order, wherever that is such an order already.
    ///
    /// # Errors
    /// As [`Model::check`].
    pub fn check_order(&self, values: &Values) -> Result<Vec<NodeId>> {
        let checked = self.check_names(values);
        let ordered = checked.and_then(|()| self.order(values));
        ordered.map_err(|e| self.source().name_in(e))
    }

    fn check_names(&self, values: &Values) -> Result<()> {
        if let Some((graph, name, node)) = values.duplicates.first() {
            let why = format!("`{name}` is defined twice");
            return Err(Error::model(why).at(match node {
                Some(node) => self.place(*node),
                None => self.scope(*graph),
            }));
        }
        if let Some((at, name)) = values.undefined.first() {
            let why = format!("nothing defines `{name}`");
            return Err(Error::model(why).at(match *at {
                Use::Input { node, input } => format!("{}, input {input}", self.place(node)),
                Use::Output { graph, output } => format!("{}: output {output}", self.scope(graph)),
                Use::Annotation(graph) => self.scope(graph),
                Use::Binding(index) => format!("training_info[{index}]"),
            }));
        }
        Ok(())
    }

    fn order(&self, values: &Values) -> Result<Vec<NodeId>> {
        let mut state: Vec<Vec<State>> = (0..self.graph_slots()).map(|_| Vec::new()).collect();
        for (id, graph) in self.graphs() {
            state[id.0 as usize] = vec![State::New; graph.node_slots()];
        }
        let mut order = Vec::new();
        let mut stack: Vec<(NodeId, Vec<NodeId>)> = Vec::new();
        for (start, _) in self.nodes() {
            if state[start.graph.0 as usize][start.index as usize] != State::New {
                continue;
            }
            state[start.graph.0 as usize][start.index as usize] = State::Open;
            stack.push((start, self.dependencies(values, start)));
            while let Some((node, needs)) = stack.last_mut() {
                let Some(next) = needs.pop() else {
                    state[node.graph.0 as usize][node.index as usize] = State::Done;
                    order.push(*node);
                    stack.pop();
                    continue;
                };
                match &mut state[next.graph.0 as usize][next.index as usize] {
                    State::Done => {}
                    State::Open => {
                        let why = "the graph has a cycle: this node depends on its own output";
                        return Err(Error::model(why).at(self.place(next)));
                    }
                    new => {
                        *new = State::Open;
                        let needs = self.dependencies(values, next);
                        stack.push((next, needs));
                    }
                }
            }
        }
        Ok(order)
    }

    /// The nodes that must run before a node, last first: producers of its inputs and the nodes of
    /// the graphs inside it (whose own inputs are their own dependencies), but not the node that
    /// holds its graph.
    fn dependencies(&self, values: &Values, id: NodeId) -> Vec<NodeId> {
        let mut needs = Vec::new();
        let producer = |value: &Value| match value.producer {
            Producer::Node { node, .. } => Some(node),
            _ => None,
        };
        let node = self.node(id);
        for attribute in node.attributes.iter().rev() {
            for &graph in attribute.graphs().iter().rev() {
                let outputs = self.graph(graph).outputs.iter().rev();
                let outputs = outputs.filter_map(|info| values.lookup(self, graph, &info.name));
                needs.extend(outputs.filter_map(|value| producer(&values[value])));
                let nodes = self.graph(graph).nodes().rev();
                needs.extend(nodes.map(|(index, _)| NodeId { graph, index }));
            }
        }
        for input in (0..node.inputs.len()).rev() {
            let value = values.input(id, input);
            needs.extend(value.and_then(|value| producer(&values[value])));
        }
        needs
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    New,
    Open,
    Done,
}
