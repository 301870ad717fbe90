//! Scopes inside scopes: names captured, hidden, and handed out.

use dropout_onnx::onnx::DataType;

use crate::common::build::{SHAPE, flag, graph, i64s, int, model, op, subgraph, untyped, x_to_y};
use crate::common::proto::{Graph, Model, Node, Training};
use crate::common::stripped::{Stripped, strips, strips_unrun};

/// A graph without inputs whose one output, of no declared type, is `output`.
fn body(output: &str, nodes: impl IntoIterator<Item = Node>) -> Graph {
    let mut graph = graph(nodes);
    graph.output.push(untyped(output));
    graph
}

/// `y = If(c)`, the branches as given.
fn if_y(then: Graph, otherwise: Graph) -> Node {
    op("y = If(c)")
        .with(subgraph("then_branch", then))
        .with(subgraph("else_branch", otherwise))
}

/// A model from `x` and the condition `c` to `y`.
fn conditional(nodes: impl IntoIterator<Item = Node>) -> Model {
    model(13, x_to_y(nodes).input_of("c", DataType::BOOL, &[]))
}

/// A loop of a fixed number of turns that carries one value, `s` inside its body.
fn loop_y(carried: &str, output: &str, nodes: impl IntoIterator<Item = Node>) -> Node {
    let body = graph(
        [
            vec![op("go_on = Identity(go)")],
            nodes.into_iter().collect(),
        ]
        .concat(),
    )
    .input_of("i", DataType::INT64, &[])
    .input_of("go", DataType::BOOL, &[])
    .input("s")
    .output_of("go_on", DataType::BOOL, &[])
    .output(output);
    op(&format!("y = Loop(turns, yes, {carried})")).with(subgraph("body", body))
}

fn looping(nodes: impl IntoIterator<Item = Node>) -> Model {
    let graph = x_to_y(nodes)
        .init("turns", i64s(&[2]))
        .init("yes", flag(true));
    model(13, graph)
}

#[test]
fn captured_by_a_branch() {
    let then = body("t", [op("t = Tanh(d)")]);
    let otherwise = body("e", [op("e = Relu(d)")]);
    let nodes = [
        op("h = Sigmoid(x)"),
        op("d = Dropout(h)"),
        if_y(then, otherwise),
    ];
    let stripped = strips(&conditional(nodes)).leaves(&[
        "h = Sigmoid(x)",
        "y = If(c)",
        "  then_branch:",
        "    t = Tanh(h)",
        "  else_branch:",
        "    e = Relu(h)",
    ]);
    insta::assert_snapshot!("captured_by_a_branch", stripped.texts());
}

#[test]
fn captured_by_a_branch_in_a_branch() {
    let innermost = || body("u", [op("u = Tanh(d)")]);
    let inner = op("t = If(c)")
        .with(subgraph("then_branch", innermost()))
        .with(subgraph("else_branch", innermost()));
    let nodes = [
        op("h = Sigmoid(x)"),
        op("d = Dropout(h)"),
        if_y(body("t", [inner]), body("e", [op("e = Relu(x)")])),
    ];
    strips(&conditional(nodes)).leaves(&[
        "h = Sigmoid(x)",
        "y = If(c)",
        "  then_branch:",
        "    t = If(c)",
        "      then_branch:",
        "        u = Tanh(h)",
        "      else_branch:",
        "        u = Tanh(h)",
        "  else_branch:",
        "    e = Relu(x)",
    ]);
}

#[test]
fn inside_a_branch_on_a_value_of_the_branch() {
    let then = body(
        "t",
        ["a = Relu(x)", "b = Dropout(a)", "t = Tanh(b)"].map(op),
    );
    let otherwise = body("e", [op("e = Relu(x)")]);
    strips(&conditional([if_y(then, otherwise)])).leaves(&[
        "y = If(c)",
        "  then_branch:",
        "    a = Relu(x)",
        "    t = Tanh(a)",
        "  else_branch:",
        "    e = Relu(x)",
    ]);
}

