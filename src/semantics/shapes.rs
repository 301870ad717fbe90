//! Shapes without symbols, for rewrites.

use crate::onnx::{Model, Node, NodeId, ValueId, Values};

pub(crate) use super::facts::axis_of;
use super::facts::{Facts, Memo};
use super::view::View;

/// A shape of known rank: sizes, where they are known.
pub(crate) type Shape = Vec<Option<i64>>;

#[derive(Debug)]
pub(crate) struct Shapes<'m> {
    view: View<'m>,
    memo: Memo,
}

impl<'m> Shapes<'m> {
    pub fn new(model: &'m Model, values: &'m Values) -> Self {
        Shapes {
            view: View::new(model, values),
            memo: Memo::default(),
        }
    }

    pub fn facts(&self) -> Facts<'_> {
        Facts::new(self.view, &self.memo)
    }

    /// The shape of a value; `None` if not even its rank is known.
    pub fn of(&self, value: ValueId) -> Option<Shape> {
        let shape = self.facts().shape(value);
        Some(shape.dims()?.iter().map(|dim| dim.size()).collect())
    }

    /// How many axes a value has.
    pub fn rank(&self, value: ValueId) -> Option<usize> {
        self.facts().rank(value)
    }

    /// The size of an axis, counted from the last one.
    pub fn size(&self, value: ValueId, axis: usize) -> Option<i64> {
        let shape = self.of(value)?;
        shape[shape.len().checked_sub(axis + 1)?]
    }

    /// Integers that an input or an attribute holds, if they are constant.
    pub fn integers(&self, id: NodeId, input: usize, attribute: &str) -> Option<Vec<i64>> {
        self.facts().integers(id, input, attribute)
    }
}

/// The axes along which a Slice cuts.
pub(crate) fn sliced(shapes: &Shapes<'_>, id: NodeId, rank: usize) -> Option<Vec<usize>> {
    let node = shapes.view.node(id);
    let given = node.attribute("axes").is_some() || node.input(3).is_some();
    let axes = match given {
        true => shapes.integers(id, 3, "axes")?,
        false => (0..shapes.integers(id, 1, "starts")?.len() as i64).collect(),
    };
    axes.into_iter().map(|axis| axis_of(axis, rank)).collect()
}

/// What a Transpose does to axes: the input's axis for each of the output's.
pub(crate) fn permutation(node: &Node, rank: usize) -> Option<Vec<usize>> {
    let perm = node.attribute("perm");
    super::facts::permutation(perm.map(|perm| &perm.value), rank)
}
