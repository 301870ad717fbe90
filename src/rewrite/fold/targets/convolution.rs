//! Conv and ConvTranspose, with their groups. Channels are the second axis of the data.

use crate::onnx::NodeId;
use crate::rewrite::fold::factor::Factor;
use crate::rewrite::fold::shapes::int;

use super::{Along, Changes, Refusal, View};

/// Weights `[M, C/group, k..]` of a Conv, `[C, M/group, k..]` of a ConvTranspose.
struct Weights {
    dims: Vec<i64>,
    group: i64,
    transposed: bool,
}

fn weights(view: &View<'_>, id: NodeId) -> Result<Weights, Refusal> {
    let node = view.model.node(id);
    let group = int(node, "group", 1);
    let Some(dims) = view.dims(id, 1) else {
        let computed = "the weights are not constant";
        return Err(match view.is_constant(id, 1) {
            true => view
                .scale(id, 1, &Along::All(1.0))
                .err()
                .unwrap_or_default(),
            false => computed.to_string(),
        });
    };
    let channels = dims.first().copied().unwrap_or(0);
    if dims.len() < 3 || group < 1 || channels % group != 0 {
        return Err(format!(
            "weights of shape {dims:?} do not fit {group} groups"
        ));
    }
    Ok(Weights {
        dims,
        group,
        transposed: node.is("ConvTranspose"),
    })
}

pub(super) fn forward(view: &View<'_>, id: NodeId, input: usize, factor: &Factor) -> Changes {
    if input != 0 {
        return Err("the factor scales the weights input of a convolution".to_string());
    }
    let weights = weights(view, id)?;
    let along = weights.along(view, factor, weights.transposed)?;
    Ok(vec![view.scale(id, 1, &along)?])
}

pub(super) fn backward(view: &View<'_>, id: NodeId, factor: &Factor) -> Changes {
    let weights = weights(view, id)?;
    let along = weights.along(view, factor, !weights.transposed)?;
    let mut changes = vec![view.scale(id, 1, &along)?];
    if view.input(id, 2).is_some() {
        let bias = view.along(factor, weights.dims.len() - 2, 0)?;
        changes.push(view.scale(id, 2, &bias)?);
    }
    Ok(changes)
}

impl Weights {
    /// A factor of channels along the weights; `first`: these channels are the first axis, else
    /// the second, which has those of one group only.
    fn along(&self, view: &View<'_>, factor: &Factor, first: bool) -> Result<Along, Refusal> {
        let channels = self.dims.len() - 2;
        let axis = usize::from(!first);
        if factor.axis != Some(channels) || first || self.group == 1 {
            return view.along(factor, channels, axis);
        }
        if factor.elements.len() as i64 != self.dims[1].saturating_mul(self.group) {
            let (has, wants) = (
                factor.elements.len(),
                self.dims[1].saturating_mul(self.group),
            );
            return Err(format!("{has} factors do not fit {wants} channels"));
        }
        Ok(Along::Pairs(of_group, factor.clone(), self.group))
    }
}

/// The factor of the j-th channel of the group that the i-th index of the first axis is in.
fn of_group(factor: &Factor, dims: &[i64], group: i64, i: usize, j: usize) -> f64 {
    let in_group = (dims[0] / group).max(1) as usize;
    let channel = i / in_group * dims[1] as usize + j;
    factor.elements.get(channel).copied().unwrap_or(1.0)
}
