//! MatMul, Gemm, recurrent layers, the table of a Gather, and the scale of DequantizeLinear.

use crate::onnx::AttributeValue;
use crate::rewrite::Reason;
use crate::rewrite::fold::change::{Along, Change, Changes, along, scale, scale_aligned};
use crate::rewrite::fold::context::{Context, dims, is_alone, is_constant};
use crate::rewrite::fold::factor::Factor;
use crate::semantics::facts::axis_of;
use crate::semantics::view::NodeRef;

pub(super) fn matmul_forward(
    context: &Context<'_>,
    node: NodeRef<'_>,
    input: usize,
    factor: &Factor,
) -> Option<Changes> {
    let other = 1 - input.min(1);
    if !is_constant(node, other) {
        return None;
    }
    let rank = dims(node, other).map_or(0, |dims| dims.len());
    // data [.., K] times weights [.., K, N], or weights [.., M, K] times data [.., K, N]
    let (of_data, of_weights) = match input {
        0 => (0, if rank == 1 { 0 } else { rank.saturating_sub(2) }),
        _ => {
            let vector = context.rank(node, 1) == Some(1);
            (usize::from(!vector), rank.saturating_sub(1))
        }
    };
    let along = along(factor, of_data, of_weights);
    Some(along.and_then(|along| Ok(vec![scale(node, other, &along)?])))
}

pub(super) fn matmul_backward(node: NodeRef<'_>, factor: &Factor) -> Option<Changes> {
    let weights = [1, 0].into_iter().find(|&input| is_constant(node, input))?;
    let rank = dims(node, weights).map_or(0, |dims| dims.len());
    // columns of the second are columns of the product, rows of the first its rows
    let (of_product, axis) = match weights {
        1 => (0, rank.wrapping_sub(1)),
        _ => (1, rank.wrapping_sub(2)),
    };
    let along = match rank {
        0 | 1 if factor.scalar().is_none() => {
            Err(Reason::Shape("a vector has no such axis".into()))
        }
        _ => along(factor, of_product, axis),
    };
    Some(along.and_then(|along| Ok(vec![scale(node, weights, &along)?])))
}

pub(super) fn gemm_forward(node: NodeRef<'_>, input: usize, factor: &Factor) -> Changes {
    let [trans_a, trans_b] = ["transA", "transB"].map(|name| node.int(name, 0) != 0);
    // A is [M, K], B is [K, N], unless transposed
    let (other, of_data, of_weights) = match input {
        0 => (1, usize::from(trans_a), usize::from(trans_b)),
        1 => (0, usize::from(!trans_b), usize::from(!trans_a)),
        _ => {
            let why = || Reason::Shape("Gemm's beta is a scalar".into());
            let scalar = factor.scalar().ok_or_else(why)?;
            return Ok(vec![attribute(node, "beta", scalar)?]);
        }
    };
    if let Some(alpha) = cheaper(node, other, factor) {
        return Ok(vec![alpha]);
    }
    let along = along(factor, of_data, of_weights)?;
    Ok(vec![scale(node, other, &along)?])
}

pub(super) fn gemm_backward(node: NodeRef<'_>, factor: &Factor) -> Changes {
    let trans_b = node.int("transB", 0) != 0;
    let mut changes = vec![match cheaper(node, 1, factor) {
        Some(alpha) => alpha,
        None => scale(node, 1, &along(factor, 0, usize::from(!trans_b))?)?,
    }];
    if node.input(2).is_some() {
        let cannot = !is_constant(node, 2) || !is_alone(node, 2);
        let beta = match factor.scalar() {
            Some(scalar) if cannot => attribute(node, "beta", scalar).ok(),
            _ => None,
        };
        changes.push(match beta {
            Some(beta) => beta,
            None => scale_aligned(node, 2, factor)?,
        });
    }
    Ok(changes)
}

/// Gemm's alpha, where the weights cannot take the factor or would have to be copied.
fn cheaper(node: NodeRef<'_>, weights: usize, factor: &Factor) -> Option<Change> {
    let scalar = factor.scalar()?;
    if is_alone(node, weights) && scale(node, weights, &Along::All(scalar)).is_ok() {
        return None;
    }
    attribute(node, "alpha", scalar).ok()
}

/// An attribute of 32 bits, if its product with the factor is exact.
fn attribute(node: NodeRef<'_>, name: &'static str, by: f64) -> Result<Change, Reason> {
    let old = match node.attribute(name).map(|a| &a.value) {
        None => 1.0,
        Some(AttributeValue::Float(f)) => f64::from(*f),
        Some(_) => {
            let why = format!("Gemm's {name} is not a number");
            return Err(Reason::Computed(why.into()));
        }
    };
    let (product, node) = (old * by, node.id);
    match f64::from(product as f32) == product && product != 0.0 {
        true => Ok(Change::Attribute { node, name, by }),
        false => {
            let why = format!("Gemm's {name} would be rounded");
            Err(Reason::Rounding(why.into()))
        }
    }
}

/// Rows of a table times a factor; the trailing axes of what is gathered are those of the table.
pub(super) fn gather_backward(node: NodeRef<'_>, factor: &Factor) -> Option<Changes> {
    if !is_constant(node, 0) {
        return None;
    }
    let rank = dims(node, 0).map_or(0, |dims| dims.len());
    let first = node.int("axis", 0) == 0;
    Some(match factor.axis {
        Some(axis) if !first || axis + 1 >= rank => {
            let why = "the factor is along the gathered axis";
            Err(Reason::Shape(why.into()))
        }
        _ => scale_aligned(node, 0, factor).map(|change| vec![change]),
    })
}

/// The weights `[directions, gates · hidden, inputs]` of an LSTM, GRU or RNN: the biases and the
/// recurrence are apart.
pub(super) fn recurrent_forward(node: NodeRef<'_>, input: usize, factor: &Factor) -> Changes {
    if input != 0 {
        let why = "a factor of its state does not commute with it";
        return Err(Reason::Operator(why.into()));
    }
    Ok(vec![scale(node, 1, &along(factor, 0, 2)?)?])
}

/// What is quantised comes out times its scale: `(x − zero point) · scale`.
pub(super) fn dequantize_backward(
    context: &Context<'_>,
    node: NodeRef<'_>,
    factor: &Factor,
) -> Changes {
    let long = dims(node, 1).is_some_and(|scale| scale.len() == 1);
    let along = match (factor.scalar(), context.rank(node, 0), factor.axis) {
        (Some(number), ..) => Along::All(number),
        (None, Some(rank), Some(axis)) => {
            let own = axis_of(node.int("axis", 1), rank);
            match rank.checked_sub(axis + 1) {
                Some(axis) if own == Some(axis) && long => Along::Axis(0, factor.elements.clone()),
                _ => {
                    let why = "its scale does not vary along the factor's axis";
                    return Err(Reason::Shape(why.into()));
                }
            }
        }
        _ => return Err(Reason::Unknown("the rank of its data is unknown".into())),
    };
    Ok(vec![scale(node, 1, &along)?])
}
