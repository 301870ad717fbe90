//! Dropout in model-local functions, which see no names but their own.

use dropout_onnx::dropout::Mode;

use crate::common::build::{
    f32_scalar, flag, float, function, graph, int, model, op, reference, subgraph, tensor, x_to_y,
};
use crate::common::proto::{Function, Model, Node};
use crate::common::stripped::{strips, strips_unrun_because};

fn calling(nodes: impl IntoIterator<Item = Node>, function: Function) -> Model {
    model(13, x_to_y(nodes))
        .imports("local", 1)
        .function(function)
}

#[test]
fn inside_a_function_body() {
    let body = ["a = Relu(i)", "b = Dropout(a)", "o = Tanh(b)"].map(op);
    strips(&calling(
        [op("y = local::F(x)")],
        function("F", "i", "o", 13, body),
    ))
    .leaves(&[
        "y = local::F(x)",
        "F(i) -> (o):",
        "  a = Relu(i)",
        "  o = Tanh(a)",
    ]);
}

#[test]
fn function_output_takes_the_producers_place() {
    let body = ["a = Relu(i)", "o = Dropout(a)"].map(op);
    strips(&calling(
        [op("y = local::F(x)")],
        function("F", "i", "o", 13, body),
    ))
    .leaves(&["y = local::F(x)", "F(i) -> (o):", "  o = Relu(i)"])
    .keeps_identity_for(&[]);
}

#[test]
fn function_input_to_function_output_leaves_an_identity_for_the_call() {
    let body = [op("o = Dropout(i)")];
    let stripped = strips(&calling(
        [op("y = local::F(x)")],
        function("F", "i", "o", 13, body),
    ))
    .leaves(&["y = Identity(x)"])
    .keeps_identity_for(&["y"]);
    insta::assert_snapshot!("function_input_to_function_output", stripped.texts());
}

#[test]
fn outside_between_two_calls() {
    let body = [op("o = Relu(i)")];
    let nodes = ["a = local::F(x)", "d = Dropout(a)", "y = local::F(d)"].map(op);
    strips(&calling(nodes, function("F", "i", "o", 13, body))).leaves(&[
        "a = local::F(x)",
        "y = local::F(a)",
        "F(i) -> (o):",
        "  o = Relu(i)",
    ]);
}

#[test]
fn function_called_by_a_function() {
    let inner = function("G", "i", "o", 13, ["a = Relu(i)", "o = Dropout(a)"].map(op));
    let outer = function(
        "F",
        "i",
        "o",
        13,
        ["a = local::G(i)", "b = Dropout(a)", "o = local::G(b)"].map(op),
    );
    let model = calling([op("y = local::F(x)")], outer).function(inner);
    strips(&model).leaves(&[
        "y = local::F(x)",
        "F(i) -> (o):",
        "  a = local::G(i)",
        "  o = local::G(a)",
        "G(i) -> (o):",
        "  o = Relu(i)",
    ]);
}

#[test]
fn ratio_and_flag_as_inputs_that_every_caller_gives_alike() {
    let body = ["a = Dropout(i, r, t)", "o = Relu(a)"].map(op);
    let nodes = ["a = local::F(x, r, t)", "y = local::F(a, r, t)"].map(op);
    let mut model = calling(nodes, function("F", "i, r, t", "o", 13, body));
    model.graph = model.graph.map(|graph| {
        let graph = graph.init("r", f32_scalar(0.3));
        graph.init("t", flag(true))
    });
    let stripped = strips(&model)
        .leaves(&[
            "a = local::F(x, r, t)",
            "y = local::F(a, r, t)",
            "F(i, r, t) -> (o):",
            "  o = Relu(i)",
        ])
        .keeps_initializers(&["r", "t"]);
    assert_eq!(stripped.sites[0].mode, Mode::Active);
    assert_eq!(stripped.sites[0].rate, Some(0.3));
    insta::assert_snapshot!("function_with_ratio_and_flag_as_inputs", stripped.texts());
}

#[test]
fn ratio_and_flag_as_inputs_that_callers_give_differently() {
    let body = ["a = Dropout(i, r, t)", "o = Relu(a)"].map(op);
    let nodes = ["a = local::F(x, r, t)", "y = local::F(a, s, f)"].map(op);
    let mut model = calling(nodes, function("F", "i, r, t", "o", 13, body));
    model.graph = model.graph.map(|graph| {
        let graph = graph.init("r", f32_scalar(0.3)).init("t", flag(true));
        graph.init("s", f32_scalar(0.4)).init("f", flag(false))
    });
    let stripped = strips(&model).keeps_initializers(&["r", "t", "s", "f"]);
    let sites = stripped.sites.iter().map(|site| (site.rate, site.mode));
    let expected = [(Some(0.3), Mode::Active), (Some(0.4), Mode::Inert)];
    assert_eq!(sites.collect::<Vec<_>>(), expected);
}

