//! Normalisations: their scale and bias come last, and take a factor of the output; where the mean is a
//! constant, one of the data as well.

use crate::rewrite::Reason;
use crate::rewrite::fold::change::{Along, Changes, along, scale, scale_aligned};
use crate::rewrite::fold::context::Context;
use crate::rewrite::fold::factor::Factor;
use crate::semantics::view::NodeRef;

/// BatchNormalization and InstanceNormalization: scale and bias by channel, the second axis.
pub(super) fn per_channel(context: &Context<'_>, node: NodeRef<'_>, factor: &Factor) -> Changes {
    let along = channels(context, node, factor)?;
    [1, 2]
        .map(|input| scale(node, input, &along))
        .into_iter()
        .collect()
}

/// Of the data of a BatchNormalization: `s·(f·x − m)/√(v + ε) + b = s·f·(x − m/f)/√(v + ε) + b`. The
/// variance stays, and so does what ε adds to it.
pub(super) fn batch_forward(
    context: &Context<'_>,
    node: NodeRef<'_>,
    input: usize,
    factor: &Factor,
) -> Changes {
    if input != 0 {
        return Err(Reason::Operator("it is not a data input".into()));
    }
    let [along, back] = [factor, &factor.inverse()].map(|factor| channels(context, node, factor));
    Ok(vec![scale(node, 1, &along?)?, scale(node, 3, &back?)?])
}

/// How a factor runs along what there is one of for each channel.
fn channels(context: &Context<'_>, node: NodeRef<'_>, factor: &Factor) -> Result<Along, Reason> {
    if node.op() == "BatchNormalization" {
        let opset = context.view.model.opset(node.graph(), "").unwrap_or(1);
        let trains = match opset {
            ..7 => node.int("is_test", 0) == 0,
            7..14 => node
                .get()
                .outputs
                .iter()
                .skip(1)
                .any(|name| !name.is_empty()),
            _ => node.int("training_mode", 0) != 0,
        };
        if trains {
            let why = "BatchNormalization is in training mode";
            return Err(Reason::Operator(why.into()));
        }
        if node.int("spatial", 1) == 0 && factor.scalar().is_none() {
            let why = "BatchNormalization is not per channel";
            return Err(Reason::Operator(why.into()));
        }
    }
    let channels = match factor.axis {
        None => 0,
        Some(_) => {
            let rank = context.rank(node, 0).filter(|&rank| rank >= 2);
            let unknown = || Reason::Unknown("the rank of its data is unknown".into());
            rank.ok_or_else(unknown)? - 2
        }
    };
    along(factor, channels, 0)
}

/// LayerNormalization and RMSNormalization: scale and bias by element of the last axes.
pub(super) fn per_element(node: NodeRef<'_>, factor: &Factor) -> Changes {
    let mut changes = vec![scale_aligned(node, 1, factor)?];
    if node.input(2).is_some() {
        changes.push(scale_aligned(node, 2, factor)?);
    }
    Ok(changes)
}
