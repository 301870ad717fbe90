//! Constants as masks: zeros and one other number.

use std::rc::Rc;

use crate::onnx::{
    AttributeValue, DataType, FIRST, NodeId, Producer, Tensor, Use, ValueId, numbers,
};

use crate::semantics::control_flow::{Formal, Loop};

use super::Finder;
use crate::dropout::order;

/// The maximum size of a constant that is checked, in bytes.
const LARGEST: u64 = 1 << 20;

/// A constant of zeros and one other number.
#[derive(Clone, Debug)]
pub(super) struct Mask {
    /// The constant.
    pub root: ValueId,
    pub dims: Vec<usize>,
    /// For each element, whether it is not zero.
    pub kept: Vec<bool>,
    /// The other number.
    pub scale: f64,
}

impl Mask {
    /// Keeps what it drops.
    pub fn negated(&self) -> Mask {
        Mask {
            kept: self.kept.iter().map(|kept| !kept).collect(),
            ..self.clone()
        }
    }

    /// How many elements are zero.
    pub fn dropped(&self) -> usize {
        self.kept.iter().filter(|&&kept| !kept).count()
    }

    /// True if as many elements are zero as a rate makes plausible: four standard deviations.
    pub fn fits(&self, rate: f64) -> bool {
        let elements = self.kept.len() as f64;
        let deviation = (elements * rate * (1.0 - rate)).sqrt();
        let dropped = self.dropped() as f64;
        dropped < elements && (dropped - elements * rate).abs() <= 4.0 * deviation
    }

    /// Without the axes along which it repeats: a mask may be shared, over time for one.
    pub fn distinct(&self) -> Mask {
        let mut mask = self.clone();
        for axis in (0..mask.dims.len()).rev() {
            let stride: usize = mask.dims[axis + 1..].iter().product();
            let length = mask.dims[axis];
            let first = |index: usize| index - index / stride % length * stride;
            let repeats = |index: usize| mask.kept[index] == mask.kept[first(index)];
            if length > 1 && (0..mask.kept.len()).all(repeats) {
                let kept = (0..mask.kept.len()).filter(|&index| first(index) == index);
                mask.kept = kept.map(|index| mask.kept[index]).collect();
                mask.dims[axis] = 1;
            }
        }
        mask
    }

    fn of(root: ValueId, dims: &[i64], numbers: &[f64]) -> Option<Mask> {
        let mut others = numbers.iter().copied().filter(|&n| n != 0.0);
        let scale = others.next()?;
        let two = scale > 0.0 && scale.is_finite() && others.all(|n| n == scale);
        let kept: Vec<bool> = numbers.iter().map(|&n| n != 0.0).collect();
        let dims: Option<Vec<usize>> = dims.iter().map(|&d| usize::try_from(d).ok()).collect();
        let dims = dims?;
        let whole = dims.iter().try_fold(1usize, |n, &d| n.checked_mul(d)) == Some(kept.len());
        (two && whole).then_some(Mask {
            root,
            dims,
            kept,
            scale,
        })
    }
}

/// What an operator makes of a mask.
enum Step {
    Same,
    Bool,
    Not,
    Scaled(f64),
}

impl Step {
    fn of(&self, mask: &Mask) -> Option<Mask> {
        let scale = match self {
            Step::Same => mask.scale,
            Step::Bool => 1.0,
            Step::Not => return Some(mask.negated()),
            Step::Scaled(factor) => mask.scale * factor,
        };
        let scaled = Mask {
            scale,
            ..mask.clone()
        };
        (scale > 0.0).then_some(scaled)
    }
}

