//! Consumers, outputs, captured values and declared types, in every scope.

use dropout_onnx::onnx::DataType;
use dropout_onnx::rewrite::insert::candidates;

use super::check::*;
use crate::common::build::*;

#[test]
fn every_consumer_uses_the_dropout() {
    let model = model(
        13,
        x_to_y([
            op("h = Relu(x)"),
            op("a = Abs(h)"),
            op("b = Neg(h)"),
            op("y = Add(a, b)"),
        ]),
    );
    let (_, after) = inserts_verified(&model, &options([after("Relu")]));
    assert_eq!(
        after.lines(),
        [
            "h = Relu(x)",
            "h/dropout = Dropout(h, h/dropout/ratio, h/dropout/training_mode)",
            "a = Abs(h/dropout)",
            "b = Neg(h/dropout)",
            "y = Add(a, b)",
        ]
    );
}

#[test]
fn an_output_of_the_model_keeps_its_name() {
    let model = model(
        13,
        x_to_y([op("y = Relu(x)"), op("z = Abs(y)")]).output("z"),
    );
    let (_, after) = inserts_verified(&model, &options([at("y")]));
    assert_eq!(
        after.lines(),
        [
            "y/before_dropout = Relu(x)",
            "y = Dropout(y/before_dropout, y/dropout/ratio, y/dropout/training_mode)",
            "z = Abs(y)",
        ]
    );
}

#[test]
fn captured_values_are_dropped_inside_and_outside() {
    let branch = |last: &str| graph([op(last)]).output("out");
    let model = model(
        13,
        x_to_y([
            op("h = Relu(x)"),
            op("i = If(c)")
                .with(subgraph("then_branch", branch("out = Abs(h)")))
                .with(subgraph("else_branch", branch("out = Neg(x)"))),
            op("y = Add(h, i)"),
        ])
        .init("c", flag(true)),
    );
    let (_, after) = inserts_verified(&model, &options([at("h")]));
    let lines = after.lines();
    assert!(
        lines
            .iter()
            .any(|line| line.trim() == "out = Abs(h/dropout)"),
        "{lines:#?}"
    );
    assert!(
        lines.contains(&"y = Add(h/dropout, i)".into()),
        "{lines:#?}"
    );
}

#[test]
fn a_value_inside_a_branch_stays_inside() {
    let then = graph([op("t = Abs(h)"), op("out = Neg(t)")]).output("out");
    let other = graph([op("o = Neg(h)")]).output("o");
    let model = model(
        13,
        x_to_y([
            op("h = Relu(x)"),
            op("y = If(c)")
                .with(subgraph("then_branch", then))
                .with(subgraph("else_branch", other)),
        ])
        .init("c", flag(true)),
    );
    let mut options = options([at("t"), at("o")]);
    options = acts("active", options);
    let (inserted, after) = inserts(&model, &options);
    let lines: Vec<String> = after.lines().iter().map(|l| l.trim().to_string()).collect();
    for line in [
        "t/dropout = Dropout(t, t/dropout/ratio, t/dropout/training_mode)",
        "out = Neg(t/dropout)",
        // an output of its branch keeps its name
        "o/before_dropout = Neg(h)",
        "o = Dropout(o/before_dropout, o/dropout/ratio, o/dropout/training_mode)",
    ] {
        assert!(lines.iter().any(|l| l == line), "no `{line}` in {lines:#?}");
    }
    assert_eq!(inserted.outcome.inserted, 2);
}

#[test]
fn in_a_function_constants_are_nodes() {
    let body = [op("h = Relu(a)"), op("b = Neg(h)")];
    let model = model(13, x_to_y([op("y = local::F(x)")]))
        .imports("local", 1)
        .function(function("F", "a", "b", 13, body));
    let (_, after) = inserts_verified(&model, &options([after("Relu")]));
    let lines = after.lines();
    let wanted = [
        "F(a) -> (b):",
        "  h = Relu(a)",
        "  h/dropout/ratio = Constant()",
        "  h/dropout/training_mode = Constant()",
        "  h/dropout = Dropout(h, h/dropout/ratio, h/dropout/training_mode)",
        "  b = Neg(h/dropout)",
    ];
    assert_eq!(lines[1..], wanted);
}

