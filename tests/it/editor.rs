//! The edits, one by one: what they change, and what they refuse.

use crate::common::build::*;
use dropout_onnx::onnx::{self, Attribute, AttributeValue, DataType, Editor, Name, NodeId, Values};

/// The model's lines after an edit that ends well.
fn edited(model: &crate::common::proto::Model, edit: impl FnOnce(&mut Editor<'_>)) -> Vec<String> {
    let mut copy = model.read();
    let values = Values::new(&copy);
    let mut editor = Editor::new(&mut copy, values);
    edit(&mut editor);
    editor.finish().unwrap();
    let after = dropout_onnx::rewrite::Edited::new(&copy).unwrap().model;
    after.check(&Values::new(&after)).unwrap();
    let text = dropout_onnx::show::text(&after).unwrap();
    text.lines().map(|line| line.trim().to_string()).collect()
}

fn node(editor: &Editor<'_>, output: &str) -> NodeId {
    let named = |node: &onnx::Node| node.outputs.iter().any(|name| *name == output);
    let mut nodes = editor.model().nodes().filter(|(_, node)| named(node));
    nodes.next().expect("a node with this output").0
}

fn value(editor: &Editor<'_>, name: &str) -> onnx::ValueId {
    let (model, values) = (editor.model(), editor.values());
    values
        .lookup(model, model.main(), &Name::from(name))
        .expect("a value of this name")
}

#[track_caller]
fn has(lines: &[String], wanted: &[&str]) {
    for line in wanted {
        assert!(lines.iter().any(|l| l == line), "no `{line}` in {lines:#?}");
    }
}

/// `h` is used beside an `If` whose branch captures it.
fn captured(inner: &str) -> crate::common::proto::Model {
    let branch = |last: &str| graph([op(last)]).output("out");
    model(
        13,
        x_to_y([
            op("h = Relu(x)"),
            op("i = If(c)")
                .with(subgraph("then_branch", branch(inner)))
                .with(subgraph("else_branch", branch("out = Neg(h)"))),
            op("y = Add(h, i)"),
        ])
        .init("c", flag(true)),
    )
}

#[test]
fn a_renamed_output_is_renamed_wherever_it_is_used() {
    let lines = edited(&captured("out = Abs(h)"), |editor| {
        let h = value(editor, "h");
        editor.rename(h, &"hidden".into()).unwrap();
    });
    let wanted = ["hidden = Relu(x)", "out = Abs(hidden)", "out = Neg(hidden)"];
    has(&lines, &wanted);
    has(&lines, &["y = Add(hidden, i)"]);
}

#[test]
fn a_name_that_is_taken_hidden_or_bound_is_refused_and_nothing_changes() {
    let refused = |inner: &str, from: &str, to: &str| {
        let lines = edited(&captured(inner), |editor| {
            let from = value(editor, from);
            assert!(!editor.can_rename(from, &to.into()));
            assert!(editor.rename(from, &to.into()).is_err());
        });
        assert_eq!(lines, edited(&captured(inner), |_| {}));
    };
    refused("out = Abs(h)", "h", "i"); // taken
    refused("out = Abs(h)", "h", "out"); // means something else in the branches
    refused("out = Abs(h)", "h", "");
    refused("out = Abs(h)", "y", "z"); // an output of the graph
    refused("out = Abs(h)", "x", "z"); // no node's
    refused("out = Abs(h)", "c", "z");
}

#[test]
fn renaming_to_a_removed_value_takes_over_its_uses() {
    let model = model(13, x_to_y([op("h = Relu(x)"), op("y = Dropout(h)")]));
    let lines = edited(&model, |editor| {
        let h = value(editor, "h");
        let dropout = node(editor, "y");
        editor.remove_node(dropout);
        editor.rename(h, &"y".into()).unwrap();
    });
    has(&lines, &["y = Relu(x)"]);
}

#[test]
fn a_removed_node_whose_output_is_still_used_is_an_error() {
    let mut copy = captured("out = Abs(h)").read();
    let values = Values::new(&copy);
    let mut editor = Editor::new(&mut copy, values);
    let relu = node(&editor, "h");
    editor.remove_node(relu);
    let error = editor.finish().unwrap_err();
    assert!(error.why().contains("removed `h`"), "{error}");
}

#[test]
fn nodes_are_inserted_before_another_or_at_the_end() {
    let model = model(13, x_to_y([op("h = Relu(x)"), op("y = Neg(h)")]));
    let lines = edited(&model, |editor| {
        let graph = editor.model().main();
        let neg = node(editor, "y");
        for (before, output) in [(Some(neg), "a"), (Some(neg), "b"), (None, "c")] {
            let mut inserted = onnx::Node::new("Abs");
            inserted.inputs = ["h".into()].into_iter().collect();
            inserted.outputs = [output.into()].into_iter().collect();
            editor.insert_node(graph, before, inserted);
        }
        let b = value(editor, "b");
        editor.set_input(neg, 0, b);
    });
    let nodes: Vec<_> = lines.iter().filter(|line| line.contains(" = ")).collect();
    let wanted = [
        "h = Relu(x)",
        "a = Abs(h)",
        "b = Abs(h)",
        "y = Neg(b)",
        "c = Abs(h)",
    ];
    assert_eq!(nodes, wanted);
}

#[test]
fn initializers_are_added_replaced_and_removed() {
    let model = model(
        13,
        x_to_y([op("h = Mul(x, w)"), op("y = Add(h, v)")])
            .init("w", f32_scalar(2.0))
            .init("v", f32_scalar(3.0)),
    );
    let lines = edited(&model, |editor| {
        let graph = editor.model().main();
        let w = editor.values()[value(editor, "w")].initializer.unwrap();
        let half = 0.5f32.to_le_bytes();
        editor.replace_initializer(graph, w, DataType::FLOAT, &[1], &half);
        let name = editor.fresh_name("v");
        assert_eq!(name, "v_2", "v is taken");
        let added =
            editor.add_initializer(graph, &name, DataType::DOUBLE, &[], &4f64.to_le_bytes());
        let add = node(editor, "y");
        editor.set_input(add, 1, added.unwrap());
        let v = value(editor, "v");
        assert!(!editor.values().is_used(v));
        editor.remove_initializer(v);
    });
    has(
        &lines,
        &[
            "initializer w: float[1] {0.5}",
            "initializer v_2: double[] {4.0}",
        ],
    );
    has(&lines, &["y = Add(h, v_2)"]);
    assert!(!lines.iter().any(|line| line.starts_with("initializer v:")));
}

#[test]
fn a_fresh_name_is_nobodys_in_any_graph() {
    edited(&captured("out = Abs(h)"), |editor| {
        assert_eq!(editor.fresh_name("out"), "out_2");
        assert_eq!(editor.fresh_name("out"), "out_3");
        assert_eq!(editor.fresh_name("new"), "new");
        assert_eq!(editor.fresh_name("x"), "x_2");
    });
}

#[test]
fn attributes_are_set_and_removed() {
    let relu = op("y = LeakyRelu(x)")
        .with(float("alpha", 0.1))
        .with(int("kept", 7));
    let lines = edited(&model(13, x_to_y([relu])), |editor| {
        let relu = node(editor, "y");
        editor.set_attribute(relu, Attribute::new("alpha", AttributeValue::Float(0.5)));
        editor.set_attribute(
            relu,
            Attribute::new("axes", AttributeValue::Ints(vec![1, -1])),
        );
        editor.remove_attribute(relu, "nobody");
    });
    has(
        &lines,
        &["y = LeakyRelu(x) {alpha=0.5, axes=[1, -1], kept=7}"],
    );
}

#[test]
fn uses_are_redirected_except_for_outputs() {
    let model = model(
        13,
        x_to_y([op("h = Relu(x)"), op("y = Neg(h)"), op("z = Abs(y)")]).output("z"),
    );
    let lines = edited(&model, |editor| {
        let (h, y) = (value(editor, "h"), value(editor, "y"));
        assert!(!editor.can_redirect(y, h), "y is an output");
        editor.redirect(y, h).unwrap();
    });
    has(&lines, &["y = Neg(h)", "z = Abs(h)"]);
}

#[test]
fn inputs_and_outputs_are_appended() {
    let lines = edited(
        &model(13, x_to_y([op("h = Relu(x)"), op("y = Neg(h)")])),
        |editor| {
            let main = editor.model().main();
            let name = Name::from("on");
            let input = editor.add_input(&name, DataType::BOOL, &[]).unwrap();
            let default = editor.add_initializer(main, &name, DataType::BOOL, &[], &[1]);
            assert_eq!(
                default,
                Some(input),
                "the default of the input, no value of its own"
            );
            assert!(editor.values()[input].initializer.is_some());
            editor.add_output(value(editor, "h"));
        },
    );
    has(
        &lines,
        &[
            "input on: bool[]",
            "initializer on: bool[] {true}",
            "output h: ?",
        ],
    );
    let inputs: Vec<&String> = lines.iter().filter(|l| l.starts_with("input ")).collect();
    assert_eq!(inputs, ["input x: float[2, 3]", "input on: bool[]"]);
}

#[test]
fn an_input_of_a_node_may_be_added_with_absent_ones_before_it() {
    let lines = edited(
        &model(13, x_to_y([op("y = Dropout(x)")]).init("t", flag(true))),
        |editor| {
            let dropout = node(editor, "y");
            editor.set_input(dropout, 2, value(editor, "t"));
            assert_eq!(editor.values().input(dropout, 1), None);
            assert_eq!(editor.values().uses(value(editor, "t")).count(), 1);
        },
    );
    has(&lines, &["y = Dropout(x, \"\", t)"]);
}
