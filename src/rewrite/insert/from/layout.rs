//! The order of axes: Keras has channels last, and the convolutions of ONNX have them after the batch.
//!
//! What leaves a layer has the order of Keras, unless an exporter moved the transposition after a convolution
//! past the layer.

use crate::onnx::ValueId;
use crate::semantics::operator::Shape;

use super::Flow;

/// The axes of a value that are these axes in Keras.
///
/// # Errors
/// The order of the axes is not known.
pub(super) fn axes(flow: &Flow<'_>, value: ValueId, axes: &[i64]) -> Result<Vec<i64>, String> {
    let mut at = flow.view.value(value);
    let mut moved: Vec<&[i64]> = Vec::new();
    let mut lost = false;
    for _ in 0..flow.view.values.len() {
        let Some(node) = at.node() else {
            return Ok(axes.to_vec());
        };
        let unknown = || {
            let place = flow.view.model.place(node.id);
            format!("its mask is shared along axes, whose order after {place} is not known")
        };
        match node.operator().map(|operator| operator.shape) {
            Some(Shape::Conv | Shape::ConvTranspose | Shape::Pool | Shape::GlobalPool) => {
                let found = of_convolution(axes, &moved).filter(|_| !lost);
                return found.ok_or_else(unknown);
            }
            Some(Shape::Permute) => moved.push(node.ints("perm").ok_or_else(unknown)?),
            Some(
                Shape::Same
                | Shape::SameRank
                | Shape::Resize
                | Shape::Blocks
                | Shape::Broadcast
                | Shape::Concat
                | Shape::Pad,
            ) => {}
            Some(Shape::Squeeze | Shape::Unsqueeze | Shape::Slice | Shape::Split) => lost = true,
            _ => return Ok(axes.to_vec()),
        }
        match flow.data_inputs(node).first() {
            Some(&data) => at = data,
            None => return Ok(axes.to_vec()),
        }
    }
    Err("its data depends on itself".to_string())
}

/// The axes of what a convolution made, after these permutations, the last one first.
fn of_convolution(axes: &[i64], moved: &[&[i64]]) -> Option<Vec<i64>> {
    // all axes of space with channels last; with channels first, Keras and ONNX agree
    let spatial = (1..=axes.len() as i64).eq(axes.iter().copied());
    let axis = |axis: i64| match (axis, spatial) {
        (0, _) => Some(0),
        (1, false) => None,
        (axis, false) => Some(axis),
        (axis, true) => Some(axis + 1),
    };
    let mut found: Vec<i64> = axes.iter().map(|&a| axis(a)).collect::<Option<_>>()?;
    for perm in moved.iter().rev() {
        for axis in &mut found {
            *axis = perm.iter().position(|from| from == axis)? as i64;
        }
    }
    found.sort_unstable();
    Some(found)
}