#[test]
fn a_function_that_rules_its_own_opset_gets_its_own_operator() {
    let body = [op("h = Relu(a)"), op("b = Neg(h)")];
    let model = model(13, x_to_y([op("y = local::F(x)")]))
        .imports("local", 1)
        .function(function("F", "a", "b", 10, body));
    let (_, after) = inserts(&model, &options([after("Relu")]));
    assert!(
        after.lines().contains(&"  h/dropout = Dropout(h)".into()),
        "{:?}",
        after.lines()
    );
    let why = refusal(&model, &acts("active", options([named("h")])));
    assert!(why.contains("opset 10"), "{why}");
}

#[test]
fn an_input_and_a_weight_can_be_dropped() {
    let model = model(
        13,
        x_to_y([op("y = Add(x, w)")]).init("w", f32s(SHAPE, &[1.0; 6])),
    );
    let (_, after) = inserts_verified(&model, &acts("active", options([at("x"), at("w")])));
    assert_eq!(
        after.lines().last().unwrap(),
        "y = Add(x/dropout, w/dropout)"
    );
    assert_eq!(after.dropouts(), 2);
}

#[test]
fn types_are_declared_where_the_file_declares_types() {
    let nodes = || x_to_y([op("h = Relu(x)"), op("k = Abs(h)"), op("y = Neg(k)")]);
    let (inserted, _) = inserts(
        &model(13, nodes().info("h").info("k")),
        &options([after("Relu")]),
    );
    let text = dropout_onnx::show::text(inserted.edited.model()).unwrap();
    assert!(text.contains("value h/dropout: float[2, 3]"), "{text}");
    let (inserted, _) = inserts(&model(13, nodes()), &options([after("Relu")]));
    let text = dropout_onnx::show::text(inserted.edited.model()).unwrap();
    assert!(!text.contains("value h/dropout"), "{text}");
}

#[test]
fn names_that_are_taken_are_not_taken_again() {
    let nodes = [
        op("h = Relu(x)"),
        op("h/dropout = Abs(h)").named("h/dropout_2"),
        op("y = Neg(h/dropout)"),
    ];
    let (inserted, after) = inserts(&model(13, x_to_y(nodes)), &options([after("Relu")]));
    assert_eq!(inserted.places[0].output, "h/dropout_3");
    let names: Vec<&str> = after.main().node.iter().map(|node| node.name()).collect();
    assert_eq!(names, ["", "h/dropout_3", "h/dropout_2", ""]);
}

#[test]
fn a_switch_is_an_optional_input_of_the_model() {
    let branch = |last: &str| graph([op("t = Abs(h)"), op(last)]).output("out");
    let model = model(
        13,
        x_to_y([
            op("h = Relu(x)"),
            op("i = If(c)")
                .with(subgraph("then_branch", branch("out = Neg(t)")))
                .with(subgraph(
                    "else_branch",
                    graph([op("e = Neg(h)")]).output("e"),
                )),
            op("y = Add(h, i)"),
        ])
        .init("c", flag(true)),
    );
    let options = acts("runtime:on", options([at("h"), at("t")]));
    let (found, after) = inserts_verified(&model, &options);
    let added = after.main().input.last().unwrap();
    assert_eq!(added.name(), "on");
    let tensor = added.r#type.as_ref().unwrap().tensor_type.as_ref().unwrap();
    assert_eq!(tensor.elem_type, Some(DataType::BOOL.0));
    let default = after.main().initializer.iter().find(|t| t.name() == "on");
    assert_eq!(default.unwrap().raw_data.as_deref(), Some(&[0u8][..]));
    let lines: Vec<String> = after.lines().iter().map(|l| l.trim().to_string()).collect();
    assert!(
        lines.contains(&"t/dropout = Dropout(t, t/dropout/ratio, on)".into()),
        "{lines:#?}"
    );
    let acting = found.acting.unwrap();
    assert_eq!(acting.sites.len(), 2);
}

