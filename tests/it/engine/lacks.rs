//! What tract cannot do is named before anything runs, and nothing panics.

use dropout_onnx::verify::engine::{Meaning, Stop};
use tract_onnx::pb;

use super::models::*;
use super::{compare, load, reason, unrunnable};

fn why(model: &Model) -> String {
    reason(load(&model.source(), Meaning::Inference))
}

fn base() -> Model {
    model(13)
        .input("x", FLOAT, &[Fix(2)])
        .output("y", FLOAT, &[Fix(2)])
}

#[test]
fn operators() {
    let known = base().node(node("Relu", &["x"], &["y"]));
    assert!(load(&known.source(), Meaning::Inference).is_ok());
    let model = base()
        .node(node("Rare", &["x"], &["a"]))
        .node(node("Frequent", &["a"], &["b"]).named("f"))
        .node(node("Frequent", &["b"], &["y"]));
    let reason = why(&model);
    assert_eq!(
        reason,
        "tract has no operator Frequent (2 nodes, one is f), nor Rare"
    );
    match load(&model.source(), Meaning::Inference) {
        Err(Stop::Unrunnable(unrunnable)) => {
            assert_eq!(unrunnable.operator.as_deref(), Some("Frequent"))
        }
        _ => panic!("it loads"),
    }
}

#[test]
fn operators_of_other_domains() {
    let custom = base().node(node("Dropout", &["x"], &["y"]).domain("acme"));
    assert_eq!(why(&custom), "tract has no operator acme::Dropout (node y)");
    let microsoft = base().node(node("Relu", &["x"], &["y"]).domain("com.microsoft"));
    assert!(why(&microsoft).contains("com.microsoft::Relu"));
    let gelu = base().node(node("QuickGelu", &["x"], &["y"]).domain("com.microsoft"));
    assert!(load(&gelu.source(), Meaning::Inference).is_ok());
}

#[test]
fn operators_in_bodies() {
    let body = graph("b")
        .with_node(node("Det", &["x"], &["r"]))
        .with_output("r", FLOAT, &[Fix(2)]);
    let outer = graph("a")
        .with_node(
            node("If", &["c"], &["r"])
                .subgraph("then_branch", body.clone())
                .subgraph("else_branch", body),
        )
        .with_output("r", FLOAT, &[Fix(2)]);
    let model = base().input("c", BOOL, &[]).node(
        node("If", &["c"], &["y"])
            .subgraph("then_branch", outer.clone())
            .subgraph("else_branch", outer),
    );
    assert!(
        why(&model).starts_with("tract has no operator Det (4 nodes"),
        "{}",
        why(&model)
    );
}

#[test]
fn element_types() {
    let weight =
        base()
            .init(raw("w", BFLOAT16, &[2], vec![0; 4]))
            .node(node("Add", &["x", "w"], &["y"]));
    assert_eq!(
        why(&weight),
        "tract has no bfloat16 tensors (initializer w)"
    );
    let cast = base().node(node("Cast", &["x"], &["h"]).int("to", 17).named("c"));
    let cast = cast.node(node("Cast", &["h"], &["y"]).int("to", 1));
    assert_eq!(
        why(&cast),
        "tract has no float8e4m3fn tensors (to of node c)"
    );
    let input = model(13)
        .input("x", BFLOAT16, &[Fix(2)])
        .node(node("Relu", &["x"], &["y"]))
        .output("y", BFLOAT16, &[]);
    assert_eq!(why(&input), "tract has no bfloat16 tensors (x)");
    let text = model(13)
        .input("x", STRING, &[Fix(2)])
        .node(node("Identity", &["x"], &["y"]))
        .output("y", STRING, &[]);
    assert_eq!(why(&text), "tract has no string tensors (x)");
    let unknown = model(13)
        .input("x", 99, &[Fix(2)])
        .node(node("Relu", &["x"], &["y"]))
        .output("y", FLOAT, &[]);
    assert_eq!(why(&unknown), "tract has no element type 99 tensors (x)");
    // A declaration of an inner value is but a comment.
    let comment = base()
        .value_info("h", BFLOAT16, &[Fix(2)])
        .node(node("Relu", &["x"], &["h"]))
        .node(node("Neg", &["h"], &["y"]));
    assert!(load(&comment.source(), Meaning::Inference).is_ok());
}

#[test]
fn sparse_tensors() {
    let mut sparse = base().node(node("Add", &["x", "w"], &["y"]));
    sparse
        .graph()
        .sparse_initializer
        .push(pb::SparseTensorProto {
            values: Some(floats("w", &[1], &[1.0])),
            ..Default::default()
        });
    assert_eq!(why(&sparse), "tract has no sparse tensors");
}

