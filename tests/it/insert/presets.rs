//! The positions that have names, on small networks of each kind.

use std::collections::BTreeSet;

use dropout_onnx::onnx::DataType;
use dropout_onnx::rewrite::insert::{Choice, Options, Preset, candidates};

use super::check::inserts;
use crate::common::build::*;
use crate::common::proto::{Graph, Node};

fn choice(preset: Preset) -> Choice {
    Choice::default().preset(Some(preset))
}

/// Which values of a graph the presets know if they are asked for, each with the preset.
fn known(graph: Graph) -> BTreeSet<(String, String)> {
    let model = model(17, graph);
    let mut known = BTreeSet::new();
    for &preset in Preset::ALL {
        let options = super::check::options([choice(preset)]);
        let found = candidates(&model.read(), &options).unwrap_or_default();
        let found: Vec<String> = found.into_iter().map(|site| site.value).collect();
        // whole samples: of another size in each file, so in tests of its own
        if found.is_empty() || preset == Preset::DropPath {
            continue;
        }
        let (inserted, _) = inserts(&model, &options);
        for value in found {
            let places = &inserted.places;
            assert!(places.iter().any(|place| place.data == value.as_str()));
            known.insert((value, preset.to_string()));
        }
    }
    known
}

/// What `--sites` lists.
fn listed(model: &crate::common::proto::Model) -> Vec<(String, &'static str)> {
    let found = candidates(&model.read(), &Options::default()).unwrap();
    let found = found.into_iter();
    found
        .map(|site| (site.value, site.preset.unwrap()))
        .collect()
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
            op("z = Conv(x, k)"),
            op("t = Relu(z)"),
            op("a = Conv(t, k)"),
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
    // not after the stem, which reads the input
    are(known(graph), &[("r", "conv"), ("p", "head"), ("h", "head")]);
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
            ("g", "ffn"),
            ("z", "residual"),
            ("r2", "head"),
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
            op("z = Conv(x, k)"),
            op("a = Conv(z, k)"),
            op("r = Relu(a)"),
            op("p = GlobalAveragePool(r)"),
            op("s = Conv(p, k)"),
            op("g = HardSigmoid(s)"),
            op("q = Conv(r, k)"),
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
    are(found("q"), &[("r", "conv")]);
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
    let head = network([
        op("h = MatMul(x, w)"),
        op("r = Relu(h)"),
        op("y = MatMul(r, u)"),
    ]);
    let model = model(17, head);
    let choice = |rate: Option<f64>| {
        Choice::default()
            .preset(Some(Preset::Head))
            .rate(rate.map(|rate| dropout_onnx::rewrite::Rate::new(rate).unwrap()))
    };
    let rates = |own: Option<f64>, all: Option<f64>| {
        let options = Options::default()
            .choices(vec![choice(own)])
            .rate(all.map(|rate| dropout_onnx::rewrite::Rate::new(rate).unwrap()));
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

/// A block of a transformer: attention with `scores` and what follows them, and two dense layers.
fn transformer(attention: &[&str]) -> Graph {
    let mut nodes = vec![op("e = Gather(table, ids)")];
    nodes.extend(["q", "k", "v"].map(|name| op(&format!("{name} = MatMul(e, w)"))));
    nodes.push(op("t = Transpose(k)"));
    nodes.push(op("s = MatMul(q, t)"));
    nodes.extend(attention.iter().map(|text| op(text)));
    nodes.extend(
        [
            "m = MatMul(a, v)",
            "o = MatMul(m, u)",
            "n = Add(o, b)",
            "r = Add(e, n)",
            "f = MatMul(r, w)",
            "g = Relu(f)",
            "h = MatMul(g, u)",
            "i = Add(r, h)",
            "y = MatMul(i, w)",
        ]
        .map(op),
    );
    let graph = graph(nodes)
        .input_of("ids", DataType::INT64, &[3])
        .input_of("mask", DataType::BOOL, &[3, 3])
        .input_of("bias", DataType::FLOAT, &[3, 3])
        .output_of("y", DataType::FLOAT, &[3, 3])
        .init("table", f32s(&[4, 3], &[0.5; 12]))
        .init("zero", f32_scalar(0.0));
    weights(graph, &["w", "u", "b"])
}

fn at<'a>(found: &'a BTreeSet<(String, String)>, preset: &str) -> Vec<&'a str> {
    let found = found.iter().filter(|(_, of)| of == preset);
    found.map(|(value, _)| value.as_str()).collect()
}