#[test]
fn after_strip_the_switch_stays_and_nothing_else() {
    let model = model(13, x_to_y([op("h = Relu(x)"), op("y = Neg(h)")]));
    let (inserted, _) = inserts(&model, &acts("runtime:on", options([at("h")])));
    let strip = dropout_onnx::rewrite::strip::strip;
    let back = strip(inserted.edited.model(), &Default::default()).unwrap();
    assert_eq!(back.outcome.idle_inputs, ["on"]);
    let text = dropout_onnx::show::text(back.edited.model()).unwrap();
    let rest: Vec<&str> = text
        .lines()
        .filter(|line| !line.contains(" on: bool"))
        .collect();
    let original = dropout_onnx::show::text(&model.read()).unwrap();
    assert_eq!(rest, original.lines().collect::<Vec<_>>());
    // it is the original byte for byte only without the switch
    let original = bytes_of(&model.read().to_rope().unwrap());
    assert!(stripped(inserted.edited.model()) != original);
    assert!(pruned(inserted.edited.model()) == original);
}

#[test]
fn a_boolean_input_that_is_there_is_the_switch() {
    let graph = x_to_y([op("h = Relu(x)"), op("y = Neg(h)")]);
    let model = model(13, graph.input_of("train", DataType::BOOL, &[]));
    let (found, after) = inserts_verified(&model, &acts("runtime:train", options([at("h")])));
    assert_eq!(after.main().input.len(), 2);
    assert!(found.acting.is_some());
}

#[test]
fn plans_and_texts() {
    let model = model(
        13,
        x_to_y([op("h = Relu(x)"), op("k = MatMul(h, w)"), op("y = Relu(k)")])
            .init("w", f32s(&[3, 3], &[0.5; 9])),
    );
    let (inserted, _) = inserts(&model, &seeded(acts("active", options([after("Relu")]))));
    let plan = inserted.plan.steps.iter();
    let plan: Vec<String> = plan
        .map(|step| format!("{}: {}", step.label, step.action))
        .collect();
    let text = |model| dropout_onnx::show::text(model).unwrap();
    insta::assert_snapshot!(format!(
        "plan\n----\n{}\n\nbefore\n------\n{}\nafter\n-----\n{}",
        plan.join("\n"),
        text(&model.read()),
        text(inserted.edited.model())
    ));
}

#[test]
fn types_are_carried_through_operators_branches_and_calls() {
    let (element, shape) = (DataType::DOUBLE, SHAPE);
    let double =
        |name: &str| graph([op(&format!("{name} = Exp(v)"))]).output_of(name, DataType(0), shape);
    let body = [
        op("h = Exp(a)"),
        op("s = Shape(h)"),
        op("b = Reciprocal(h)"),
    ];
    let graph = graph([
        op("v, n = local::F(x)"),
        op("i = If(c)")
            .with(subgraph("then_branch", double("t")))
            .with(subgraph("else_branch", double("e"))),
        op("z = Log(i)"),
        op("y = Neg(z)"),
    ])
    .input_of("x", element, shape)
    .output_of("y", element, shape)
    .output_of("n", DataType::INT64, &[2])
    .init("c", flag(true));
    let model = model(13, graph)
        .imports("local", 1)
        .function(function("F", "a", "b, s", 13, body));
    let places = ["h", "v", "i", "z"];
    let (inserted, _) = inserts_verified(&model, &options(places.map(at)));
    assert_eq!(
        inserted.verdict(dropout_onnx::verify::Demand::Rewrite),
        dropout_onnx::verify::Verdict::Equal
    );
    let read = model.read();
    let found = candidates(&read, &options(places.map(at))).unwrap();
    let types: Vec<_> = found
        .into_iter()
        .map(|site| site.element.unwrap())
        .collect();
    assert_eq!(types, ["double"; 4]);
    // the twin: what is no float is told too
    let why = refusal(&model, &options([at("s")]));
    assert!(why.contains("type int64"), "{why}");
}

#[test]
fn types_that_a_file_declares_for_values_of_functions_are_known() {
    let body = [op("h = custom::G(a)"), op("b = Neg(h)")];
    let graph = || x_to_y([op("y = local::F(x)")]);
    let with = |graph| {
        model(13, graph)
            .imports("local", 1)
            .imports("custom", 1)
            .function(function("F", "a", "b", 13, body.clone()))
    };
    let why = refusal(&with(graph()), &options([at("h")]));
    assert!(why.contains("element type is unknown"), "{why}");
    let declared = with(graph().info("local::F/h"));
    assert_eq!(
        inserts(&declared, &options([at("h")])).0.outcome.inserted,
        1
    );
}
