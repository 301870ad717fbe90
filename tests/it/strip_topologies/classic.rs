//! Classic dropout: operators leave a product by 1-p.

use dropout_onnx::dropout::Convention;
use dropout_onnx::onnx::DataType;
use dropout_onnx::rewrite::strip::{Options, Stripped, strip};
use dropout_onnx::verify::{self, Demand, Verdict, run, structure};
use prost::Message;

use crate::common::build::{
    SHAPE, f32_scalar, flag, float, function, graph, int, model, op, scalar, x_to_y,
};
use crate::common::proto::{Graph, Model};

fn classic(model: &Model) -> dropout_onnx::Result<Stripped> {
    let options = Options::default().convention(Convention::Classic);
    strip(&model.read(), &options)
}

fn under(convention: Convention) -> verify::Options {
    verify::Options::default().convention(convention)
}

/// Strips, and asserts that the result is what classic dropout is at inference, and that the inverted
/// convention sees a difference.
#[track_caller]
fn strips(model: &Model) -> (Model, Stripped) {
    let stripped = classic(model).expect("strip");
    let (before, after) = (model.read(), stripped.edited.model());
    let found = verify::verify(&before, after, &under(Convention::Classic)).unwrap();
    assert!(
        matches!(found.structure, Some(structure::Verdict::Same { .. })),
        "{found:?}"
    );
    let report = found.run.as_ref().expect("asked for");
    assert_eq!(report.outcome, run::Outcome::Equal);
    assert_eq!(report.tolerance.to_string(), "bit for bit");
    assert_eq!(found.verdict(Demand::Rewrite), Verdict::Equal);
    let found = verify::verify(&before, after, &under(Convention::Inverted)).unwrap();
    assert!(matches!(
        found.structure,
        Some(structure::Verdict::Different { .. })
    ));
    let outcome = &found.run.as_ref().expect("asked for").outcome;
    assert!(matches!(outcome, run::Outcome::Different(_)), "{outcome:?}");
    let mut bytes = Vec::new();
    stripped.edited.rope.write_to(&mut bytes).unwrap();
    (Model::decode(&bytes[..]).unwrap(), stripped)
}

fn scale(model: &Model, name: &str) -> f32 {
    let mut all = model.main().initializer.iter();
    let tensor = all.find(|tensor| tensor.name() == name).unwrap();
    f32::from_le_bytes(tensor.raw_data().try_into().unwrap())
}

#[test]
fn one_product_an_operator() {
    let nodes = [
        op("h = Relu(x)"),
        op("d, m = Dropout(h, r, t)"),
        op("k = Sigmoid(d)"),
        op("y = Dropout(k, half)"),
    ];
    let graph = x_to_y(nodes)
        .init("r", f32_scalar(0.3))
        .init("half", f32_scalar(0.5))
        .init("t", flag(true));
    let (after, stripped) = strips(&model(13, graph));
    let lines = [
        "h = Relu(x)",
        "d = Mul(h, d/scale)",
        "k = Sigmoid(d)",
        "y = Mul(k, y/scale)",
    ];
    assert_eq!(after.lines(), lines);
    assert_eq!(scale(&after, "d/scale"), 0.7);
    assert_eq!(scale(&after, "y/scale"), 0.5);
    assert_eq!(
        stripped.outcome.scales,
        [("d".into(), 0.7), ("y".into(), 0.5)]
    );
}

#[test]
fn every_version_and_type() {
    for opset in [1, 6, 7, 10] {
        let node = op("y = Dropout(h)").with(float("ratio", 0.25));
        let node = match opset {
            ..7 => node.with(int("is_test", 1)),
            _ => node,
        };
        let (after, _) = strips(&model(opset, x_to_y([op("h = Relu(x)"), node])));
        assert_eq!(
            after.lines().last().unwrap(),
            "y = Mul(h, y/scale)",
            "opset {opset}"
        );
        // before IR version 4 an initializer has to be a graph input as well
        let constant = after
            .lines()
            .iter()
            .any(|line| line == "y/scale = Constant()");
        assert_eq!(constant, opset < 9, "opset {opset}");
    }
    for element in [DataType::FLOAT16, DataType::DOUBLE] {
        let graph = graph([op("h = Relu(x)"), op("y = Dropout(h, r)")])
            .input_of("x", element, SHAPE)
            .output_of("y", element, SHAPE)
            .init("r", scalar(element, 0.25));
        strips(&model(13, graph));
    }
}

#[test]
fn a_rate_of_0_leaves_nothing() {
    let graph = x_to_y([op("h = Relu(x)"), op("y = Dropout(h, r)")]).init("r", f32_scalar(0.0));
    let stripped = classic(&model(13, graph)).unwrap();
    assert!(stripped.outcome.scales.is_empty());
    let left = stripped.edited.model().nodes().count();
    assert_eq!(left, 1);
}