#[test]
fn the_weights_of_attention_are_masked_before_their_dropout() {
    // Keras 3 puts zeros where the mask is false, after the softmax
    let found = known(transformer(&["p = Softmax(s)", "a = Where(mask, p, zero)"]));
    assert_eq!(at(&found, "attention"), ["a"]);
    let found = known(transformer(&["p = Add(s, bias)", "a = Softmax(p)"]));
    assert_eq!(at(&found, "attention"), ["a"]);
    // layers may mix the scores of heads, and the weights
    let found = known(transformer(&[
        "p = MatMul(s, w)",
        "z = Softmax(p)",
        "a = MatMul(z, w)",
    ]));
    assert_eq!(at(&found, "attention"), ["a"]);
    // what a layer scores by itself is a gate
    let found = known(transformer(&["p = Gemm(e, w)", "a = Softmax(p)"]));
    assert_eq!(at(&found, "attention"), [""; 0]);
}

/// A branch that gates itself ends before the gate, and one that only pools has no projection.
#[test]
fn branches_may_end_in_a_gate() {
    let gate = |gate: &str| {
        network([
            op("c = MatMul(x, w)"),
            op("h = Relu(c)"),
            op("d = MatMul(h, v)"),
            op(&format!("g = MatMul({gate}, b)")),
            op("s = Softmax(g)"),
            op("e = Mul(d, s)"),
            op("r = Add(x, e)"),
            op("y = MatMul(r, u)"),
        ])
    };
    let found = known(gate("d"));
    assert_eq!(
        (at(&found, "residual"), at(&found, "ffn")),
        (vec!["d"], vec!["h"])
    );
    // the twin: a product of two branches
    assert_eq!(at(&known(gate("x")), "residual"), [""; 0]);
}

/// Elements and whole samples: a value takes one dropout, and the report has the other one.
#[test]
fn presets_at_one_value_are_never_left_out_unreported() {
    use dropout_onnx::rewrite::{Acting, Action};

    let graph = model(
        17,
        network([
            op("c = MatMul(x, w)"),
            op("h = Relu(c)"),
            op("d = MatMul(h, v)"),
            op("r = Add(x, d)"),
            op("y = MatMul(r, u)"),
        ]),
    );
    let plan = |presets: &[Preset]| {
        let choices = presets.iter().map(|&preset| choice(preset));
        let options = super::check::options(choices).acting(Acting::Active);
        let (inserted, _) = inserts(&graph, &options);
        let left = inserted
            .plan
            .steps
            .iter()
            .filter(|step| step.action != Action::Apply);
        let left: Vec<String> = left.map(|step| step.action.to_string()).collect();
        (inserted.outcome.inserted, left)
    };
    let why = "kept (a value takes one dropout, and preset residual comes before preset drop-path)";
    let both = [Preset::Residual, Preset::DropPath];
    assert_eq!(plan(&both), (1, vec![why.to_string()]));
    let why = "kept (a value takes one dropout, and preset drop-path comes before preset residual)";
    let both = [Preset::DropPath, Preset::Residual];
    assert_eq!(plan(&both), (1, vec![why.to_string()]));
    // the twin: other values
    assert_eq!(plan(&[Preset::Ffn, Preset::DropPath]), (2, vec![]));
}

