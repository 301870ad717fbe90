//! A dropout in a function, distinguished by the calls that set it differently.

use smallvec::SmallVec;

use crate::dropout::Search;
use crate::error::Result;
use crate::onnx::{Attribute, AttributeValue, Name, NodeId};
use crate::semantics::calls::ContextId;
use crate::semantics::view::{NodeRef, ValueRef};

use super::setting::Setting;

/// How many ways of calling the function of a dropout are distinguished.
const MOST: usize = 64;

/// A dropout as some calls set it.
pub(super) struct Called {
    pub setting: Setting,
    /// As `Site::calls`.
    pub calls: Vec<NodeId>,
    /// As `Site::passed`.
    pub passed: Option<(NodeId, Name)>,
}

/// A chain of calls, not yet settled.
struct Open {
    calls: Vec<NodeId>,
    /// The attribute of the next call that is the ratio.
    ratio: Option<Name>,
    passed: Option<(NodeId, Name)>,
}

/// The ways in which calls set a node: one, unless its ratio is an attribute of the call or the settings
/// differ.
///
/// # Errors
/// A constant cannot be read.
pub(super) fn distinguished(
    search: &Search<'_>,
    node: NodeRef<'_>,
    ratio_input: usize,
    setting: &dyn Fn(ContextId) -> Result<Setting>,
) -> Result<SmallVec<[Called; 1]>> {
    let (facts, view) = (search.facts, node.view());
    let mut done = SmallVec::new();
    if view.function_of(node.graph()).is_none() {
        done.push(Called {
            setting: setting(ContextId::OUTSIDE)?,
            calls: Vec::new(),
            passed: None,
        });
        return Ok(done);
    }
    let mut open = vec![Open {
        calls: Vec::new(),
        ratio: attribute_of_call(node, ratio_input),
        passed: None,
    }];
    while let Some(chain) = open.pop() {
        let contexts = match chain.calls.is_empty() {
            true => facts.contexts(node.graph()),
            false => facts.contexts_by(&chain.calls),
        };
        let settings: Vec<Setting> = contexts.into_iter().map(setting).collect::<Result<_>>()?;
        let around = chain.calls.last().map_or(node.graph(), |call| call.graph);
        let callers = view
            .function_of(around)
            .map(|function| facts.calls().of(function));
        let callers = callers.unwrap_or_default();
        let alike = settings.windows(2).all(|pair| pair[0] == pair[1]);
        let settled = callers.is_empty() || alike && chain.ratio.is_none();
        let many = done.len() + open.len() + callers.len() > MOST;
        if many && !settled {
            let what = "at most 64 calls of the function of a dropout are distinguished";
            search.limits.reached(node.id, what);
        }
        if settled || many {
            done.push(Called {
                setting: Setting::joined(settings),
                calls: chain.calls,
                passed: chain.passed,
            });
            continue;
        }
        // the first call is taken from the end
        open.extend(callers.iter().rev().map(|&call| chain.by(view.node(call))));
    }
    Ok(done)
}

impl Open {
    /// The chain with one more call around it.
    fn by(&self, call: NodeRef<'_>) -> Open {
        let calls = self.calls.iter().copied().chain([call.id]).collect();
        let (ratio, passed) = match &self.ratio {
            None => (None, self.passed.clone()),
            Some(name) => {
                let mut given = call.get().attributes.iter();
                match given
                    .find(|given| given.name == *name)
                    .map(|given| &given.value)
                {
                    Some(AttributeValue::Reference(outer, _)) => (Some(outer.clone()), None),
                    _ => (None, Some((call.id, name.clone()))),
                }
            }
        };
        Open {
            calls,
            ratio,
            passed,
        }
    }
}

/// The attribute of the call that is the ratio of a node: referred to by the node, or by the Constant
/// that its input comes from.
fn attribute_of_call(node: NodeRef<'_>, ratio_input: usize) -> Option<Name> {
    let reference = |attribute: &Attribute| match &attribute.value {
        AttributeValue::Reference(name, _) => Some(name.clone()),
        _ => None,
    };
    if let Some(name) = node.attribute("ratio").and_then(reference) {
        return Some(name);
    }
    let mut value: ValueRef<'_> = node.input(ratio_input)?;
    loop {
        let (maker, _) = value.producer()?;
        if maker.is("Constant") {
            return maker.attributes.first().and_then(reference);
        }
        value = maker
            .input(0)
            .filter(|_| maker.operator().is_some_and(|op| op.copies()))?;
    }
}