#[test]
fn output_of_a_branch_whose_data_is_the_branchs_own() {
    let then = body("t", ["a = Relu(x)", "t = Dropout(a)"].map(op));
    let otherwise = body("e", ["a = Tanh(x)", "e = Dropout(a)"].map(op));
    strips(&conditional([if_y(then, otherwise)]))
        .leaves(&[
            "y = If(c)",
            "  then_branch:",
            "    t = Relu(x)",
            "  else_branch:",
            "    e = Tanh(x)",
        ])
        .keeps_identity_for(&[]);
}

#[test]
fn output_of_a_branch_whose_data_is_an_outer_value_leaves_an_identity() {
    let then = body("t", [op("t = Dropout(h)")]);
    let otherwise = body("e", [op("e = Relu(h)")]);
    let nodes = [op("h = Sigmoid(x)"), if_y(then, otherwise)];
    let stripped = strips(&conditional(nodes))
        .leaves(&[
            "h = Sigmoid(x)",
            "y = If(c)",
            "  then_branch:",
            "    t = Identity(h)",
            "  else_branch:",
            "    e = Relu(h)",
        ])
        .keeps_identity_for(&["t"]);
    insta::assert_snapshot!("output_of_a_branch_from_outside", stripped.texts());
}

#[test]
fn dropouts_outside_and_inside_on_the_same_value() {
    let then = body("t", ["i = Dropout(d)", "t = Tanh(i)"].map(op));
    let otherwise = body("e", [op("e = Relu(d)")]);
    let nodes = [
        op("h = Sigmoid(x)"),
        op("d = Dropout(h)"),
        if_y(then, otherwise),
    ];
    strips(&conditional(nodes)).leaves(&[
        "h = Sigmoid(x)",
        "y = If(c)",
        "  then_branch:",
        "    t = Tanh(h)",
        "  else_branch:",
        "    e = Relu(h)",
    ]);
}

#[test]
fn captured_output_whose_producer_is_renamed_to_the_graph_outputs_name() {
    let then = body("t", [op("t = Tanh(z)")]);
    let otherwise = body("e", [op("e = Relu(h)")]);
    let nodes = [
        op("h = Sigmoid(x)"),
        op("z = Dropout(h)"),
        if_y(then, otherwise),
    ];
    let mut model = conditional(nodes);
    model.graph = model.graph.map(|graph| graph.output("z"));
    strips(&model)
        .leaves(&[
            "z = Sigmoid(x)",
            "y = If(c)",
            "  then_branch:",
            "    t = Tanh(z)",
            "  else_branch:",
            "    e = Relu(z)",
        ])
        .keeps_identity_for(&[]);
}

/// The branch has an `h` of its own, and uses the outer `d = Dropout(h)` too: `d` cannot become
/// `h` there, but the outer `h` can become `d`.
#[test]
fn a_branch_that_hides_the_datas_name_has_the_data_renamed() {
    let then = body("t", ["h = Tanh(x)", "t = Add(h, d)"].map(op));
    let otherwise = body("e", [op("e = Relu(d)")]);
    let nodes = [
        op("h = Sigmoid(x)"),
        op("d = Dropout(h)"),
        if_y(then, otherwise),
    ];
    let stripped = strips(&conditional(nodes))
        .leaves(&[
            "d = Sigmoid(x)",
            "y = If(c)",
            "  then_branch:",
            "    h = Tanh(x)",
            "    t = Add(h, d)",
            "  else_branch:",
            "    e = Relu(d)",
        ])
        .keeps_identity_for(&[]);
    insta::assert_snapshot!("branch_that_hides_the_datas_name", stripped.texts());
}

#[test]
fn a_branch_that_hides_the_name_of_a_graph_input_leaves_an_identity() {
    let then = body("t", ["x = Tanh(w)", "t = Add(x, d)"].map(op));
    let otherwise = body("e", [op("e = Relu(d)")]);
    let mut model = conditional([op("d = Dropout(x)"), if_y(then, otherwise)]);
    model.graph = model.graph.map(|graph| graph.input("w"));
    strips(&model)
        .leaves(&[
            "d = Identity(x)",
            "y = If(c)",
            "  then_branch:",
            "    x = Tanh(w)",
            "    t = Add(x, d)",
            "  else_branch:",
            "    e = Relu(d)",
        ])
        .keeps_identity_for(&["d"]);
}

