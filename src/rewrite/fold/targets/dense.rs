//! MatMul, Gemm, recurrent layers, the table of a Gather, and the scale of DequantizeLinear.

use crate::onnx::{AttributeValue, NodeId};
use crate::rewrite::fold::factor::Factor;
use crate::rewrite::fold::shapes::{axis_of, int};

use super::{Change, Changes, Refusal, View};

pub(super) fn matmul_forward(
    view: &View<'_>,
    id: NodeId,
    input: usize,
    factor: &Factor,
) -> Option<Changes> {
    let other = 1 - input.min(1);
    if !view.is_constant(id, other) {
        return None;
    }
    let rank = view.dims(id, other).map_or(0, |dims| dims.len());
    // data [.., K] times weights [.., K, N], or weights [.., M, K] times data [.., K, N]
    let (of_data, of_weights) = match input {
        0 => (0, if rank == 1 { 0 } else { rank.saturating_sub(2) }),
        _ => {
            let vector = view.input(id, 1).and_then(|data| view.shapes.rank(data)) == Some(1);
            (usize::from(!vector), rank.saturating_sub(1))
        }
    };
    let along = view.along(factor, of_data, of_weights);
    Some(along.and_then(|along| Ok(vec![view.scale(id, other, &along)?])))
}

pub(super) fn matmul_backward(view: &View<'_>, id: NodeId, factor: &Factor) -> Option<Changes> {
    let weights = [1, 0]
        .into_iter()
        .find(|&input| view.is_constant(id, input))?;
    let rank = view.dims(id, weights).map_or(0, |dims| dims.len());
    // columns of the second are columns of the product, rows of the first its rows
    let (of_product, axis) = match weights {
        1 => (0, rank.wrapping_sub(1)),
        _ => (1, rank.wrapping_sub(2)),
    };
    let along = match rank {
        0 | 1 if factor.scalar().is_none() => Err("a vector has no such axis".to_string()),
        _ => view.along(factor, of_product, axis),
    };
    Some(along.and_then(|along| Ok(vec![view.scale(id, weights, &along)?])))
}

pub(super) fn gemm_forward(view: &View<'_>, id: NodeId, input: usize, factor: &Factor) -> Changes {
    let node = view.model.node(id);
    let [trans_a, trans_b] = ["transA", "transB"].map(|name| int(node, name, 0) != 0);
    // A is [M, K], B is [K, N], unless transposed
    let (other, of_data, of_weights) = match input {
        0 => (1, usize::from(trans_a), usize::from(trans_b)),
        1 => (0, usize::from(!trans_b), usize::from(!trans_a)),
        _ => {
            let why = "Gemm's beta is a scalar";
            let scalar = factor.scalar().ok_or(why)?;
            return Ok(vec![attribute(view, id, "beta", scalar)?]);
        }
    };
    if let Some(alpha) = cheaper(view, id, other, factor) {
        return Ok(vec![alpha]);
    }
    let along = view.along(factor, of_data, of_weights)?;
    Ok(vec![view.scale(id, other, &along)?])
}

pub(super) fn gemm_backward(view: &View<'_>, id: NodeId, factor: &Factor) -> Changes {
    let node = view.model.node(id);
    let trans_b = int(node, "transB", 0) != 0;
    let mut changes = vec![match cheaper(view, id, 1, factor) {
        Some(alpha) => alpha,
        None => {
            let along = view.along(factor, 0, usize::from(!trans_b))?;
            view.scale(id, 1, &along)?
        }
    }];
    if view.input(id, 2).is_some() {
        let cannot = !view.is_constant(id, 2) || !view.is_alone(id, 2);
        let beta = match factor.scalar() {
            Some(scalar) if cannot => attribute(view, id, "beta", scalar).ok(),
            _ => None,
        };
        changes.push(match beta {
            Some(beta) => beta,
            None => view.scale_aligned(id, 2, factor)?,
        });
    }
    Ok(changes)
}

/// Gemm's alpha, where the weights cannot take the factor or would have to be copied.
fn cheaper(view: &View<'_>, id: NodeId, weights: usize, factor: &Factor) -> Option<Change> {
    let scalar = factor.scalar()?;
    let all = super::Along::All(scalar);
    if view.is_alone(id, weights) && view.scale(id, weights, &all).is_ok() {
        return None;
    }
    attribute(view, id, "alpha", scalar).ok()
}

/// An attribute of 32 bits, if its product with the factor is exact.
fn attribute(view: &View<'_>, id: NodeId, name: &'static str, by: f64) -> Result<Change, Refusal> {
    let old = match view.model.node(id).attribute(name).map(|a| &a.value) {
        None => 1.0,
        Some(AttributeValue::Float(f)) => f64::from(*f),
        Some(_) => return Err(format!("Gemm's {name} is not a number")),
    };
    let product = old * by;
    match f64::from(product as f32) == product && product != 0.0 {
        true => Ok(Change::Attribute { node: id, name, by }),
        false => Err(format!("Gemm's {name} would be rounded")),
    }
}

/// Rows of a table times a factor; the trailing axes of what is gathered are those of the table.
pub(super) fn gather_backward(view: &View<'_>, id: NodeId, factor: &Factor) -> Option<Changes> {
    if !view.is_constant(id, 0) {
        return None;
    }
    let rank = view.dims(id, 0).map_or(0, |dims| dims.len());
    let first = int(view.model.node(id), "axis", 0) == 0;
    Some(match factor.axis {
        Some(axis) if !first || axis + 1 >= rank => {
            Err("the factor is along the gathered axis".to_string())
        }
        _ => view.scale_aligned(id, 0, factor).map(|change| vec![change]),
    })
}

/// The weights `[directions, gates · hidden, inputs]` of an LSTM, GRU or RNN: the biases and the
/// recurrence are apart.
pub(super) fn recurrent_forward(
    view: &View<'_>,
    id: NodeId,
    input: usize,
    factor: &Factor,
) -> Changes {
    if input != 0 {
        return Err("a factor of its state does not commute with it".to_string());
    }
    let along = view.along(factor, 0, 2)?;
    Ok(vec![view.scale(id, 1, &along)?])
}

/// What is quantised comes out times its scale: `(x − zero point) · scale`.
pub(super) fn dequantize_backward(view: &View<'_>, id: NodeId, factor: &Factor) -> Changes {
    let scale = view.dims(id, 1).unwrap_or_default();
    let data = view.input(id, 0).and_then(|data| view.shapes.rank(data));
    let along = match (factor.scalar(), data, factor.axis) {
        (Some(number), ..) => super::Along::All(number),
        (None, Some(rank), Some(axis)) => {
            let own = axis_of(int(view.model.node(id), "axis", 1), rank);
            match rank.checked_sub(axis + 1) {
                Some(axis) if own == Some(axis) && scale.len() == 1 => {
                    super::Along::Axis(0, factor.elements.clone())
                }
                _ => return Err("its scale does not vary along the factor's axis".to_string()),
            }
        }
        _ => return Err("the rank of its data is unknown".to_string()),
    };
    Ok(vec![view.scale(id, 1, &along)?])
}
