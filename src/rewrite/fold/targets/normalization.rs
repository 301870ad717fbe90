//! Normalisations: their scale and bias come last, and take a factor of the output.

use crate::onnx::NodeId;
use crate::rewrite::fold::factor::Factor;
use crate::rewrite::fold::shapes::int;

use super::{Changes, View};

/// BatchNormalization and InstanceNormalization: scale and bias by channel, the second axis.
pub(super) fn per_channel(view: &View<'_>, id: NodeId, factor: &Factor) -> Changes {
    let node = view.model.node(id);
    if node.is("BatchNormalization") {
        let opset = view.model.opset(id.graph, "").unwrap_or(1);
        let trains = match opset {
            ..7 => int(node, "is_test", 0) == 0,
            7..14 => node.outputs.iter().skip(1).any(|name| !name.is_empty()),
            _ => int(node, "training_mode", 0) != 0,
        };
        if trains {
            return Err("BatchNormalization is in training".to_string());
        }
        if int(node, "spatial", 1) == 0 && factor.scalar().is_none() {
            return Err("BatchNormalization is not by channel".to_string());
        }
    }
    let channels = match factor.axis {
        None => 0,
        Some(_) => {
            let output = view.values.output(view.model, id, 0);
            let rank = output.and_then(|output| view.shapes.rank(output));
            let rank = rank.filter(|&rank| rank >= 2);
            rank.ok_or("the rank of its output is not known")? - 2
        }
    };
    let along = view.along(factor, channels, 0)?;
    let both = [1, 2]
        .into_iter()
        .map(|input| view.scale(id, input, &along));
    both.collect()
}

/// LayerNormalization and RMSNormalization: scale and bias by element of the last axes.
pub(super) fn per_element(view: &View<'_>, id: NodeId, factor: &Factor) -> Changes {
    let mut changes = vec![view.scale_aligned(id, 1, factor)?];
    if view.input(id, 2).is_some() {
        changes.push(view.scale_aligned(id, 2, factor)?);
    }
    Ok(changes)
}
