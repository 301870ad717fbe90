//! The models that are broken.

use dropout_onnx::onnx::DataType;

use crate::common::build::{
    SHAPE, f32_scalar, f32s, flag, float, function, graph, int, model, op, reference, subgraph,
    untyped, x_to_y,
};
use crate::common::proto::{Graph, Model, Node};

/// Numbers that are all different.
fn numbers(count: usize) -> Vec<f32> {
    (0..count)
        .map(|i| ((i * 37 % 101) as f32 - 50.0) / 64.0)
        .collect()
}

/// Two layers with a Dropout between them. `w` and `v` are large enough to be hashed, `s` is not.
pub fn layers() -> Model {
    let nodes = [
        op("g = MatMul(x, w)"),
        op("h = Relu(g)"),
        op("d = Dropout(h, r, t)"),
        op("k = MatMul(d, v)"),
        op("l = Clip(k, , top)"),
        op("y = Mul(l, s)"),
        op("z = Softmax(k)").with(int("axis", 1)),
    ];
    let graph = x_to_y(nodes)
        .output("z")
        .init("w", f32s(&[3, 400], &numbers(1200)))
        .init("v", f32s(&[400, 3], &numbers(1200)))
        .init("s", f32s(&[3], &[0.7, 1.3, 2.9]))
        .init("top", f32_scalar(1000.0))
        .init("r", f32_scalar(0.5))
        .init("t", flag(true));
    model(13, graph)
}

/// Changes the elements of an initializer.
pub fn change_weight(model: &mut Model, name: &str, change: impl Fn(&mut [f32])) {
    let tensors = &mut model.main_mut().initializer;
    let tensor = tensors.iter_mut().find(|tensor| tensor.name() == name);
    let raw = tensor.and_then(|tensor| tensor.raw_data.as_mut()).unwrap();
    let (elements, _) = raw.as_chunks::<4>();
    let mut floats: Vec<f32> = elements.iter().map(|&e| f32::from_le_bytes(e)).collect();
    change(&mut floats);
    *raw = floats.iter().flat_map(|f| f.to_le_bytes()).collect();
}

/// The node of the main graph with this output.
pub fn node<'m>(model: &'m mut Model, output: &str) -> &'m mut Node {
    let nodes = &mut model.main_mut().node;
    let found = nodes
        .iter_mut()
        .find(|node| node.output.iter().any(|o| o == output));
    found.unwrap_or_else(|| panic!("no node makes {output}"))
}

/// A Dropout outside an If and one inside a branch that hides a name.
pub fn branches() -> Model {
    let branch = |nodes: &[&str]| {
        let mut graph = graph(nodes.iter().map(|text| op(text)));
        graph.output.push(untyped("t"));
        graph
    };
    let nodes = [
        op("h = Sigmoid(x)"),
        op("d = Dropout(h)"),
        op("y = If(c)")
            .with(subgraph(
                "then_branch",
                branch(&["h = Tanh(x)", "e = Dropout(h)", "t = Sub(e, d)"]),
            ))
            .with(subgraph(
                "else_branch",
                branch(&["e = Relu(d)", "t = Neg(e)"]),
            )),
    ];
    model(13, x_to_y(nodes).input_of("c", DataType::BOOL, &[]))
}

/// The graph in an attribute of the If of [`branches`], or of any node that makes `y`.
pub fn inner<'m>(model: &'m mut Model, attribute: &str) -> &'m mut Graph {
    let attributes = &mut node(model, "y").attribute;
    let found = attributes.iter_mut().find(|a| a.name() == attribute);
    found.and_then(|a| a.g.as_mut()).expect("a graph")
}

/// A function with a Dropout, an attribute without and one with a default, called twice.
pub fn calls() -> Model {
    let body = [
        op("a = LeakyRelu(i)").with(reference("alpha", "slope", 1)),
        op("b = Dropout(a)"),
        op("u = Elu(b)").with(reference("alpha", "curve", 1)),
        op("o = Sub(u, j)"),
    ];
    let mut f = function("F", "i, j", "o", 13, body);
    f.attribute = vec!["slope".into()];
    f.attribute_proto = vec![float("curve", 0.5)];
    let nodes = [
        op("a = local::F(x, w)").with(float("slope", 0.25)),
        op("y = local::F(a, x)").with(float("slope", 0.125)),
    ];
    let graph = x_to_y(nodes).init("w", f32s(SHAPE, &[1., 2., 3., 4., 5., 6.]));
    model(13, graph).imports("local", 1).function(f)
}

/// A Dropout whose mask is used and an output.
pub fn masked(opset: i64) -> Model {
    let mask = match opset {
        ..10 => DataType::FLOAT,
        _ => DataType::BOOL,
    };
    let nodes = ["h = Relu(x)", "y, m = Dropout(h)"].map(op);
    model(opset, x_to_y(nodes).output_of("m", mask, SHAPE))
}

/// The difference of two draws that look alike, beside a Dropout.
pub fn draws() -> Model {
    let draw = |output: &str| {
        op(&format!("{output} = RandomUniform()")).with(crate::common::build::ints("shape", SHAPE))
    };
    let nodes = [
        draw("a"),
        draw("b"),
        op("d = Dropout(x)"),
        op("e = Sub(a, b)"),
        op("y = Add(d, e)"),
    ];
    model(13, x_to_y(nodes))
}