#[test]
fn ratio_and_flag_as_attributes_of_the_call() {
    let body = [
        op("r = Constant()").with(reference("value_float", "p", 1)),
        op("k = Constant()").with(reference("value_int", "train", 2)),
        op("t = Cast(k)").with(int("to", 9)),
        op("a = Dropout(i, r, t)"),
        op("o = Relu(a)"),
    ];
    let mut f = function("F", "i", "o", 13, body);
    f.attribute = vec!["p".into(), "train".into()];
    let call = op("y = local::F(x)")
        .with(float("p", 0.2))
        .with(int("train", 1));
    let stripped =
        strips(&calling([call], f)).leaves(&["y = local::F(x)", "F(i) -> (o):", "  o = Relu(i)"]);
    assert_eq!(stripped.sites[0].mode, Mode::Active);
    assert_eq!(stripped.sites[0].rate, Some(0.2));
    assert_eq!(stripped.after.functions[0].attribute, ["p", "train"]);
    assert_eq!(stripped.after.main().node[0].attribute.len(), 2);
}

#[test]
fn ratio_as_an_attribute_that_callers_give_differently_or_leave_to_its_default() {
    let body = [
        op("r = Constant()").with(reference("value_float", "p", 1)),
        op("a = Dropout(i, r)"),
        op("o = Relu(a)"),
    ];
    let mut f = function("F", "i", "o", 13, body);
    f.attribute_proto = vec![float("p", 0.1)];
    let nodes = [
        op("a = local::F(x)").with(float("p", 0.2)),
        op("y = local::F(a)"),
    ];
    let stripped = strips(&calling(nodes, f));
    let sites = stripped.sites.iter().map(|site| (site.rate, site.mode));
    let expected = [(Some(0.2), Mode::Inert), (Some(0.1), Mode::Inert)];
    assert_eq!(sites.collect::<Vec<_>>(), expected);
}

#[test]
fn overloads_are_distinguished() {
    let mut one = function("F", "i", "o", 13, ["a = Dropout(i)", "o = Relu(a)"].map(op));
    one.overload = Some("one".into());
    let mut two = function("F", "i", "o", 13, ["a = Dropout(i)", "o = Tanh(a)"].map(op));
    two.overload = Some("two".into());
    let nodes = [
        op("a = local::F(x)").overloaded("one"),
        op("y = local::F(a)").overloaded("two"),
    ];
    let model = calling(nodes, one).function(two).ir(10);
    strips(&model).leaves(&[
        "a = local::F:one(x)",
        "y = local::F:two(a)",
        "F(i) -> (o):",
        "  o = Relu(i)",
        "F(i) -> (o):",
        "  o = Tanh(i)",
    ]);
}

/// The function's own opset 7 says that the mask has the data's type; the model's opset 13 would
/// say that it is boolean.
#[test]
fn the_functions_own_opset_rules() {
    let body = [
        op("a, m = Dropout(i)").with(float("ratio", 0.25)),
        op("o = Mul(a, m)"),
    ];
    let mut f = function("F", "i", "o", 7, body);
    f.value_info = vec![crate::common::build::typed(
        "m",
        dropout_onnx::onnx::DataType::FLOAT,
        &[2, 3],
    )];
    let stripped = strips(&calling([op("y = local::F(x)")], f)).leaves(&[
        "y = local::F(x)",
        "F(i) -> (o):",
        "  m/greater = Greater(i, i)",
        "  m/not = Not(m/greater)",
        "  m = Cast(m/not)",
        "  o = Mul(i, m)",
    ]);
    assert_eq!(stripped.sites[0].rate, Some(0.25));
    insta::assert_snapshot!("function_of_opset_7_in_a_model_of_13", stripped.texts());
}

#[test]
fn a_function_of_opset_6_trains_by_default_in_a_model_of_opset_13() {
    let body = ["a = Dropout(i)", "o = Relu(a)"].map(op);
    let stripped = strips(&calling(
        [op("y = local::F(x)")],
        function("F", "i", "o", 6, body),
    ));
    assert_eq!(stripped.sites[0].mode, Mode::Active);
}

#[test]
fn a_graph_inside_a_function() {
    let branch = |operator: &str| {
        let nodes = [op("b = Dropout(a)"), op(&format!("t = {operator}(b)"))];
        let mut graph = graph(nodes);
        graph.output.push(crate::common::build::untyped("t"));
        graph
    };
    let body = [
        op("a = Sigmoid(i)"),
        op("k = Constant()").with(tensor("value", flag(true))),
        op("o = If(k)")
            .with(subgraph("then_branch", branch("Relu")))
            .with(subgraph("else_branch", branch("Tanh"))),
    ];
    strips(&calling(
        [op("y = local::F(x)")],
        function("F", "i", "o", 13, body),
    ))
    .leaves(&[
        "y = local::F(x)",
        "F(i) -> (o):",
        "  a = Sigmoid(i)",
        "  k = Constant()",
        "  o = If(k)",
        "    then_branch:",
        "      t = Relu(a)",
        "    else_branch:",
        "      t = Tanh(a)",
    ]);
}

