//! Rules about what stands after a dropout.

use dropout_onnx::Analysis;
use dropout_onnx::dropout::{self, Junction, Kind};
use dropout_onnx::onnx::Values;

use super::{constants, dropouts, fires, random_mask, said_of, silent, with_ratio};
use crate::common::build::{
    f32s, flag, float, function, graph, model, op, subgraph, tensor, x_to_y,
};
use crate::common::masks::masks_in_a_row;
use crate::common::proto::{Graph, Model, Node};

#[test]
fn dropout_on_output() {
    let what = "drops elements of the model output `y`";
    fires(
        "dropout-on-output",
        &dropouts([op("y = Dropout(x, r, on)")]),
        what,
    );
    fires("dropout-on-output", &random_mask(2.0), what);
    let through = [
        op("d = Dropout(x, r, on)"),
        op("i = Identity(d)"),
        op("y = Identity(i)"),
    ];
    fires("dropout-on-output", &dropouts(through), what);

    silent(
        "dropout-on-output",
        &dropouts([op("y = Dropout(x, r, off)")]),
    );
    silent(
        "dropout-on-output",
        &dropouts([op("d = Dropout(x, r, on)"), op("y = Relu(d)")]),
    );
}

#[test]
fn an_output_of_a_subgraph_is_not_a_model_output() {
    let branch = |node| subgraph("then_branch", graph([op(node)]).output("b"));
    let other = subgraph("else_branch", graph([op("b = Identity(x)")]).output("b"));
    let inner = op("c = If(on)")
        .with(branch("b = Dropout(x, r, on)"))
        .with(other);
    silent("dropout-on-output", &dropouts([inner, op("y = Relu(c)")]));

    let on = op("t = Constant()").with(tensor("value", flag(true)));
    let body = function("f", "a", "b", 13, [on, op("b = Dropout(a, , t)")]);
    let calling = model(13, x_to_y([op("c = local::f(x)"), op("y = Relu(c)")]));
    silent(
        "dropout-on-output",
        &calling.imports("local", 1).function(body),
    );
}

/// `d`, then what is between, then a normalisation of `n`.
fn normalised(dropout: Node, between: &[&str], norm: Node) -> Model {
    let nodes = [dropout]
        .into_iter()
        .chain(between.iter().map(|node| op(node)));
    with_statistics(constants(0.3, x_to_y(nodes.chain([norm]))))
}

fn with_statistics(graph: Graph) -> Model {
    let ones = || f32s(&[3], &[1.0; 3]);
    let graph = graph.init("scale", ones()).init("mean", ones());
    model(13, graph.init("w", f32s(&[3, 3], &[1.0; 9])))
}

fn norm(of: &str) -> Node {
    op(&format!(
        "y = BatchNormalization({of}, scale, mean, mean, scale)"
    ))
    .named("bn")
}

#[test]
fn dropout_before_batchnorm() {
    let what = "is followed by BatchNormalization `bn`, which learned its variance";
    let rule = "dropout-before-batchnorm";
    let active = || op("d = Dropout(x, r, on)");
    fires(rule, &normalised(active(), &[], norm("d")), what);
    fires(
        rule,
        &normalised(op("d = Dropout(x, r)"), &[], norm("d")),
        what,
    );
    let between = [
        "e = Relu(d)",
        "f = Transpose(e)",
        "g = Tanh(f)",
        "n = Identity(g)",
    ];
    fires(rule, &normalised(active(), &between, norm("n")), what);

    let far = [
        "e = Relu(d)",
        "f = Relu(e)",
        "g = Relu(f)",
        "h = Relu(g)",
        "n = Relu(h)",
    ];
    silent(rule, &normalised(active(), &far, norm("n")));
    silent(
        rule,
        &normalised(active(), &["n = MatMul(d, w)"], norm("n")),
    );
    silent(
        rule,
        &normalised(active(), &["n = local::Relu(d)"], norm("n")),
    );
    silent(
        rule,
        &normalised(active(), &[], op("y = LayerNormalization(d, scale)")),
    );
    // the statistics are no data
    silent(
        rule,
        &normalised(
            active(),
            &[],
            op("y = BatchNormalization(x, d, mean, mean, scale)"),
        ),
    );
    // off for good, and after it
    let nodes = [op("d = Dropout(x, r, on)"), norm("d")];
    let mut off = with_ratio(0.0, nodes);
    off.graph = off
        .graph
        .map(|graph| graph.init("scale", f32s(&[3], &[1.0; 3])));
    silent(rule, &off);
    let after = [norm("x"), op("z = Dropout(y, r, on)")];
    silent(rule, &with_statistics(constants(0.3, x_to_y(after))));
}

#[test]
fn noise_shifts_the_variance_too() {
    let noise = [
        op("u = RandomNormalLike(x)").with(float("scale", 0.1)),
        op("d = Add(x, u)"),
    ];
    let nodes = noise.into_iter().chain([norm("d")]);
    let what = "is followed by BatchNormalization `bn`, which learned its variance";
    let model = with_statistics(x_to_y(nodes)).by("tf2onnx");
    fires("dropout-before-batchnorm", &model, what);
}

#[test]
fn alpha_dropout_keeps_the_variance() {
    let model = normalised(op("d = Dropout(x, r, on)"), &[], norm("d"));
    let rule = "dropout-before-batchnorm";
    let alpha = said_of(rule, &model, |site| site.kind = Kind::AlphaDropout);
    assert!(alpha.is_empty());
    let gaussian = said_of(rule, &model, |site| site.kind = Kind::GaussianDropout);
    assert_eq!(gaussian.len(), 1);
}

/// A mask of several uses has several results.
#[test]
fn every_result_of_a_mask_is_looked_at() {
    let nodes = [
        op("d = Dropout(x, r, on)"),
        op("e = Neg(x)"),
        norm("e"),
        op("o = Relu(d)"),
    ];
    let model = with_statistics(constants(0.3, x_to_y(nodes)).output("o"));
    for rule in ["dropout-before-batchnorm", "dropout-on-output"] {
        assert!(said_of(rule, &model, |_| ()).is_empty());
    }
    let read = model.read();
    let values = Values::new(&read);
    let masked = masks_in_a_row(1).read();
    let masked = dropout::find(&Analysis::of(&masked)).unwrap()[0].junctions[0].clone();
    let exits: Vec<Junction> = (0..3)
        .map(|index| {
            let node = read.nodes().nth(index).unwrap().0;
            let mut exit = masked.clone();
            exit.node = node;
            exit.data = values.input(node, 0).unwrap();
            exit.output = values.output(&read, node, 0).unwrap();
            exit
        })
        .collect();
    for rule in ["dropout-before-batchnorm", "dropout-on-output"] {
        assert_eq!(
            said_of(rule, &model, |site| site.junctions = exits.clone()).len(),
            1
        );
    }
}

#[test]
fn many_uses_of_a_result_are_not_all_looked_at() {
    let uses = (0..1000).map(|i| op(&format!("u{i} = Relu(d)")));
    let nodes = [op("d = Dropout(x, r, on)")]
        .into_iter()
        .chain(uses)
        .chain([norm("d")]);
    let model = with_statistics(constants(0.3, x_to_y(nodes)));
    silent("dropout-before-batchnorm", &model);
}
