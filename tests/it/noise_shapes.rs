//! The shape a mask is drawn in, where it is shared along an axis of the data.

use dropout_onnx::onnx::DataType;

use crate::common::build::{
    f32_scalar, f32s, function, graph, i64s, int, ints, model, op, tensor, typed,
};
use crate::common::proto::{Dim, Graph, Model, Node};
use crate::common::sites;

/// The noise shape of the only site.
fn noise(model: &Model) -> Option<Vec<String>> {
    let sites = sites(model);
    assert_eq!(sites.len(), 1);
    sites[0].noise_shape.clone()
}

fn is(model: Model, shape: Option<&[&str]>) {
    let shape = shape.map(|shape| shape.iter().map(|dim| dim.to_string()).collect::<Vec<_>>());
    assert_eq!(noise(&model), shape);
}

/// Dropout of h, which is relu of x, after nodes that draw r.
fn graph_of(draw: Vec<Node>, dims: &[i64]) -> Graph {
    let before = [op("h = Relu(x)")];
    let after = [
        op("b = GreaterOrEqual(r, p)"),
        op("k = Cast(b)").with(int("to", 1)),
        op("s = Mul(h, c)"),
        op("y = Mul(s, k)"),
    ];
    graph(before.into_iter().chain(draw).chain(after))
        .input_of("x", DataType::FLOAT, dims)
        .output_of("y", DataType::FLOAT, dims)
        .init("p", f32_scalar(0.5))
        .init("c", f32_scalar(2.0))
}

fn drawn(draw: Vec<Node>, dims: &[i64]) -> Model {
    model(13, graph_of(draw, dims))
}

fn like(lines: &[&str]) -> Vec<Node> {
    let mut nodes: Vec<Node> = lines.iter().map(|line| op(line)).collect();
    nodes.push(op("r = RandomUniformLike(z)"));
    nodes
}

fn fixed(shape: &[i64]) -> Vec<Node> {
    vec![op("r = RandomUniform()").with(ints("shape", shape))]
}

#[test]
fn a_shape_in_the_file() {
    is(
        drawn(fixed(&[2, 8, 1, 1]), &[2, 8, 6, 6]),
        Some(&["2", "8", "1", "1"]),
    );
    is(drawn(fixed(&[2, 8, 6, 6]), &[2, 8, 6, 6]), None);
    // what has size 1 in the data is not shared
    is(drawn(fixed(&[1, 8]), &[1, 8]), None);
    is(drawn(fixed(&[2, 1]), &[2, 1]), None);
    is(drawn(fixed(&[8]), &[2, 8]), Some(&["8"]));
}

#[test]
fn a_constant_of_the_shape() {
    let draw = like(&[]);
    let zeros = |dims: &[i64], n: usize| f32s(dims, &vec![0.0; n]);
    let with = |dims: &[i64], n| {
        let graph = graph_of(draw.clone(), &[4, 6]);
        model(13, graph.init("z", zeros(dims, n)))
    };
    is(with(&[4, 1], 4), Some(&["4", "1"]));
    is(with(&[4, 6], 24), None);
}

#[test]
fn sizes_and_symbols_of_the_data() {
    let lines = [
        "d = Shape(h)",
        "n = Slice(d, zero, one, zero)",
        "e = Concat(n, one, six)",
        "z = ConstantOfShape(e)",
    ];
    let mut draw = like(&lines);
    draw[2].attribute.push(int("axis", 0));
    let with = |dims: &[i64]| {
        let graph = graph_of(draw.clone(), dims);
        let graph = graph.init("zero", i64s(&[0])).init("one", i64s(&[1]));
        model(13, graph.init("six", i64s(&[6])))
    };
    is(with(&[5, 4, 6]), Some(&["5", "1", "6"]));
    is(with(&[5, 1, 6]), None);
    let mut symbolic = with(&[5, 4, 6]);
    let x = &mut symbolic.main_mut().input[0];
    let shape = x.r#type.as_mut().and_then(|t| t.tensor_type.as_mut());
    let shape = shape.and_then(|t| t.shape.as_mut()).expect("a shape");
    shape.dim[0] = Dim {
        dim_value: None,
        dim_param: Some("batch".into()),
    };
    is(symbolic.clone(), Some(&["batch", "1", "6"]));
    symbolic.main_mut().input[0].r#type = None;
    symbolic.main_mut().output[0].r#type = None;
    is(symbolic, Some(&["?", "1", "6"]));
}

