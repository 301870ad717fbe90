//! The positions that have names, on small networks of each kind.

use std::collections::BTreeSet;

use dropout_onnx::onnx::DataType;
use dropout_onnx::rewrite::insert::{Options, candidates};

use super::check::inserts;
use crate::common::build::*;
use crate::common::proto::{Graph, Node};

/// Which values of a graph the presets know, each with the preset.
fn known(graph: Graph) -> BTreeSet<(String, String)> {
    let model = model(17, graph);
    let found = candidates(&model.read(), &Options::default()).unwrap();
    let found: BTreeSet<(String, String)> = found
        .into_iter()
        .map(|site| (site.value, site.preset.unwrap_or("-").to_string()))
        .collect();
    for (value, preset) in &found {
        let choice = dropout_onnx::rewrite::insert::Choice {
            preset: Some(preset.parse().unwrap()),
            ..Default::default()
        };
        let (inserted, _) = inserts(&model, &super::check::options([choice]));
        assert!(
            inserted
                .places
                .iter()
                .any(|place| place.data == value.as_str())
        );
    }
    found
}

fn are(found: BTreeSet<(String, String)>, wanted: &[(&str, &str)]) {
    let wanted = wanted.iter().map(|(v, p)| (v.to_string(), p.to_string()));
    assert_eq!(found, wanted.collect());
}

fn weights(graph: Graph, names: &[&str]) -> Graph {
    names.iter().fold(graph, |graph, name| {
        graph.init(name, f32s(&[3, 3], &[0.5; 9]))
    })
}

fn network(nodes: impl IntoIterator<Item = Node>) -> Graph {
    weights(x_to_y(nodes), &["w", "v", "u", "b"])
}

#[test]
fn the_head_has_dropout_after_each_activation_but_that_of_the_output() {
    are(
        known(network([
            op("a = Gemm(x, w)"),
            op("h = Relu(a)"),
            op("c = MatMul(h, v)"),
            op("d = Add(c, b)"),
            op("i = Tanh(d)"),
            op("e = Gemm(i, u)"),
            op("y = Sigmoid(e)"),
        ])),
        &[("h", "head"), ("i", "head")],
    );
}

#[test]
fn activations_of_several_operators_end_at_their_last() {
    // SiLU, and Gelu with Erf
    are(
        known(
            network([
                op("a = Gemm(x, w)"),
                op("s = Sigmoid(a)"),
                op("h = Mul(a, s)"),
                op("c = Gemm(h, v)"),
                op("d = Div(c, half)"),
                op("e = Erf(d)"),
                op("f = Add(e, half)"),
                op("g = Mul(c, f)"),
                op("i = Mul(g, half)"),
                op("y = Gemm(i, u)"),
            ])
            .init("half", f32_scalar(0.5)),
        ),
        &[("h", "head"), ("i", "head")],
    );
}

#[test]
fn convolutions_have_theirs_and_are_no_head() {
    let graph = weights(
        graph([
            op("a = Conv(x, k)"),
            op("n = BatchNormalization(a, s, s, s, s)"),
            op("r = Relu(n)"),
            op("p = GlobalAveragePool(r)"),
            op("f = Flatten(p)"),
            op("g = Gemm(f, w)"),
            op("h = Relu(g)"),
            op("y = Gemm(h, v)"),
        ])
        .input_of("x", DataType::FLOAT, &[2, 3, 8, 8])
        .output_of("y", DataType::FLOAT, &[2, 3])
        .init("k", f32s(&[3, 3, 1, 1], &[0.5; 9]))
        .init("s", f32s(&[3], &[1.0; 3])),
        &["w", "v"],
    );
    are(known(graph), &[("r", "conv"), ("h", "head")]);
}

#[test]
fn a_transformer_has_attention_residuals_and_an_embedding() {
    let graph = weights(
        graph([
            op("t = Gather(table, ids)"),
            op("p = Gather(table, places)"),
            op("e = Add(t, p)"),
            op("q = MatMul(e, w)"),
            op("k = MatMul(e, v)"),
            op("kt = Transpose(k)"),
            op("s = MatMul(q, kt)"),
            op("a = Softmax(s)"),
            op("m = MatMul(a, e)"),
            op("o = MatMul(m, u)"),
            op("r = Add(e, o)"),
            op("f = MatMul(r, w)"),
            op("g = Relu(f)"),
            op("z = MatMul(g, v)"),
            op("r2 = Add(z, r)"),
            op("l = Gemm(r2, u)"),
            op("y = Softmax(l)"),
        ])
        .input_of("ids", DataType::INT64, &[3])
        .input_of("places", DataType::INT64, &[3])
        .output_of("y", DataType::FLOAT, &[3, 3])
        .init("table", f32s(&[4, 3], &[0.5; 12])),
        &["w", "v", "u"],
    );
    are(
        known(graph),
        &[
            ("e", "embedding"),
            ("a", "attention"),
            ("o", "residual"),
            ("z", "residual"),
        ],
    );
}

