//! Upstream of what rounds: only powers of two are folded.

use dropout_onnx::onnx::DataType;
use dropout_onnx::rewrite::fold::{Options, fold};

use super::check::{folds_unrun, nodes, of, opset17, some, stays};
use crate::common::build::{
    f32_scalar, f32s, flag, function, graph, i64s, int, ints, op, raw, string, strings, subgraph,
    typed,
};
use crate::common::proto::{Attribute, Graph, Model, Node};

/// How `y` is made of `x`: a product by `s`, a layer with weights, and then these nodes of `h`.
fn then(texts: &[&str]) -> Graph {
    let mut all = vec!["p = Mul(x, s)", "h = MatMul(p, w)"];
    all.extend(texts);
    prepared(nodes(&all))
}

fn prepared(nodes: Vec<Node>) -> Graph {
    of(&[2, 3], &[2, 2], nodes)
        .init("w", f32s(&[3, 2], &some(6)))
        .init("q", f32_scalar(0.1))
        .init("z", raw(DataType::INT8, &[], &[3]))
        .init("two", i64s(&[2]))
        .init("roi", f32s(&[1, 4], &[0.0; 4]))
        .init("index", i64s(&[0]))
        .init("cond", flag(true))
}

/// The factor 0.7 stays, because of this; 0.5 is folded.
#[track_caller]
fn only_powers_of_two(graph: &Graph, why: &str) {
    let found = stays(&with(graph, 0.7));
    assert!(found.contains(why), "{found}");
    assert!(found.contains("power of two"), "{found}");
    folds_unrun(&with(graph, 0.5));
}

/// Both factors are folded.
#[track_caller]
fn any(graph: &Graph) {
    for s in [0.7, 0.5] {
        folds_unrun(&with(graph, s));
    }
}

fn with(graph: &Graph, s: f32) -> Model {
    opset17(graph.clone().init("s", f32_scalar(s)))
        .imports("com.microsoft", 1)
        .imports("local", 1)
}

#[test]
fn every_operator_that_rounds_or_compares() {
    for (texts, operator) in [
        (&["y = QuantizeLinear(h, q, z)"][..], "QuantizeLinear `y`"),
        (
            &["y, b, c = DynamicQuantizeLinear(h)"],
            "DynamicQuantizeLinear `y`",
        ),
        (&["y = Round(h)"], "Round `y`"),
        (&["y = Floor(h)"], "Floor `y`"),
        (&["y = Ceil(h)"], "Ceil `y`"),
        (&["y = Sign(h)"], "Sign `y`"),
        (&["y = Mod(h, q)"], "Mod `y`"),
        (&["y = Less(h, q)"], "Less `y`"),
        (&["y = LessOrEqual(q, h)"], "LessOrEqual `y`"),
        (&["y = Greater(h, q)"], "Greater `y`"),
        (&["y = GreaterOrEqual(h, q)"], "GreaterOrEqual `y`"),
        (&["y = Equal(h, q)"], "Equal `y`"),
        (&["y = IsNaN(h)"], "IsNaN `y`"),
        (&["y = ArgMax(h)"], "ArgMax `y`"),
        (&["y = ArgMin(h)"], "ArgMin `y`"),
        (&["v, y = TopK(h, index)"], "TopK `v`"),
        (&["y = NonZero(h)"], "NonZero `y`"),
        (&["y = Unique(h)"], "Unique `y`"),
        (&["y = Hardmax(h)"], "Hardmax `y`"),
        (&["y = OneHot(h, index, two)"], "OneHot `y`"),
        (&["y = ThresholdedRelu(h)"], "ThresholdedRelu `y`"),
        (&["y = Bernoulli(h)"], "Bernoulli `y`"),
        (&["y = NonMaxSuppression(h, h)"], "NonMaxSuppression `y`"),
        // what is compared decides what is chosen
        (&["c = Less(h, q)", "y = Where(c, x, q)"], "Less `c`"),
        // far downstream
        (
            &["a = Relu(h)", "b = Softmax(a)", "y = Round(b)"],
            "Round `y`",
        ),
        (
            &["a = Add(h, x)", "y = Sigmoid(a)", "z2 = ArgMax(a)"],
            "ArgMax `z2`",
        ),
    ] {
        only_powers_of_two(&then(texts), operator);
    }
}

