//! Which node is which, when names do not tell.

use dropout_onnx::diff::{Kind, Part, text};
use dropout_onnx::onnx::Model;
use dropout_onnx::source::Source;
use proptest::prelude::*;
use prost::Message;
use tract_onnx::pb;

use super::{compare, lines};
use crate::common::build::{f32s, float, graph, int, model, op, subgraph, x_to_y};
use crate::common::rename::rename;
use crate::common::tape::cases;

fn read(model: &pb::ModelProto) -> Model {
    let source = Source::from_bytes(model.encode_to_vec());
    Model::read_in(source, Some("/nowhere".into())).unwrap()
}

proptest! {
    #![proptest_config(cases(40))]

    /// Names of the interface stay, as in two exports of a model.
    #[test]
    fn names_that_all_changed_are_renames_and_nothing_else(
        path in prop::sample::select(crate::common::models()),
        seed in any::<u64>(),
    ) {
        let model = pb::ModelProto::decode(&*std::fs::read(&path).unwrap());
        prop_assume!(model.is_ok());
        let model = model.unwrap();
        let mut renamed = model.clone();
        rename(&mut renamed, seed, true);
        let (before, after) = (read(&model), read(&renamed));
        let found = compare(&before, &after);
        let other = (found.changes.iter()).find(|c| {
            c.change != Kind::Renamed && !(c.part == Part::Node && dead(&before, &c.name))
        });
        prop_assert!(other.is_none(), "{}: {:?}", path.display(), other);
        let nodes = found.changes.iter().filter(|c| c.part == Part::Node && c.what.as_deref() == Some("name"));
        let named = before.nodes().filter(|(_, node)| !node.name.is_empty()).count();
        prop_assert!(nodes.count() <= named);
    }
}

/// A node that nothing uses, without inputs: one of many alike.
fn dead(model: &Model, name: &str) -> bool {
    (model.nodes()).any(|(id, node)| node.inputs.is_empty() && model.label(id) == name)
}

fn chain(nodes: &[&str]) -> Model {
    model(13, x_to_y(nodes.iter().map(|node| op(node)))).read()
}

#[test]
fn a_node_without_name_is_known_by_what_it_produces() {
    let before = chain(&["a = Relu(x)", "b = Tanh(a)", "y = Exp(b)"]);
    let after = chain(&["a = Relu(x)", "b = Tanh(x)", "y = Exp(b)"]);
    assert_eq!(
        lines(&before, &after)[1..],
        ["  ~ node b: input 0: a -> x, past a".to_string()]
    );
}

#[test]
fn or_by_what_it_computes() {
    let before = chain(&["a = Relu(x)", "b = Tanh(a)", "c = Relu(b)", "y = Exp(c)"]);
    let after = chain(&["p = Relu(x)", "q = Tanh(p)", "r = Relu(q)", "y = Exp(r)"]);
    let renames = [("a", "p"), ("b", "q"), ("c", "r")];
    let expected = renames.map(|(a, b)| format!("  ~ node {a}: output 0 renamed: {a} -> {b}"));
    assert_eq!(lines(&before, &after)[1..], expected);
}

#[test]
fn nodes_match_by_their_neighbours() {
    let built = |names: [&str; 3], alpha: f32| {
        let [a, b, c] = names;
        let nodes = [
            op(&format!("{a} = Relu(x)")),
            op(&format!("{b} = LeakyRelu({a})")).with(float("alpha", alpha)),
            op(&format!("{c} = Tanh({b})")),
            op(&format!("y = Exp({c})")),
        ];
        model(13, x_to_y(nodes)).read()
    };
    let found = lines(&built(["a", "b", "c"], 0.5), &built(["p", "q", "r"], 0.25));
    let expected = [
        "  ~ node a: output 0 renamed: a -> p",
        "  ~ node b: output 0 renamed: b -> q",
        "  ~ node b: attribute alpha: 0.5 -> 0.25",
        "  ~ node c: output 0 renamed: c -> r",
    ];
    assert_eq!(found[1..], expected.map(String::from));
}

#[test]
fn or_by_what_it_is_made_of() {
    let built = |[a, b]: [&str; 2], user: &str, alpha: f32| {
        let nodes = [
            op(&format!("{a} = LeakyRelu(x)")).with(float("alpha", alpha)),
            op(&format!("{b} = {user}({a})")),
            op(&format!("y = Exp({b})")),
        ];
        model(13, x_to_y(nodes)).read()
    };
    let before = built(["a", "b"], "Tanh", 0.5);
    let found = lines(&before, &built(["p", "q"], "Sin", 0.25));
    let expected = [
        "  ~ node a: output 0 renamed: a -> p",
        "  ~ node a: attribute alpha: 0.5 -> 0.25",
        "  - node b: b = Tanh(a)",
        "  ~ node y: input 0: b -> q",
        "  + node q: q = Sin(p)",
    ];
    assert_eq!(found[1..], expected.map(String::from));
}

#[test]
fn a_name_alone_makes_no_node_another() {
    let built = |node: &str| {
        let nodes = [op("a = Relu(x)"), op(node).named("n"), op("y = Exp(a)")];
        model(13, x_to_y(nodes)).read()
    };
    let found = lines(&built("b = Tanh(a)"), &built("c = Sin(x)"));
    assert_eq!(
        found[1..],
        [
            "  - node n: b = Tanh(a)".to_string(),
            "  + node n: c = Sin(x)".into()
        ]
    );
    // the same value, made otherwise
    let found = lines(&built("b = Tanh(a)"), &built("b = Sin(a)"));
    assert_eq!(
        found[1..],
        ["  ~ node n: operator: Tanh -> Sin".to_string()]
    );
}