#[test]
fn a_permutation_for_a_transpose_between() {
    // tf2onnx: the mask of NHWC data whose convolution is NCHW
    let lines = [
        "d = Shape(h)",
        "g = Gather(d, nhwc)",
        "i = Cast(g)",
        "n = Slice(i, zero, one, zero)",
        "e = Concat(n, one, one, eight)",
        "z = ConstantOfShape(e)",
    ];
    let mut draw = like(&lines);
    draw[2].attribute.push(int("to", 7));
    draw[4].attribute.push(int("axis", 0));
    let graph = graph_of(draw, &[2, 8, 6, 6]);
    let graph = graph.init("zero", i64s(&[0])).init("one", i64s(&[1]));
    let graph = graph
        .init("eight", i64s(&[8]))
        .init("nhwc", i64s(&[0, 2, 3, 1]));
    is(model(13, graph), Some(&["2", "1", "1", "8"]));
}

#[test]
fn the_full_shape_of_the_data_is_not_a_noise_shape() {
    for lines in [
        &["z = Identity(h)"][..],
        &["d = Shape(x)", "z = ConstantOfShape(d)"],
        &["d = Shape(h)", "z = Expand(p, d)"],
    ] {
        is(drawn(like(lines), &[2, 3]), None);
        let mut untyped = drawn(like(lines), &[2, 3]);
        untyped.main_mut().input[0].r#type = None;
        untyped.main_mut().output[0].r#type = None;
        is(untyped, None);
    }
}

#[test]
fn an_axis_of_an_expanded_draw() {
    let mut model = drawn(like(&["z = Expand(p, e)"]), &[2, 3]);
    let graph = model.main_mut();
    *graph = graph.clone().init("e", i64s(&[2, 1]));
    is(model, Some(&["2", "1"]));
}

#[test]
fn a_shape_passed_to_a_function() {
    let draw = function("draw", "v", "r", 13, [op("r = RandomUniformLike(v)")]);
    let nodes = |call: &str| vec![op("z = ConstantOfShape(e)"), op(call)];
    let graph = graph_of(nodes("r = local::draw(z)"), &[2, 3, 4]);
    let model = model(13, graph.init("e", i64s(&[2, 3, 1])));
    is(
        model.imports("local", 1).function(draw),
        Some(&["2", "3", "1"]),
    );
}

#[test]
fn unknown_arithmetic_gives_no_noise_shape() {
    let lines = ["d = Shape(h)", "e = Mul(d, d)", "z = ConstantOfShape(e)"];
    is(drawn(like(&lines), &[2, 3]), None);
    let lines = ["d = Shape(h)", "e = Frob(d)", "z = ConstantOfShape(e)"];
    is(drawn(like(&lines), &[2, 3]), None);
}

#[test]
fn a_list_that_doubles_twenty_times() {
    let mut lines: Vec<String> = Vec::new();
    lines.extend((0..20).map(|i| format!("d{} = Concat(d{i}, d{i}, d{i}, d{i})", i + 1)));
    lines.push("z = ConstantOfShape(d20)".into());
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    let graph = graph_of(like(&lines), &[2, 3]).init("d0", i64s(&[]));
    is(model(13, graph), Some(&[]));
}

#[test]
fn a_constant_node() {
    let constant = op("e = Constant()").with(tensor("value", i64s(&[2, 1])));
    let mut draw = vec![constant];
    draw.extend(like(&["z = ConstantOfShape(e)"]));
    is(drawn(draw, &[2, 3]), Some(&["2", "1"]));
    let declared = graph_of(like(&["z = Frob(x)"]), &[2, 3]);
    let mut declared = model(13, declared);
    declared
        .main_mut()
        .value_info
        .push(typed("z", DataType::FLOAT, &[1, 3]));
    is(declared, Some(&["1", "3"]));
}
