//! Batch normalization in training mode becomes its inference form.

use dropout_onnx::onnx::DataType;
use dropout_onnx::rewrite::strip::{Options, Stripped, strip};
use dropout_onnx::verify::{self, Demand, Verdict, run, structure};
use prost::Message;

use crate::common::build::{f32s, function, graph, int, ints, model, op, reference};
use crate::common::proto::{Graph, Model, Node};

const OPTIONS: fn() -> Options = || Options::default().batchnorm(true);

/// A graph of images `x` and `y`, with statistics of two channels.
fn images(nodes: impl IntoIterator<Item = Node>) -> Graph {
    let graph = graph(nodes).input_of("x", DataType::FLOAT, &[2, 2, 3, 3]);
    statistics(graph).output_of("y", DataType::FLOAT, &[2, 2, 3, 3])
}

fn statistics(graph: Graph) -> Graph {
    let all = [
        ("s", 1.5, 0.5),
        ("b", 0.0, 1.0),
        ("m", 0.25, -2.0),
        ("v", 0.5, 3.0),
    ];
    let channels = |graph: Graph, (name, a, b)| graph.init(name, f32s(&[2], &[a, b]));
    all.into_iter().fold(graph, channels)
}

fn stripped(model: &Model) -> (Model, Stripped) {
    let stripped = strip(&model.read(), &OPTIONS()).expect("strip");
    let mut bytes = Vec::new();
    stripped.edited.rope.write_to(&mut bytes).unwrap();
    (Model::decode(&bytes[..]).unwrap(), stripped)
}

/// Strips, and asserts that both ways of verifying agree, that comparing without what strip reports does
/// not, and that a second run changes nothing.
#[track_caller]
fn switches(model: &Model) -> (Model, Stripped) {
    let (after, stripped) = stripped(model);
    assert!(stripped.outcome.batch_norms > 0);
    let before = model.read();
    let found = stripped
        .verify(&before, None, &verify::Options::default())
        .unwrap();
    assert_eq!(found.verdict(Demand::Rewrite), Verdict::Equal, "{found:?}");
    assert!(
        matches!(found.structure, Some(structure::Verdict::Same { .. })),
        "{found:?}"
    );
    assert_eq!(found.run.expect("asked for").outcome, run::Outcome::Equal);
    let options = verify::Options::default().run(None);
    let plain = verify::verify(&before, stripped.edited.model(), &options).unwrap();
    assert!(
        matches!(plain.structure, Some(structure::Verdict::Different(_))),
        "{plain:?}"
    );
    assert_eq!(stripped.left().unwrap().batch_norms, 0);
    let again = strip(stripped.edited.model(), &OPTIONS()).unwrap();
    assert!(again.outcome.is_unchanged());
    (after, stripped)
}

fn norm(outputs: &str) -> Node {
    op(&format!("{outputs} = BatchNormalization(h, s, b, m, v)")).named("norm")
}

fn relu() -> Node {
    op("h = Relu(x)")
}

#[test]
fn every_opset_has_its_form() {
    let several = "y, o1, o2, o3, o4";
    let forms: [(i64, Node, &[&str]); 5] = [
        (6, norm(several).with(int("is_test", 0)), &["is_test"]),
        (6, norm(several), &["is_test"]),
        (7, norm(several), &[]),
        (9, norm("y, , , o3, o4"), &[]),
        (14, norm("y, o1, o2").with(int("training_mode", 1)), &[]),
    ];
    for (opset, node, attributes) in forms {
        let (after, _) = switches(&model(opset, images([relu(), node])));
        let node = &after.main().node[1];
        assert_eq!(node.output, ["y"], "opset {opset}");
        let names: Vec<_> = node
            .attribute
            .iter()
            .filter_map(|a| a.name.as_deref())
            .collect();
        assert_eq!(names, attributes, "opset {opset}");
        assert!(node.attribute.iter().all(|a| a.i == Some(1)));
    }
    let (after, _) = switches(&model(
        15,
        images([relu(), norm("y").with(int("training_mode", 1))]),
    ));
    assert!(after.main().node[1].attribute.is_empty());
    let consumed = ints("consumed_inputs", &[0, 0, 0, 1, 1]);
    let (_, old) = stripped(&model(5, images([relu(), norm(several).with(consumed)])));
    assert_eq!(old.outcome.batch_norms, 1);
}

#[test]
fn inference_forms_stay_byte_for_byte() {
    let forms = [
        (6, norm("y, o1, o2, o3, o4").with(int("is_test", 1))),
        (6, norm("y")),
        (9, norm("y")),
        (15, norm("y").with(int("training_mode", 0))),
    ];
    for (opset, node) in forms {
        let model = model(opset, images([relu(), node]));
        let (after, stripped) = stripped(&model);
        assert!(stripped.outcome.is_unchanged() && stripped.batch_norms.is_empty());
        assert_eq!(after, model);
    }
}

#[test]
fn without_the_option_it_stays_and_is_counted() {
    let model = model(
        15,
        images([relu(), norm("y").with(int("training_mode", 1))]),
    );
    let stripped = strip(&model.read(), &Options::default()).unwrap();
    assert!(stripped.outcome.is_unchanged());
    let left = stripped.left().unwrap();
    assert_eq!((left.batch_norms, left.written_out), (1, 0));
}

