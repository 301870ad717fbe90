//! The types of the arguments of functions.

use crate::onnx::{ElementType, NodeId, ValueId};
use crate::semantics::calls::Calls;
use crate::semantics::view::View;

use super::{Element, Known, Types};

/// The type that the calls of a function pass for an argument.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Passed {
    Nothing,
    Same(Known),
    Several,
}

impl Types<'_> {
    /// Replaces types of arguments by the type on which all calls agree.
    pub(super) fn settle(
        &self,
    ) -> impl Fn(ValueId, Option<Known>) -> Option<ElementType> + use<'_> {
        let passed = self.passed();
        move |value, known| {
            let settled = known.and_then(|known| {
                let view = View::new(self.model, self.values);
                let function = view.function_of(self.values[value].graph);
                settled(known, function, &passed)
            });
            let declared = || self.declared.of(value);
            settled.or_else(declared).and_then(Known::settled)
        }
    }

    /// By function and argument. Callers are visited before the functions that they call.
    fn passed(&self) -> Vec<Vec<Passed>> {
        let model = self.model;
        let arguments = |function: &crate::onnx::Function| {
            vec![Passed::Nothing; model.graph(function.body).inputs.len()]
        };
        let mut passed: Vec<Vec<Passed>> = model.functions().iter().map(arguments).collect();
        if passed.is_empty() {
            return passed;
        }
        let calls = Calls::new(model);
        let callers = calls.callers_first().iter().copied().map(Some);
        for caller in std::iter::once(None).chain(callers) {
            for &(id, callee) in calls.inside(caller) {
                if calls.of(callee).binary_search(&id).is_ok() {
                    self.call(id, caller, callee, &mut passed);
                }
            }
        }
        passed
    }

    fn call(&self, id: NodeId, caller: Option<usize>, callee: usize, passed: &mut [Vec<Passed>]) {
        for place in 0..passed[callee].len() {
            let Some(value) = self.values.input(id, place) else {
                continue;
            };
            let known = match self.state(value) {
                super::State::Done(known) => known,
                _ => None,
            };
            let known = known.and_then(|known| settled(known, caller, passed));
            let old = &mut passed[callee][place];
            *old = match (*old, known) {
                (Passed::Nothing, Some(known)) => Passed::Same(known),
                (Passed::Same(old), Some(known)) if old == known => Passed::Same(old),
                _ => Passed::Several,
            };
        }
    }
}

fn settled(known: Known, function: Option<usize>, passed: &[Vec<Passed>]) -> Option<Known> {
    let Element::Argument(place) = known.element else {
        return Some(known);
    };
    match *passed.get(function?)?.get(place as usize)? {
        Passed::Same(argument) => Some(known.passed(argument)),
        Passed::Nothing | Passed::Several => None,
    }
}
