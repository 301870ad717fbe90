//! Models that are written differently and compute the same, each with a near twin that does not.

use dropout_onnx::verify::structure::{Verdict, compare};
use dropout_onnx::verify::{self, Options};

use crate::common::build::{
    f32_scalar, f32s, float, floats, function, graph, i64s, int, ints, model, op, sparse, x_to_y,
};
use crate::common::proto::{Graph, Model, Node, SparseTensor};

fn same(one: &Model, two: &Model) -> bool {
    let verdict = compare(&one.read(), &two.read()).unwrap();
    matches!(verdict, Verdict::Same { .. })
}

/// The first two are the same, the third is not.
#[track_caller]
fn judged(models: [Model; 3]) {
    let [one, two, twin] = models;
    assert!(same(&one, &two) && same(&two, &one), "not the same");
    assert!(
        !same(&one, &twin) && !same(&twin, &one),
        "the twin is the same"
    );
    assert!(!same(&two, &twin), "the twin is the same as the second");
}

/// At opset 17, from `x` to `y`.
fn nodes(nodes: impl IntoIterator<Item = Node>) -> Model {
    model(17, x_to_y(nodes))
}

fn texts(texts: &[&str]) -> Graph {
    x_to_y(texts.iter().map(|text| op(text)))
}

#[test]
fn defaults_of_attributes() {
    let with = |opset, axis: Option<i64>| {
        let axis = axis.map(|axis| int("axis", axis));
        let softmax = axis.into_iter().fold(op("y = Softmax(x)"), Node::with);
        model(opset, x_to_y([softmax]))
    };
    judged([with(13, Some(-1)), with(13, None), with(13, Some(0))]);
    judged([with(11, Some(1)), with(11, None), with(11, Some(-1))]);
    let leaky = |alpha| nodes([op("y = LeakyRelu(x)").with(float("alpha", alpha))]);
    judged([leaky(0.01), nodes([op("y = LeakyRelu(x)")]), leaky(0.02)]);
}

#[test]
fn attributes_that_inference_does_not_read() {
    let norm = |attribute| {
        let ones = f32s(&[3], &[1.0, 2.0, 3.0]);
        let norm = op("y = BatchNormalization(x, a, a, a, a)").with(attribute);
        model(17, x_to_y([norm]).init("a", ones))
    };
    let momentum = |momentum| norm(float("momentum", momentum));
    judged([momentum(0.9), momentum(0.1), norm(float("epsilon", 0.1))]);
    let training = |momentum| {
        let mut model = norm(float("momentum", momentum));
        let node = &mut model.main_mut().node[0];
        *node = node.clone().with(int("training_mode", 1));
        node.output.extend(["mean".into(), "variance".into()]);
        model
    };
    assert!(!same(&training(0.9), &training(0.1)));
}

#[test]
fn forms_of_constants() {
    let product = |k: Option<Node>| {
        let mut all: Vec<Node> = k.into_iter().collect();
        all.push(op("y = Mul(x, k)"));
        x_to_y(all)
    };
    let constant = |attribute| op("k = Constant()").with(attribute);
    let number = |k| model(17, product(Some(constant(float("value_float", k)))));
    let initializer = model(17, product(None).init("k", f32_scalar(2.5)));
    judged([number(2.5), initializer, number(-2.5)]);
    let row = |k: &[f32]| model(17, product(Some(constant(floats("value_floats", k)))));
    let initializer = model(17, product(None).init("k", f32s(&[3], &[1.0, 2.0, 3.0])));
    judged([row(&[1.0, 2.0, 3.0]), initializer, row(&[1.0, 3.0, 2.0])]);
    // a scalar is no row of one element
    let one = model(17, product(None).init("k", f32s(&[1], &[2.5])));
    assert!(!same(&number(2.5), &one) && same(&row(&[2.5]), &one));
    let few = |place: i64| {
        let entries = SparseTensor {
            values: Some(f32s(&[1], &[2.0])),
            indices: Some(i64s(&[place])),
            dims: vec![3],
        };
        model(17, product(Some(constant(sparse("sparse_value", entries)))))
    };
    let initializer = model(17, product(None).init("k", f32s(&[3], &[0.0, 2.0, 0.0])));
    judged([few(1), initializer, few(2)]);
    let shape = |k: &[i64]| {
        let k = constant(ints("value_ints", k));
        nodes([k, op("y = Reshape(x, k)")])
    };
    let initializer = texts(&["y = Reshape(x, k)"]).init("k", i64s(&[3, 2]));
    judged([shape(&[3, 2]), model(17, initializer), shape(&[2, 3])]);
}