#[test]
fn a_classifiers_softmax_and_a_plain_sum_are_not_positions() {
    // the twin: what looks like them
    are(
        known(network([
            op("a = MatMul(x, w)"),
            op("s = Softmax(a)"),
            op("c = MatMul(s, v)"),
            op("d = MatMul(x, u)"),
            op("y = Add(c, d)"),
        ])),
        &[],
    );
}

#[test]
fn what_follows_the_output_layer_is_no_head() {
    for behind in [
        "Softmax",
        "Sigmoid",
        "Identity",
        "Relu",
        "LogSoftmax",
        "Tanh",
    ] {
        are(
            known(
                network([
                    op("a = Gemm(x, w)"),
                    op("h = Relu(a)"),
                    op("e = Gemm(h, u)"),
                    op(&format!("f = {behind}(e)")),
                    op("g = Reshape(f, s)"),
                    op("y = Identity(g)"),
                ])
                .init("s", i64s(&[2, 3])),
            ),
            &[("h", "head")],
        );
    }
}

#[test]
fn casts_and_reshapes_after_an_activation_do_not_move_the_position() {
    are(
        known(
            network([
                op("a = MatMul(x, w)"),
                op("r = Reshape(a, s)"),
                op("d = Add(r, b)"),
                op("h = Relu(d)"),
                op("c = Cast(h)").with(int("to", 1)),
                op("i = Identity(c)"),
                op("f = Flatten(i)"),
                op("y = MatMul(f, v)"),
            ])
            .init("s", i64s(&[2, 3])),
        ),
        &[("h", "head")],
    );
}

#[test]
fn a_gate_on_its_own_input_is_not_a_position() {
    // squeeze and excitation; and the twin, a gate on something else
    let nodes = |other: &str| {
        vec![
            op("a = Conv(x, k)"),
            op("q = Conv(x, k)"),
            op("r = Relu(a)"),
            op("p = GlobalAveragePool(r)"),
            op("s = Conv(p, k)"),
            op("g = HardSigmoid(s)"),
            op(&format!("m = Mul({other}, g)")),
            op("y = Conv(m, k)"),
        ]
    };
    let found = |other: &str| {
        known(
            graph(nodes(other))
                .input_of("x", DataType::FLOAT, &[2, 3, 8, 8])
                .output_of("y", DataType::FLOAT, &[2, 3, 8, 8])
                .init("k", f32s(&[3, 3, 1, 1], &[0.5; 9])),
        )
    };
    are(found("r"), &[("r", "conv")]);
    are(found("q"), &[("r", "conv"), ("g", "conv")]);
}

#[test]
fn noise_of_the_size_of_the_data_is_no_branch() {
    // a VAE: what is drawn depends on the size of the mean, and on nothing else of it
    are(
        known(network([
            op("m = MatMul(x, w)"),
            op("l = MatMul(x, v)"),
            op("e = Exp(l)"),
            op("n = RandomNormalLike(m)"),
            op("z = Mul(e, n)"),
            op("s = Add(m, z)"),
            op("y = MatMul(s, u)"),
        ])),
        &[],
    );
}

#[test]
fn einsums_are_layers_and_products() {
    let einsum = |text: &str, equation: &str| op(text).with(string("equation", equation));
    let ones = |dims: &[i64]| f32s(dims, &vec![0.5; dims.iter().product::<i64>() as usize]);
    let graph = graph([
        einsum("q = Einsum(x, wq)", "abc,cde->abde"),
        einsum("k = Einsum(x, wk)", "abc,cde->abde"),
        einsum("v = Einsum(x, wv)", "abc,cde->abde"),
        einsum("s = Einsum(k, q)", "aecd,abcd->acbe"),
        op("a = Softmax(s)").with(int("axis", 3)),
        einsum("m = Einsum(a, v)", "acbe,aecd->abcd"),
        einsum("o = Einsum(m, wo)", "abcd,cde->abe"),
        op("y = Add(x, o)"),
    ])
    .input_of("x", DataType::FLOAT, &[2, 3, 4])
    .output_of("y", DataType::FLOAT, &[2, 3, 4])
    .init("wq", ones(&[4, 2, 2]))
    .init("wk", ones(&[4, 2, 2]))
    .init("wv", ones(&[4, 2, 2]))
    .init("wo", ones(&[2, 2, 4]));
    are(known(graph), &[("a", "attention"), ("o", "residual")]);
    // no sum over a shared index: a scale, not a layer
    are(
        known(network([
            einsum("a = Einsum(x, b)", "ij,ij->ij"),
            op("h = Relu(a)"),
            op("y = MatMul(h, v)"),
        ])),
        &[],
    );
}

