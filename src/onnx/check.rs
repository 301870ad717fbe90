//! What a model must be before it is edited: names defined once and before use, no cycles.

use crate::error::{Error, Result};
use crate::hash::HashMap;

use super::ids::{GraphId, NodeId};
use super::model::Model;
use super::values::{Producer, Use, Value, Values};

/// A reason why a model is not sound.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Flaw {
    /// The graph it is in.
    pub graph: GraphId,
    /// The node it is about, if it is about one.
    pub node: Option<NodeId>,
    /// The scope or node, in words.
    pub place: String,
    /// The flaw: a sentence without a full stop.
    pub why: String,
}

impl Model {
    /// Checks that every name is defined, once, and that no node and no function needs its own
    /// result, in any scope.
    ///
    /// Operators are not checked against their schemas: a model with operators of unknown domains, or
    /// with operators used against their schema, can still be read, audited and stripped.
    ///
    /// # Errors
    /// The first of [`Model::flaws`].
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
        let names = self.name_flaws(values).into_iter().next();
        let ordered = match names {
            Some(flaw) => Err(flaw),
            None => self.call_order().and_then(|_| self.order(values)),
        };
        ordered.map_err(|flaw| {
            let error = Error::model(flaw.why).at(flaw.place);
            self.source().name_in(error)
        })
    }

    /// What keeps a model from being sound: the first name that is defined twice, the first that is
    /// not defined, each with the number of others, the first function that calls itself, the first
    /// cycle.
    pub fn flaws(&self, values: &Values) -> Vec<Flaw> {
        let mut flaws = self.name_flaws(values);
        flaws.extend(self.call_order().err());
        if flaws.is_empty() {
            // with two definitions of a name, a cycle may be that of the other definition
            flaws.extend(self.order(values).err());
        }
        flaws
    }

    fn name_flaws(&self, values: &Values) -> Vec<Flaw> {
        let others = |all: usize| match all {
            0 | 1 => String::new(),
            2 => " (and 1 more name)".to_string(),
            all => format!(" (and {} more names)", all - 1),
        };
        let twice = values.duplicates.first().map(|(graph, name, node)| Flaw {
            graph: *graph,
            node: *node,
            place: node.map_or_else(|| self.scope(*graph), |node| self.place(node)),
            why: format!(
                "`{name}` is defined twice{}",
                others(values.duplicates.len())
            ),
        });
        let undefined = values.undefined.first().map(|(at, name)| {
            let (graph, node, place) = match *at {
                Use::Input { node, input } => {
                    let place = format!("{}, input {input}", self.place(node));
                    (node.graph, Some(node), place)
                }
                Use::Output { graph, output } => {
                    let place = format!("{}: output {output}", self.scope(graph));
                    (graph, None, place)
                }
                Use::Annotation(graph) => (graph, None, self.scope(graph)),
                Use::Binding(index) => (self.main(), None, format!("training_info[{index}]")),
                Use::Attribute(node) => (node.graph, Some(node), self.place(node)),
            };
            let why = format!("nothing defines `{name}`{}", others(values.undefined.len()));
            Flaw {
                graph,
                node,
                place,
                why,
            }
        });
        twice.into_iter().chain(undefined).collect()
    }

    /// The functions, each after those that it calls.
    ///
    /// # Errors
    /// A function calls itself, perhaps through others.
    pub(crate) fn call_order(&self) -> std::result::Result<Vec<usize>, Flaw> {
        let functions = self.functions();
        let mut order = Vec::new();
        if functions.is_empty() {
            return Ok(order);
        }
        let of_body: HashMap<GraphId, usize> = functions.iter().map(|f| f.body).zip(0..).collect();
        let mut calls: Vec<Vec<usize>> = vec![Vec::new(); functions.len()];
        for (id, node) in self.nodes() {
            if let Some(&caller) = of_body.get(&self.root(id.graph)) {
                calls[caller].extend(self.callee(node));
            }
        }
        let mut state = vec![State::New; functions.len()];
        for start in 0..functions.len() {
            if state[start] != State::New {
                continue;
            }
            state[start] = State::Open;
            let mut stack = vec![start];
            while let Some(&function) = stack.last() {
                let Some(callee) = calls[function].pop() else {
                    state[function] = State::Done;
                    order.push(function);
                    stack.pop();
                    continue;
                };
                match state[callee] {
                    State::Done => {}
                    State::New => {
                        state[callee] = State::Open;
                        stack.push(callee);
                    }
                    State::Open => {
                        let graph = functions[callee].body;
                        return Err(Flaw {
                            graph,
                            node: None,
                            place: self.scope(graph),
                            why: "the function calls itself".to_string(),
                        });
                    }
                }
            }
        }
        Ok(order)
    }

    fn order(&self, values: &Values) -> std::result::Result<Vec<NodeId>, Flaw> {
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
                        return Err(Flaw {
                            graph: next.graph,
                            node: Some(next),
                            place: self.place(next),
                            why: why.to_string(),
                        });
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
