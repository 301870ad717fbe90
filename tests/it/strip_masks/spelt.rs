//! Every spelling of a mask, in every use.

use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::common::build::{model, op};
use crate::common::masks::{MASKS, USES, numbers, spelt};
use crate::common::proto::{Graph, Model};
use crate::common::stripped::strips;

/// A graph from x to y, put between a Relu and a Tanh, so that its ends are no interface;
/// without the initializers that it does not use.
pub fn between(mut graph: Graph) -> Graph {
    for node in &mut graph.node {
        let names = node.input.iter_mut().chain(&mut node.output);
        names.for_each(|name| match &name[..] {
            "x" => *name = "hidden".into(),
            "y" => *name = "out".into(),
            _ => {}
        });
    }
    let used = |name: &str| graph.node.iter().flat_map(|n| &n.input).any(|i| i == name);
    graph.initializer.retain(|tensor| used(tensor.name()));
    graph.node.insert(0, op("hidden = Relu(x)"));
    graph.node.push(op("y = Tanh(out)"));
    graph
}

/// A model with a mask of this rate between a Relu and a Tanh.
pub fn inside(opset: i64, rate: f64, text: &str) -> Model {
    model(opset, between(spelt(text, &numbers(rate))))
}

/// What is left of the nodes of [`inside`] and a use: nothing, or what the data itself passes.
fn left(how: &str) -> &'static [&'static str] {
    match how {
        "Transpose between" => &[
            "hidden = Relu(x)",
            "t = Transpose(hidden)",
            "out = Transpose(t)",
            "y = Tanh(out)",
        ],
        _ => &["hidden = Relu(x)", "y = Tanh(hidden)"],
    }
}

/// Strips them all and says which go wrong.
#[track_caller]
fn check(cases: impl IntoIterator<Item = (String, Model, &'static [&'static str])>) {
    let mut wrong = Vec::new();
    let mut count = 0;
    for (name, model, left) in cases {
        count += 1;
        let stripping = || {
            strips(&model)
                .draws_nothing()
                .leaves(left)
                .keeps_initializers(&[])
                .keeps_identity_for(&[])
                .scales(&[])
        };
        if catch_unwind(AssertUnwindSafe(stripping)).is_err() {
            wrong.push(name);
        }
    }
    assert!(count > 0);
    assert!(wrong.is_empty(), "{} of {count}: {wrong:#?}", wrong.len());
}

/// A mask k that is drawn, for [`inside`].
pub const DRAWN: &str = "r = RandomUniformLike(x)\nb = GreaterOrEqual(r, p)\nk = Cast(b)\n";

#[test]
fn every_mask_in_every_use_leaves_nothing() {
    check([0.3, 0.5].into_iter().flat_map(|rate| {
        MASKS.iter().flat_map(move |(mask, made)| {
            USES.iter().map(move |(how, used)| {
                let text = format!("r = RandomUniformLike(x)\n{made}\n{used}");
                let name = format!("{mask}, {how}, {rate}");
                (name, inside(15, rate, &text), left(how))
            })
        })
    }));
}

#[test]
fn bernoulli_in_every_use_leaves_nothing() {
    check(USES.iter().map(|(how, used)| {
        let text = format!("sh = Shape(x)\nkeeps = Expand(keep, sh)\nk = Bernoulli(keeps)\n{used}");
        (how.to_string(), inside(15, 0.25, &text), left(how))
    }));
}