#[test]
fn a_function_that_nothing_calls_is_stripped_too() {
    let body = ["a = Dropout(i, r, t)", "o = Relu(a)"].map(op);
    let stripped = strips(&calling(
        [op("y = Relu(x)")],
        function("F", "i, r, t", "o", 13, body),
    ))
    .leaves(&["y = Relu(x)", "F(i, r, t) -> (o):", "  o = Relu(i)"]);
    assert_eq!(stripped.sites[0].mode, Mode::Inert);
}

#[test]
fn a_function_called_dropout_in_its_own_domain_is_no_operator() {
    let body = ["o = Relu(i)"].map(op);
    let stripped = strips(&calling(
        [op("y = local::Dropout(x)")],
        function("Dropout", "i", "o", 13, body),
    ));
    assert!(stripped.outcome.is_unchanged());
}

/// A function of this name in ONNX' own domain takes the operator's place.
#[test]
fn a_function_that_overrides_the_operator_is_not_an_operator() {
    let mut f = function("Dropout", "i", "o", 13, ["o = Relu(i)"].map(op));
    f.domain = Some(String::new());
    let model = model(13, x_to_y([op("y = Dropout(x)")])).function(f);
    let read = model.read();
    let stripped = dropout_onnx::rewrite::strip::strip(&read, &Default::default()).expect("strip");
    assert!(stripped.outcome.is_unchanged());
}

#[test]
fn a_function_that_calls_itself_is_refused() {
    let body = ["a = Dropout(i)", "o = local::F(a)"].map(op);
    let model = calling([op("y = local::F(x)")], function("F", "i", "o", 13, body));
    let read = model.read();
    let stripped = dropout_onnx::rewrite::strip::strip(&read, &Default::default());
    let compared = dropout_onnx::verify::structure::compare(&read, &read);
    for error in [stripped.err(), compared.err()] {
        let why = error.expect("a function that calls itself").to_string();
        assert!(
            why.contains("function:local::F: the function calls itself"),
            "{why}"
        );
    }
}

#[test]
fn a_call_of_an_operator_that_tract_lacks_is_named() {
    let body = ["a = Dropout(i)", "o = com.example::Foo(a)"].map(op);
    let model = calling([op("y = local::F(x)")], function("F", "i", "o", 13, body))
        .imports("com.example", 1);
    strips_unrun_because(&model, "com.example::Foo").leaves(&[
        "y = local::F(x)",
        "F(i) -> (o):",
        "  o = com.example::Foo(i)",
    ]);
}

#[test]
fn calls_of_functions_of_which_nothing_is_left_are_removed() {
    let inner = function("G", "i, t", "o", 13, [op("o = Dropout(i, , t)")]);
    let body = ["a = local::G(i, t)", "o = Identity(a)"].map(op);
    let outer = function("F", "i, t", "o", 13, body);
    let nodes = [
        "a = Relu(x)",
        "b = local::F(a, t)",
        "c = local::G(b, t)",
        "y = Tanh(c)",
    ]
    .map(op);
    let mut model = calling(nodes, outer).function(inner);
    model.graph = model.graph.map(|graph| graph.init("t", flag(true)));
    let stripped = strips(&model)
        .leaves(&["a = Relu(x)", "y = Tanh(a)"])
        .keeps_initializers(&[])
        .keeps_identity_for(&[]);
    assert_eq!(stripped.outcome.functions, ["F", "G"]);
}

#[test]
fn calls_of_functions_that_only_passed_data_through_stay() {
    let idle = function("G", "i", "o", 13, [op("o = Identity(i)")]);
    let body = ["a = Dropout(i)", "o = Relu(a)"].map(op);
    let nodes = ["a = local::G(x)", "y = local::F(a)"].map(op);
    let model = calling(nodes, function("F", "i", "o", 13, body)).function(idle);
    strips(&model).leaves(&[
        "a = local::G(x)",
        "y = local::F(a)",
        "F(i) -> (o):",
        "  o = Relu(i)",
        "G(i) -> (o):",
        "  o = Identity(i)",
    ]);
}

#[test]
fn a_call_whose_result_is_an_output_leaves_its_name() {
    let nodes = ["a = Relu(x)", "y = local::F(a)"].map(op);
    let body = [op("o = Dropout(i)")];
    let model = calling(nodes, function("F", "i", "o", 13, body));
    strips(&model)
        .leaves(&["y = Relu(x)"])
        .keeps_identity_for(&[]);
}
