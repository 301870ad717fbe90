//! The calls of functions: who calls them, and by which chains of calls a node runs.

use crate::onnx::NodeId;

use super::Finder;
use super::conditions::Conditions;

/// How many contexts a draw is looked at in.
pub(super) const CONTEXTS: usize = 64;

/// A chain of calls, innermost first: each function with the call by which it runs.
pub(super) type Context = Vec<(usize, NodeId)>;

impl Finder<'_> {
    /// The nodes that call a function, under the conditions.
    pub(super) fn calls(&self, function: usize, conditions: &Conditions) -> Vec<NodeId> {
        match conditions.calls.get(&function) {
            Some(&call) => vec![call],
            None => self.resolver.calls(function),
        }
    }

    /// How many nodes call a function.
    pub(super) fn all_calls(&self, function: usize) -> usize {
        self.resolver.all_calls(function)
    }

    /// Every chain of calls from outside all functions to the function around a node; none if there are
    /// too many.
    pub(super) fn contexts(&self, node: NodeId) -> Vec<Context> {
        let mut done = Vec::new();
        let mut open: Vec<(NodeId, Context)> = vec![(node, Vec::new())];
        while let Some((at, context)) = open.pop() {
            match self.view.function_of(at.graph) {
                Some(function) => {
                    for call in self.resolver.calls(function) {
                        let mut context = context.clone();
                        context.push((function, call));
                        open.push((call, context));
                    }
                }
                None => done.push(context),
            }
            if done.len() + open.len() > CONTEXTS {
                self.too_many_contexts(node);
                return Vec::new();
            }
        }
        done
    }

    pub(super) fn too_many_contexts(&self, node: NodeId) {
        const { assert!(CONTEXTS == 64) };
        self.limits
            .reached(node, "a draw is looked at in at most 64 contexts of calls");
    }
}
