//! The surroundings of a dropout: its nodes, their neighbours, and the edges that leave the panel.

use std::collections::BTreeMap;

use crate::dropout::Mode;
use crate::escape::one_line;
use crate::onnx::{GraphId, NodeId, Producer, Use, ValueId};

use super::super::marks::Marked;

/// How many steps from a dropout's nodes a node may be.
const STEPS: usize = 2;
/// How many nodes there may be.
const NODES: usize = 40;
/// How many uses of a value are followed.
const USES: usize = 6;

/// A small graph to draw.
#[derive(Debug, Default)]
pub(super) struct Panel {
    pub items: Vec<Item>,
    pub edges: Vec<Edge>,
}

/// A box.
#[derive(Debug)]
pub(super) struct Item {
    /// What is written in it, the first line in bold.
    pub lines: Vec<String>,
    pub shape: Shape,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    /// A node; of a dropout its mode, and whether it begins or ends the one that the picture is of.
    Node(Option<(Mode, bool)>),
    /// An input or output of the graph, or a value from outside.
    Port,
    /// An edge that leaves the panel.
    Cut,
}

#[derive(Debug)]
pub(super) struct Edge {
    pub from: usize,
    pub to: usize,
    pub label: String,
}

impl Panel {
    /// The panel without the numbers of names: equal for the same layer in a series.
    pub fn pattern(&self) -> Vec<String> {
        let without = |text: &str| text.replace(|c: char| c.is_ascii_digit(), "");
        let items = self.items.iter().map(|item| {
            let lines = item.lines.iter().enumerate().map(|(index, line)| {
                // the operator, the name, and constants, which may have names too
                match (index, line.split_once(": ")) {
                    (1, _) => without(line),
                    (_, Some((name, value))) => format!("{}: {value}", without(name)),
                    _ if item.shape == Shape::Port => without(line),
                    _ => line.clone(),
                }
            });
            format!("{:?} {}", item.shape, lines.collect::<Vec<_>>().join("\n"))
        });
        let edges = self.edges.iter().map(|edge| {
            let Edge { from, to, label } = edge;
            format!("{from} {to} {}", without(label))
        });
        items.chain(edges).collect()
    }
}

/// What the panel's items are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Key {
    Node(NodeId),
    Value(ValueId),
    Output(GraphId, u32),
    /// The end of a value that is used outside the panel.
    Beyond(ValueId),
}

/// The graph around a dropout.
pub(super) fn panel(marked: &mut Marked<'_>, site: usize) -> Panel {
    let graph = marked.sites[site].graph;
    let mut drawing = Drawing {
        around: around(marked, site, graph),
        marked,
        graph,
        keys: BTreeMap::new(),
        panel: Panel::default(),
    };
    for node in drawing.around.clone() {
        drawing.node(node, site);
    }
    for node in drawing.around.clone() {
        drawing.inputs(node);
    }
    for node in drawing.around.clone() {
        drawing.outputs(node);
    }
    drawing.panel
}

/// A panel on its way.
struct Drawing<'d, 'm> {
    marked: &'d mut Marked<'m>,
    graph: GraphId,
    around: Vec<NodeId>,
    keys: BTreeMap<Key, usize>,
    panel: Panel,
}

impl Drawing<'_, '_> {
    fn item(&mut self, key: Key, lines: Vec<String>, shape: Shape) -> usize {
        self.panel.items.push(Item { lines, shape });
        *self.keys.entry(key).or_insert(self.panel.items.len() - 1)
    }

    fn edge(&mut self, from: usize, to: usize, label: &str) {
        let label = label.to_string();
        self.panel.edges.push(Edge { from, to, label });
    }

    fn node(&mut self, node: NodeId, site: usize) {
        let operator = self.marked.model.node(node).op_type.to_string();
        let mut lines = vec![one_line(&operator), self.marked.node(node)];
        lines.extend(self.marked.numbers(node));
        let own = self.marked.sites[site].nodes.contains(&node);
        let shape = Shape::Node(self.marked.site(node).map(|of| (of.mode, own)));
        self.item(Key::Node(node), lines, shape);
    }

    fn inputs(&mut self, node: NodeId) {
        let to = self.keys[&Key::Node(node)];
        let inputs = self.marked.view().node(node).inputs().flatten();
        for value in inputs.map(|value| value.id).collect::<Vec<_>>() {
            let found = self.marked.view().value(value).get();
            if found.initializer.is_some() {
                continue; // weights are written in their node's box
            }
            let (producer, is_outside) = (found.producer, found.graph != self.graph);
            let label = self.marked.value(value);
            let key = match producer {
                Producer::Node { node, .. } if self.around.contains(&node) => Key::Node(node),
                _ => Key::Value(value),
            };
            let from = match (self.keys.get(&key), producer) {
                (Some(&known), _) => known,
                (None, Producer::Node { .. }) if !is_outside => {
                    self.item(key, vec!["…".into()], Shape::Cut)
                }
                _ => {
                    let what = if is_outside { "from outside" } else { "input" };
                    self.item(key, vec![label.clone(), what.into()], Shape::Port)
                }
            };
            self.edge(from, to, &label);
        }
    }

    fn outputs(&mut self, node: NodeId) {
        let from = self.keys[&Key::Node(node)];
        let outputs = self.marked.view().node(node).outputs().flatten();
        for value in outputs.map(|value| value.id).collect::<Vec<_>>() {
            let label = self.marked.value(value);
            for at in self.marked.view().value(value).uses().collect::<Vec<_>>() {
                let (key, lines, shape) = match at {
                    Use::Input { node, .. } if self.around.contains(&node) => continue,
                    Use::Output { graph, output } if graph == self.graph => {
                        let lines = vec![label.clone(), "output".to_string()];
                        (Key::Output(graph, output), lines, Shape::Port)
                    }
                    _ => (Key::Beyond(value), vec!["…".to_string()], Shape::Cut),
                };
                if !self.keys.contains_key(&key) {
                    let to = self.item(key, lines, shape);
                    self.edge(from, to, &label);
                }
            }
        }
    }
}

/// The nodes of a dropout and those near them, in the same graph.
fn around(marked: &Marked<'_>, site: usize, graph: GraphId) -> Vec<NodeId> {
    let mut found = marked.nodes(site);
    found.retain(|node| node.graph == graph);
    found.truncate(NODES);
    let mut next = 0;
    for _ in 0..STEPS {
        let end = found.len();
        for at in next..end {
            for node in neighbours(marked, found[at]) {
                if found.len() < NODES && !found.contains(&node) {
                    found.push(node);
                }
            }
        }
        next = end;
    }
    found.sort();
    found
}

fn neighbours(marked: &Marked<'_>, id: NodeId) -> Vec<NodeId> {
    let node = marked.view().node(id);
    let before = node.inputs().flatten().filter_map(|value| value.node());
    let after = node.outputs().flatten();
    let after = after.flat_map(|value| value.readers().take(USES).map(|(reader, _)| reader));
    let mut near: Vec<NodeId> = before.chain(after).map(|node| node.id).collect();
    near.retain(|node| node.graph == id.graph);
    near
}