#[test]
fn duplicate_names_do_not_match_nodes() {
    let built = |second: &str| {
        let nodes = [
            op("a = Relu(x)").named("n"),
            op(second).named("n"),
            op("y = Exp(a)"),
        ];
        model(13, x_to_y(nodes)).read()
    };
    let found = lines(&built("b = Relu(a)"), &built("b = Relu(x)"));
    assert_eq!(
        found[1..],
        ["  ~ node n: input 0: a -> x, past n".to_string()]
    );
}

#[test]
fn weights_are_followed_from_their_users() {
    let built = |w: &str, value: f32| {
        let nodes = [op(&format!("y = Mul(x, {w})")).named("scale")];
        model(13, x_to_y(nodes).init(w, f32s(&[1], &[value]))).read()
    };
    let found = lines(&built("w", 1.0), &built("v", 2.0));
    let expected = [
        "  ~ initializer w: renamed: w -> v",
        "  ~ initializer w: elements: float[1] {1.0} -> float[1] {2.0}",
    ];
    assert_eq!(found[1..], expected.map(String::from));
}

#[test]
fn many_changes_and_long_chains_take_no_time() {
    let built = |prefix: &str, period: usize| {
        let name = |i: usize| match i {
            0 => "x".to_string(),
            20_000 => "y".to_string(),
            _ => format!("{prefix}{i}"),
        };
        let nodes = (0..20_000).map(|i| {
            let node = op(&format!("{} = Relu({})", name(i + 1), name(i)));
            match i % period {
                0 => node.with(int("odd", 1)),
                _ => node,
            }
        });
        model(13, x_to_y(nodes)).read()
    };
    let found = compare(&built("a", 700), &built("b", 701));
    assert!(
        found
            .changes
            .iter()
            .all(|c| matches!(c.change, Kind::Renamed | Kind::Changed))
    );
}

#[test]
fn inner_graphs_are_matched_with_their_nodes() {
    let built = |name: &str, inner: &str| {
        let body = graph([op(inner)]).output("t");
        let node = op("y = If(x)")
            .named(name)
            .with(subgraph("then_branch", body));
        model(13, x_to_y([node])).read()
    };
    let found = lines(&built("a", "t = Relu(x)"), &built("b", "t = Tanh(x)"));
    let expected = [
        "graph",
        "  ~ node a: name renamed: a -> b",
        "graph/a.then_branch",
        "  ~ node t: operator: Relu -> Tanh",
    ];
    assert_eq!(found, expected);
}

/// As an exporter numbers constants and nodes: those after a dropout have another number without it.
fn numbered(dropout: bool, weight: f32) -> Model {
    let (mut nodes, mut names) = (Vec::new(), Vec::new());
    let (mut last, mut number) = ("x".to_string(), 0);
    let mut weights = Vec::new();
    for layer in 0..3 {
        let named = format!("layer{layer}.weight");
        weights.push((named.clone(), f32s(&[2, 2], &[layer as f32 + weight; 4])));
        nodes.push(format!("matmul_{number} = MatMul({last}, {named})"));
        weights.push((format!("val_{number}"), f32s(&[1], &[0.5 + layer as f32])));
        nodes.push(format!("mul_{number} = Mul(matmul_{number}, val_{number})"));
        names.extend([
            format!("node_MatMul_{number}"),
            format!("node_mul_{number}"),
        ]);
        last = format!("mul_{number}");
        number += 1;
        if dropout {
            weights.push((format!("val_{number}"), f32s(&[1], &[0.1])));
            nodes.push(format!("mul_{number} = Dropout({last}, val_{number})"));
            names.push(format!("node_dropout_{number}"));
            last = format!("mul_{number}");
            number += 1;
        }
    }
    nodes.push(format!("y = Relu({last})"));
    names.push("relu".to_string());
    let nodes = nodes.iter().zip(&names);
    let mut graph = x_to_y(nodes.map(|(text, name)| op(text).named(name)));
    for (name, tensor) in weights {
        graph = graph.init(&name, tensor);
    }
    model(13, graph).read()
}

#[test]
fn numbers_in_names_do_not_make_a_match() {
    let found = compare(&numbered(true, 1.0), &numbered(false, 1.0));
    let real = text::short_lines(&found);
    let real: Vec<_> = real
        .into_iter()
        .filter(|line| line.starts_with("  "))
        .collect();
    let expected = [
        "  - node node_dropout_1: mul_1 = Dropout(mul_0, val_1)",
        "  - node node_dropout_3: mul_3 = Dropout(mul_2, val_3)",
        "  - node node_dropout_5: mul_5 = Dropout(mul_4, val_5)",
        "  - 3 initializers: val_1, val_3, val_5",
    ];
    assert_eq!(real, expected);
    // each of them in a line of its own
    let all = text::lines(&found);
    let ratios = all
        .iter()
        .filter(|line| line.contains("  - initializer val_"));
    assert_eq!(ratios.count(), 3, "{all:#?}");
    // the twin: weights that differ are found in spite of the numbers
    let found = compare(&numbered(true, 1.0), &numbered(false, 2.0));
    let changed = found.changes.iter().filter(|c| c.change == Kind::Changed);
    let names: Vec<_> = changed.map(|c| c.name.as_str()).collect();
    assert_eq!(names, ["layer0.weight", "layer1.weight", "layer2.weight"]);
}
