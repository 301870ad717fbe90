//! How many elements there are, as a product of sizes of which only a run decides some.

use crate::error::Result;
use crate::onnx::ValueId;
use crate::semantics::calls::ContextId;
use crate::semantics::facts::{Dim, Shape};

use super::super::Finder;

/// A number times sizes that a run decides.
#[derive(Clone, Debug)]
pub(super) struct Amount {
    number: f64,
    /// Dimensions, or shapes of which not even the rank is known.
    sizes: Vec<Shape>,
}

impl Amount {
    pub fn of(number: f64) -> Amount {
        let sizes = Vec::new();
        Amount { number, sizes }
    }

    /// This times all dimensions of a shape; `None` if one of them is unknown.
    pub fn times(mut self, shape: &Shape) -> Option<Amount> {
        let Some(dims) = shape.dims() else {
            self.sizes.push(shape.clone());
            return Some(self);
        };
        for &dim in dims {
            let rest = match dim {
                Dim::Size(size) => {
                    self.number *= size as f64;
                    continue;
                }
                Dim::Affine {
                    symbol,
                    factor,
                    offset: 0,
                } => {
                    self.number *= factor as f64;
                    symbol.dim()
                }
                Dim::Affine { .. } => dim,
                Dim::Unknown => return None,
            };
            self.sizes.push(Shape::of([rest]));
        }
        Some(self)
    }

    pub fn is_near(&self, other: &Amount, relative: f64) -> bool {
        let mut left = self.sizes.clone();
        let mut taken = |size: &Shape| {
            let at = left.iter().position(|own| own == size);
            at.map(|at| left.swap_remove(at)).is_some()
        };
        other.sizes.iter().all(&mut taken)
            && left.is_empty()
            && (self.number / other.number - 1.0).abs() < relative
    }
}

impl Finder<'_> {
    /// An amount times a number computed from sizes.
    pub(super) fn sized(
        &self,
        cx: ContextId,
        size: ValueId,
        mut amount: Amount,
    ) -> Result<Option<Amount>> {
        let mut open = vec![size];
        while let Some(size) = open.pop() {
            if let Some(number) = self.number(size, &self.conditions)? {
                amount.number *= number;
                continue;
            }
            let Some((node, 0)) = self.view.value(size).producer() else {
                return Ok(None);
            };
            let known = self.facts.list_in(cx, size);
            let given = |input: usize| node.input(input).map(|value| value.id);
            let known =
                known.filter(|list| matches!(list.dims(), Some([dim]) if *dim != Dim::Unknown));
            let list = match (known, node.op(), given(0)) {
                (Some(number), ..) => Some(number),
                (_, "Size", Some(of)) => Some(self.facts.shape_in(cx, of)),
                (_, "ReduceProd", Some(of)) => self.facts.list_in(cx, of),
                (_, "Mul", Some(one)) => {
                    open.extend([Some(one), given(1)].into_iter().flatten());
                    continue;
                }
                (_, _, Some(of)) if node.operator().is_some_and(|op| op.copies()) => {
                    open.push(of);
                    continue;
                }
                _ => None,
            };
            let Some(times) = list.and_then(|list| amount.times(&list)) else {
                return Ok(None);
            };
            amount = times;
        }
        Ok(Some(amount))
    }
}
