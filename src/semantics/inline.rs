//! Functions in place of their calls, with a map back to the nodes of the original.
//!
//! A function body sees no outer names: every name in a body that is not a parameter is its own, and
//! the call's name is prepended. An omitted input becomes the empty name; an attribute that
//! refers to one of the function's takes the caller's value, else the default, else it is left out.

mod check;
mod scope;

use smallvec::smallvec;

use std::collections::HashSet;
use std::rc::Rc;

use crate::error::Error;
use crate::onnx::{CopiedAttribute, Copier, GraphId, Model, Name, Node, NodeId, Piece};
use crate::source::Rope;

use super::view::{NodeRef, View};
use check::{check_call, shown};
use scope::{Bound, Scope, bound, separator};

/// The most nodes of an inlined model: this many for each node in the file, up to a million, but at
/// least four for each. Calls within calls can double at every level.
const PER_NODE: usize = 2500;
const MOST: usize = 1_000_000;
const AT_LEAST: usize = 4;

/// A model without functions.
#[derive(Debug)]
pub(crate) struct Inlined {
    pub model: Model,
    /// By graph and index.
    origins: Vec<Vec<Origin>>,
}

/// Where a node of an inlined model comes from.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Origin {
    /// The node of the original.
    pub node: NodeId,
    /// The calls that lead to it, from the outermost to the one of the function that contains it.
    pub calls: Rc<[NodeId]>,
}

impl Inlined {
    /// The origin of a node. An `Identity` that joins the two names of a parameter comes from the call.
    pub fn origin(&self, id: NodeId) -> Option<&Origin> {
        self.origins
            .get(id.graph.0 as usize)?
            .get(id.index as usize)
    }
}

/// Why a model cannot be inlined.
#[derive(Debug)]
pub(crate) enum Failure {
    /// Its calls are wrong or too many: a sentence without a full stop.
    Refused(String),
    /// It cannot be read.
    Error(Error),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Failure::Error(error)
    }
}

/// Inlines the main graph of a model without edits. The result has no functions and no training.
///
/// # Errors
/// A function calls itself or is defined twice, a call does not fit its function, or a limit is
/// exceeded.
pub(crate) fn inline(view: View<'_>) -> Result<Inlined, Failure> {
    let model = view.model;
    let mut names = HashSet::new();
    for function in model.functions() {
        if !names.insert(shown(function)) {
            return Err(Failure::Refused(format!(
                "function {} is defined twice",
                shown(function)
            )));
        }
    }
    let count = model.nodes().count();
    let mut inliner = Inliner {
        view,
        copier: Copier::new(model),
        separator: separator(model),
        prefixes: HashSet::new(),
        origins: Vec::new(),
        left: PER_NODE
            .saturating_mul(count)
            .min(MOST)
            .max(AT_LEAST * count),
    };
    let scope = Rc::new(Scope::default());
    let main = inliner.graph(model.main(), &scope)?;
    Ok(Inlined {
        model: inliner.copier.model(main)?,
        origins: inliner.origins,
    })
}

struct Inliner<'m> {
    view: View<'m>,
    copier: Copier<'m>,
    /// Longer than any run of its character in a name of the model.
    separator: String,
    prefixes: HashSet<String>,
    origins: Vec<Vec<Origin>>,
    /// How many more nodes the result may have.
    left: usize,
}

impl<'m> Inliner<'m> {
    /// The payload of a copy of a graph.
    fn graph(&mut self, id: GraphId, scope: &Rc<Scope<'m>>) -> Result<Rope, Failure> {
        // a graph is read before the graphs inside it, and numbered in that order
        let number = self.origins.len();
        self.origins.push(Vec::new());
        let rename = |name: &Name| scope.name(name);
        let rename: &dyn Fn(&Name) -> Name = &rename;
        let pieces = self
            .copier
            .pieces(id, scope.prefix.as_ref().map(|_| rename))?;
        let mut out = Rope::new();
        for piece in pieces {
            match piece {
                Piece::Copied(copy) => out.append(copy),
                Piece::Node(node) => self.node(&mut out, number, self.view.node(node), scope)?,
            }
        }
        Ok(out)
    }