/// Branches are searched as far as they reach. Where that takes too long, presets are refused with `analysis-limit`.
#[test]
fn searches_are_complete_or_presets_are_refused() {
    // one branch of many layers
    let long = |layers: usize| {
        let inner = (0..layers).map(|i| op(&format!("t{} = Tanh(t{i})", i + 1)));
        let first = [op("c = MatMul(x, w)"), op("t0 = Relu(c)")];
        let last = [
            op(&format!("d = MatMul(t{layers}, v)")),
            op("r = Add(x, d)"),
            op("y = MatMul(r, u)"),
        ];
        model(17, network(first.into_iter().chain(inner).chain(last)))
    };
    let listed = listed(&long(6000));
    assert!(
        listed.contains(&("d".to_string(), "residual")),
        "{listed:?}"
    );
    // each sum adds the input, so each search goes back to it
    let nested = |sums: usize| {
        let nodes = (0..sums).flat_map(|i| {
            let before = if i == 0 {
                "x".to_string()
            } else {
                format!("r{}", i - 1)
            };
            let rest = format!("r{i} = Add(x, m{i})");
            [op(&format!("m{i} = MatMul({before}, w)")), op(&rest)]
        });
        let last = op(&format!("y = MatMul(r{}, u)", sums - 1));
        model(17, network(nodes.chain([last])))
    };
    let refused = |model: crate::common::proto::Model| {
        let found = candidates(&model.read(), &Options::default());
        found.err().map(|e| e.to_string()).unwrap_or_default()
    };
    assert_eq!(refused(nested(100)), "");
    let why = refused(nested(2500));
    assert!(
        why.contains("analysis-limit: the search for the residual branches"),
        "{why}"
    );
}

#[test]
fn scores_and_a_mask_are_no_residual() {
    // the mask depends on the data, and so the scores are computed from what is added to them
    let found = known(transformer(&[
        "c = MatMul(e, w)",
        "d = MatMul(c, t)",
        "p = Add(s, d)",
        "a = Softmax(p)",
    ]));
    // after the bias of the projection
    assert_eq!(at(&found, "residual"), ["h", "n"]);
    assert_eq!(at(&found, "ffn"), ["g"]);
    assert_eq!(at(&found, "embedding"), ["e"]);
}

#[test]
fn the_embedding_is_what_the_first_block_is_given() {
    let block = |first: &[&str], stream: &str| {
        let nodes = first.iter().map(|text| op(text));
        let rest = [
            format!("q = MatMul({stream}, w)"),
            "t = Transpose(q)".to_string(),
            "s = MatMul(q, t)".to_string(),
            "a = Softmax(s)".to_string(),
            "m = MatMul(a, q)".to_string(),
            "o = MatMul(m, u)".to_string(),
            format!("r = Add({stream}, o)"),
            "y = MatMul(r, w)".to_string(),
        ];
        let graph = graph(nodes.chain(rest.iter().map(|text| op(text))))
            .input_of("ids", DataType::INT64, &[3])
            .output_of("y", DataType::FLOAT, &[3, 3])
            .init("table", f32s(&[4, 3], &[0.5; 12]))
            .init("one", f32s(&[3], &[1.0; 3]));
        let found = known(weights(graph, &["w", "u", "b"]));
        let found = at(&found, "embedding").into_iter();
        found.map(str::to_string).collect::<Vec<String>>()
    };
    let sum = ["g = Gather(table, ids)", "e = Add(g, b)"];
    assert_eq!(block(&sum, "e"), ["e"]);
    // BERT's kind: after the normalization, also before a layer that makes it wider
    let normal = [&sum[..], &["n = LayerNormalization(e, one, one)"]].concat();
    assert_eq!(block(&normal, "n"), ["n"]);
    let wider = [&normal[..], &["d = MatMul(n, w)"]].concat();
    assert_eq!(block(&wider, "d"), ["n"]);
}

#[test]
fn heads_begin_with_features() {
    let head = |features: &[&str], last: &str| {
        let nodes = features.iter().map(|text| op(text));
        let last = [op(&format!("y = MatMul({last}, w)"))];
        let graph = graph(nodes.chain(last))
            .input_of("x", DataType::FLOAT, &[2, 3, 8, 8])
            .input_of("ids", DataType::INT64, &[2])
            .output_of("y", DataType::FLOAT, &[2, 3])
            .init("table", f32s(&[4, 3], &[0.5; 12]))
            .init("k", f32s(&[3, 3, 1, 1], &[0.5; 9]))
            .init("zero", i64s(&[0]));
        let found = known(weights(graph, &["w"]));
        let found = at(&found, "head").into_iter();
        found.map(str::to_string).collect::<Vec<String>>()
    };
    let body = "c = Conv(x, k)";
    assert_eq!(
        head(&[body, "p = GlobalAveragePool(c)", "f = Flatten(p)"], "f"),
        ["p"]
    );
    assert_eq!(
        head(&[body, "p = MaxPool(c)", "f = Flatten(p)"], "f"),
        ["p"]
    );
    assert_eq!(head(&[body, "p = ReduceMean(c)"], "p"), ["p"]);
    assert_eq!(head(&[body, "f = Flatten(c)"], "f"), ["c"]);
    // inputs and rows that are looked up are no features
    assert_eq!(head(&["f = Flatten(x)"], "f"), [""; 0]);
    assert_eq!(head(&["f = Gather(table, ids)"], "f"), [""; 0]);
}

