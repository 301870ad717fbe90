//! What is changed so that a factor can be removed, and how the factor spreads over constants.

use crate::onnx::{NodeId, Use};
use crate::rewrite::Reason;
use crate::semantics::view::{NodeRef, ValueRef};

use super::context::{dequantized, dims, has_own_axis};
use super::factor::{Factor, Spread};
use super::operand::{self, Holder};

/// What is done to a node so that it does what a factor did.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Change {
    /// An input that is a constant is multiplied.
    Weights {
        node: NodeId,
        input: usize,
        holder: Holder,
        spread: Spread,
    },
    /// A float attribute whose default is 1 is multiplied.
    Attribute {
        node: NodeId,
        name: &'static str,
        by: f64,
    },
}

/// The changes of one node, or why it cannot take the factor.
pub(super) type Changes = Result<Vec<Change>, Reason>;

impl Change {
    pub fn node(&self) -> NodeId {
        match self {
            Change::Weights { node, .. } | Change::Attribute { node, .. } => *node,
        }
    }
}

/// How a factor runs along weights.
pub(super) enum Along {
    All(f64),
    /// An axis, counted from the first.
    Axis(usize, Vec<f64>),
    /// The first two axes: a factor of channels in groups.
    Groups(Factor, i64),
}

/// A factor along an axis of weights, which is the axis `from_end` of the data.
pub(super) fn along(factor: &Factor, from_end: usize, axis: usize) -> Result<Along, Reason> {
    match (factor.axis, factor.scalar()) {
        (_, Some(number)) => Ok(Along::All(number)),
        (Some(own), _) if own == from_end => Ok(Along::Axis(axis, factor.elements.clone())),
        _ => Err(Reason::Shape("the factor is along a different axis".into())),
    }
}

/// Multiplies a constant input.
pub(super) fn scale(node: NodeRef<'_>, input: usize, along: &Along) -> Result<Change, Reason> {
    let Some(value) = node.input(input) else {
        let why = format!("{} has no input {input}", node.op_type);
        return Err(Reason::Computed(why.into()));
    };
    let name = &value.get().name;
    let Some(operand) = operand::constant(value)? else {
        return match dequantized(value) {
            Some(dequantize) => scale_the_scale((node, input), value, dequantize, along),
            None => Err(Reason::Computed(format!("`{name}` is not constant").into())),
        };
    };
    if let Some(why) = operand.obstacle() {
        return Err(why);
    }
    let dims = &operand.tensor.dims;
    let spread = match along {
        Along::All(number) => Some(Spread::all(*number)),
        Along::Axis(axis, elements) => Spread::along(dims, *axis, elements),
        Along::Groups(factor, groups) => Spread::groups(dims, factor, *groups),
    };
    let change = |spread| Change::Weights {
        node: node.id,
        input,
        holder: operand.holder,
        spread,
    };
    let why = || format!("the shape {dims:?} of `{name}` does not match the factor");
    spread
        .map(change)
        .ok_or_else(|| Reason::Shape(why().into()))
}

/// Weights that are dequantised: their scale takes the factor.
fn scale_the_scale(
    (user, input): (NodeRef<'_>, usize),
    value: ValueRef<'_>,
    dequantize: NodeRef<'_>,
    along: &Along,
) -> Result<Change, Reason> {
    let name = &value.get().name;
    let only = |at| matches!(at, Use::Input { node, .. } if node == user.id);
    if !value.uses().all(only) {
        let why = format!("`{name}` is quantized and has other readers");
        return Err(Reason::Shared(why.into()));
    }
    let wrong = |why: &str| Reason::Shape(format!("`{name}` is quantized, and {why}").into());
    let along = match along {
        Along::All(number) => Along::All(*number),
        Along::Axis(axis, elements) => {
            let rank = dims(user, input).map_or(0, |dims| dims.len());
            let own = dequantize.int("axis", 1);
            let own = if own < 0 { own + rank as i64 } else { own };
            let scale = dims(dequantize, 1).unwrap_or_default();
            match scale.len() {
                1 if own == *axis as i64 => Along::Axis(0, elements.clone()),
                many if many > 1 && many == rank => Along::Axis(*axis, elements.clone()),
                _ => return Err(wrong("its scale is not along the factor's axis")),
            }
        }
        Along::Groups(..) => return Err(wrong("its groups have several factors")),
    };
    scale(dequantize, 1, &along)
}

/// Multiplies a constant that is broadcast to the data, such as a bias.
pub(super) fn scale_aligned(
    node: NodeRef<'_>,
    input: usize,
    factor: &Factor,
) -> Result<Change, Reason> {
    let along = match (factor.axis, factor.scalar()) {
        (Some(_), _) if has_own_axis(node) => {
            return Err(Reason::Shape("it broadcasts along a new axis".into()));
        }
        (Some(axis), _) => {
            let rank = dims(node, input).map_or(0, |dims| dims.len());
            let axis = rank.checked_sub(axis + 1).ok_or_else(|| {
                let name = node.get().input(input).map(ToString::to_string);
                let name = name.unwrap_or_default();
                Reason::Shape(format!("`{name}` does not vary along the factor's axis").into())
            })?;
            Along::Axis(axis, factor.elements.clone())
        }
        (None, number) => Along::All(number.unwrap_or(1.0)),
    };
    scale(node, input, &along)
}
