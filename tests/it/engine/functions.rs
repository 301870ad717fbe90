//! Model-local functions, put in place of their calls.

use dropout_onnx::source::Source;
use dropout_onnx::verify::engine::Meaning;
use dropout_onnx::verify::run::Outcome;
use prost::Message;
use tract_onnx::pb::attribute_proto::AttributeType;

use super::models::*;
use super::{compare, load, outputs, reason, row};

const HERE: &str = "local";

fn one(model: &Model, x: &[f32]) -> Vec<f64> {
    outputs(model, Meaning::Inference, &[("x", row(x))], 0)[0].to_f64()
}

fn base() -> Model {
    model(18)
        .input("x", FLOAT, &[Fix(2)])
        .output("y", FLOAT, &[Fix(2)])
}

#[test]
fn nested_calls_with_names_that_clash() {
    // Both bodies, and the graph, use the name h for something else.
    let inner = function(
        (HERE, "Inner"),
        18,
        &["a"],
        &["b"],
        vec![
            node("Neg", &["a"], &["h"]).named("n"),
            node("Relu", &["h"], &["b"]).named("n2"),
        ],
    );
    let outer = function(
        (HERE, "Outer"),
        18,
        &["a"],
        &["b"],
        vec![
            node("Inner", &["a"], &["h"]).domain(HERE),
            node("Inner", &["h"], &["g"]).domain(HERE),
            node("Add", &["h", "g"], &["b"]),
        ],
    );
    let model = base()
        .function(outer)
        .function(inner)
        .node(node("Outer", &["x"], &["h"]).domain(HERE).named("call"))
        .node(node("Outer", &["h"], &["y"]).domain(HERE).named("call"));
    // Inner is relu(-x); Outer adds Inner of it, which is 0.
    assert_eq!(one(&model, &[-3.0, 2.0]), [0.0, 0.0]);
    let once = base()
        .function(model.0.functions[0].clone())
        .function(model.0.functions[1].clone())
        .node(node("Outer", &["x"], &["y"]).domain(HERE));
    assert_eq!(one(&once, &[-3.0, 2.0]), [3.0, 0.0]);
}

#[test]
fn an_inlined_model_equals_one_written_out() {
    let body = vec![
        node("Mul", &["a", "a"], &["h"]),
        node("Dropout", &["h"], &["b"]),
    ];
    let square = function((HERE, "Square"), 18, &["a"], &["b"], body);
    let called = base()
        .function(square)
        .node(node("Square", &["x"], &["y"]).domain(HERE));
    let written = base().node(node("Mul", &["x", "x"], &["y"]));
    assert!(matches!(
        compare(&called, &written).outcome,
        super::Outcome::Equal
    ));
    let other = base().node(node("Add", &["x", "x"], &["y"]));
    super::difference(&compare(&called, &other));
}

#[test]
fn the_function_decides_the_version_of_its_dropout() {
    let training = Meaning::AsWritten { seed: 1 };
    for (version, acts) in [(6, true), (7, false)] {
        let body = vec![node("Dropout", &["a"], &["b"])];
        let mut model = base().function(function((HERE, "Drop"), version, &["a"], &["b"], body));
        model = model.node(node("Drop", &["x"], &["y"]).domain(HERE));
        model.graph().input[0] = value("x", FLOAT, &[Fix(100)]);
        model.graph().output[0] = value("y", FLOAT, &[Fix(100)]);
        let y = outputs(&model, training, &[("x", row(&[1.0; 100]))], 0)[0].to_f64();
        assert_eq!(y.contains(&0.0), acts, "opset {version}");
    }
}

#[test]
fn an_operator_that_would_be_read_by_another_opset_is_not_run() {
    let body = || vec![node("Softmax", &["a"], &["b"])];
    for (version, runs) in [(18, true), (13, true), (11, false)] {
        let model = base()
            .function(function((HERE, "S"), version, &["a"], &["b"], body()))
            .node(node("S", &["x"], &["y"]).domain(HERE));
        let outcome = compare(&model, &model).outcome;
        assert_eq!(outcome == Outcome::Equal, runs, "{outcome}");
    }
}