#[test]
fn layers_as_wide_as_the_vocabulary_predict_words() {
    let labels = |labels: i64| {
        let elements = vec![0.5; 3 * labels as usize];
        let mut graph = transformer(&["a = Softmax(s)"]);
        let last = graph.node.last_mut().unwrap();
        *last = op("y = MatMul(i, last)");
        let found = known(graph.init("last", f32s(&[3, labels], &elements)));
        at(&found, "head").len()
    };
    assert_eq!((labels(4), labels(5)), (0, 1));
}

/// Listed is what is usual: between BERT's dense layers and in bodies of convolutions there is none.
#[test]
fn what_is_not_usual_is_known_but_not_listed() {
    let encoder = model(17, transformer(&["a = Softmax(s)"]));
    let names = |preset: &str| {
        let listed = listed(&encoder).into_iter();
        let of = listed.filter(|(_, of)| *of == preset);
        of.map(|(value, _)| value).collect::<Vec<String>>()
    };
    assert_eq!(names("ffn"), [""; 0]);
    assert_eq!(names("residual"), ["n", "h"]);
    // one layer for queries and keys: as torch's own encoder and timm's have it
    let mut fused = transformer(&["a = Softmax(s)"]);
    let named = |node: &Node, name: &str| node.output.iter().any(|output| output == name);
    fused
        .node
        .retain(|node| !named(node, "q") && !named(node, "k"));
    fused.node.insert(1, op("qk = MatMul(e, w)"));
    fused
        .node
        .insert(2, op("q, k = Split(qk)").with(int("axis", 1)));
    let fused = model(17, fused);
    let listed = listed(&fused);
    assert!(listed.contains(&("g".to_string(), "ffn")), "{listed:?}");
}

#[test]
fn samples_are_dropped_whole_in_residual_branches() {
    use dropout_onnx::rewrite::Acting;

    let graph = weights(
        x_to_y([
            op("c = MatMul(x, w)"),
            op("h = Relu(c)"),
            op("d = MatMul(h, v)"),
            op("r = Add(x, d)"),
            op("y = MatMul(r, u)"),
        ]),
        &["w", "v", "u"],
    );
    let graph = model(17, graph);
    let options = |acting| super::check::options([choice(Preset::DropPath)]).acting(acting);
    let (inserted, written) = inserts(&graph, &options(Acting::Active));
    let places: Vec<_> = inserted.places.iter().collect();
    assert_eq!(places.len(), 1);
    assert_eq!(places[0].data, "d");
    assert_eq!(places[0].shared_axes, Some(vec![1]));
    assert!(
        written
            .graph
            .unwrap()
            .node
            .iter()
            .any(|node| node.op_type() == "RandomUniformLike")
    );
    let refused = super::check::refusal(&graph, &options(Acting::Inert));
    assert!(
        refused.contains("needs --mode active or runtime"),
        "{refused}"
    );
}

/// What a dense connection adds has dropout; what a Ghost module adds, channel by channel, has none.
#[test]
fn ghost_modules_are_no_dense_connections() {
    let joined = |groups: i64, width: usize| {
        let nodes = [
            op("g = Conv(x, w)"),
            op("h = Relu(g)"),
            op("n = Conv(h, v)").with(int("group", groups)),
            op("j = Concat(h, n)").with(int("axis", 1)),
            op("y = Conv(j, u)"),
        ];
        let ones = |dims: &[i64]| f32s(dims, &vec![0.5; dims.iter().product::<i64>() as usize]);
        let graph = graph(nodes)
            .input_of("x", DataType::FLOAT, &[1, 2, 4, 4])
            .output_of("y", DataType::FLOAT, &[1, 2, 4, 4])
            .init("w", ones(&[4, 2, 1, 1]))
            .init("v", ones(&[4, width as i64, 1, 1]))
            .init("u", ones(&[2, 8, 1, 1]));
        listed(&model(17, graph)).contains(&("n".to_string(), "conv"))
    };
    assert!(joined(1, 4));
    assert!(!joined(4, 1));
}

