//! Conv and ConvTranspose, with their groups. Channels are the second axis of the data.

use crate::rewrite::Reason;
use crate::rewrite::fold::change::{Along, Changes, along, scale};
use crate::rewrite::fold::context::{dims, is_constant};
use crate::rewrite::fold::factor::Factor;
use crate::semantics::view::NodeRef;

/// Weights `[M, C/group, k..]` of a Conv, `[C, M/group, k..]` of a ConvTranspose.
struct Weights {
    dims: Vec<i64>,
    group: i64,
    transposed: bool,
}

fn weights(node: NodeRef<'_>) -> Result<Weights, Reason> {
    let group = node.int("group", 1);
    let Some(dims) = dims(node, 1) else {
        let computed = || Reason::Computed("the weights are not constant".into());
        let obstacle = scale(node, 1, &Along::All(1.0)).err();
        return Err(obstacle
            .filter(|_| is_constant(node, 1))
            .unwrap_or_else(computed));
    };
    let channels = dims.first().copied().unwrap_or(0);
    if dims.len() < 3 || group < 1 || channels % group != 0 {
        let why = format!("weights of shape {dims:?} do not fit {group} groups");
        return Err(Reason::Shape(why.into()));
    }
    Ok(Weights {
        dims,
        group,
        transposed: node.op() == "ConvTranspose",
    })
}

pub(super) fn forward(node: NodeRef<'_>, input: usize, factor: &Factor) -> Changes {
    if input != 0 {
        let why = "the factor scales the weights input of a convolution";
        return Err(Reason::Operator(why.into()));
    }
    let weights = weights(node)?;
    let along = weights.along(factor, weights.transposed)?;
    Ok(vec![scale(node, 1, &along)?])
}

pub(super) fn backward(node: NodeRef<'_>, factor: &Factor) -> Changes {
    let weights = weights(node)?;
    let own = weights.along(factor, !weights.transposed)?;
    let mut changes = vec![scale(node, 1, &own)?];
    if node.input(2).is_some() {
        let bias = along(factor, weights.dims.len() - 2, 0)?;
        changes.push(scale(node, 2, &bias)?);
    }
    Ok(changes)
}

impl Weights {
    /// A factor of channels along the weights; `first`: these channels are the first axis, else
    /// the second, which has those of one group only.
    fn along(&self, factor: &Factor, first: bool) -> Result<Along, Reason> {
        let channels = self.dims.len() - 2;
        if factor.axis != Some(channels) || first || self.group == 1 {
            return along(factor, channels, usize::from(!first));
        }
        let wanted = self.dims[1].saturating_mul(self.group);
        if factor.elements.len() as i64 != wanted {
            let has = factor.elements.len();
            let why = format!("{has} factors do not fit {wanted} channels");
            return Err(Reason::Shape(why.into()));
        }
        Ok(Along::Groups(factor.clone(), self.group))
    }
}