#[test]
fn inputs_that_can_be_exchanged() {
    let two = |last: &str| model(17, texts(&["a = Relu(x)", "b = Tanh(x)", last]));
    for operator in ["Add", "Mul"] {
        let [one, other] = ["a, b", "b, a"].map(|ab| two(&format!("y = {operator}({ab})")));
        judged([one, other, two("y = Add(a, a)")]);
    }
    let three = |last: &str| {
        let nodes = ["a = Relu(x)", "b = Tanh(x)", "c = Neg(x)", last];
        model(17, texts(&nodes))
    };
    for operator in ["Max", "Min"] {
        let [one, other] =
            ["a, b, c", "c, a, b"].map(|abc| three(&format!("y = {operator}({abc})")));
        judged([one, other, three(&format!("y = {operator}(a, b)"))]);
    }
    // which sum is rounded first matters
    assert!(!same(
        &three("y = Sum(a, b, c)"),
        &three("y = Sum(c, a, b)")
    ));
    for operator in ["Sub", "Div", "MatMul", "Concat"] {
        let [one, other] = ["a, b", "b, a"].map(|ab| two(&format!("y = {operator}({ab})")));
        assert!(!same(&one, &other), "{operator}");
    }
    // before opset 7 the second input is broadcast to the first, if an attribute says so
    let old = |ab: &str| {
        let sum = op(&format!("y = Add({ab})")).with(int("broadcast", 1));
        model(6, x_to_y([op("a = Relu(x)"), op("b = Tanh(x)"), sum]))
    };
    assert!(!same(&old("a, b"), &old("b, a")));
}

#[test]
fn opsets_between_which_an_operator_did_not_change() {
    let at = |opset| model(opset, texts(&["h = MatMul(x, x)", "y = Relu(h)"]));
    // opsets 9, 13 and 14 allow more element types; the attribute of opset 1 has another name
    judged([at(14), at(17), at(5)]);
    judged([at(8), at(26), at(5)]);
    let reshape = |opset, zero: Option<i64>| {
        let zero = zero.map(|zero| int("allowzero", zero));
        let reshape = zero.into_iter().fold(op("y = Reshape(x, s)"), Node::with);
        model(opset, x_to_y([reshape]).init("s", i64s(&[0, -1])))
    };
    judged([
        reshape(13, None),
        reshape(14, Some(0)),
        reshape(14, Some(1)),
    ]);
    let slope = |opset| model(opset, texts(&["h = Relu(x)", "y = PRelu(x, h)"]));
    judged([slope(7), slope(16), slope(6)]);
    // negative indices count from the end since opset 11; before, they have no place
    let one_hot = |opset| {
        let nodes = ["i = Cast(x)", "y = OneHot(i, d, v)"].map(op);
        let [cast, one_hot] = nodes;
        let graph = x_to_y([cast.with(int("to", 7)), one_hot]);
        let graph = graph.init("d", i64s(&[3]));
        model(opset, graph.init("v", f32s(&[2], &[0.0, 1.0])))
    };
    judged([one_hot(11), one_hot(17), one_hot(10)]);
    let softmax = |opset| model(opset, x_to_y([op("y = Softmax(x)").with(int("axis", 1))]));
    judged([softmax(11), softmax(12), softmax(13)]);
}

