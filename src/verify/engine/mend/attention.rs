//! Attention of ONNX and of ONNX Runtime, as products of matrices.

use super::Repair;
use crate::onnx::{DataType, Name};
use crate::verify::engine::patch::{Patch, int};
use crate::verify::engine::site::Site;

pub(super) const ALL: &[Repair] = &[
    Repair::of("Attention", needs, attention),
    Repair::foreign("Attention", is_plain, packed),
    Repair::foreign("MultiHeadAttention", is_separate, multi_head),
];

/// Queries, keys and values as `[batch, heads, steps, size]`, and what is added to their products.
struct Heads {
    query: Name,
    key: Name,
    value: Name,
    /// Broadcast to `[batch, heads, queries, keys]`.
    biases: Vec<Name>,
    softcap: f32,
}

/// Stages of the product of queries and keys.
struct Scores {
    raw: Name,
    capped: Name,
    biased: Name,
    weights: Name,
}

impl Heads {
    fn attend(self, patch: &mut Patch<'_, '_>) -> (Name, Scores) {
        let scale = patch.float("scale", 0.0);
        let scale = match scale == 0.0 {
            false => patch.number(0, scale.into()),
            true => {
                let size = patch.size(&self.query, 3);
                let size = patch.op("CastLike", [&size, &self.query]);
                let root = patch.op("Sqrt", [&size]);
                patch.op("Reciprocal", [&root])
            }
        };
        let query = patch.op("Mul", [&self.query, &scale]);
        let key = patch.transpose(&self.key, &[0, 1, 3, 2]);
        let raw = patch.op("MatMul", [&query, &key]);
        let mut capped = raw.clone();
        if self.softcap != 0.0 {
            let cap = patch.number(0, self.softcap.into());
            capped = patch.op("Div", [&capped, &cap]);
            capped = patch.op("Tanh", [&capped]);
            capped = patch.op("Mul", [&capped, &cap]);
        }
        let mut biased = capped.clone();
        for bias in &self.biases {
            biased = patch.op("Add", [&biased, bias]);
        }
        let weights = patch.op_with("Softmax", [&biased], vec![int("axis", -1)]);
        let result = patch.op("MatMul", [&weights, &self.value]);
        let scores = Scores {
            raw,
            capped,
            biased,
            weights,
        };
        (result, scores)
    }
}

/// `[batch, steps, heads · size]` as `[batch, heads, steps, size]`.
fn split(patch: &mut Patch<'_, '_>, value: &Name, heads: i64) -> Name {
    let value = patch.reshape(value, &[0, 0, heads, -1]);
    patch.transpose(&value, &[0, 2, 1, 3])
}

/// The way back.
fn joined(patch: &mut Patch<'_, '_>, value: &Name) -> Name {
    let value = patch.transpose(value, &[0, 2, 1, 3]);
    patch.reshape(&value, &[0, 0, -1])
}

/// Zero where a condition holds, and else a number that hides what it is added to.
fn hiding(patch: &mut Patch<'_, '_>, seen: &Name, hidden: f64) -> Name {
    let (zero, hidden) = (patch.number(0, 0.0), patch.number(0, hidden));
    patch.op("Where", [seen, &zero, &hidden])
}

/// Hides the keys after each query, which follows a number of earlier keys.
fn causal(patch: &mut Patch<'_, '_>, [query, key]: [&Name; 2], offset: &Name, hidden: f64) -> Name {
    let [rows, columns] = [query, key].map(|value| {
        let steps = patch.size(value, 2);
        let steps = patch.int64(&steps);
        patch.count(&steps)
    });
    let rows = patch.reshape(&rows, &[-1, 1]);
    let rows = patch.op("Add", [&rows, offset]);
    let is_later = patch.op("Less", [&rows, &columns]);
    let seen = patch.op("Not", [&is_later]);
    hiding(patch, &seen, hidden)
}

/// Past and present along the steps.
fn after(patch: &mut Patch<'_, '_>, past: usize, present: &Name) -> Name {
    match patch.input(past) {
        past if past.is_empty() => present.clone(),
        past => patch.concat(&[&past, present], 2),
    }
}

/// The number of steps in the past.
fn steps_of(patch: &mut Patch<'_, '_>, past: &Name, axis: i64) -> Name {
    match past.is_empty() {
        true => patch.integers(&[0]),
        false => {
            let steps = patch.size(past, axis);
            patch.int64(&steps)
        }
    }
}