/// `z = Dropout(h)` is an output, and a branch that uses `h` has a `z` of its own: `h` cannot be
/// called `z`.
#[test]
fn a_branch_that_hides_the_outputs_name_leaves_an_identity() {
    let then = body("t", ["z = Tanh(x)", "t = Add(h, z)"].map(op));
    let otherwise = body("e", [op("e = Relu(x)")]);
    let nodes = [
        op("h = Sigmoid(x)"),
        op("z = Dropout(h)"),
        if_y(then, otherwise),
    ];
    let mut model = conditional(nodes);
    model.graph = model.graph.map(|graph| graph.output("z"));
    strips(&model)
        .leaves(&[
            "h = Sigmoid(x)",
            "z = Identity(h)",
            "y = If(c)",
            "  then_branch:",
            "    z = Tanh(x)",
            "    t = Add(h, z)",
            "  else_branch:",
            "    e = Relu(x)",
        ])
        .keeps_identity_for(&["z"]);
}

#[test]
fn branches_may_use_the_same_names() {
    let branch = || {
        body(
            "t",
            ["a = Relu(x)", "b = Dropout(a)", "t = Tanh(b)"].map(op),
        )
    };
    strips(&conditional([if_y(branch(), branch())])).leaves(&[
        "y = If(c)",
        "  then_branch:",
        "    a = Relu(x)",
        "    t = Tanh(a)",
        "  else_branch:",
        "    a = Relu(x)",
        "    t = Tanh(a)",
    ]);
}

#[test]
fn ratio_and_flag_from_an_outer_scope_go_when_no_scope_uses_them() {
    let then = body("t", ["b = Dropout(x, r, f)", "t = Tanh(b)"].map(op));
    let otherwise = body("e", ["b = Dropout(x, r, f)", "e = Relu(b)"].map(op));
    let mut model = conditional([if_y(then, otherwise)]);
    let ratio = crate::common::build::f32_scalar(0.25);
    model.graph = model
        .graph
        .map(|graph| graph.init("r", ratio).init("f", flag(true)));
    let stripped = strips(&model).keeps_initializers(&[]);
    assert_eq!(stripped.sites.len(), 2);
    assert!(stripped.sites.iter().all(|site| site.rate == Some(0.25)));
}

#[test]
fn mask_made_inside_a_branch() {
    let then = body(
        "t",
        [
            "a = Relu(x)",
            "b, m = Dropout(a)",
            "n = Not(m)",
            "t = Where(n, x, b)",
        ]
        .map(op),
    );
    let otherwise = body("e", [op("e = Relu(x)")]);
    strips(&conditional([if_y(then, otherwise)])).leaves(&[
        "y = If(c)",
        "  then_branch:",
        "    a = Relu(x)",
        "    m/shape = Shape(a)",
        "    m = ConstantOfShape(m/shape)",
        "    n = Not(m)",
        "    t = Where(n, x, a)",
        "  else_branch:",
        "    e = Relu(x)",
    ]);
}

#[test]
fn captured_by_a_loop_body() {
    let nodes = [
        op("h = Sigmoid(x)"),
        op("d = Dropout(h)"),
        loop_y("x", "s_on", [op("s_on = Add(s, d)")]),
    ];
    strips_unrun(&looping(nodes), "Loop").leaves(&[
        "h = Sigmoid(x)",
        "y = Loop(turns, yes, x)",
        "  body:",
        "    go_on = Identity(go)",
        "    s_on = Add(s, h)",
    ]);
}

#[test]
fn inside_a_loop_body_on_what_is_carried() {
    let nodes = ["a = Relu(s)", "b = Dropout(a)", "s_on = Tanh(b)"].map(op);
    strips_unrun(&looping([loop_y("x", "s_on", nodes)]), "Loop").leaves(&[
        "y = Loop(turns, yes, x)",
        "  body:",
        "    go_on = Identity(go)",
        "    a = Relu(s)",
        "    s_on = Tanh(a)",
    ]);
}