/// As tf2onnx and JAX write it, without the running statistics.
#[test]
fn what_is_written_out_is_counted() {
    let text = "h = Relu(x)\nmean = ReduceMean(h)\nc = Sub(h, mean)\nsq = Mul(c, c)\nvar = ReduceMean(sq)\n\
                d = Sqrt(var)\ny = Div(c, d)";
    let nodes = |axes: &[i64]| {
        let lines = text.lines().map(|line| match op(line) {
            mean if mean.op_type() == "ReduceMean" => mean.with(ints("axes", axes)),
            other => other,
        });
        lines.collect::<Vec<_>>()
    };
    let left = |axes: &[i64]| {
        let model = model(15, images(nodes(axes))).read();
        let left = strip(&model, &OPTIONS()).unwrap().left().unwrap();
        (left.batch_norms, left.written_out)
    };
    assert_eq!(left(&[0, 2, 3]), (1, 1));
    assert_eq!(left(&[2, 3]), (0, 0));
}

#[track_caller]
fn refuses(model: &Model, why: &str) {
    let error = strip(&model.read(), &OPTIONS()).expect_err("strip should refuse this");
    assert!(error.to_string().contains(why), "{error}");
}

#[test]
fn statistics_in_use_are_refused() {
    let trains = || norm("y, o1, o2").with(int("training_mode", 1));
    let graph = images([relu(), trains()]).output_of("o1", DataType::FLOAT, &[2]);
    refuses(&model(15, graph), "`o1` are an output of the model");
    let graph = images([relu(), trains(), op("z = Neg(o2)")]);
    refuses(
        &model(15, graph.output_of("z", DataType::FLOAT, &[2])),
        "`o2` are used",
    );
    switches(&model(15, images([relu(), trains()])));
}

#[test]
fn a_refused_one_stays_and_others_are_switched() {
    let first = op("g, o1, o2 = BatchNormalization(h, s, b, m, v)").with(int("training_mode", 1));
    let second = op("y, o3, o4 = BatchNormalization(g, s, b, m, v)").with(int("training_mode", 1));
    let graph = images([relu(), first, second]).output_of("o3", DataType::FLOAT, &[2]);
    let model = model(15, graph);
    let (_, stripped) = stripped(&model);
    assert_eq!(stripped.outcome.batch_norms, 1);
    assert_eq!(stripped.left().unwrap().batch_norms, 1);
    let strict = OPTIONS().strict(true);
    assert!(strip(&model.read(), &strict).is_err());
}

/// Keras 2 writes layer normalization as batch normalization of a reshaped tensor, with statistics that the
/// model computes.
#[test]
fn computed_statistics_are_refused() {
    let nodes = [
        relu(),
        op("t = Shape(x)"),
        op("n = ReduceMean(h)")
            .with(ints("axes", &[0, 2, 3]))
            .with(int("keepdims", 0)),
        op("y, o1, o2 = BatchNormalization(h, s, b, n, v)").with(int("training_mode", 1)),
    ];
    refuses(
        &model(15, images(nodes)),
        "normalizes by the batch at inference",
    );
}

#[test]
fn a_function_is_switched_if_a_call_trains_it() {
    let body =
        op("r = BatchNormalization(a, s, b, m, v)").with(reference("training_mode", "on", 2));
    let calls = |calls: [i64; 2]| {
        let call = |text: &str, on| op(text).with(int("on", on));
        let nodes = [
            call("h = local::Norm(x, s, b, m, v)", calls[0]),
            call("y = local::Norm(h, s, b, m, v)", calls[1]),
        ];
        let mut norm = function("Norm", "a, s, b, m, v", "r", 15, [body.clone()]);
        norm.attribute = vec!["on".into()];
        model(15, images(nodes)).function(norm)
    };
    let (after, stripped) = switches(&calls([0, 1]));
    assert_eq!(stripped.outcome.batch_norms, 1);
    assert!(after.functions[0].node[0].attribute.is_empty());
    assert!(self::stripped(&calls([0, 0])).1.outcome.is_unchanged());
}

#[test]
fn untrained_statistics_are_pointed_out() {
    let fresh = |mean: f32| {
        let graph = graph([relu(), norm("y").with(int("training_mode", 1))]);
        let graph = graph.input_of("x", DataType::FLOAT, &[2, 2, 3, 3]);
        let graph = graph
            .init("s", f32s(&[2], &[1.0, 1.0]))
            .init("b", f32s(&[2], &[0.0, 0.0]));
        let graph = graph
            .init("m", f32s(&[2], &[mean, 0.0]))
            .init("v", f32s(&[2], &[1.0, 1.0]));
        model(15, graph.output_of("y", DataType::FLOAT, &[2, 2, 3, 3]))
    };
    assert!(stripped(&fresh(0.0)).1.batch_norms[0].untrained);
    assert!(!stripped(&fresh(0.5)).1.batch_norms[0].untrained);
}
