//! Recurrent layers that tract reads wrongly: run backwards alone, or in half precision.

use super::Repair;
use crate::onnx::{DataType, Name, Node};
use crate::verify::engine::patch::{Patch, int, text};
use crate::verify::engine::site::Site;

pub(super) const ALL: &[Repair] = &[
    Repair::of("LSTM", needs, recurrent),
    Repair::of("GRU", needs, recurrent),
    Repair::of("RNN", needs, recurrent),
];

/// tract runs a single direction forwards whatever it is, and starts with a state of single precision.
fn needs(site: &Site) -> bool {
    is_backward(site) || is_half(site)
}

fn is_backward(site: &Site) -> bool {
    site.text("direction") == "reverse" && !site.has(4)
}

fn is_half(site: &Site) -> bool {
    site.element(0) == Some(DataType::FLOAT16)
}

fn recurrent(mut patch: Patch<'_, '_>) {
    let [is_backward, is_half] = [is_backward(&patch), is_half(&patch)];
    let time = patch.int("layout", 0);
    let mut inputs: Vec<Name> = patch.node.inputs.to_vec();
    if is_half {
        for (at, input) in inputs.iter_mut().enumerate() {
            if !input.is_empty() && at != 4 {
                *input = patch.cast(input, DataType::FLOAT);
            }
        }
    }
    let mut attributes = patch.node.attributes.clone();
    if is_backward {
        inputs[0] = backwards(&mut patch, &inputs[0].clone(), time);
        attributes.retain(|attribute| attribute.name != "direction");
        attributes.push(text("direction", "forward"));
    }
    let outputs: Vec<Name> = patch.node.outputs.iter().cloned().collect();
    let fresh = outputs.iter().map(|output| match output.is_empty() {
        true => Name::default(),
        false => patch.fresh(),
    });
    let fresh: Vec<Name> = fresh.collect();
    let op_type = patch.node.op_type.to_string();
    let node = Node::new(&op_type).on(inputs);
    let node = Node { attributes, ..node };
    patch.put_as(fresh.clone(), node);
    for (output, value) in fresh
        .into_iter()
        .enumerate()
        .filter(|(_, value)| !value.is_empty())
    {
        let mut value = value;
        if is_backward && output == 0 {
            value = backwards(&mut patch, &value, time);
        }
        if is_half {
            value = patch.cast(&value, DataType::FLOAT16);
        }
        patch.give(output, &value);
    }
}

/// In the order from the last step to the first.
fn backwards(patch: &mut Patch<'_, '_>, value: &Name, time: i64) -> Name {
    let steps = patch.size(value, time);
    let steps = patch.int64(&steps);
    let places = patch.count(&steps);
    let one = patch.integer(1);
    let last = patch.op("Sub", [&steps, &one]);
    let places = patch.op("Sub", [&last, &places]);
    patch.op_with("Gather", [value, &places], vec![int("axis", time)])
}
