//! Bytes that are no model, and models that are none any more: an answer, never a panic.

use dropout_onnx::source::Source;
use dropout_onnx::verify::engine::{Meaning, Stop};

use super::load;
use super::models::*;

/// A model with a little of everything, an If and a function included.
fn sample() -> Model {
    let branch = |operator: &str| {
        graph("branch")
            .with_node(node(operator, &["h"], &["inner"]).named("in"))
            .with_output("inner", FLOAT, &[Sym("n"), Fix(2)])
    };
    let body = vec![
        node("Dropout", &["a", "", "t"], &["b"]),
        node("Constant", &[], &["t"]).tensor("value", boolean("", true)),
    ];
    model(13)
        .input("x", FLOAT, &[Sym("n"), Fix(2)])
        .init(floats("w", &[2, 2], &[0.5, -1.0, 2.0, 0.25]))
        .init(boolean("c", true))
        .function(function(
            ("local", "Drop"),
            13,
            &["a"],
            &["b"],
            body.into_iter().rev().collect(),
        ))
        .node(node("MatMul", &["x", "w"], &["m"]))
        .node(node("Drop", &["m"], &["h"]).domain("local").named("call"))
        .node(
            node("If", &["c"], &["i"])
                .subgraph("then_branch", branch("Relu"))
                .subgraph("else_branch", branch("Neg")),
        )
        .node(node("RandomUniformLike", &["i"], &["r"]).float("high", 2.0))
        .node(node("Add", &["i", "r"], &["y"]))
        .output("y", FLOAT, &[Sym("n"), Fix(2)])
}

/// Loads and runs as far as it goes.
fn attempt(bytes: Vec<u8>) -> Result<(), Stop> {
    let runnable = load(&Source::from_bytes(bytes), Meaning::AsWritten { seed: 1 })?;
    let x = dropout_onnx::verify::engine::Value::from_f32(&[2, 2], &[1.0; 4]).unwrap();
    runnable.run(&[("x".to_string(), x)].into(), 0)?;
    Ok(())
}

#[test]
fn the_whole_model_runs() {
    attempt(sample().bytes()).unwrap_or_else(|stop| panic!("{stop}"));
}

#[test]
fn truncated_at_every_byte() {
    let bytes = sample().bytes();
    for end in 0..bytes.len() {
        // Where a cut falls between two fields, what is left may well be a model.
        let _ = attempt(bytes[..end].to_vec());
    }
    assert!(attempt(bytes[..bytes.len() / 2].to_vec()).is_err());
}

#[test]
fn with_bytes_changed() {
    let bytes = sample().bytes();
    let mut seed = 1u32;
    let mut next = || {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (seed >> 8) as usize
    };
    let mut failed = 0;
    for _ in 0..300 {
        let mut broken = bytes.clone();
        let place = next() % broken.len();
        broken[place] = next() as u8;
        failed += usize::from(attempt(broken).is_err());
    }
    assert!(failed > 50, "only {failed} of 300 were noticed");
}

#[test]
fn no_model_at_all() {
    for bytes in [
        &b""[..],
        b"hello, world",
        &[0xff; 64],
        &[0x3a, 0xff, 0xff, 0xff, 0xff, 0x0f],
    ] {
        assert!(
            matches!(attempt(bytes.to_vec()), Err(Stop::Unrunnable(_))),
            "{bytes:?}"
        );
    }
}

#[test]
fn nested_too_deep() {
    let mut inner = graph("g")
        .with_node(node("Neg", &["x"], &["r"]))
        .with_output("r", FLOAT, &[]);
    for _ in 0..120 {
        let outer = node("If", &["c"], &["r"]).subgraph("then_branch", inner.clone());
        inner = graph("g").with_node(outer).with_output("r", FLOAT, &[]);
    }
    let model = model(13)
        .input("x", FLOAT, &[Fix(1)])
        .node(node("If", &["c"], &["y"]).subgraph("then_branch", inner));
    let stop = attempt(model.bytes()).unwrap_err();
    assert!(stop.to_string().contains("nested too deep"), "{stop}");
}

#[test]
fn a_cycle() {
    let model = model(13)
        .input("x", FLOAT, &[Fix(2), Fix(2)])
        .node(node("Dropout", &["loop"], &["loop"]))
        .node(node("Add", &["x", "loop"], &["y"]))
        .output("y", FLOAT, &[]);
    assert!(matches!(attempt(model.bytes()), Err(Stop::Unrunnable(_))));
}

#[test]
fn names_that_are_not_unicode() {
    let mut bytes = sample().bytes();
    let place = bytes.windows(4).position(|four| four == b"Relu").unwrap();
    bytes[place] = 0xff;
    let stop = attempt(bytes).unwrap_err();
    assert!(stop.to_string().contains("no operator"), "{stop}");
}
