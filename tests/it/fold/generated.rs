//! Generated chains of layers with factors in them: whatever is folded is right.

use dropout_onnx::rewrite::fold::{Options, fold};
use dropout_onnx::verify::{Demand, Options as Verify, Verdict};
use proptest::prelude::*;

use super::check::{bytes, of, opset17, some};
use crate::common::build::{f32s, op};
use crate::common::proto::{Model, Node};
use prost::Message;

#[derive(Clone, Debug)]
enum Part {
    Factor(Vec<i16>, bool),
    MatMul,
    Gemm,
    Bias,
    Same(&'static str),
    Branch,
}

fn part() -> impl Strategy<Value = Part> {
    let number = (1i16..40).prop_flat_map(|n| prop_oneof![4 => Just(n), 1 => Just(-n)]);
    let factor = prop_oneof![
        prop::collection::vec(number.clone(), 1),
        prop::collection::vec(number, 4),
    ];
    prop_oneof![
        4 => (factor, any::<bool>()).prop_map(|(all, div)| Part::Factor(all, div)),
        2 => Just(Part::MatMul),
        1 => Just(Part::Gemm),
        1 => Just(Part::Bias),
        3 => prop::sample::select(vec!["Relu", "Abs", "Neg", "Identity", "Sigmoid", "Dropout"]).prop_map(Part::Same),
        1 => Just(Part::Branch),
    ]
}

/// A chain of `[2, 4]` values; a branch adds an earlier value to the last.
fn chain(parts: &[Part]) -> Model {
    let mut nodes: Vec<Node> = Vec::new();
    let mut tensors = Vec::new();
    let mut last = "x".to_string();
    for (i, part) in parts.iter().enumerate() {
        let w = format!("w{i}");
        let call = match part {
            Part::Factor(all, div) => {
                let numbers: Vec<f32> = all.iter().map(|&n| f32::from(n) / 16.0).collect();
                tensors.push((w.clone(), f32s(&[numbers.len() as i64], &numbers)));
                format!("{}({last}, {w})", if *div { "Div" } else { "Mul" })
            }
            Part::MatMul | Part::Gemm => {
                tensors.push((w.clone(), f32s(&[4, 4], &some(16))));
                let name = if matches!(part, Part::Gemm) {
                    "Gemm"
                } else {
                    "MatMul"
                };
                format!("{name}({last}, {w})")
            }
            Part::Bias => {
                tensors.push((w.clone(), f32s(&[4], &some(4))));
                format!("Add({last}, {w})")
            }
            Part::Same(name) => format!("{name}({last})"),
            Part::Branch => {
                let earlier = nodes.get(i / 2).map_or("x", |node| &node.output[0]);
                format!("Add({last}, {earlier})")
            }
        };
        last = format!("v{i}");
        nodes.push(op(&format!("{last} = {call}")));
    }
    nodes.push(op(&format!("y = Identity({last})")));
    let graph = of(&[2, 4], &[2, 4], nodes);
    opset17(
        tensors
            .into_iter()
            .fold(graph, |graph, (name, tensor)| graph.init(&name, tensor)),
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_is_folded_is_right(parts in prop::collection::vec(part(), 1..9)) {
        let model = chain(&parts);
        let before = model.read();
        let folded = fold(&before, &Options::default()).unwrap();
        if folded.outcome.is_unchanged() {
            prop_assert!(bytes(&folded.edited.rope) == model.encode_to_vec());
        }
        // values grow along a chain, and what cancels is far from 0
        let mut options = Verify::default();
        if let Some(run) = &mut options.run {
            run.tolerance = dropout_onnx::verify::compare::Tolerance::Close { rtol: 1e-3, atol: 1e-1 };
        }
        let found = folded.verify(&before, &options).unwrap();
        let still = found.run.as_ref().is_some_and(|run| !run.still.is_empty());
        match found.verdict(Demand::Rewrite) {
            Verdict::NotShown { .. } if still => {} // a chain whose end never changes shows nothing
            verdict => prop_assert_eq!(verdict, Verdict::Equal),
        }
        let again = fold(folded.edited.model(), &Options::default()).unwrap();
        prop_assert!(again.outcome.is_unchanged(), "a second run folds more");
    }
}