/// What tract refuses or reads otherwise: a mask of booleans, a past, a cap, products as an output, lengths.
fn needs(site: &Site) -> bool {
    let is_boolean = site.element(3) == Some(DataType::BOOL);
    let has_more = (4..7).any(|input| site.has(input)) || site.node.output(3).is_some();
    let is_known = site.rank(0).is_some();
    is_known && (is_boolean || has_more || site.float("softcap", 0.0) != 0.0)
}

fn attention(mut patch: Patch<'_, '_>) {
    let is_flat = patch.rank(0) == Some(3);
    let named = [("q_num_heads", 0), ("kv_num_heads", 1), ("kv_num_heads", 2)];
    let [query, key, value] = named.map(|(heads, input)| {
        let (value, heads) = (patch.input(input), patch.int(heads, 1));
        match is_flat {
            true => split(&mut patch, &value, heads),
            false => value,
        }
    });
    let [key, value] = [(4, key), (5, value)].map(|(past, new)| after(&mut patch, past, &new));
    let [present_key, present_value] = [key.clone(), value.clone()];
    let [key, value] = [&key, &value].map(|each| grouped(&mut patch, each, &query));
    let heads = Heads {
        biases: biases(&mut patch, &query, &key),
        query,
        key,
        value,
        softcap: patch.float("softcap", 0.0),
    };
    let mode = patch.int("qk_matmul_output_mode", 0);
    let (result, scores) = heads.attend(&mut patch);
    let result = match is_flat {
        true => joined(&mut patch, &result),
        false => result,
    };
    let scores = match mode {
        0 => scores.raw,
        1 => scores.capped,
        2 => scores.biased,
        _ => scores.weights,
    };
    let outputs = [&result, &present_key, &present_value, &scores];
    for (output, value) in outputs.into_iter().enumerate() {
        patch.give(output, value);
    }
}

/// Keys or values for groups of queries: each head as often as there are queries for it.
fn grouped(patch: &mut Patch<'_, '_>, value: &Name, query: &Name) -> Name {
    let [all, own] = [query, value].map(|each| patch.size(each, 1));
    let [batch, steps, size] = [0, 2, 3].map(|axis| patch.size(value, axis));
    let times = patch.op("Div", [&all, &own]);
    let shape = patch.concat(&[&batch, &own, &times, &steps, &size], 0);
    let value = patch.unsqueeze(value, &[2]);
    let value = patch.op("Expand", [&value, &shape]);
    let shape = patch.concat(&[&batch, &all, &steps, &size], 0);
    patch.op("Reshape", [&value, &shape])
}

/// The mask, the order of the steps, and the lengths of the keys.
fn biases(patch: &mut Patch<'_, '_>, query: &Name, key: &Name) -> Vec<Name> {
    let hidden = f64::NEG_INFINITY;
    let mut biases = Vec::new();
    if patch.has(3) {
        let mask = patch.input(3);
        biases.push(match patch.element(3) == Some(DataType::BOOL) {
            true => hiding(patch, &mask, hidden),
            false => mask,
        });
    }
    let lengths = patch.input(6);
    if patch.int("is_causal", 0) != 0 {
        let offset = match lengths.is_empty() {
            true => {
                let past = patch.input(4);
                steps_of(patch, &past, 2)
            }
            false => {
                let queries = patch.size(query, 2);
                let queries = patch.int64(&queries);
                let offset = patch.op("Sub", [&lengths, &queries]);
                patch.reshape(&offset, &[-1, 1, 1, 1])
            }
        };
        biases.push(causal(patch, [query, key], &offset, hidden));
    }
    if !lengths.is_empty() {
        let places = patch.size(key, 2);
        let places = patch.count(&places);
        let lengths = patch.reshape(&lengths, &[-1, 1, 1, 1]);
        let seen = patch.op("Less", [&places, &lengths]);
        biases.push(hiding(patch, &seen, hidden));
    }
    biases
}

/// `Attention` of ONNX Runtime: data, weights, bias, mask, past, bias of the products.
fn is_plain(site: &Site) -> bool {
    site.int("do_rotary", 0) == 0
        && !site.has(6)
        && (!site.has(3) || matches!(site.rank(3), Some(1..=3)))
}

fn packed(mut patch: Patch<'_, '_>) {
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
fn is_separate(site: &Site) -> bool {
    let are_flat = site.rank(0) == Some(3) && site.rank(1) == site.rank(2);
    are_flat && matches!(site.rank(1), Some(3 | 4)) && !site.has(8) && !site.has(9)
}

fn multi_head(mut patch: Patch<'_, '_>) {
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