impl Finder<'_> {
    /// The mask that a constant holds, or that is computed from one; `None` for everything else.
    pub(super) fn mask(&self, value: ValueId) -> Option<Rc<Mask>> {
        let mut steps = Vec::new();
        let mut at = value;
        let mut mask = loop {
            if let Some(known) = self.masks.borrow().get(&at) {
                break known.clone();
            }
            // a cycle comes back to here
            self.masks.borrow_mut().insert(at, None);
            if let Some(tensor) = self.tensor(at) {
                let mask = self.read(at, tensor).map(Rc::new);
                self.masks.borrow_mut().insert(at, mask.clone());
                break mask;
            }
            let Some((step, before)) = self.step(at) else {
                break None;
            };
            steps.push((at, step));
            at = before;
        };
        for (value, step) in steps.into_iter().rev() {
            mask = mask.and_then(|mask| step.of(&mask)).map(Rc::new);
            self.masks.borrow_mut().insert(value, mask.clone());
        }
        mask
    }

    /// What a node makes of its first input, if that is a mask, and the input. A Loop makes nothing of a
    /// state that it leaves as it is.
    fn step(&self, value: ValueId) -> Option<(Step, ValueId)> {
        let view = self.facts.view();
        let value = view.value(value);
        let id = match value.get().producer {
            Producer::Node { node, .. } => node,
            Producer::Input(formal) => {
                let of = Loop::around(view, value.get().graph)?;
                let Formal::State(state) = of.formal(formal as usize) else {
                    return None;
                };
                let input = state.input.filter(|_| state.is_kept())?;
                return Some((Step::Same, input.id));
            }
            _ => return None,
        };
        let node = view.model.node(id);
        if !node.in_default_domain() {
            return None;
        }
        let moves = view
            .node(id)
            .operator()
            .is_some_and(|op| op.copies() && !op.casts());
        let step = match node.op_type.as_str()? {
            _ if moves => Step::Same,
            "CastLike" => Step::Same,
            "Cast" => match node.attribute("to").map(|a| &a.value) {
                Some(AttributeValue::Int(to)) if DataType(*to as i32) == DataType::BOOL => {
                    Step::Bool
                }
                _ => Step::Same,
            },
            "Not" => Step::Not,
            "Mul" | "Div" => Step::Scaled(self.factor(id, 1)?),
            _ => return None,
        };
        Some((step, self.facts.view().values.input(id, 0)?))
    }

    /// What a Mul or Div multiplies by with this input.
    pub(super) fn factor(&self, id: NodeId, input: usize) -> Option<f64> {
        let node = self.facts.view().model.node(id);
        let number = self.number(self.facts.view().values.input(id, input)?)?;
        match (node.is("Mul"), node.is("Div"), input) {
            (true, _, _) => Some(number),
            (_, true, 1) => Some(1.0 / number).filter(|n| n.is_finite()),
            _ => None,
        }
    }

    /// The number that every element of a constant is.
    pub(super) fn number(&self, value: ValueId) -> Option<f64> {
        self.facts.constant(value).map(|number| number.value)
    }

    pub(super) fn tensor(&self, value: ValueId) -> Option<&Tensor> {
        let known = &self.facts.view().values[value];
        match known.producer {
            Producer::Initializer(index) => Some(
                self.facts
                    .view()
                    .model
                    .graph(known.graph)
                    .initializer(index),
            ),
            Producer::Node { node, .. } if self.facts.view().model.node(node).is("Constant") => {
                match &self.facts.view().model.node(node).attributes.first()?.value {
                    AttributeValue::Tensor(tensor) => Some(tensor),
                    _ => None,
                }
            }
            _ => None,
        }
    }

    fn read(&self, value: ValueId, tensor: &Tensor) -> Option<Mask> {
        let fewest = match self.is_named(value) {
            true => super::FEWEST_NAMED,
            false => super::FEWEST_SCALED,
        };
        let enough = tensor.elements()? >= fewest as u64;
        if !enough || !self.begins_as_mask(tensor) {
            return None;
        }
        if tensor.expected_bytes()? > LARGEST
            && let Some(Use::Input { node, .. }) = self.facts.view().values.uses(value).next()
        {
            let what = "a constant that may be a mask may have at most 1 MiB";
            self.limits.reached(node, what);
        }
        Mask::of(value, &tensor.dims, &self.numbers(tensor)?)
    }

    /// False if the first elements show an order, or are more than zeros and one other number: then
    /// the rest, which may be large, need not be read.
    fn begins_as_mask(&self, tensor: &Tensor) -> bool {
        self.first(tensor).is_none_or(|first| {
            let mut others = first.iter().filter(|&&n| n != 0.0);
            let other = others.next();
            let kept: Vec<bool> = first.iter().map(|&n| n != 0.0).collect();
            others.all(|n| Some(n) == other) && order::may_be_drawn(&kept)
        })
    }

    fn first(&self, tensor: &Tensor) -> Option<Vec<f64>> {
        let bytes = self
            .facts
            .view()
            .model
            .first_elements(tensor, FIRST)
            .ok()??;
        numbers(tensor.data_type, &bytes)
    }

    pub(super) fn numbers(&self, tensor: &Tensor) -> Option<Vec<f64>> {
        if tensor.expected_bytes()? > LARGEST {
            return None;
        }
        // external data that is not there is for others to report
        let bytes = self
            .facts
            .view()
            .model
            .small_elements(tensor, LARGEST)
            .ok()??;
        numbers(tensor.data_type, &bytes)
    }
}
