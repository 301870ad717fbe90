//! What graphs for people have in common: nodes by name, and which of them are dropout.

use super::Options;
use super::names::Names;
use crate::dropout::{self, Mode, Site};
use crate::error::Result;
use crate::hash::HashMap;
use crate::onnx::{Model, NodeId, ValueId, Values};
use crate::report::one_line;

/// A model with names for its values and marks on its dropout.
pub(super) struct Marked<'m> {
    pub model: &'m Model,
    pub values: Values,
    pub sites: Vec<Site>,
    names: Names<'m>,
    anonymous: bool,
    marks: HashMap<NodeId, usize>,
}

impl<'m> Marked<'m> {
    /// A model that is not sound is drawn without marks: nobody can say what dropout is in it.
    pub fn new(model: &'m Model, options: &Options) -> Result<Marked<'m>> {
        let values = Values::new(model);
        let sites = match model.check(&values) {
            Ok(()) => dropout::find(model, &values)?,
            Err(_) => Vec::new(),
        };
        let mut marks = HashMap::default();
        for (index, site) in sites.iter().enumerate() {
            for &node in &site.nodes {
                marks.entry(node).or_insert(index);
            }
        }
        Ok(Marked {
            model,
            names: Names::new(model, options.anonymous),
            anonymous: options.anonymous,
            values,
            sites,
            marks,
        })
    }

    /// True if names are made up.
    pub fn is_anonymous(&self) -> bool {
        self.anonymous
    }

    /// The dropout a node is part of.
    pub fn site(&self, node: NodeId) -> Option<&Site> {
        self.marks.get(&node).map(|&index| &self.sites[index])
    }

    /// What a value is called.
    pub fn value(&mut self, value: ValueId) -> String {
        let value = &self.values[value];
        one_line(&self.names.value(value.graph, &value.name))
    }

    /// What a node is called: by its name, else by its output.
    pub fn node(&mut self, id: NodeId) -> String {
        let label = self.model.label(id);
        if !self.anonymous {
            return one_line(&label);
        }
        let node = self.model.node(id);
        match node.outputs.iter().find(|name| !name.is_empty()) {
            Some(output) => self.names.value(id.graph, output),
            None => format!("{}#{}", one_line(&node.op_type.to_string()), id.index),
        }
    }

    /// The weights a node uses, in words.
    pub fn weights(&mut self, id: NodeId) -> Vec<String> {
        let mut words = Vec::new();
        for input in 0..self.model.node(id).inputs.len() {
            let Some(value) = self.values.input(id, input) else {
                continue;
            };
            let Some(index) = self.values[value].initializer else {
                continue;
            };
            let tensor = self
                .model
                .graph(self.values[value].graph)
                .initializer(index);
            let (kind, shape) = (tensor.data_type, tensor.dims.clone());
            words.push(format!("{}: {kind}{shape:?}", self.value(value)));
        }
        words
    }

    /// The type of a graph input or output, in words.
    pub fn kind(&mut self, info: &crate::onnx::ValueInfo) -> String {
        one_line(&self.names.kind(info))
    }
}

/// The colour of a mode: fill and line.
pub(super) fn colours(mode: Mode) -> (&'static str, &'static str) {
    match mode {
        Mode::Inert => ("#d7f0dc", "#2e7d32"),
        Mode::Frozen | Mode::Runtime => ("#ffecc2", "#b26a00"),
        Mode::Active => ("#ffd6d6", "#c62828"),
    }
}
