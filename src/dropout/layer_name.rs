//! The layer that a dropout comes from, known from the names of its nodes, their metadata, the loop it
//! is in or the functions that call it, or unknown. Nothing is guessed.

mod keras;
mod torch;

use crate::error::Result;
use crate::onnx::{GraphId, GraphKind, Model, Node, NodeId, ValueId};
use crate::semantics::facts::Facts;
use crate::semantics::operator::Operator;
use crate::semantics::view::{NodeRef, View};

use super::{Form, Kind, Site};

/// Names the layers of all sites.
pub(super) fn name(facts: Facts<'_>, sites: &mut [Site]) -> Result<()> {
    if sites.is_empty() {
        return Ok(());
    }
    let model = facts.view().model;
    let mut layers = Layers::new(facts);
    let rates = sites.iter().filter_map(|site| {
        let name = path_name(model.node(*site.nodes.last()?))?;
        name.starts_with('/').then_some((name, site.rate))
    });
    layers.modules.tell_apart(rates);
    for site in &mut *sites {
        site.layer = match layers.of_names(site) {
            Some(layer) => Some(layer),
            None => of_metadata(model, site)?,
        };
        if site.layer.is_none() {
            site.layer = layers.around(site.graph, &site.calls);
        }
    }
    Ok(())
}

/// The layers that nodes come from, dropout or not.
pub(crate) struct Layers<'m> {
    facts: Facts<'m>,
    model: &'m Model,
    /// Keras 3 has numbered the scopes.
    numbered: bool,
    modules: torch::Modules<'m>,
}

impl<'m> Layers<'m> {
    pub fn new(facts: Facts<'m>) -> Self {
        let model = facts.view().model;
        let names = model.nodes().filter_map(|(_, node)| path_name(node));
        let names: Vec<&str> = names.collect();
        Layers {
            facts,
            model,
            numbered: keras::are_numbered(&names),
            modules: torch::Modules::of(model, &names),
        }
    }

    /// The layer of a node, if known.
    pub fn of(&self, id: NodeId) -> Result<Option<String>> {
        if let Some(layer) = self.of_path(path_name(self.model.node(id))) {
            return Ok(Some(layer));
        }
        if let Some(layer) = torch::of_metadata(&self.model.node_metadata(id)?) {
            return Ok(layer);
        }
        Ok(self.around(id.graph, &[]))
    }

    /// The layer in one name.
    fn of_path(&self, name: Option<&str>) -> Option<String> {
        match name {
            Some(name) if name.starts_with('/') => self.modules.of_path(name),
            name => keras::path(name, None, false, self.numbered).map(|path| path.join("/")),
        }
    }

    fn of_names(&self, site: &Site) -> Option<String> {
        let (model, numbered) = (self.model, self.numbered);
        let (first, last) = (*site.nodes.first()?, *site.nodes.last()?);
        let (junction, source) = (path_name(model.node(first)), path_name(model.node(last)));
        // a module that draws is the dropout, wherever its mask is used
        if let Some(path) = source.or(junction).filter(|path| path.starts_with('/')) {
            return self.modules.of_path(path);
        }
        let drawn = matches!(site.form, Form::RandomMask | Form::FrozenMask);
        let by_dropout = drawn && site.kind == Kind::Dropout;
        let mut path = keras::path(junction, source, by_dropout, numbered)?;
        let softmax = || {
            let softmax = softmax(self.facts.view(), site.input?)?;
            keras::path(path_name(softmax.get()), None, false, numbered)
        };
        if keras::is_inner(&path, softmax) {
            path.pop();
        }
        Some(path.join("/"))
    }

    /// The layer of the loop or branch that a graph is the body of, or of the calls of its function: these,
    /// where there are several.
    fn around(&self, mut graph: GraphId, calls: &[NodeId]) -> Option<String> {
        while let GraphKind::Attribute { node, .. } = self.model.graph(graph).kind {
            let layer = self.of_path(path_name(self.model.node(node)));
            if layer.is_some() {
                return layer;
            }
            graph = node.graph;
        }
        let of_function = || torch::of_functions(self.facts, graph);
        let of_call = || torch::of_call(self.facts, &self.modules, (graph, calls));
        let is_path = |&call: &NodeId| {
            let name = self.model.node(call).name.as_str();
            name.is_some_and(|name| name.starts_with('/'))
        };
        match calls.first() {
            None => of_function().or_else(of_call),
            Some(call) if is_path(call) => of_call(),
            Some(_) => of_function(),
        }
    }
}

/// The scope in which TensorFlow's own dropout has a node, by its name: one for each layer.
pub(super) fn dropout_scope(node: &Node) -> Option<&str> {
    path_name(node).and_then(keras::dropout_scope)
}

/// The name of a node that has a path in it, or else of its output.
fn path_name(node: &Node) -> Option<&str> {
    let names = [Some(&node.name), node.output(0)];
    let mut texts = names.into_iter().flatten().filter_map(|name| name.as_str());
    texts.find(|text| text.contains('/'))
}

/// The Softmax that a value comes from, through operators that only move it about.
fn softmax(view: View<'_>, value: ValueId) -> Option<NodeRef<'_>> {
    let mut at = view.value(value);
    for _ in 0..8 {
        let node = at.node()?;
        // a dropout may scale its data first
        let scales = node.is("Mul") || node.is("Div");
        if node.is("Softmax") {
            return Some(node);
        }
        if !scales && !node.operator().is_some_and(Operator::passes) {
            return None;
        }
        at = node.input(0)?;
    }
    None
}

fn of_metadata(model: &Model, site: &Site) -> Result<Option<String>> {
    let (first, last) = (site.nodes.first(), site.nodes.last());
    for &id in last.into_iter().chain(first) {
        if let Some(layer) = torch::of_metadata(&model.node_metadata(id)?) {
            return Ok(layer);
        }
    }
    Ok(None)
}
