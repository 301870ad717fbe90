//! The names and attributes that the body of a call sees.

use std::rc::Rc;

use crate::hash::HashMap;
use crate::onnx::{Attribute, AttributeValue, Model, Name, NodeId};

/// What names and attributes mean in the body of a call; in the model itself everything is as written.
#[derive(Default)]
pub(super) struct Scope<'m> {
    /// Names of parameters, and the caller's.
    pub names: HashMap<Name, Name>,
    pub attributes: HashMap<Name, Bound<'m>>,
    /// Precedes all other names.
    pub prefix: Option<String>,
    pub calls: Rc<[NodeId]>,
}

/// An attribute of a call, and the scope in which graphs in it are.
#[derive(Clone)]
pub(super) struct Bound<'m> {
    pub attribute: &'m Attribute,
    pub scope: Rc<Scope<'m>>,
}

impl<'m> Scope<'m> {
    pub fn name(&self, name: &Name) -> Name {
        match (self.names.get(name), &self.prefix) {
            (Some(actual), _) => actual.clone(),
            (None, Some(_)) if !name.is_empty() => self.own(name),
            _ => name.clone(),
        }
    }

    /// The name of a node, or of a value that is no parameter.
    pub fn own(&self, name: &Name) -> Name {
        match &self.prefix {
            Some(prefix) if !name.is_empty() => {
                Name::from(&*[prefix.as_bytes(), name.as_bytes()].concat())
            }
            _ => name.clone(),
        }
    }
}

/// An attribute in a scope, under its own name; `None` if it refers to one that the call lacks.
pub(super) fn bound<'m>(scope: &Rc<Scope<'m>>, attribute: &'m Attribute) -> Option<Bound<'m>> {
    match &attribute.value {
        AttributeValue::Reference(name, _) if scope.prefix.is_some() => {
            scope.attributes.get(name).cloned()
        }
        _ => Some(Bound {
            attribute,
            scope: scope.clone(),
        }),
    }
}

/// A mark that is in no name, so that a name made with it is new.
pub(super) fn separator(model: &Model) -> String {
    let names = model.graphs().flat_map(|(_, graph)| {
        let nodes = graph.nodes().flat_map(|(_, node)| {
            let values = node.inputs.iter().chain(&node.outputs);
            values.chain([&node.name])
        });
        let infos = graph
            .inputs
            .iter()
            .chain(&graph.outputs)
            .map(|info| &info.name);
        nodes
            .chain(infos)
            .chain(graph.initializers().map(|(_, tensor)| &tensor.name))
    });
    let runs = names
        .filter(|name| !name.as_bytes().is_ascii())
        .map(|name| {
            let name = name.to_string();
            let runs = name.split(|c| c != '»').map(|run| run.chars().count());
            runs.max().unwrap_or(0)
        });
    "»".repeat(runs.max().unwrap_or(0) + 1)
}
