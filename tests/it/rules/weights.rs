//! Rules about weights that a dropout was folded into.

use dropout_onnx::audit::{Finding, ModelAudit, Selection};

use super::{fires, silent};
use crate::common::build::{f32s, model, op, x_to_y};
use crate::common::proto::Model;

/// Numbers without an order.
fn number(index: u32) -> f32 {
    let mut z = u64::from(index).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    ((z ^ (z >> 31)) % 20_001) as f32 / 10_000.0 - 1.0
}

/// A product by a weight of this name, whose elements are kept or not.
fn weighted(name: &str, keep: impl Fn(u32, f32) -> bool) -> Model {
    let elements: Vec<f32> = (0..16 * 32)
        .map(|index| match keep(index, number(index)) {
            true => number(index),
            false => 0.0,
        })
        .collect();
    let nodes = [op(&format!("y = MatMul(x, {name})")).named("fc")];
    let graph = x_to_y(nodes).init(name, f32s(&[16, 32], &elements));
    model(17, graph)
}

fn read(model: &Model) -> Vec<Finding> {
    let rules = Selection::default().read_weights(true);
    let audit = ModelAudit::with("model.onnx", &model.read(), &rules);
    audit.expect("an audit").findings
}

fn at_random(index: u32, _: f32) -> bool {
    number(index + 10_000) > -0.4
}

#[test]
fn zeroed_weight() {
    let zeroed = weighted("w", at_random);
    let messages: Vec<String> = read(&zeroed)
        .into_iter()
        .map(|found| found.message)
        .collect();
    let [message] = &messages[..] else {
        panic!("{messages:?}");
    };
    let zeros = message
        .strip_prefix("graph: MatMul `fc`: ")
        .expect("the place");
    let (percent, what) = zeros.split_once(" % ").expect("a share");
    assert!(
        (25..35).contains(&percent.parse::<u32>().expect("a number")),
        "{message}"
    );
    assert_eq!(
        what,
        "of its weight `w` are exact zeros at random places; dropout was probably folded into it"
    );
    // weights are only read if asked for
    silent("zeroed-weight", &zeroed);

    let small = |_: u32, number: f32| number.abs() > 0.3;
    assert!(read(&weighted("w", small)).is_empty(), "pruned by size");
    let columns = |index: u32, _: f32| number(index % 32) > -0.4;
    assert!(read(&weighted("w", columns)).is_empty(), "pruned columns");
    assert!(read(&weighted("w", |_, _| true)).is_empty());
}

#[test]
fn folded_weight() {
    let what = |name: &str| {
        format!(
            "its weight `{name}` has the name of a result, which may be that of a dropout; check it \
             with --read-weights"
        )
    };
    for name in ["getitem", "getitem_2"] {
        let named = weighted(name, |_, _| true);
        fires("folded-weight", &named, &what(name));
        // the weight tells more
        assert!(read(&named).is_empty());
    }
    silent("folded-weight", &weighted("fc.weight", at_random));
    silent("folded-weight", &weighted("getitem_weight", at_random));
    silent("folded-weight", &weighted("getitem_2_bias", at_random));
}