#[test]
fn factors_of_one() {
    let by = |operator: &str, k: f32| {
        let scaled = op(&format!("h = {operator}"));
        model(
            17,
            x_to_y([scaled, op("y = Relu(h)")]).init("k", f32_scalar(k)),
        )
    };
    let plain = || model(17, texts(&["y = Relu(x)"]));
    judged([by("Mul(x, k)", 1.0), plain(), by("Mul(x, k)", 1.000_000_1)]);
    judged([by("Mul(k, x)", 1.0), plain(), by("Add(k, x)", 1.0)]);
    judged([by("Div(x, k)", 1.0), plain(), by("Div(k, x)", 1.0)]);
    // ones with axes may broadcast
    let row = texts(&["h = Mul(x, k)", "y = Relu(h)"]).init("k", f32s(&[1, 1, 1], &[1.0]));
    assert!(!same(&model(17, row), &plain()));
}

#[test]
fn transposes_that_undo_each_other() {
    let twice = |one: &[i64], two: &[i64]| {
        let first = op("a = Transpose(x)").with(ints("perm", one));
        let second = op("b = Transpose(a)").with(ints("perm", two));
        nodes([first, second, op("y = Relu(b)")])
    };
    let plain = || model(17, texts(&["y = Relu(x)"]));
    let turn = [1, 2, 0];
    judged([twice(&turn, &[2, 0, 1]), plain(), twice(&turn, &turn)]);
    let [one, two] = [vec![ints("perm", &[1, 0])], vec![]].map(|perm: Vec<_>| {
        let turned = perm.into_iter().fold(op("a = Transpose(x)"), Node::with);
        nodes([turned, op("y = Relu(a)")])
    });
    let kept = op("a = Transpose(x)").with(ints("perm", &[0, 1]));
    judged([one, two, nodes([kept, op("y = Relu(a)")])]);
    let reversed = texts(&["a = Transpose(x)", "b = Transpose(a)", "y = Relu(b)"]);
    let once = texts(&["a = Transpose(x)", "y = Relu(a)"]);
    judged([model(17, reversed), plain(), model(17, once)]);
}

#[test]
fn a_reshape_to_the_shape_it_has() {
    let to = |of: &str| {
        let shape = format!("s = Shape({of})");
        let all = [
            "h = Relu(x)",
            "t = Transpose(h)",
            &shape,
            "y = Reshape(h, s)",
        ];
        model(17, texts(&all))
    };
    let plain = model(17, texts(&["y = Relu(x)"]));
    judged([to("h"), plain, to("t")]);
}

#[test]
fn a_split_into_fewer_parts_differs() {
    let parts = |outputs: &str| {
        let split = op(&format!("{outputs} = Split(x)")).with(int("axis", 1));
        model(13, x_to_y([split, op("y = Relu(a)")]))
    };
    judged([parts("a, b"), parts("a, c"), parts("a, b, ")]);
}

/// `y = local::NAME(x)`, which computes an operator.
fn called(name: &str, operator: &str) -> Model {
    let graph = x_to_y([op(&format!("y = local::{name}(x)"))]);
    let body = function(name, "a", "b", 17, [op(&format!("b = {operator}(a)"))]);
    model(17, graph).imports("local", 1).function(body)
}

#[test]
fn functions_by_another_name() {
    judged([
        called("f", "Relu"),
        called("g", "Relu"),
        called("g", "Tanh"),
    ]);
    judged([
        called("f", "Relu"),
        called("g", "Relu"),
        called("f", "Tanh"),
    ]);
}

#[test]
fn functions_that_were_inlined() {
    let shown = |one: &Model, two: &Model| {
        let only = Options::asked(true, None);
        let found = verify::verify(&one.read(), &two.read(), &only).unwrap();
        matches!(found.structure, Some(Verdict::Same { .. }))
    };
    let plain = model(17, graph([op("y = Relu(x)")]).input("x").output("y"));
    assert!(shown(&called("f", "Relu"), &plain) && shown(&plain, &called("f", "Relu")));
    assert!(!shown(&called("f", "Tanh"), &plain));
}

/// What is computed of `x` in an older opset and a newer one, and in the newer one with another number.
#[track_caller]
fn moved(opset: [i64; 2], written: Node, [same, other]: [Graph; 2]) {
    let older = x_to_y([written, op("y = Relu(h)")]);
    judged([
        model(opset[0], older),
        model(opset[1], same),
        model(opset[1], other),
    ]);
}

