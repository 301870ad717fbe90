//! The types of the arguments of functions.

use crate::onnx::{ElementType, GraphId, GraphKind, Model, NodeId, ValueId};

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
                let function = function(self.model, self.values[value].graph);
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
        // by caller, the main graph last
        let main = passed.len();
        let mut calls: Vec<Vec<(NodeId, usize)>> = vec![Vec::new(); main + 1];
        let mut callers = vec![0; main];
        for (id, node) in model.nodes() {
            if let Some(callee) = model.callee(node) {
                calls[function(model, id.graph).unwrap_or(main)].push((id, callee));
                callers[callee] += 1;
            }
        }
        let uncalled = (0..main).filter(|&function| callers[function] == 0);
        let mut ready: Vec<usize> = uncalled.chain([main]).collect();
        while let Some(caller) = ready.pop() {
            for &(id, callee) in &calls[caller] {
                self.call(id, (caller < main).then_some(caller), callee, &mut passed);
                callers[callee] -= 1;
                if callers[callee] == 0 {
                    ready.push(callee);
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

/// The function that a graph is in.
fn function(model: &Model, graph: GraphId) -> Option<usize> {
    match model.graph(model.root(graph)).kind {
        GraphKind::Function(index) => Some(index),
        _ => None,
    }
}