    fn node(
        &mut self,
        out: &mut Rope,
        graph: usize,
        node: NodeRef<'m>,
        scope: &Rc<Scope<'m>>,
    ) -> Result<(), Failure> {
        if let Some(function) = node.callee() {
            return self.call(out, graph, node, scope, function);
        }
        self.count(graph, node.id, &scope.calls)?;
        let mut attributes = Vec::new();
        for attribute in &node.get().attributes {
            if let Some(Bound {
                attribute: value,
                scope,
            }) = bound(scope, attribute)
            {
                let graphs = value
                    .graphs()
                    .iter()
                    .map(|&graph| self.graph(graph, &scope));
                attributes.push(CopiedAttribute {
                    name: attribute.name.clone(),
                    attribute: value,
                    graphs: graphs.collect::<Result<_, Failure>>()?,
                });
            }
        }
        let copy = Node {
            name: scope.own(&node.name),
            inputs: node.inputs.iter().map(|name| scope.name(name)).collect(),
            outputs: node.outputs.iter().map(|name| scope.name(name)).collect(),
            op_type: node.op_type.clone(),
            domain: node.domain.clone(),
            overload: node.overload.clone(),
            ..Node::default()
        };
        Ok(self.copier.node(out, &copy, attributes)?)
    }

    fn call(
        &mut self,
        out: &mut Rope,
        graph: usize,
        call: NodeRef<'m>,
        scope: &Rc<Scope<'m>>,
        function: usize,
    ) -> Result<(), Failure> {
        let view = self.view;
        let function = &view.model.functions()[function];
        check_call(self.view, call, function, scope)?;
        self.spend()?;
        let body = view.model.graph(function.body);
        let actual = |names: &[Name], index: usize| {
            let name = names.get(index).map(|name| scope.name(name));
            name.unwrap_or_default()
        };
        let mut inner = Scope {
            prefix: Some(self.prefix(call, scope)),
            calls: scope.calls.iter().copied().chain([call.id]).collect(),
            ..Scope::default()
        };
        for (index, formal) in body.inputs.iter().enumerate() {
            let name = actual(&call.inputs, index);
            inner.names.insert(formal.name.clone(), name);
        }
        for (index, formal) in body.outputs.iter().enumerate() {
            let name = actual(&call.outputs, index);
            if name.is_empty() {
                continue;
            }
            if let Some(input) = inner.names.get(&formal.name) {
                // a parameter that is input and output has two names outside
                let identity = Node {
                    inputs: smallvec![input.clone()],
                    outputs: smallvec![name],
                    ..Node::new("Identity")
                };
                self.count(graph, call.id, &scope.calls)?;
                self.copier.node(out, &identity, Vec::new())?;
            } else {
                inner.names.insert(formal.name.clone(), name);
            }
        }
        let given = call.get().attributes.iter();
        let given = given.filter_map(|attribute| bound(scope, attribute).map(|b| (attribute, b)));
        let defaults = function.defaults.iter().map(|attribute| {
            let scope = scope.clone();
            (attribute, Bound { attribute, scope })
        });
        let attributes = defaults.chain(given);
        let attributes = attributes.map(|(attribute, bound)| (attribute.name.clone(), bound));
        inner.attributes = attributes.collect();
        let inner = Rc::new(inner);
        for node in view.nodes_of(function.body) {
            self.node(out, graph, node, &inner)?;
        }
        Ok(())
    }

    /// The call's name and the separator: the same in a model from which other nodes were removed.
    fn prefix(&mut self, call: NodeRef<'_>, scope: &Scope<'_>) -> String {
        let output = call.outputs.iter().find(|name| !name.is_empty());
        let base = match (call.name.is_empty(), output) {
            (false, _) => scope.own(&call.name),
            (true, Some(output)) => scope.name(output),
            (true, None) => scope.own(&call.op_type),
        };
        let mut prefix = format!("{base}{}", self.separator);
        let mut count = 1;
        while !self.prefixes.insert(prefix.clone()) {
            count += 1;
            prefix = format!("{base}{0}{count}{0}", self.separator);
        }
        prefix
    }

    /// Counts a node or a call.
    fn spend(&mut self) -> Result<(), Failure> {
        let why = "its functions unfold to too many nodes for a file of its size";
        let left = self.left.checked_sub(1);
        self.left = left.ok_or_else(|| Failure::Refused(why.to_string()))?;
        Ok(())
    }

    /// Counts a node of the result, and records where it comes from.
    fn count(&mut self, graph: usize, node: NodeId, calls: &Rc<[NodeId]>) -> Result<(), Failure> {
        self.spend()?;
        self.origins[graph].push(Origin {
            node,
            calls: calls.clone(),
        });
        Ok(())
    }
}

#[cfg(test)]
mod tests;
