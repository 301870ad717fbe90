//! What graphs for people have in common: nodes by name, and which of them are dropout.

use super::names::Names;
use super::{Options, build, elements};
use crate::dropout::{self, Mode, Site};
use crate::error::Result;
use crate::escape::one_line;
use crate::hash::{HashMap, HashSet};
use crate::onnx::{Model, NodeId, ValueId};
use crate::semantics::analysis::Analysis;
use crate::semantics::view::View;

/// Numbers that take more letters would leave no room for the name before them.
const NUMBERS: usize = 24;
/// The number of nodes visited between the nodes of a dropout.
const BETWEEN: usize = 64;

/// A model with names for its values and marks on its dropout.
pub(super) struct Marked<'m> {
    pub model: &'m Model,
    analysis: Analysis<'m>,
    pub sites: Vec<Site>,
    names: Names<'m>,
    anonymous: bool,
    marks: HashMap<NodeId, usize>,
    /// Of each site, the nodes between its nodes.
    between: Vec<Vec<NodeId>>,
}

impl<'m> Marked<'m> {
    /// An invalid model is drawn without marks, because its dropout is unknown.
    pub fn new(model: &'m Model, options: &Options) -> Result<Marked<'m>> {
        let analysis = Analysis::of(model);
        let sites = match model.check(analysis.values()) {
            Ok(()) => dropout::find(&analysis)?,
            Err(_) => Vec::new(),
        };
        let mut marks = HashMap::default();
        for (index, site) in sites.iter().enumerate() {
            for &node in &site.nodes {
                marks.entry(node).or_insert(index);
            }
        }
        let all = sites.iter();
        let between: Vec<_> = all
            .map(|site| between(analysis.view(), &site.nodes))
            .collect();
        for (index, nodes) in between.iter().enumerate() {
            for &node in nodes {
                marks.entry(node).or_insert(index);
            }
        }
        Ok(Marked {
            model,
            names: Names::new(model, options.anonymous),
            anonymous: options.anonymous,
            analysis,
            sites,
            marks,
            between,
        })
    }

    pub fn view(&self) -> View<'_> {
        self.analysis.view()
    }

    /// True if names are made up.
    pub fn is_anonymous(&self) -> bool {
        self.anonymous
    }

    /// The nodes of a dropout: those to name it by, then those between them.
    pub fn nodes(&self, site: usize) -> Vec<NodeId> {
        let named = self.sites[site].nodes.iter();
        named.chain(&self.between[site]).copied().collect()
    }

    /// The dropout a node is part of.
    pub fn site(&self, node: NodeId) -> Option<&Site> {
        self.marks.get(&node).map(|&index| &self.sites[index])
    }

    /// What a value is called.
    pub fn value(&mut self, value: ValueId) -> String {
        let value = &self.analysis.values()[value];
        one_line(&self.names.value(value.graph, &value.name))
    }

    /// What a node is called: by its name, else by its output.
    pub fn node(&mut self, id: NodeId) -> String {
        let label = self.model.label(id);
        if !self.anonymous {
            return one_line(&label.to_text());
        }
        let node = self.model.node(id);
        match node.outputs.iter().find(|name| !name.is_empty()) {
            Some(output) => self.names.value(id.graph, output),
            None => format!("{}#{}", one_line(&node.op_type.to_string()), id.index),
        }
    }

    /// The numbers a node computes with, in words: the value of a constant, and its weights.
    pub fn numbers(&mut self, id: NodeId) -> Vec<String> {
        let options = Options {
            anonymous: true, // nor the names of files
            no_hash: true,
            ..Options::default()
        };
        let node = self.model.node(id);
        let mut words = Vec::new();
        if node.op_type == "Constant" && node.in_default_domain() {
            // what cannot be read has no number to show
            let values = node.attributes.iter().filter_map(|attribute| {
                let value = build::plain(self.model, attribute, &options).ok()?;
                Some(one_line(&value.to_string()))
            });
            words.extend(values);
        }
        let weights = self.view().node(id).inputs().flatten();
        let weights = weights.filter_map(|value| Some((value.id, value.get().initializer?)));
        for (value, index) in weights.collect::<Vec<_>>() {
            let graph = self.model.graph(self.analysis.values()[value].graph);
            let tensor = graph.initializer(index);
            let shape = format!("{}{:?}", tensor.data_type, tensor.dims);
            let what = elements::tensor(self.model, tensor, &options).ok();
            let what = what.map(|record| one_line(&record.to_string()));
            let what = what.filter(|what| what.len() <= shape.len() + NUMBERS);
            let what = what.unwrap_or(shape);
            words.push(format!("{}: {what}", self.value(value)));
        }
        words
    }

    /// The type of a graph input or output, in words.
    pub fn kind(&mut self, info: &crate::onnx::ValueInfo) -> String {
        one_line(&self.names.kind(info))
    }
}

/// The nodes on ways from one of these nodes to another, in their graphs.
fn between(view: View<'_>, ends: &[NodeId]) -> Vec<NodeId> {
    let mut above: Vec<NodeId> = ends.to_vec();
    let mut seen: HashSet<NodeId> = ends.iter().copied().collect();
    let mut readers: HashMap<NodeId, Vec<NodeId>> = HashMap::default();
    let mut next = 0;
    while next < above.len() && above.len() < BETWEEN {
        let reader = above[next];
        next += 1;
        let inputs = view.node(reader).inputs().flatten();
        for node in inputs.filter_map(|value| value.node()) {
            if node.graph() == reader.graph {
                readers.entry(node.id).or_default().push(reader);
                if seen.insert(node.id) {
                    above.push(node.id);
                }
            }
        }
    }
    let mut found = Vec::new();
    let mut below: HashSet<NodeId> = ends.iter().copied().collect();
    let mut stack = ends.to_vec();
    while let Some(node) = stack.pop() {
        for &reader in readers.get(&node).map_or(&[][..], Vec::as_slice) {
            if below.insert(reader) {
                found.push(reader);
                stack.push(reader);
            }
        }
    }
    found
}

/// The colours of a mode: fill and line.
pub(super) fn colours(mode: Mode) -> (&'static str, &'static str) {
    match mode {
        Mode::Inert => ("#d7f0dc", "#2e7d32"),
        Mode::Frozen | Mode::Runtime => ("#ffecc2", "#b26a00"),
        Mode::Active => ("#ffd6d6", "#c62828"),
    }
}