#[test]
fn a_softmax_may_be_written_out() {
    let nodes = |sum: &str| {
        [
            op("q = MatMul(x, w)"),
            op("t = Transpose(x)"),
            op("s = MatMul(q, t)"),
            op("e = Exp(s)"),
            op(&format!("r = ReduceSum({sum}, axes)")),
            op("a = Div(e, r)"),
            op("y = MatMul(a, x)"),
        ]
    };
    let found = |sum: &str| known(network(nodes(sum)).init("axes", i64s(&[1])));
    are(found("e"), &[("a", "attention")]);
    are(found("s"), &[]);
}

/// A model whose dense layers, activations and blocks are functions.
fn of_functions(main: &[&str]) -> crate::common::proto::Model {
    let functions = [
        function("Dense", "a, w", "b", 17, [op("b = MatMul(a, w)")]),
        function("Act", "a", "b", 17, [op("b = Relu(a)")]),
        function(
            "Block",
            "a, w",
            "b",
            17,
            [op("c = local::Dense(a, w)"), op("b = local::Act(c)")],
        ),
        function(
            "Net",
            "a, w, v",
            "b",
            17,
            [
                op("c = local::Dense(a, w)"),
                op("d = local::Act(c)"),
                op("b = local::Dense(d, v)"),
            ],
        ),
    ];
    let model = model(17, network(main.iter().map(|text| op(text)))).imports("local", 1);
    functions
        .into_iter()
        .fold(model, |model, f| model.function(f))
}

fn heads(main: &[&str]) -> Vec<(String, String)> {
    let found = candidates(&of_functions(main).read(), &Options::default()).unwrap();
    let place = |site: dropout_onnx::rewrite::insert::Candidate| (site.scope, site.value);
    found.into_iter().map(place).collect()
}

#[test]
fn heads_are_found_through_functions() {
    let of = |scope: &str, value: &str| (scope.to_string(), value.to_string());
    // each call of a block, but the last, which is the output layer
    let calls = [
        "h = local::Block(x, w)",
        "i = local::Block(h, v)",
        "y = local::Block(i, u)",
    ];
    assert_eq!(heads(&calls), [of("graph", "h"), of("graph", "i")]);
    let calls = [
        "a = local::Dense(x, w)",
        "h = local::Act(a)",
        "y = local::Dense(h, v)",
    ];
    assert_eq!(heads(&calls), [of("graph", "h")]);
    // inside a function: behind the call in it
    assert_eq!(
        heads(&["y = local::Net(x, w, v)"]),
        [of("function:local::Net", "d")]
    );
    // weights that are passed are no data: a product of data is no layer
    let calls = [
        "a = local::Dense(x, x)",
        "h = local::Act(a)",
        "y = local::Dense(h, v)",
    ];
    assert_eq!(heads(&calls), []);
}

#[test]
fn dropout_inside_a_function_is_seen_from_its_calls() {
    let drop = function("Drop", "a", "b", 17, [op("b = Dropout(a)")]);
    let model = of_functions(&[
        "a = local::Dense(x, w)",
        "h = local::Act(a)",
        "d = local::Drop(h)",
        "y = local::Dense(d, v)",
    ])
    .function(drop);
    let found = candidates(&model.read(), &Options::default()).unwrap();
    let left: Vec<_> = found
        .iter()
        .filter_map(|site| site.left.as_deref())
        .collect();
    assert_eq!(
        left,
        ["it already has dropout, which `set` can change"],
        "{found:?}"
    );
}

/// `insert --sites` lists the usual rate, and `--preset` uses it unless another one is given.
#[test]
fn presets_have_a_usual_rate() {
    use dropout_onnx::rewrite::insert::{Choice, Preset};

    let head = network([
        op("h = MatMul(x, w)"),
        op("r = Relu(h)"),
        op("y = MatMul(r, u)"),
    ]);
    let model = model(17, head);
    let choice = |rate: Option<f64>| Choice {
        preset: Some(Preset::Head),
        rate: rate.map(|rate| dropout_onnx::rewrite::Rate::new(rate).unwrap()),
        ..Choice::default()
    };
    let rates = |own: Option<f64>, all: Option<f64>| {
        let options = Options {
            choices: vec![choice(own)],
            rate: all.map(|rate| dropout_onnx::rewrite::Rate::new(rate).unwrap()),
            ..Options::default()
        };
        let (inserted, _) = inserts(&model, &options);
        let rates = inserted.places.iter().map(|place| place.rate.value());
        rates.collect::<Vec<_>>()
    };
    assert_eq!(rates(None, None), [0.5]);
    assert_eq!(rates(None, Some(0.2)), [0.2]);
    assert_eq!(rates(Some(0.3), Some(0.2)), [0.3]);
    let found = candidates(&model.read(), &Options::default()).unwrap();
    assert_eq!(found[0].rate, 0.5);
}
