//! Normalisations: their scale and bias come last, and take a factor of the output; where the mean is a
//! constant, one of the data as well.

use crate::onnx::NodeId;
use crate::rewrite::fold::factor::Factor;
use crate::rewrite::fold::shapes::int;

use super::{Along, Changes, Refusal, View};

/// BatchNormalization and InstanceNormalization: scale and bias by channel, the second axis.
pub(super) fn per_channel(view: &View<'_>, id: NodeId, factor: &Factor) -> Changes {
    let along = channels(view, id, factor)?;
    [1, 2]
        .map(|input| view.scale(id, input, &along))
        .into_iter()
        .collect()
}

/// Of the data of a BatchNormalization: `s·(f·x − m)/√(v + ε) + b = s·f·(x − m/f)/√(v + ε) + b`. The
/// variance stays, and so does what ε adds to it.
pub(super) fn batch_forward(view: &View<'_>, id: NodeId, input: usize, factor: &Factor) -> Changes {
    if input != 0 {
        return Err("it is not a data input".to_string());
    }
    let [along, back] = [factor, &factor.inverse()].map(|factor| channels(view, id, factor));
    Ok(vec![
        view.scale(id, 1, &along?)?,
        view.scale(id, 3, &back?)?,
    ])
}

/// How a factor runs along what there is one of for each channel.
fn channels(view: &View<'_>, id: NodeId, factor: &Factor) -> Result<Along, Refusal> {
    let node = view.model.node(id);
    if node.is("BatchNormalization") {
        let opset = view.model.opset(id.graph, "").unwrap_or(1);
        let trains = match opset {
            ..7 => int(node, "is_test", 0) == 0,
            7..14 => node.outputs.iter().skip(1).any(|name| !name.is_empty()),
            _ => int(node, "training_mode", 0) != 0,
        };
        if trains {
            return Err("BatchNormalization is in training mode".to_string());
        }
        if int(node, "spatial", 1) == 0 && factor.scalar().is_none() {
            return Err("BatchNormalization is not per channel".to_string());
        }
    }
    let channels = match factor.axis {
        None => 0,
        Some(_) => {
            let data = view.input(id, 0).and_then(|data| view.shapes.rank(data));
            let rank = data.filter(|&rank| rank >= 2);
            rank.ok_or("the rank of its data is unknown")? - 2
        }
    };
    view.along(factor, channels, 0)
}

/// LayerNormalization and RMSNormalization: scale and bias by element of the last axes.
pub(super) fn per_element(view: &View<'_>, id: NodeId, factor: &Factor) -> Changes {
    let mut changes = vec![view.scale_aligned(id, 1, factor)?];
    if view.input(id, 2).is_some() {
        changes.push(view.scale_aligned(id, 2, factor)?);
    }
    Ok(changes)
}