#[test]
fn tensors_that_claim_what_they_do_not_have() {
    for (shape, bytes) in [
        (&[3i64][..], 8),
        (&[1 << 40], 4),
        (&[-1], 4),
        (&[i64::MAX, i64::MAX], 4),
        (&[2], 7),
    ] {
        let model = base()
            .init(raw("w", FLOAT, shape, vec![0; bytes]))
            .node(node("Add", &["x", "w"], &["y"]));
        assert!(
            why(&model).contains("initializer w"),
            "{shape:?}: {}",
            why(&model)
        );
    }
    let empty = base()
        .init(raw("w", FLOAT, &[0], vec![]))
        .node(node("Concat", &["x", "w"], &["y"]).int("axis", 0));
    assert!(load(&empty.source(), Meaning::Inference).is_ok());
}

#[test]
fn values_without_a_producer() {
    let input = base().node(node("Add", &["x", "ghost"], &["y"]));
    assert_eq!(
        why(&input),
        "nothing defines the value ghost, which the model uses"
    );
    let output = base().node(node("Relu", &["x"], &["z"]));
    assert!(why(&output).contains("the output y of graph test is produced by nothing"));
}

#[test]
fn inputs_without_a_type_or_a_shape() {
    let mut untyped = base().node(node("Relu", &["x"], &["y"]));
    untyped.graph().input[0].r#type = None;
    assert_eq!(why(&untyped), "input x is not declared as a tensor");
    let mut shapeless = base().node(node("Relu", &["x"], &["y"]));
    let kind = shapeless.graph().input[0]
        .r#type
        .as_mut()
        .and_then(|kind| kind.value.as_mut());
    if let Some(pb::type_proto::Value::TensorType(tensor)) = kind {
        tensor.shape = None;
    }
    assert!(
        why(&shapeless).contains("--input x:1,2,3"),
        "{}",
        why(&shapeless)
    );
}

#[test]
fn a_model_without_a_graph() {
    let mut model = base();
    model.0.graph = None;
    let why = why(&model);
    assert!(why.starts_with("the model has no graph"), "{why}");
}

#[test]
fn a_panic_in_tract_is_a_reason() {
    // The permutation names an axis that is not there.
    let model = base().node(node("Transpose", &["x"], &["y"]).ints("perm", &[5]));
    let reason = why(&model);
    assert!(reason.starts_with("tract cannot"), "{reason}");
    let report = compare(&model, &model);
    assert_eq!(unrunnable(&report).0, "before");
}

#[test]
fn the_second_model_is_named_when_it_is_the_one() {
    let good = base().node(node("Relu", &["x"], &["y"]));
    let bad = base().node(node("Nope", &["x"], &["y"]));
    assert_eq!(unrunnable(&compare(&good, &bad)).0, "after");
    assert_eq!(unrunnable(&compare(&bad, &good)).0, "before");
}

#[test]
fn external_data_without_a_folder() {
    let mut tensor = floats("w", &[2], &[]);
    tensor.data_location = Some(1);
    tensor.external_data = vec![pb::StringStringEntryProto {
        key: "location".into(),
        value: "w.bin".into(),
    }];
    let model = base().init(tensor).node(node("Add", &["x", "w"], &["y"]));
    assert!(
        why(&model).contains("tensor w lies in another file"),
        "{}",
        why(&model)
    );
}

#[test]
fn unsigned_numbers_are_read_from_the_field_onnx_keeps_them_in() {
    for element in [UINT32, UINT64] {
        let mut tensor = raw("w", element, &[2], vec![]);
        tensor.uint64_data = vec![7, 4_000_000_000];
        let model = model(13)
            .init(tensor)
            .node(node("Cast", &["w"], &["y"]).int("to", DOUBLE.into()))
            .output("y", DOUBLE, &[Fix(2)]);
        let runnable = load(&model.source(), Meaning::Inference).unwrap();
        assert_eq!(
            runnable.run(&Default::default(), 0).unwrap()[0].to_f64(),
            [7.0, 4e9]
        );
    }
}

#[test]
fn batch_normalization_that_trains() {
    let channels = [Fix(2), Fix(3)];
    let norm = |outputs: &[&str]| {
        let statistics = |name: &str| floats(name, &[3], &[1.0, 2.0, 3.0]);
        model(9)
            .input("x", FLOAT, &channels)
            .init(statistics("s"))
            .init(statistics("b"))
            .init(statistics("m"))
            .init(statistics("v"))
            .node(node(
                "BatchNormalization",
                &["x", "s", "b", "m", "v"],
                outputs,
            ))
            .output("y", FLOAT, &channels)
    };
    let unused = norm(&["y", "m1", "v1", "sm", "sv"]);
    let report = compare(&unused, &unused);
    assert!(
        matches!(report.outcome, super::Outcome::Equal),
        "{}",
        report.outcome
    );
    assert!(
        report
            .notes
            .iter()
            .any(|note| note.contains("inference form"))
    );
    assert!(compare(&norm(&["y"]), &norm(&["y"])).notes.is_empty());
    let used = norm(&["y", "m1", "v1", "sm", "sv"]).output("m1", FLOAT, &[Fix(3)]);
    unrunnable(&compare(&used, &used));
}
