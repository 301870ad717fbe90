//! The attributes of a node in a context of the function around it.

use crate::onnx::AttributeValue;
use crate::semantics::calls::ContextId;
use crate::semantics::view::NodeRef;

use super::{Asking, Facts};

/// The attributes of a node, with those of the call in place of what refers to them.
#[derive(Clone, Copy)]
pub(super) struct Given<'m> {
    facts: Facts<'m>,
    cx: ContextId,
    pub node: NodeRef<'m>,
}

impl<'m> Asking<'m> {
    pub(super) fn given(&self, node: NodeRef<'m>) -> Given<'m> {
        Given {
            facts: self.facts,
            cx: self.cx,
            node,
        }
    }
}

impl<'m> Given<'m> {
    /// An attribute; `None` if there is none.
    pub fn value(self, name: &str) -> Option<&'m AttributeValue> {
        self.resolved(&self.node.get().attribute(name)?.value)
    }

    /// What an attribute is in this context.
    pub fn resolved(self, value: &'m AttributeValue) -> Option<&'m AttributeValue> {
        match value {
            AttributeValue::Reference(outer, _) => {
                let passed = self.facts.passed_attribute(self.cx, outer);
                passed.ok().flatten().map(|passed| &passed.value)
            }
            value => Some(value),
        }
    }

    /// False if an attribute is unknown, as no call passes it or the caller is unknown.
    pub fn is_known(self) -> bool {
        let mut attributes = self.node.get().attributes.iter();
        attributes.all(|attribute| match &attribute.value {
            AttributeValue::Reference(outer, _) => {
                self.facts.passed_attribute(self.cx, outer).is_ok()
            }
            _ => true,
        })
    }

    /// An integer attribute, or its default.
    pub fn int(self, name: &str, default: i64) -> i64 {
        match self.value(name) {
            Some(AttributeValue::Int(int)) => *int,
            _ => default,
        }
    }

    /// Integers of an attribute; `None` if there is no such attribute.
    pub fn ints(self, name: &str) -> Option<&'m [i64]> {
        match self.value(name) {
            Some(AttributeValue::Ints(ints)) => Some(ints),
            _ => None,
        }
    }
}