/// ReXNet adds a shortcut to some of the channels, after it has dropped all of them.
#[test]
fn a_sum_of_some_channels_drops_all_of_them() {
    let ends = |other: &str| {
        let nodes = [
            op("c = Conv(x, w)"),
            op("h = Mish(c)"),
            op("d = Conv(h, v)"),
            op("part = Slice(d, zero, two, one)"),
            op("sum = Add(part, x)"),
            op(&format!("rest = {other}")),
            op("j = Concat(sum, rest)").with(int("axis", 1)),
            op("y = Conv(j, u)"),
        ];
        let ones = |dims: &[i64]| f32s(dims, &vec![0.5; dims.iter().product::<i64>() as usize]);
        let graph = graph(nodes)
            .input_of("x", DataType::FLOAT, &[1, 2, 4, 4])
            .output_of("y", DataType::FLOAT, &[1, 2, 4, 4])
            .init("w", ones(&[4, 2, 3, 3]))
            .init("v", ones(&[4, 4, 1, 1]))
            .init("u", ones(&[2, 4, 1, 1]));
        let numbers = [("zero", 0), ("one", 1), ("two", 2), ("four", 4)];
        let graph = numbers
            .iter()
            .fold(graph, |graph, (name, n)| graph.init(name, i64s(&[*n])));
        let options = super::check::options([choice(Preset::DropPath)]);
        let found = candidates(&model(18, graph).read(), &options).unwrap();
        found.into_iter().map(|site| site.value).collect::<Vec<_>>()
    };
    assert_eq!(ends("Slice(d, two, four, one)"), ["d"]);
    // of what is cut off nothing is used
    assert_eq!(ends("Slice(x, zero, two, one)"), ["part"]);
}

#[test]
fn the_softmax_of_an_attention_operator_takes_none() {
    let graph = weights(
        graph([
            op("q = MatMul(x, w)"),
            op("a = Attention(q, q, q)")
                .with(int("q_num_heads", 1))
                .with(int("kv_num_heads", 1)),
            op("y = MatMul(a, w)"),
        ])
        .input_of("x", DataType::FLOAT, &[1, 3, 3])
        .output_of("y", DataType::FLOAT, &[1, 3, 3]),
        &["w"],
    );
    let graph = model(23, graph);
    let options = super::check::options([choice(Preset::Attention)]);
    let refused = super::check::refusal(&graph, &options);
    assert!(
        refused.contains("which has no dropout of its own"),
        "{refused}"
    );
    // what comes out of it may have some
    inserts(&graph, &super::check::options([super::check::at("a")]));
}

/// A block of two dense layers, whose skip connection is `skip`, after a layer.
fn block(skip: &[&str]) -> Graph {
    let nodes = ["i = MatMul(x, b)"].iter().chain(skip);
    let rest = [
        "f = MatMul(i, w)",
        "g = Relu(f)",
        "z = MatMul(g, v)",
        "r = Add(s, z)",
        "y = MatMul(r, u)",
    ];
    let nodes = nodes.chain(&rest).map(|text| op(text));
    network(nodes).init("scale", f32s(&[3], &[0.5; 3]))
}

#[test]
fn a_skip_connection_may_be_scaled_by_channel() {
    let found = known(block(&["s = Mul(i, scale)"]));
    assert_eq!(at(&found, "residual"), ["z"]);
    assert_eq!(at(&found, "ffn"), ["g"]);
    // of something else
    let found = known(block(&["j = MatMul(x, u)", "s = Mul(j, scale)"]));
    assert_eq!(at(&found, "residual"), [""; 0]);
}