/// The same places, where nothing rounds, or what rounds does not depend on the factor.
#[test]
fn what_is_continuous_takes_any_factor() {
    for texts in [
        &["y = Sigmoid(h)"][..],
        &["y, i = TopK(h, index)"],
        &["y = Where(cond, h, q)"],
        &["y = Pow(h, q)"],
        &["r = Round(x)", "y = Add(h, r)"],
        &["c = Less(x, q)", "y = Where(c, h, q)"],
        // a shape is not the elements
        &["a = Shape(h)", "b = NonZero(a)", "y = Softmax(h)"],
        &["a = RandomUniformLike(h)", "b = Less(a, q)", "y = Tanh(h)"],
        &[
            "a = Relu(h)",
            "b = Softmax(a)",
            "y = LayerNormalization(b, q)",
        ],
    ] {
        any(&then(texts));
    }
}

fn cast(graph: &Graph, to: DataType) -> Graph {
    let mut graph = graph.clone();
    for node in &mut graph.node {
        if node.is("Cast") {
            node.attribute = vec![int("to", i64::from(to.0))];
        }
    }
    graph
}

#[test]
fn a_cast_to_integers_or_few_bits() {
    let graph = then(&["c = Cast(h)", "y = Identity(c)"]);
    for to in [
        DataType::INT64,
        DataType::UINT8,
        DataType::BOOL,
        DataType::FLOAT8E4M3FN,
    ] {
        only_powers_of_two(&cast(&graph, to), "Cast `c` rounds");
    }
    for to in [DataType::FLOAT16, DataType::BFLOAT16, DataType::DOUBLE] {
        any(&cast(&graph, to));
    }
}

#[test]
fn parameters_that_are_computed() {
    for (texts, operator) in [
        (&["y = Pow(x, h)"][..], "Pow `y`"),
        (&["y = Resize(x, roi, h)"], "Resize `y`"),
        (&["y = Range(h, q, q)"], "Range `y`"),
    ] {
        only_powers_of_two(&then(texts), operator);
    }
    // where dropout is taken as in inference, no ratio counts
    let ratio = stays(&with(&then(&["y = Dropout(x, h)"]), 0.7));
    assert!(ratio.contains("Dropout `y` may round"), "{ratio}");
    any(&then(&["y = Resize(h, roi, two)"]));
    any(&then(&["y = Dropout(h, q)"]));
}

#[test]
fn a_grid_is_sampled_smoothly_or_at_the_nearest_point() {
    let sampled = |mode: &str| {
        let mut graph = then(&["y = GridSample(x, h)"]);
        let last = graph.node.last_mut().unwrap();
        last.attribute.push(string("mode", mode));
        graph
    };
    only_powers_of_two(&sampled("nearest"), "GridSample `y` rounds");
    any(&sampled("bilinear"));
}

/// Indices of a maximum depend on the last digit, and so does what they are used for.
#[test]
fn indices_on_the_way_of_a_factor() {
    let pooled = |indices: &str| {
        let pool = op(&format!("m{indices} = MaxPool(c)"));
        let nodes = [
            op("c = Conv(x, k)"),
            pool.with(ints("kernel_shape", &[2, 2])),
            op("h = Mul(m, s)"),
            op("y = Sigmoid(h)"),
        ];
        let mut graph =
            of(&[1, 1, 4, 4], &[1, 1, 3, 3], nodes).init("k", f32s(&[1, 1, 1, 1], &[3.0]));
        if !indices.is_empty() {
            graph = graph.output_of("i", DataType::INT64, &[1, 1, 3, 3]);
        }
        graph
    };
    only_powers_of_two(&pooled(", i"), "MaxPool `m` rounds");
    any(&pooled(""));
}

