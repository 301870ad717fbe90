//! The names that a dropout leaves in a model. They are evidence, and never the only evidence.

use crate::onnx::{NodeId, ValueId};

use super::Finder;
use super::constant::Mask;

/// Parts of names, in lower case.
const DROPOUT: &[&str] = &["dropout", "bernoulli", "random_uniform"];

/// Parts of the names of layers that drop whole paths.
const PATH: &[&str] = &[
    "drop_path",
    "droppath",
    "stochastic_depth",
    "stochasticdepth",
];

impl Finder<'_> {
    /// True of a constant that is named after dropout, or a user of which is.
    pub(super) fn is_named(&self, constant: ValueId) -> bool {
        let value = self.facts.view().value(constant);
        let own = value.get().name.as_str();
        let mut readers = value.readers().take(4);
        own.is_some_and(|name| has(name, DROPOUT) || has(name, PATH))
            || readers.any(|(node, _)| self.is_named_node(node.id))
    }

    pub(super) fn is_named_node(&self, id: NodeId) -> bool {
        self.names(id, DROPOUT) || self.names(id, PATH)
    }

    /// True of a number for each sample where a path is dropped, though that of none of these samples is.
    pub(super) fn is_path(&self, mask: &Mask, id: NodeId) -> bool {
        let [samples, others @ ..] = &mask.dims[..] else {
            return false;
        };
        let each = *samples > 1 && !others.is_empty() && others.iter().all(|&dim| dim == 1);
        let name = self.facts.view().value(mask.root).get().name.as_str();
        each && (self.names(id, PATH) || name.is_some_and(|name| has(name, PATH)))
    }

    fn names(&self, id: NodeId, parts: &[&str]) -> bool {
        let node = self.facts.view().node(id);
        let mut names = [Some(&node.name), node.get().output(0)]
            .into_iter()
            .flatten();
        names.any(|name| name.as_str().is_some_and(|name| has(name, parts)))
    }
}

fn has(name: &str, parts: &[&str]) -> bool {
    let name = name.to_lowercase();
    parts.iter().any(|part| name.contains(part))
}
