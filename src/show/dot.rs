//! The graph for Graphviz, nodes by name; dropout in colour.

use std::fmt::Write;

use super::Options;
use super::marks::{Marked, colours};
use crate::error::Result;
use crate::escape::one_line;
use crate::hash::{HashMap, HashSet};
use crate::onnx::{GraphId, GraphKind, Model, NodeId, Producer, ValueId};

/// Writes a model as a graph of Graphviz: `dot -Tsvg`. Inner graphs and functions are clusters.
///
/// # Errors
/// The rate of a dropout cannot be read.
pub fn text(model: &Model, options: &Options) -> Result<String> {
    let mut writer = Writer {
        marked: Marked::new(model, options)?,
        ids: HashMap::default(),
        ports: HashMap::default(),
        taken: HashSet::default(),
        out: String::new(),
    };
    writer.out.push_str(
        "digraph model {\n  node [shape=box, style=filled, fillcolor=\"#ffffff\", fontname=Helvetica];\n  \
         edge [fontname=Helvetica, fontsize=9];\n",
    );
    for (id, graph) in model.graphs() {
        if !matches!(graph.kind, GraphKind::Attribute { .. }) {
            writer.tree(id);
        }
    }
    for (id, _) in model.graphs() {
        writer.edges(id);
    }
    writer.out.push_str("}\n");
    Ok(writer.out)
}

struct Writer<'m> {
    marked: Marked<'m>,
    ids: HashMap<NodeId, String>,
    ports: HashMap<(&'static str, GraphId, usize), String>,
    taken: HashSet<String>,
    out: String,
}

impl Writer<'_> {
    /// A graph and its subgraphs, each a cluster except for the main graph.
    fn tree(&mut self, root: GraphId) {
        // what is still to be done: a graph to open, or a cluster to close
        let mut stack = vec![Some(root)];
        while let Some(next) = stack.pop() {
            let Some(id) = next else {
                self.out.push_str("  }\n");
                continue;
            };
            let is_main = self.marked.model.graph(id).kind == GraphKind::Main;
            if !is_main {
                let (number, title) = (id.0, quote(&one_line(&self.scope(id))));
                let _ = writeln!(self.out, "  subgraph cluster_{number} {{\n  label={title};");
                stack.push(None);
            }
            self.interface(id);
            for (index, node) in self.marked.model.graph(id).nodes() {
                self.node(NodeId { graph: id, index });
                stack.extend(
                    (node.attributes.iter())
                        .flat_map(|a| a.graphs())
                        .map(|&g| Some(g)),
                );
            }
        }
    }

    /// The title of a graph: its scope, without names if they are omitted.
    fn scope(&mut self, id: GraphId) -> String {
        match &self.marked.model.graph(id).kind {
            GraphKind::Attribute { node, attribute } => {
                format!("{}.{attribute}", self.marked.node(*node))
            }
            _ => self.marked.model.scope(id),
        }
    }

    fn interface(&mut self, id: GraphId) {
        let graph = self.marked.model.graph(id);
        for (what, infos) in [("input", &graph.inputs), ("output", &graph.outputs)] {
            for (index, info) in infos.iter().enumerate() {
                let value = self
                    .marked
                    .view()
                    .lookup(id, &info.name)
                    .map(|value| value.id);
                let name = value.map_or_else(String::new, |value| self.marked.value(value));
                let label = format!("{name}\n{}", self.marked.kind(info));
                let mut unique = match self.marked.model.graph(id).kind {
                    GraphKind::Main => format!("{what} {name}"),
                    _ => format!("{what} {}/{name}", self.scope(id)),
                };
                while !self.taken.insert(unique.clone()) {
                    let _ = write!(unique, "#{}.{index}", id.0);
                }
                let (port, label) = (quote(&unique), quote(&label));
                let _ = writeln!(self.out, "  {port} [label={label}, shape=ellipse];");
                self.ports.insert((what, id, index), port);
            }
        }
    }

    fn node(&mut self, id: NodeId) {
        let name = self.marked.node(id);
        let mut unique = match self.marked.model.graph(id.graph).kind {
            GraphKind::Main => name.clone(),
            _ => format!("{}/{name}", self.scope(id.graph)),
        };
        while !self.taken.insert(unique.clone()) {
            let _ = write!(unique, "#{}.{}", id.graph.0, id.index);
        }
        let mut label = one_line(&self.marked.model.node(id).op_type.to_string());
        for line in std::iter::once(name).chain(self.marked.numbers(id)) {
            label.push('\n');
            label.push_str(&line);
        }
        let mut colour = String::new();
        if let Some(site) = self.marked.site(id) {
            let (fill, line) = colours(site.mode);
            let _ = write!(colour, ", fillcolor=\"{fill}\", color=\"{line}\"");
        }
        let (name, label) = (quote(&unique), quote(&label));
        let _ = writeln!(self.out, "  {name} [label={label}{colour}];");
        self.ids.insert(id, name);
    }

    fn edges(&mut self, graph: GraphId) {
        let body = self.marked.model.graph(graph);
        let nodes = self.marked.view().nodes_of(graph);
        let inputs = nodes.flat_map(|node| {
            let inputs = node.inputs().flatten();
            inputs.map(move |value| (node.id, value.id))
        });
        for (id, value) in inputs.collect::<Vec<_>>() {
            let to = self.ids.get(&id).cloned().unwrap_or_default();
            self.edge(value, &to);
        }
        for (index, info) in body.outputs.iter().enumerate() {
            let value = self.marked.view().lookup(graph, &info.name);
            if let Some(value) = value.map(|value| value.id) {
                let to = self.ports.get(&("output", graph, index)).cloned();
                self.edge(value, &to.unwrap_or_default());
            }
        }
    }

    fn edge(&mut self, value: ValueId, to: &str) {
        let found = self.marked.view().value(value).get();
        let from = match found.producer {
            Producer::Node { node, .. } => self.ids.get(&node).cloned(),
            Producer::Input(index) if found.initializer.is_none() => {
                let port = self.ports.get(&("input", found.graph, index as usize));
                port.cloned()
            }
            _ => None,
        };
        if let Some(from) = from {
            let label = quote(&self.marked.value(value));
            let _ = writeln!(self.out, "  {from} -> {to} [label={label}];");
        }
    }
}

/// A string of the DOT language.
fn quote(text: &str) -> String {
    let text = text.replace('\\', "\\\\").replace('"', "\\\"");
    format!("\"{}\"", text.replace('\n', "\\n"))
}
