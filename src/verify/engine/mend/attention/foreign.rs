//! Attention of ONNX Runtime.

use super::{Heads, after, causal, hiding, joined, split, steps_of};
use crate::onnx::Name;
use crate::verify::engine::patch::{Patch, int};
use crate::verify::engine::site::Site;

/// `Attention` of ONNX Runtime: data, weights, bias, mask, past, bias of the products.
pub(super) fn is_plain(site: &Site<'_>) -> bool {
    site.int("do_rotary", 0) == 0
        && !site.has(6)
        && (!site.has(3) || matches!(site.rank(3), Some(1..=3)))
}

pub(super) fn packed(mut patch: Patch<'_, '_>) {
    let heads = patch.int("num_heads", 1);
    let mut projected = patch.op("MatMul", [&patch.input(0), &patch.input(1)]);
    if patch.has(2) {
        projected = patch.op("Add", [&projected, &patch.input(2)]);
    }
    let parts: Vec<Name> = (0..3).map(|_| patch.fresh()).collect();
    let sizes = patch.ints("qkv_hidden_sizes").map(<[i64]>::to_vec);
    let sizes = sizes.filter(|sizes| sizes.len() == 3);
    patch.split(&projected, parts.clone(), sizes);
    let [query, key, value] = [0, 1, 2].map(|part| split(&mut patch, &parts[part], heads));
    let past = patch.input(4);
    let [key, value] = [(0, key), (1, value)].map(|(part, new)| match past.is_empty() {
        true => new,
        false => {
            let part = patch.integer(part);
            let part = patch.op_with("Gather", [&past, &part], vec![int("axis", 0)]);
            patch.concat(&[&part, &new], 2)
        }
    });
    if patch.node.output(1).is_some() {
        let both = [&key, &value].map(|each| patch.unsqueeze(each, &[0]));
        let both = patch.concat(&[&both[0], &both[1]], 0);
        patch.give(1, &both);
    }
    let offset = steps_of(&mut patch, &past, 3);
    let biases = added(&mut patch, [&query, &key], &offset, [3, 5]);
    attended(patch, [query, key, value], biases);
}

fn attended(mut patch: Patch<'_, '_>, [query, key, value]: [Name; 3], biases: Vec<Name>) {
    let heads = Heads {
        query,
        key,
        value,
        biases,
        softcap: 0.0,
    };
    let (result, _) = heads.attend(&mut patch);
    let result = joined(&mut patch, &result);
    patch.give(0, &result);
}

/// What ONNX Runtime adds to the products: a mask of integers (lengths of keys, or which key is seen by all, or
/// by each query), the order of the steps, and a bias. `inputs` are those of the mask and the bias.
fn added(
    patch: &mut Patch<'_, '_>,
    [query, key]: [&Name; 2],
    offset: &Name,
    inputs: [usize; 2],
) -> Vec<Name> {
    let hidden = f64::from(patch.float("mask_filter_value", -10_000.0));
    let [mask, bias] = inputs.map(|input| patch.input(input));
    let mut biases = Vec::new();
    if !mask.is_empty() {
        let mask = patch.int64(&mask);
        let seen = match patch.rank(inputs[0]) {
            Some(1) => {
                let places = patch.size(key, 2);
                let places = patch.count(&places);
                let lengths = patch.reshape(&mask, &[-1, 1, 1, 1]);
                patch.op("Less", [&places, &lengths])
            }
            rank => {
                let zero = patch.integer(0);
                let seen = patch.op("Less", [&zero, &mask]);
                let axes: &[i64] = if rank == Some(3) { &[1] } else { &[1, 2] };
                patch.unsqueeze(&seen, axes)
            }
        };
        biases.push(hiding(patch, &seen, hidden));
    }
    if patch.int("unidirectional", 0) != 0 {
        biases.push(causal(patch, [query, key], offset, hidden));
    }
    biases.extend((!bias.is_empty()).then_some(bias));
    biases
}

/// `MultiHeadAttention` with queries, keys and values of their own: query, key, value, bias, mask of the keys,
/// bias of the products, past keys and values.
pub(super) fn is_separate(site: &Site<'_>) -> bool {
    let are_flat = site.rank(0) == Some(3) && site.rank(1) == site.rank(2);
    are_flat && matches!(site.rank(1), Some(3 | 4)) && !site.has(8) && !site.has(9)
}

pub(super) fn multi_head(mut patch: Patch<'_, '_>) {
    let heads = patch.int("num_heads", 1);
    let mut inputs = [0, 1, 2].map(|input| patch.input(input));
    if patch.has(3) {
        let mut from = patch.integers(&[0]);
        for (input, value) in inputs.iter_mut().enumerate() {
            let place = if input == 2 { 2 } else { 0 };
            let size = patch.size(&patch.input(place), -1);
            let to = patch.op("Add", [&from, &size]);
            if patch.rank(input) == Some(3) {
                let part = patch.op("Slice", [&patch.input(3), &from, &to]);
                *value = patch.op("Add", [&*value, &part]);
            }
            from = to;
        }
    }
    let [query, key, value] = [0, 1, 2].map(|input| match patch.rank(input) {
        Some(4) => inputs[input].clone(),
        _ => split(&mut patch, &inputs[input], heads),
    });
    let [key, value] = [(6, key), (7, value)].map(|(past, new)| after(&mut patch, past, &new));
    patch.give(1, &key);
    patch.give(2, &value);
    let past = patch.input(6);
    let offset = steps_of(&mut patch, &past, 2);
    let biases = added(&mut patch, [&query, &key], &offset, [4, 5]);
    attended(patch, [query, key, value], biases);
}