#[test]
fn a_mask_that_is_used_is_all_true() {
    let nodes = [
        op("h = Relu(x)"),
        op("y, m = Dropout(h, r)"),
        op("z = Not(m)"),
    ];
    let graph = x_to_y(nodes)
        .output_of("z", DataType::BOOL, SHAPE)
        .init("r", f32_scalar(0.25));
    let (after, _) = strips(&model(13, graph));
    assert!(
        after
            .lines()
            .iter()
            .any(|line| line == "m = ConstantOfShape(m/shape)")
    );
}

/// A function of an operator and a dropout, and calls of it.
fn called(main: Graph) -> Model {
    let body = [
        op("h = Relu(a)"),
        op("b = Dropout(h)").with(float("ratio", 0.25)),
    ];
    model(8, main)
        .imports("local", 1)
        .function(function("F", "a", "b", 8, body))
}

#[test]
fn in_a_function_the_scale_is_a_constant_of_the_type_that_callers_give() {
    let nodes = [
        op("k = local::F(x)"),
        op("n = Neg(k)"),
        op("y = local::F(n)"),
    ];
    let model = called(x_to_y(nodes));
    let stripped = classic(&model).expect("strip");
    // tract has no functions: structure is all there is
    let found = verify::verify(
        &model.read(),
        stripped.edited.model(),
        &under(Convention::Classic),
    );
    let structure = found.unwrap().structure;
    // the main graph's output, and the function's
    assert_eq!(structure, Some(structure::Verdict::Same { outputs: 2 }));
    let mut bytes = Vec::new();
    stripped.edited.rope.write_to(&mut bytes).unwrap();
    let after = Model::decode(&bytes[..]).unwrap();
    let body = &after.functions[0].node;
    let ops: Vec<_> = body.iter().map(|node| node.op_type()).collect();
    assert_eq!(ops, ["Relu", "Constant", "Mul"]);
    let value = body[1].attribute[0].t.as_ref().unwrap();
    assert_eq!(value.data_type(), DataType::FLOAT.0);
    assert_eq!(value.raw_data(), 0.75f32.to_le_bytes());
}

#[test]
fn in_a_function_that_is_given_several_types_it_is_refused() {
    let nodes = [
        op("k = local::F(x)"),
        op("n = Cast(k)").with(int("to", i64::from(DataType::DOUBLE.0))),
        op("m = local::F(n)"),
        op("y = Cast(m)").with(int("to", i64::from(DataType::FLOAT.0))),
    ];
    let error = classic(&called(x_to_y(nodes))).unwrap_err();
    assert!(
        error.why().contains("its element type is unknown"),
        "{error}"
    );
    // nor where it calls itself
    let mut model = called(x_to_y([op("y = local::F(x)")]));
    model.functions[0].node[0] = op("h = local::F(a)");
    assert!(classic(&model).is_err());
}

#[test]
fn a_rate_that_a_run_decides_is_refused() {
    let input = x_to_y([op("h = Relu(x)"), op("y = Dropout(h, r)")]);
    let input = input.input_of("r", DataType::FLOAT, &[]);
    let error = classic(&model(13, input.clone())).unwrap_err();
    assert!(error.why().contains("the rate is not constant"), "{error}");
    // a default that callers may replace is no better
    let error = classic(&model(13, input.init("r", f32_scalar(0.25)))).unwrap_err();
    assert!(error.why().contains("the rate is not constant"), "{error}");
}

/// From opset 12 on exporters always write a ratio, and tf2onnx loses it.
#[test]
fn a_rate_that_the_exporter_lost_is_refused() {
    let without = |opset| model(opset, x_to_y([op("h = Relu(x)"), op("y = Dropout(h)")]));
    for opset in [12, 13, 22] {
        let error = classic(&without(opset)).unwrap_err();
        assert!(error.why().contains("it has no ratio input"), "{error}");
        assert!(error.why().contains("set --rate"), "{error}");
        // inference needs no rate
        let options = Options::default();
        assert_eq!(
            strip(&without(opset).read(), &options)
                .unwrap()
                .outcome
                .removed,
            1
        );
    }
    // below, one that is left out says 0.5
    for opset in [7, 11] {
        let (after, _) = strips(&without(opset));
        assert_eq!(after.lines().last().unwrap(), "y = Mul(h, y/scale)");
    }
}

/// What a wrong scale would look like.
#[test]
fn another_scale_is_seen() {
    let graph = x_to_y([op("h = Relu(x)"), op("y = Dropout(h, r)")]).init("r", f32_scalar(0.3));
    let before = model(13, graph);
    let (mut after, _) = strips(&before);
    after.main_mut().initializer[0].raw_data = Some(0.71f32.to_le_bytes().to_vec());
    let options = under(Convention::Classic);
    let found = verify::verify(&before.read(), &after.read(), &options).unwrap();
    assert!(matches!(
        found.structure,
        Some(structure::Verdict::Different { .. })
    ));
    let outcome = &found.run.as_ref().expect("asked for").outcome;
    assert!(matches!(outcome, run::Outcome::Different(_)));
}
