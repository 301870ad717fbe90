//! Index maps: the position of each element of a draw.

use crate::hash::HashMap;
use crate::onnx::NodeId;

use super::law::Law;
use super::piece::Var;

/// The map of a number that is no element of a draw.
pub(super) const NUMBER: u32 = u32::MAX;

/// The map of another draw as it is.
pub(super) fn other(draw: usize) -> u32 {
    NUMBER - 1 - draw as u32
}

/// The index maps of draws. The first is the draw as it is; each other is a node's output of another.
#[derive(Debug, Default)]
pub(super) struct Maps {
    known: Vec<Step>,
    numbers: HashMap<Step, u32>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Step {
    from: u32,
    node: NodeId,
    output: usize,
    /// True if no two outputs of the node have an element in common.
    parts: bool,
}

impl Maps {
    /// The variable at an output of a node that moves elements about.
    pub fn moved(&mut self, var: Var, (node, output): (NodeId, usize), parts: bool) -> Var {
        if var.map == NUMBER {
            return var;
        }
        let step = Step {
            from: var.map,
            node,
            output,
            parts,
        };
        let next = self.known.len() as u32 + 1;
        let map = *self.numbers.entry(step).or_insert(next);
        if map == next {
            self.known.push(step);
        }
        Var { map, ..var }
    }

    /// The steps from a draw as it is to a map, and the map of that draw.
    fn steps(&self, var: Var) -> (Vec<Step>, u32) {
        let mut steps = Vec::new();
        let mut map = var.map;
        let known = |map: u32| self.known.get(map.checked_sub(1)? as usize);
        while let Some(step) = known(map) {
            steps.push(*step);
            map = step.from;
        }
        steps.reverse();
        (steps, map)
    }

    /// True of two variables that never are the same element: of two draws, or parts of one split.
    pub fn are_disjoint(&self, one: Var, two: Var) -> bool {
        let ((one, of), (two, of_two)) = (self.steps(one), self.steps(two));
        if of != of_two {
            return true;
        }
        let apart = one.iter().zip(&two).find(|(one, two)| one != two);
        apart
            .is_some_and(|(one, two)| one.parts && one.node == two.node && one.output != two.output)
    }

    /// True if any two variables of these laws are the same, or never the same element.
    pub fn are_independent(&self, laws: &[&Law]) -> bool {
        let mut vars: Vec<Var> = laws.iter().flat_map(|law| law.vars()).collect();
        vars.sort();
        vars.dedup();
        let later = |index: usize| vars[index + 1..].iter();
        (0..vars.len())
            .all(|index| later(index).all(|&other| self.are_disjoint(vars[index], other)))
    }
}