#[test]
fn optional_inputs_and_outputs() {
    let clip = function(
        (HERE, "Limit"),
        18,
        &["a", "low", "high"],
        &["b", "mask"],
        vec![
            node("Clip", &["a", "low", "high"], &["h"]),
            node("Dropout", &["h"], &["b", "mask"]),
        ],
    );
    let with = |inputs: &[&str], results: &[&str]| {
        base()
            .init(float("one", 1.0))
            .function(clip.clone())
            .node(node("Limit", inputs, results).domain(HERE))
    };
    assert_eq!(one(&with(&["x"], &["y"]), &[-2.0, 2.0]), [-2.0, 2.0]);
    assert_eq!(
        one(&with(&["x", "", "one"], &["y", ""]), &[-2.0, 2.0]),
        [-2.0, 1.0]
    );
    assert_eq!(
        one(&with(&["x", "one"], &["y", "mask"]), &[-2.0, 2.0]),
        [1.0, 2.0]
    );
}

#[test]
fn an_input_that_is_an_output() {
    let swap = function((HERE, "Swap"), 18, &["a", "b"], &["b", "a"], vec![]);
    let model = base()
        .function(swap)
        .node(node("Neg", &["x"], &["minus"]))
        .node(node("Swap", &["x", "minus"], &["y", "z"]).domain(HERE))
        .output("z", FLOAT, &[Fix(2)]);
    let found = outputs(&model, Meaning::Inference, &[("x", row(&[1.0, 2.0]))], 0);
    assert_eq!(
        [found[0].to_f64(), found[1].to_f64()],
        [vec![-1.0, -2.0], vec![1.0, 2.0]]
    );
}

#[test]
fn called_in_a_subgraph_and_holding_one() {
    // The function's If captures its parameter and its own value; a branch calls another function.
    let inner = function(
        (HERE, "Twice"),
        18,
        &["a"],
        &["b"],
        vec![node("Add", &["a", "a"], &["b"])],
    );
    let then = graph("then")
        .with_node(node("Twice", &["h"], &["r"]).domain(HERE))
        .with_output("r", FLOAT, &[Fix(2)]);
    let other = graph("else")
        .with_node(node("Sub", &["h", "a"], &["r"]))
        .with_output("r", FLOAT, &[Fix(2)]);
    let choose = function(
        (HERE, "Choose"),
        18,
        &["a", "condition"],
        &["b"],
        vec![
            node("Neg", &["a"], &["h"]),
            node("If", &["condition"], &["b"])
                .subgraph("then_branch", then)
                .subgraph("else_branch", other),
        ],
    );
    for (condition, expected) in [(true, [-2.0, 4.0]), (false, [-2.0, 4.0])] {
        let model = base()
            .init(boolean("c", condition))
            .function(inner.clone())
            .function(choose.clone())
            .node(node("Choose", &["x", "c"], &["y"]).domain(HERE));
        assert_eq!(one(&model, &[1.0, -2.0]), expected, "{condition}");
    }
}

#[test]
fn attributes_by_reference_and_by_default() {
    let body =
        vec![node("LeakyRelu", &["a"], &["b"]).reference("alpha", AttributeType::Float, "slope")];
    let plain = function((HERE, "Leak"), 18, &["a"], &["b"], body);
    let call = node("Leak", &["x"], &["y"]).domain(HERE);
    let x = [-8.0f32, 1.0];
    let given = base()
        .function(plain.clone())
        .node(call.clone().float("slope", 0.25));
    assert_eq!(one(&given, &x), [-2.0, 1.0]);
    let absent = base().function(plain.clone()).node(call.clone());
    assert_eq!(
        one(&absent, &x),
        [f64::from(-8.0f32 * 0.01), 1.0],
        "LeakyRelu's own default"
    );
    // `attribute_proto`, field 11, is unknown to tract's types.
    let mut default = attribute("slope", AttributeType::Float);
    default.f = 0.5;
    let bytes = with_field(plain.encode_to_vec(), 11, &default.encode_to_vec());
    let source = |call: Node| Source::from_bytes(with_field(base().node(call).bytes(), 25, &bytes));
    for (call, expected) in [(call.clone(), -4.0), (call.float("slope", 0.25), -2.0)] {
        let runnable = load(&source(call), Meaning::Inference).unwrap();
        let inputs = [("x".to_string(), row(&x))].into();
        assert_eq!(runnable.run(&inputs, 0).unwrap()[0].to_f64()[0], expected);
    }
}