#[test]
fn loop_body_from_its_input_to_its_output_leaves_an_identity() {
    let stripped: Stripped = strips_unrun(
        &looping([loop_y("x", "s_on", [op("s_on = Dropout(s)")])]),
        "Loop",
    );
    stripped
        .leaves(&[
            "y = Loop(turns, yes, x)",
            "  body:",
            "    go_on = Identity(go)",
            "    s_on = Identity(s)",
        ])
        .keeps_identity_for(&["s_on"]);
}

#[test]
fn what_a_loop_carries_may_be_a_dropouts_output() {
    let nodes = [
        op("h = Sigmoid(x)"),
        op("d = Dropout(h)"),
        loop_y("d", "s_on", [op("s_on = Tanh(s)")]),
    ];
    strips_unrun(&looping(nodes), "Loop").leaves(&[
        "h = Sigmoid(x)",
        "y = Loop(turns, yes, h)",
        "  body:",
        "    go_on = Identity(go)",
        "    s_on = Tanh(s)",
    ]);
}

#[test]
fn captured_by_and_inside_a_scan_body() {
    let row = &[3];
    let body = graph(
        [
            "a = Add(s, r)",
            "b = Dropout(a)",
            "s_on = Add(b, v)",
            "p = Tanh(b)",
            "o = Dropout(p)",
        ]
        .map(op),
    )
    .input_of("s", DataType::FLOAT, row)
    .input_of("r", DataType::FLOAT, row)
    .output_of("s_on", DataType::FLOAT, row)
    .output_of("o", DataType::FLOAT, row);
    let scan = op("last, y = Scan(d, x)")
        .with(int("num_scan_inputs", 1))
        .with(subgraph("body", body));
    let nodes = [op("v = Relu(start)"), op("d = Dropout(v)"), scan];
    let graph = graph(nodes)
        .input_of("x", DataType::FLOAT, SHAPE)
        .input_of("start", DataType::FLOAT, row)
        .output_of("last", DataType::FLOAT, row)
        .output_of("y", DataType::FLOAT, SHAPE);
    strips(&model(13, graph)).leaves(&[
        "v = Relu(start)",
        "last, y = Scan(v, x)",
        "  body:",
        "    a = Add(s, r)",
        "    s_on = Add(a, v)",
        "    o = Tanh(a)",
    ]);
}

/// A training graph sees the main graph's names.
#[test]
fn captured_by_a_training_graph() {
    let algorithm = graph(["g = Mul(d, d)", "e = Dropout(g)", "loss = ReduceSum(e)"].map(op))
        .output_of("loss", DataType::FLOAT, &[1, 1]);
    let nodes = ["h = Sigmoid(x)", "d = Dropout(h)", "y = Tanh(d)"].map(op);
    let model = model(13, x_to_y(nodes)).training(Training {
        algorithm: Some(algorithm),
        ..Training::default()
    });
    strips(&model).leaves(&[
        "h = Sigmoid(x)",
        "y = Tanh(h)",
        "algorithm:",
        "  g = Mul(h, h)",
        "  loss = ReduceSum(g)",
    ]);
}

#[test]
fn output_of_a_training_graph() {
    let algorithm = graph(["g = Mul(h, h)", "loss = Dropout(g)", "kept = Dropout(h)"].map(op))
        .output("loss")
        .output("kept");
    let initialization = graph(["a = RandomNormal()", "w0 = Dropout(a)"].map(op)).output("w0");
    let nodes = ["h = Sigmoid(x)", "y = Dropout(h)"].map(op);
    let model = model(13, x_to_y(nodes)).training(Training {
        initialization: Some(initialization),
        algorithm: Some(algorithm),
        ..Training::default()
    });
    strips(&model).leaves(&[
        "y = Sigmoid(x)",
        "initialization:",
        "  w0 = RandomNormal()",
        "algorithm:",
        "  loss = Mul(y, y)",
        "  kept = Identity(y)",
    ]);
}