/// An operator with inputs in place of attributes. Opsets are of one version of Relu.
fn given(text: &str, inputs: &[(&str, crate::common::proto::Tensor)]) -> Graph {
    let graph = texts(&[text, "y = Relu(h)"]);
    let inputs = inputs.iter();
    inputs.fold(graph, |graph, (name, tensor)| {
        graph.init(name, tensor.clone())
    })
}

#[test]
fn attributes_that_became_inputs() {
    let axes = |text: &str, axis: i64| given(text, &[("a", i64s(&[axis]))]);
    let both = |text: &str| [axes(text, 0), axes(text, 1)];
    for operator in ["Squeeze", "Unsqueeze", "ReduceSum"] {
        let written = op(&format!("h = {operator}(x)")).with(ints("axes", &[0]));
        // Relu differs between these opsets, Identity does not count
        let written = x_to_y([written, op("y = Identity(h)")]);
        let [same, other] = [0, 1].map(|axis| {
            let text = format!("h = {operator}(x, a)");
            texts(&[&text, "y = Identity(h)"]).init("a", i64s(&[axis]))
        });
        judged([model(11, written), model(13, same), model(13, other)]);
    }
    let written = op("h = ReduceMean(x)").with(ints("axes", &[0]));
    moved([17, 18], written, both("h = ReduceMean(x, a)"));
    let bounds = |high: f32| given("h = Clip(x, , high)", &[("high", f32_scalar(high))]);
    let written = op("h = Clip(x)").with(float("max", 6.0));
    moved([10, 11], written, [bounds(6.0), bounds(5.0)]);
    let pads = |value: f32| {
        let inputs = [("p", i64s(&[0, 1, 1, 0])), ("v", f32_scalar(value))];
        given("h = Pad(x, p, v)", &inputs)
    };
    let pad = || op("h = Pad(x)").with(ints("pads", &[0, 1, 1, 0]));
    moved([10, 11], pad(), [pads(0.0), pads(1.0)]);
    let written = pad().with(float("value", 2.0));
    moved([10, 11], written, [pads(2.0), pads(0.0)]);
    let largest = |k: i64| given("h, i = TopK(x, k)", &[("k", i64s(&[k]))]);
    moved(
        [9, 10],
        op("h, i = TopK(x)").with(int("k", 2)),
        [largest(2), largest(1)],
    );
    let part = |size: i64| {
        texts(&["h, g = Split(x, s)", "y = Identity(h)"]).init("s", i64s(&[size, 3 - size]))
    };
    let written = x_to_y([
        op("h, g = Split(x)").with(ints("split", &[1, 2])),
        op("y = Identity(h)"),
    ]);
    judged([model(11, written), model(13, part(1)), model(13, part(2))]);
}

#[test]
fn slices_with_attributes_and_inputs() {
    let slice = |ends: &[i64], starts: &[i64]| {
        let starts = op("h = Slice(x)").with(ints("starts", starts));
        starts.with(ints("ends", ends)).with(ints("axes", &[1]))
    };
    let to = |end: i64, step: i64| {
        let inputs = [("s", i64s(&[1])), ("e", i64s(&[end])), ("a", i64s(&[1]))];
        let stepping = given("h = Slice(x, s, e, a, t)", &inputs);
        stepping.init("t", i64s(&[step]))
    };
    let end = i64::from(i32::MAX);
    moved([9, 10], slice(&[end], &[1]), [to(i64::MAX, 1), to(2, 1)]);
    moved([9, 10], slice(&[2], &[1]), [to(2, 1), to(3, 1)]);
    moved([9, 10], slice(&[end], &[1]), [to(end, 1), to(end, 2)]);
}

/// The rate of a dropout does not matter at inference; what it drops does.
#[test]
fn a_rate_that_became_an_input() {
    let written = op("h = Dropout(x)").with(float("ratio", 0.3));
    let rate = |text: &str| given(text, &[("r", f32_scalar(0.3))]);
    let older = x_to_y([written, op("y = Relu(h)")]);
    let twin = texts(&["g = Relu(x)", "h = Dropout(g)", "y = Neg(h)"]);
    judged([
        model(10, older),
        model(12, rate("h = Dropout(x, r)")),
        model(12, twin),
    ]);
}