#[test]
fn overloads() {
    // `overload` is field 13 of a function and 8 of a node, and unknown to tract's types.
    let overload = |name: &str, operator: &str| {
        let body = vec![node(operator, &["a"], &["b"])];
        let plain = function((HERE, "F"), 18, &["a"], &["b"], body).encode_to_vec();
        with_field(plain, 13, name.as_bytes())
    };
    for (chosen, expected) in [("minus", -2.0), ("sum", 2.0)] {
        let call = node("F", &["x"], &["y"]).domain(HERE).0.encode_to_vec();
        let call = with_field(call, 8, chosen.as_bytes());
        let graph = with_field(Vec::new(), 1, &call);
        let mut bytes = with_field(base().bytes(), 7, &graph);
        bytes = with_field(bytes, 25, &overload("minus", "Neg"));
        bytes = with_field(bytes, 25, &overload("sum", "Identity"));
        let runnable = load(&Source::from_bytes(bytes), Meaning::Inference).unwrap();
        let inputs = [("x".to_string(), row(&[2.0, 0.0]))].into();
        assert_eq!(
            runnable.run(&inputs, 0).unwrap()[0].to_f64()[0],
            expected,
            "{chosen}"
        );
    }
}

/// Appends a length-delimited field to a message.
fn with_field(mut message: Vec<u8>, number: u32, payload: &[u8]) -> Vec<u8> {
    prost::encoding::encode_key(
        number,
        prost::encoding::WireType::LengthDelimited,
        &mut message,
    );
    prost::encoding::encode_varint(payload.len() as u64, &mut message);
    message.extend_from_slice(payload);
    message
}

#[test]
fn functions_that_never_end() {
    let call = |name: &str, from: &str, to: &str| node(name, &[from], &[to]).domain(HERE);
    let itself = base()
        .function(function(
            (HERE, "F"),
            18,
            &["a"],
            &["b"],
            vec![call("F", "a", "b")],
        ))
        .node(call("F", "x", "y"));
    assert!(reason(load(&itself.source(), Meaning::Inference)).contains("local::F calls itself"));
    let [first, second] = [("F", "G"), ("G", "F")].map(|(name, other)| {
        function(
            (HERE, name),
            18,
            &["a"],
            &["b"],
            vec![call(other, "a", "b")],
        )
    });
    let mutual = base()
        .function(first)
        .function(second)
        .node(call("F", "x", "y"));
    assert!(reason(load(&mutual.source(), Meaning::Inference)).contains("calls itself"));
    // Each calls the next twice: 2^60 nodes from a small file, and 2^8 from a smaller one.
    let doubling = |levels: usize| {
        let mut model = base().node(call("F0", "x", "y"));
        for level in 0..levels {
            let next = format!("F{}", level + 1);
            let body = vec![call(&next, "a", "h"), call(&next, "h", "b")];
            let name = format!("F{level}");
            model = model.function(function((HERE, &name), 18, &["a"], &["b"], body));
        }
        let last = format!("F{levels}");
        let body = vec![node("Neg", &["a"], &["b"])];
        model.function(function((HERE, &last), 18, &["a"], &["b"], body))
    };
    assert!(reason(load(&doubling(60).source(), Meaning::Inference)).contains("unfold"));
    assert_eq!(one(&doubling(8), &[-3.0, 2.0]), [-3.0, 2.0]);
    let mut deep = base().node(call("F0", "x", "y"));
    for level in 0..10_000 {
        let body = vec![call(&format!("F{}", level + 1), "a", "b")];
        deep = deep.function(function(
            (HERE, &format!("F{level}")),
            18,
            &["a"],
            &["b"],
            body,
        ));
    }
    assert!(reason(load(&deep.source(), Meaning::Inference)).contains("deep"));
}

#[test]
fn wrong_calls() {
    let identity = || {
        function(
            (HERE, "F"),
            18,
            &["a"],
            &["b"],
            vec![node("Neg", &["a"], &["b"])],
        )
    };
    let many = base()
        .function(identity())
        .node(node("F", &["x", "x"], &["y"]).domain(HERE));
    assert!(reason(load(&many.source(), Meaning::Inference)).contains("passes 2 inputs"));
    let twice = base()
        .function(identity())
        .function(identity())
        .node(node("F", &["x"], &["y"]).domain(HERE));
    assert!(reason(load(&twice.source(), Meaning::Inference)).contains("defined twice"));
    let elsewhere = base()
        .function(identity())
        .node(node("F", &["x"], &["y"]).domain("other"));
    assert!(reason(load(&elsewhere.source(), Meaning::Inference)).contains("other::F"));
}

#[test]
fn separators_in_names_do_not_clash() {
    let body = vec![
        node("Neg", &["a"], &["h"]),
        node("Add", &["h", "a"], &["b"]),
    ];
    let model = base()
        .function(function((HERE, "F"), 18, &["a"], &["b"], body))
        .node(node("Relu", &["x"], &["call»h"]))
        .node(node("F", &["x"], &["z"]).domain(HERE).named("call"))
        .node(node("Add", &["z", "call»h"], &["y"]));
    assert_eq!(one(&model, &[3.0, -1.0]), [3.0, 0.0]);
}
