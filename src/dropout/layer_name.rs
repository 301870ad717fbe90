//! The layer that a dropout comes from, known from the names of its nodes, their metadata, the loop it
//! is in or the functions that call it, or unknown. Nothing is guessed.

mod keras;
mod torch;

use crate::error::Result;
use crate::onnx::{GraphId, GraphKind, Model, NodeId, Producer, ValueId, Values};
use crate::semantics::calls::Calls;
use crate::semantics::operator::Operator;

use super::{Form, Kind, Site};

/// Names the layers of all sites.
pub(super) fn name(model: &Model, values: &Values, sites: &mut [Site]) -> Result<()> {
    let calls = Calls::new(model);
    for site in sites {
        site.layer = match of_names(model, values, site) {
            Some(layer) => Some(layer),
            None => of_metadata(model, site)?,
        };
        if site.layer.is_none() {
            site.layer = around(model, site.graph);
        }
        if site.layer.is_none() {
            site.layer = torch::of_functions(model, values, &calls, model.root(site.graph));
        }
    }
    Ok(())
}

/// The layers that nodes come from, dropout or not.
pub(crate) struct Layers<'m> {
    model: &'m Model,
    values: &'m Values,
    calls: Calls,
}

impl<'m> Layers<'m> {
    pub fn new(model: &'m Model, values: &'m Values) -> Self {
        Layers {
            model,
            values,
            calls: Calls::new(model),
        }
    }

    /// The layer of a node, if known.
    pub fn of(&self, id: NodeId) -> Result<Option<String>> {
        let Layers { model, values, .. } = *self;
        let layer = match path_name(model, id) {
            Some(path) if path.starts_with('/') => torch::of_path(path),
            path => keras::path(path, None, false, false).map(|path| path.join("/")),
        };
        if layer.is_some() {
            return Ok(layer);
        }
        if let Some(layer) = torch::of_metadata(&model.node_metadata(id)?) {
            return Ok(layer);
        }
        let root = model.root(id.graph);
        let of_functions = || torch::of_functions(model, values, &self.calls, root);
        Ok(around(model, id.graph).or_else(of_functions))
    }
}

/// The name of a node that has a path in it, or else of its output.
fn path_name(model: &Model, id: NodeId) -> Option<&str> {
    let node = model.node(id);
    let names = [Some(&node.name), node.output(0)];
    let mut texts = names.into_iter().flatten().filter_map(|name| name.as_str());
    texts.find(|text| text.contains('/'))
}

fn of_names(model: &Model, values: &Values, site: &Site) -> Option<String> {
    let (first, last) = (*site.nodes.first()?, *site.nodes.last()?);
    let (exit, source) = (path_name(model, first), path_name(model, last));
    // a module that draws is the dropout, wherever its mask is used
    if let Some(path) = source.or(exit).filter(|path| path.starts_with('/')) {
        return torch::of_path(path);
    }
    let drawn = matches!(site.form, Form::RandomMask | Form::FrozenMask);
    let stateless = model
        .node(last)
        .op_type
        .as_bytes()
        .starts_with(b"Stateless");
    let mut path = keras::path(exit, source, drawn && site.kind == Kind::Dropout, stateless)?;
    let mut softmax = || {
        let softmax = path_name(model, softmax(model, values, site.input?)?)?;
        keras::path(Some(softmax), None, false, stateless)
    };
    if keras::is_inner(&path, &mut softmax) {
        path.pop();
    }
    Some(path.join("/"))
}

/// The Softmax that a value comes from, through operators that only move it about.
fn softmax(model: &Model, values: &Values, value: ValueId) -> Option<NodeId> {
    let mut at = value;
    for _ in 0..8 {
        let Producer::Node { node: id, .. } = values[at].producer else {
            return None;
        };
        let node = model.node(id);
        if node.is("Softmax") {
            return Some(id);
        }
        // a dropout may scale its data first
        let scales = node.is("Mul") || node.is("Div");
        if !scales && !Operator::of(model, id).is_some_and(Operator::passes) {
            return None;
        }
        at = values.input(id, 0)?;
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

/// The layer of the loop or branch that a graph is the body of.
fn around(model: &Model, mut graph: GraphId) -> Option<String> {
    while let GraphKind::Attribute { node, .. } = model.graph(graph).kind {
        let name = path_name(model, node);
        let layer = match name {
            Some(name) if name.starts_with('/') => torch::of_path(name),
            name => keras::path(name, None, false, false).map(|path| path.join("/")),
        };
        if layer.is_some() {
            return layer;
        }
        graph = node.graph;
    }
    None
}
