//! Attention as products of matrices.

use super::Repair;
use super::site::Site;

pub(super) const ALL: &[Repair] = &[
    Repair::of("Attention", is_beyond_tract, ATTENTION),
    Repair::made("Attention", is_packed, |_| format!("{PACKED}{WEIGHED}")).foreign(),
    Repair::made("MultiHeadAttention", is_separate, |_| {
        format!("{SEPARATE}{WEIGHED}")
    })
    .foreign(),
];

/// What tract refuses or reads otherwise: a mask of booleans, a past, a cap, products as an output, lengths.
fn is_beyond_tract(site: &Site<'_>) -> bool {
    let is_boolean = site.element(3) == Some(crate::onnx::DataType::BOOL);
    let has_more = (4..7).any(|input| site.has(input)) || site.node.output(3).is_some();
    let is_known = site.rank(0).is_some();
    is_known && (is_boolean || has_more || site.float("softcap", 0.0) != 0.0)
}

const ATTENTION: &str = "
    query key value mask past_key past_value lengths => y present_key present_value scores
    if query.rank=3: query = heads(query, [0, 0, @q_num_heads, -1])
    if query.rank=3: key = heads(key, [0, 0, @kv_num_heads, -1])
    if query.rank=3: value = heads(value, [0, 0, @kv_num_heads, -1])
    present_key = Concat(past_key?, key){axis=2}
    present_value = Concat(past_value?, value){axis=2}
    key = grouped(present_key, query)
    scale = unit(query)
    if scale: scale = @scale=1
    raw = MatMul(Mul(query, scale), Transpose(key){perm=[0, 1, 3, 2]})
    capped = raw
    if softcap: capped = Mul(Tanh(Div(raw, @softcap=1)), @softcap=1)
    past = [0]
    if past_key: past = size(past_key, [2])
    if lengths: past = Reshape(Sub(CastLike(lengths, 0i), size(query, [2])), [-1, 1, 1, 1])
    if mask.type=bool: mask = Where(mask, 0, -inf)
    biased = Add(capped, mask?)
    if is_causal: biased = Add(biased, Where(later(query, key, past), -inf, 0))
    if lengths: biased = Add(biased, Where(shown(lengths, key), 0, -inf))
    scores = Softmax(biased){axis=-1}
    y = MatMul(scores, grouped(present_value, query))
    if query.rank=3: y = joined(y)
    if qk_matmul_output_mode=0: scores = raw
    if qk_matmul_output_mode=1: scores = capped
    if qk_matmul_output_mode=2: scores = biased
";

/// `Attention` of ONNX Runtime.
fn is_packed(site: &Site<'_>) -> bool {
    site.int("do_rotary", 0) == 0 && !site.has(6) && has_mask_of_rank(site, 3)
}

const PACKED: &str = "
    data weights bias mask past scores => y present
    all = Add(MatMul(data, weights), bias?)
    if qkv_hidden_sizes: query, key, value = Split(all, @qkv_hidden_sizes){axis=-1}
    if !qkv_hidden_sizes: query, key, value = Split(all){axis=-1}
    query = heads(query, [0, 0, @num_heads, -1])
    key = heads(key, [0, 0, @num_heads, -1])
    value = heads(value, [0, 0, @num_heads, -1])
    if past: key = Concat(Gather(past, 0i), key){axis=2}
    if past: value = Concat(Gather(past, 1i), value){axis=2}
    if present: present = Concat(Unsqueeze(key, [0]), Unsqueeze(value, [0])){axis=0}
    steps = [0]
    if past: steps = size(past, [3])
";

/// `MultiHeadAttention` with queries, keys and values of their own.
fn is_separate(site: &Site<'_>) -> bool {
    let are_flat = site.rank(0) == Some(3) && site.rank(1) == site.rank(2);
    let is_known = are_flat && matches!(site.rank(1), Some(3 | 4));
    is_known && !site.has(8) && !site.has(9) && has_mask_of_rank(site, 4)
}

const SEPARATE: &str = "
    query key value bias mask scores past_key past_value => y present_key present_value
    if bias: one = size(query, [-1])
    if bias: query = Add(query, Gather(bias, count(one)))
    if bias, key.rank=3: key = Add(key, Gather(bias, Add(count(one), one)))
    if bias, value.rank=3: value = Add(value, Gather(bias, Add(count(size(value, [-1])), Add(one, one))))
    query = heads(query, [0, 0, @num_heads, -1])
    if key.rank=3: key = heads(key, [0, 0, @num_heads, -1])
    if value.rank=3: value = heads(value, [0, 0, @num_heads, -1])
    key = Concat(past_key?, key){axis=2}
    value = Concat(past_value?, value){axis=2}
    present_key = key
    present_value = value
    steps = [0]
    if past_key: steps = size(past_key, [2])
";

/// What ONNX Runtime adds to the products: a mask of integers (lengths of keys, or which key is seen by all, or
/// by each query), the order of the steps, and a bias.
const WEIGHED: &str = "
    scale = unit(query)
    if scale: scale = @scale=1
    products = MatMul(Mul(query, scale), Transpose(key){perm=[0, 1, 3, 2]})
    if mask.rank=1: seen = shown(mask, key)
    if mask.rank=2: seen = Unsqueeze(Less(0i, CastLike(mask, 0i)), [1, 2])
    if mask.rank=3: seen = Unsqueeze(Less(0i, CastLike(mask, 0i)), [1])
    if mask: products = Add(products, Where(seen, 0, @mask_filter_value=-10000))
    if unidirectional: products = Add(products, Where(later(query, key, steps), @mask_filter_value=-10000, 0))
    products = Add(products, scores?)
    y = joined(MatMul(Softmax(products){axis=-1}, value))
";

fn has_mask_of_rank(site: &Site<'_>, input: usize) -> bool {
    !site.has(input) || matches!(site.rank(input), Some(1..=3))
}