/// The scale of a quantised value, with quantisation after the factor: as static quantisation writes it.
#[test]
fn between_the_pairs_of_static_quantisation() {
    let texts = |last: &'static str| {
        let all = [
            "i = QuantizeLinear(x, q, z)",
            "d = DequantizeLinear(i, q2, z)",
            "h = Mul(d, s)",
            last,
        ];
        of(&[2, 3], &[2, 3], nodes(&all))
            .init("q", f32_scalar(0.1))
            .init("q2", f32_scalar(0.1))
            .init("z", raw(DataType::INT8, &[], &[3]))
    };
    only_powers_of_two(&texts("y = QuantizeLinear(h, q, z)"), "QuantizeLinear `y`");
    any(&texts("y = Sigmoid(h)"));
}

#[test]
fn one_factor_of_an_axis_is_enough() {
    let scaled = |last: f32| {
        let graph = then(&["y = Round(h)"]);
        opset17(graph.init("s", f32s(&[3], &[0.5, 4.0, last])))
    };
    assert!(stays(&scaled(0.7)).contains("Round `y`"));
    folds_unrun(&scaled(2.0));
}

fn body(inputs: &[&str], texts: &[&str], outputs: &[&str]) -> Graph {
    let mut body = graph(nodes(texts));
    for input in inputs {
        let info = match *input {
            "n" => typed("n", DataType::INT64, &[]),
            "go" => typed("go", DataType::BOOL, &[]),
            name => typed(name, DataType::FLOAT, &[2, 2]),
        };
        body.input.push(info);
    }
    for output in outputs {
        let info = match *output {
            "go_on" => typed("go_on", DataType::BOOL, &[]),
            name => typed(name, DataType::FLOAT, &[2, 2]),
        };
        body.output.push(info);
    }
    body
}

fn holding(last: &str, attributes: impl IntoIterator<Item = Attribute>) -> Graph {
    let mut graph = then(&[last]);
    let node = graph.node.last_mut().unwrap();
    node.attribute.extend(attributes);
    graph
}

#[test]
fn in_branches() {
    let branches = |operator: &str| {
        let inside = body(&[], &[&format!("a = {operator}(h)")], &["a"]);
        let other = body(&[], &["b = Relu(h)"], &["b"]);
        let branches = [
            subgraph("then_branch", other),
            subgraph("else_branch", inside),
        ];
        holding("y = If(cond)", branches)
    };
    only_powers_of_two(&branches("Round"), "Round `a`");
    any(&branches("Tanh"));
}

/// What a branch makes is rounded outside.
#[test]
fn after_branches() {
    let branches = |operator: &str| {
        let inside = body(&[], &["a = Relu(h)"], &["a"]);
        let other = body(&[], &["b = Tanh(x)"], &["b"]);
        let branches = [
            subgraph("then_branch", other),
            subgraph("else_branch", inside),
        ];
        let mut graph = holding("v = If(cond)", branches);
        graph.node.push(op(&format!("y = {operator}(v)")));
        graph
    };
    only_powers_of_two(&branches("Floor"), "Floor `y`");
    any(&branches("Tanh"));
}

/// A state is rounded in the next iteration, under another name.
#[test]
fn around_loops() {
    let looped = |operator: &str| {
        let inside = body(
            &["n", "go", "first", "second"],
            &[
                "go_on = Identity(go)",
                "a = Relu(first)",
                "b = Identity(first)",
                &format!("c = {operator}(second)"),
                "d = Add(b, c)",
            ],
            &["go_on", "a", "d"],
        );
        holding("y, last = Loop(, cond, h, h)", [subgraph("body", inside)])
    };
    only_powers_of_two(&looped("Ceil"), "Ceil `c`");
    any(&looped("Tanh"));
}