#[test]
fn a_gate_of_one_activation_has_dropout_before_both_of_its_parts() {
    let gated = |gate: &str| {
        let halves = op("c, d = Split(g)").with(int("axis", 1));
        let nodes = [op("f = MatMul(x, w)"), op("g = Relu(f)"), halves, op(gate)];
        let rest = [
            "m = Mul(c, e)",
            "z = MatMul(m, v)",
            "r = Add(x, z)",
            "y = MatMul(r, u)",
        ]
        .map(op);
        let graph = graph(nodes.into_iter().chain(rest))
            .input_of("x", DataType::FLOAT, &[3, 4])
            .output_of("y", DataType::FLOAT, &[3, 4])
            .init("w", f32s(&[4, 8], &[0.5; 32]))
            .init("k", f32s(&[4, 4], &[0.5; 16]))
            .init("v", f32s(&[4, 4], &[0.5; 16]))
            .init("u", f32s(&[4, 4], &[0.5; 16]));
        let found = candidates(
            &model(13, graph).read(),
            &super::check::options([choice(Preset::Ffn)]),
        );
        let found = found.unwrap().into_iter();
        found.map(|site| site.value).collect::<Vec<String>>()
    };
    assert_eq!(gated("e = MatMul(d, k)"), ["g"]);
    // elementwise: the product
    assert_eq!(gated("e = Tanh(d)"), ["m"]);
}

/// A residual branch of convolutions of single positions; before them what `first` computes.
fn pointwise(first: &[&str], last: &[&str]) -> Vec<(String, &'static str)> {
    let middle = ["c = Conv(n, w)", "h = Relu(c)", "d = Conv(h, v)"];
    let after = [
        "r = Add(x, e)",
        "p = GlobalAveragePool(r)",
        "q = Flatten(p)",
        "y = MatMul(q, o)",
    ];
    let nodes = first.iter().chain(&middle).chain(last).chain(&after);
    let graph = graph(nodes.map(|text| op(text)))
        .input_of("x", DataType::FLOAT, &[2, 3, 4, 4])
        .output_of("y", DataType::FLOAT, &[2, 3])
        .init("w", f32s(&[3, 3, 1, 1], &[0.5; 9]))
        .init("v", f32s(&[3, 3, 1, 1], &[0.5; 9]))
        .init("g", f32s(&[3], &[0.5; 3]))
        .init("layer", f32s(&[3, 1, 1], &[0.5; 3]))
        .init("o", f32s(&[3, 3], &[0.5; 9]));
    let found = listed(&model(17, graph)).into_iter();
    found.filter(|(_, preset)| *preset != "head").collect()
}

#[test]
fn what_is_normalized_by_batch_and_folded_has_no_usual_dropout() {
    let plain = ["e = Identity(d)"];
    assert_eq!(pointwise(&["n = Identity(x)"], &plain), []);
    let both = [("h".to_string(), "ffn"), ("d".to_string(), "residual")];
    let sorted = |mut found: Vec<(String, &'static str)>| {
        found.retain(|(_, preset)| *preset != "drop-path");
        found.sort_by_key(|(_, preset)| *preset);
        found
    };
    let normalized = pointwise(&["n = InstanceNormalization(x, g, g)"], &plain);
    assert_eq!(sorted(normalized), both);
    let scaled = pointwise(&["n = Identity(x)"], &["e = Mul(d, layer)"]);
    assert_eq!(sorted(scaled), both);
}

#[test]
fn a_single_layer_that_mixes_positions_has_no_usual_dropout() {
    let mixed = |nodes: &[&str]| {
        let ends = ["r = Add(x, z)", "n = MatMul(r, b)", "y = Relu(n)"];
        let nodes = nodes.iter().chain(&ends).map(|text| op(text));
        let found = listed(&model(17, network(nodes))).into_iter();
        let found = found.filter(|(_, preset)| *preset == "residual");
        found.map(|(value, _)| value).collect::<Vec<_>>()
    };
    assert_eq!(mixed(&["z = MatMul(x, w)"]), [""; 0]);
    assert_eq!(
        mixed(&["f = MatMul(x, w)", "g = Relu(f)", "z = MatMul(g, v)"]),
        ["z"]
    );
}
