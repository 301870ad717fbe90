//! Functions as calls enter them: a context for each different way of calling.

use crate::onnx::{AttributeValue, Name, NodeId};
use crate::semantics::calls::ContextId;
use crate::semantics::view::NodeRef;

use super::asking::Asking;
use super::dim::Shape;
use super::known::Known;
use super::{Facts, LONGEST};

/// What a call passes, as far as facts depend on it.
pub(super) type Key = (Vec<Option<Passed>>, Vec<(Name, Option<AttributeKey>)>);

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Passed {
    shape: Shape,
    list: Option<Shape>,
    number: Option<Known>,
}

/// A call in a context, and the context of the function there.
pub(super) type Entered = (ContextId, NodeId, ContextId);

/// An attribute by its value; a tensor or graph by the node that has it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum AttributeKey {
    Int(i64),
    Float(u32),
    Ints(Vec<i64>),
    Floats(Vec<u32>),
    Other(NodeId),
}

impl<'m> Facts<'m> {
    /// The calls of all functions in all contexts, callers first.
    pub(super) fn entered(self) -> &'m [Entered] {
        self.memo.entered.get_or_init(|| self.enter_all())
    }

    /// The contexts of the function that a chain of calls enters, the innermost call first.
    pub fn contexts_by(self, chain: &[NodeId]) -> Vec<ContextId> {
        let outermost = chain.last().map(|call| call.graph);
        let mut contexts = outermost.map_or_else(Vec::new, |graph| self.contexts(graph));
        for &call in chain.iter().rev() {
            let entered = self.entered().iter();
            let by = entered.filter(|(caller, by, _)| *by == call && contexts.contains(caller));
            let mut inner: Vec<ContextId> = by.map(|&(_, _, entered)| entered).collect();
            inner.dedup();
            contexts = inner;
        }
        contexts
    }

    /// Enters the contexts of all calls, callers first.
    fn enter_all(self) -> Vec<Entered> {
        let mut all = Vec::new();
        let functions = self.calls().callers_first().iter().copied().map(Some);
        for caller in std::iter::once(None).chain(functions) {
            let around = self.memo.contexts.borrow().around(caller).to_vec();
            for cx in around {
                for &(call, callee) in self.calls().inside(caller) {
                    let key = self.key(cx, call);
                    let mut contexts = self.memo.contexts.borrow_mut();
                    let entered = contexts.enter(cx, call, callee, key);
                    contexts.count(cx, entered);
                    all.push((cx, call, entered));
                }
            }
        }
        all
    }

    /// What a call passes, once everything it depends on is known.
    fn key(self, cx: ContextId, call: NodeId) -> Key {
        loop {
            let mut asking = Asking::new(self, cx);
            let key = asking.key(self.view.node(call));
            if asking.missing.is_empty() {
                return key;
            }
            for question in asking.missing {
                self.answer(question.at, question.about);
            }
        }
    }
}

impl<'m> Asking<'m> {
    /// What a call passes, as far as it is known.
    pub(super) fn key(&mut self, call: NodeRef<'m>) -> Key {
        let inputs = call.inputs().map(|input| {
            let at = self.here(input?);
            let shape = self.shape_of(at);
            // the elements of weights are not read to tell calls apart
            let few = |sizes: Vec<i64>| {
                let product = sizes
                    .iter()
                    .try_fold(1i64, |all, &size| all.checked_mul(size));
                product.is_some_and(|elements| elements <= LONGEST as i64)
            };
            let small = shape.all_sizes().is_some_and(few);
            Some(Passed {
                list: small.then(|| self.list_of(at)).flatten(),
                number: small.then(|| self.number_of(at)),
                shape,
            })
        });
        let inputs = inputs.collect();
        let attributes = call.get().attributes.iter();
        let attributes = attributes.map(|attribute| {
            let value = match &attribute.value {
                AttributeValue::Reference(name, _) => {
                    let passed = self.facts.passed_attribute(self.cx, name).ok().flatten();
                    passed.map(|a| &a.value)
                }
                value => Some(value),
            };
            let key = value.map(|value| match value {
                AttributeValue::Int(int) => AttributeKey::Int(*int),
                AttributeValue::Float(float) => AttributeKey::Float(float.to_bits()),
                AttributeValue::Ints(ints) => AttributeKey::Ints(ints.clone()),
                AttributeValue::Floats(floats) => {
                    AttributeKey::Floats(floats.iter().map(|f| f.to_bits()).collect())
                }
                _ => AttributeKey::Other(call.id),
            });
            (attribute.name.clone(), key)
        });
        (inputs, attributes.collect())
    }
}