#[test]
fn in_functions() {
    let called = |operator: &str| {
        let inner = function("Inner", "a", "b", 17, [op(&format!("b = {operator}(a)"))]);
        let outer = function(
            "Outer",
            "a",
            "c",
            17,
            [op("b = Relu(a)"), op("c = local::Inner(b)")],
        );
        let model = |s| {
            let mut model = with(&then(&["y = local::Outer(h)"]), s);
            model.functions = vec![inner.clone(), outer.clone()];
            model
        };
        [model(0.7), model(0.5)]
    };
    let [other, half] = called("Round");
    let why = stays(&other);
    assert!(why.contains("Round `b`"), "{why}");
    folds_unrun(&half);
    for model in called("Tanh") {
        folds_unrun(&model);
    }
}

/// What a function makes is rounded by its caller.
#[test]
fn after_functions() {
    let called = |last: &str, s: f32| {
        let inner = function("F", "a", "b", 17, [op("b = Tanh(a)")]);
        let texts = ["v = local::F(h)", last];
        let mut model = with(&then(&texts), s);
        model.functions = vec![inner];
        model
    };
    let why = stays(&called("y = Sign(v)", 0.7));
    assert!(why.contains("Sign `y`"), "{why}");
    folds_unrun(&called("y = Sign(v)", 0.5));
    folds_unrun(&called("y = Sigmoid(v)", 0.7));
}

/// Whether it rounds is unknown; ONNX Runtime's own that compute what ONNX' do are known.
#[test]
fn an_operator_that_is_not_known() {
    let why = "com.microsoft::QLinearSigmoid `y` may round";
    only_powers_of_two(&then(&["y = com.microsoft::QLinearSigmoid(h)"]), why);
    only_powers_of_two(&then(&["y = Swoosh(h)"]), "Swoosh `y` may round");
    any(&then(&["y = com.microsoft::FastGelu(h)"]));
    only_powers_of_two(
        &then(&["y = local::FastGelu(h)"]),
        "local::FastGelu `y` may",
    );
}

/// A gradient is computed by name, and jumps where a Relu has its corner.
#[test]
fn what_a_gradient_is_of() {
    let gradient = |y: &str| {
        let node = op("gx = ai.onnx.preview.training::Gradient(x)")
            .with(strings("xs", &["x"]))
            .with(string("y", y));
        let mut graph = then(&["y = Relu(h)", "other = Relu(x)"]);
        graph.node.push(node);
        graph
    };
    let model = |y, s| with(&gradient(y), s).imports("ai.onnx.preview.training", 1);
    let why = stays(&model("y", 0.7));
    assert!(why.contains("Gradient `gx` may round"), "{why}");
    folds_unrun(&model("y", 0.5));
    folds_unrun(&model("other", 0.7));
}

#[test]
fn does_not_scale_weights_that_a_gradient_is_of() {
    let gradient = |of: &str| {
        let node = op(&format!("g = ai.onnx.preview.training::Gradient({of})"))
            .with(strings("xs", &[of]))
            .with(string("y", "other"));
        let mut graph =
            then(&["y = Relu(h)", "other = MatMul(x, v)"]).init("v", f32s(&[3, 2], &some(6)));
        graph.node.push(node);
        with(&graph, 0.5).imports("ai.onnx.preview.training", 1)
    };
    let why = stays(&gradient("w"));
    assert!(why.contains("`w` is trained by the model itself"), "{why}");
    folds_unrun(&gradient("v"));
}

/// One pass over the model, however many factors there are.
#[test]
fn thousands_of_factors() {
    let mut nodes = Vec::new();
    let mut graph = of(&[2, 2], &[2, 2], []).init("s", f32_scalar(0.7));
    let mut data = "x".to_string();
    for i in 0..3000 {
        nodes.push(op(&format!("p{i} = Mul({data}, s)")));
        nodes.push(op(&format!("h{i} = MatMul(p{i}, w{i})")));
        nodes.push(op(&format!("r{i} = Sigmoid(h{i})")));
        graph = graph.init(&format!("w{i}"), f32s(&[2, 2], &some(4)));
        data = format!("r{i}");
    }
    nodes.push(op(&format!("y = Round({data})")));
    graph.node = nodes;
    let folded = fold(&opset17(graph).read(), &Options::default()).unwrap();
    assert!(folded.outcome.is_unchanged());
    assert_eq!(folded.plan.steps.len(), 3000);
}
