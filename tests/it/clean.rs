//! `clean` is a proof: no model that may draw or drop is called so, and no other is accused.

use dropout_onnx::audit::{ModelAudit, Verdict};
use dropout_onnx::dropout::{Kind, Mode};
use dropout_onnx::onnx::DataType;

use crate::common::build::{
    f32s, float, function, graph, int, ints, model, op, raw, reference, subgraph, tensor, untyped,
    x_to_y,
};
use crate::common::masks::{nodes, spelt};
use crate::common::proto::{Function, Graph, Model, Node, SparseTensor, Tensor};
use crate::common::stripped::{refusal, strips};

fn audit(model: &Model) -> ModelAudit {
    ModelAudit::new("model.onnx", &model.read()).expect("an audit")
}

fn verdict(model: &Model) -> Verdict {
    audit(model).verdict.expect("a verdict")
}

fn rules(model: &Model) -> Vec<&'static str> {
    audit(model)
        .findings
        .iter()
        .map(|found| found.rule)
        .collect()
}

/// `p` is .3, `keep` .7, `one` 1 and `zero` 0.
fn made(text: &str) -> Model {
    let numbers = [("p", 0.3), ("keep", 0.7), ("one", 1.0), ("zero", 0.0)];
    let mut body = spelt("", &numbers);
    body.node = x_to_y(nodes(text)).node;
    model(17, body)
}

#[test]
fn unknown_operators_are_named_after_what_they_draw() {
    let named = |name: &str| verdict(&made(&format!("y = {name}(x)")).imports("odd", 1));
    for name in [
        "RandomPoisson",
        "odd::RandomNormalLike",
        "gaussian_random",
        "StatelessTruncatedNormalV2",
        "truncated_normal",
        "odd::GumbelSoftmax",
        "odd::Randn",
        "aten_rand_like",
        "odd::aten_normal_",
        "rrelu_with_noise",
        "odd::Poisson",
        "GaussianNoise",
    ] {
        assert_eq!(named(name), Verdict::Random, "{name}");
    }
    for name in [
        "odd::DropBlock2D",
        "droppath",
        "odd::stochasticDepth",
        "SpatialDropout1D",
    ] {
        assert_eq!(named(name), Verdict::Unknown, "{name}");
    }
    // the twins: names that hold such a word and mean something else
    for name in [
        "odd::PoissonNllLoss",
        "odd::LayerNormal",
        "odd::GridSample",
        "odd::DropoutGrad",
        "odd::Operand",
        "BrandNew",
    ] {
        let made = made(&format!("y = {name}(x)")).imports("odd", 1);
        assert_eq!(verdict(&made), Verdict::Clean, "{name}");
        assert_eq!(rules(&made), ["unknown-operator"], "{name}");
    }
}

#[test]
fn operators_of_other_domains_are_known_by_their_domain() {
    let of = |text: &str, domain: &str| verdict(&made(text).imports(domain, 1));
    let microsoft = "com.microsoft";
    assert_eq!(
        of("y = com.microsoft::Sampling(x)", microsoft),
        Verdict::Random
    );
    assert_eq!(of("y = odd::Sampling(x)", "odd"), Verdict::Clean);
    let mut norm = made("y = com.microsoft::BatchNormInternal(x, p, p, p, p)");
    assert_eq!(verdict(&norm.clone().imports(microsoft, 1)), Verdict::Clean);
    let node = norm.main_mut().node.pop().unwrap();
    norm.main_mut()
        .node
        .push(node.with(int("training_mode", 1)));
    assert_eq!(verdict(&norm.imports(microsoft, 1)), Verdict::Training);
    // functions that exporters write, of which nothing is left but the call
    let torch = "torch.nn.modules.container";
    assert_eq!(
        of("y = torch.nn.modules.container::Sequential(x)", torch),
        Verdict::Unknown
    );
    let library = "pkg.onnxscript.torch_lib";
    assert_eq!(
        of("y = pkg.onnxscript.torch_lib::aten_relu(x)", library),
        Verdict::Unknown
    );
}

#[test]
fn draws_without_effect_are_not_accused() {
    for text in [
        "u = RandomNormalLike(x)\ny = Relu(x)",
        "u = RandomNormalLike(x)\ns = Shape(u)\ny = Reshape(x, s)",
        "u = RandomNormalLike(x)\nv = RandomUniformLike(u)\ny = Relu(x)",
        // kept with probability 1
        "u = RandomUniformLike(x)\nb = Less(u, one)\nm = Cast(b)\ny = Mul(x, m)",
        "u = RandomUniformLike(x)\nb = GreaterOrEqual(u, zero)\ny = Where(b, x, zero)",
        "u = RandomUniformLike(x)\na = Add(u, one)\nf = Floor(a)\nd = Div(x, one)\ny = Mul(d, f)",
    ] {
        let made = made(text);
        assert_eq!(verdict(&made), Verdict::Clean, "{text}: {:?}", rules(&made));
    }
    for text in [
        "u = RandomNormalLike(x)\ny = Mul(x, u)",
        "u = RandomNormalLike(x)\nv = ReduceSum(u)\ny = Add(x, v)",
        "u = RandomUniformLike(x)\nb = Less(u, x)\nm = Cast(b)\ny = Mul(x, m)",
        // kept with probability 1, and read elsewhere
        "u = RandomUniformLike(x)\nb = Less(u, one)\nm = Cast(b)\nz = Mul(x, m)\ny = Add(z, u)",
    ] {
        assert_eq!(verdict(&made(text)), Verdict::Random, "{text}");
    }
    // a keep probability that a run may replace
    let replaced = made("u = RandomUniformLike(x)\nb = Less(u, q)\nm = Cast(b)\ny = Mul(x, m)");
    let mut replaced = replaced;
    let graph = std::mem::take(replaced.main_mut());
    *replaced.main_mut() = graph.input_of("q", DataType::FLOAT, &[]);
    let tensor = raw(DataType::FLOAT, &[], &1f32.to_le_bytes());
    let graph = std::mem::take(replaced.main_mut());
    *replaced.main_mut() = graph.init("q", tensor);
    assert_ne!(verdict(&replaced), Verdict::Clean);
}

/// An If on an input; both branches have two results, and one of the first branch's is random.
fn branches(after: &str) -> Model {
    let branch = |text: &str, results: &[&str]| {
        let mut branch = graph(nodes(text));
        branch.output = results.iter().map(|name| untyped(name)).collect();
        branch
    };
    let node = op("a, b = If(c)")
        .with(subgraph(
            "then_branch",
            branch("p1 = Neg(x)\np2 = RandomNormalLike(x)", &["p1", "p2"]),
        ))
        .with(subgraph(
            "else_branch",
            branch("q1 = Abs(x)\nq2 = Relu(x)", &["q1", "q2"]),
        ));
    let graph = x_to_y([node].into_iter().chain(nodes(after)));
    model(17, graph.input_of("c", DataType::BOOL, &[]))
}

#[test]
fn results_of_branches_count_one_by_one() {
    assert_eq!(verdict(&branches("y = Relu(a)")), Verdict::Clean);
    assert_eq!(verdict(&branches("y = Relu(b)")), Verdict::Random);
    assert_eq!(verdict(&branches("y = Add(a, b)")), Verdict::Random);
}

/// A function in the domain f.
fn defined(attributes: &[&str], body: impl IntoIterator<Item = Node>) -> Function {
    let mut made = function("F", "x", "y", 17, body);
    made.domain = Some("f".into());
    made.attribute = attributes.iter().map(|name| name.to_string()).collect();
    made
}

fn calling(call: Node, function: Function) -> Model {
    model(17, x_to_y([call])).imports("f", 1).function(function)
}

#[test]
fn attributes_of_calls_are_read() {
    let noise = |sigma: f32| {
        let body = [
            op("n = RandomNormalLike(x)")
                .with(float("mean", 1.0))
                .with(reference("scale", "s", 1)),
            op("y = Mul(x, n)"),
        ];
        calling(
            op("y = f::F(x)").with(float("s", sigma)),
            defined(&["s"], body),
        )
    };
    let found = audit(&noise(0.5)).sites;
    assert_eq!(
        (found.len(), found[0].kind, found[0].rate),
        (1, Kind::GaussianDropout, Some(0.2))
    );
    assert_eq!(verdict(&noise(0.0)), Verdict::Clean);
    // the threshold lies elsewhere in another range
    let uniform = |low: f32| {
        let body = [
            op("u = RandomUniformLike(x)")
                .with(reference("low", "l", 1))
                .with(float("high", low + 1.0)),
            op("p = Constant()").with(float("value_float", 0.8)),
            op("b = GreaterOrEqual(u, p)"),
            op("m = Cast(b)").with(int("to", 1)),
            op("k = Constant()").with(float("value_float", 1.0 - (0.8 - low))),
            op("z = Mul(x, m)"),
            op("y = Div(z, k)"),
        ];
        calling(
            op("y = f::F(x)").with(float("l", low)),
            defined(&["l"], body),
        )
    };
    for (low, rate) in [(0.5, 0.3), (0.0, 0.8)] {
        let found = audit(&uniform(low)).sites;
        assert_eq!((found.len(), found[0].rate), (1, Some(rate)), "{low}");
    }
}

#[test]
fn batch_statistics_may_be_an_attribute_of_a_call() {
    let norm = |on: i64| {
        let body = [
            op("s = Constant()").with(tensor("value", f32s(&[3], &[1.0; 3]))),
            op("y, m, v = BatchNormalization(x, s, s, s, s)").with(reference(
                "training_mode",
                "t",
                2,
            )),
        ];
        calling(op("y = f::F(x)").with(int("t", on)), defined(&["t"], body))
    };
    assert_eq!(verdict(&norm(1)), Verdict::Training);
    assert_eq!(verdict(&norm(0)), Verdict::Clean);
}

/// The shape of what a Transpose by an attribute of the call makes decides whether a mask fits.
#[test]
fn shapes_follow_attributes_of_calls() {
    let with = |perm: [i64; 2]| {
        let body = [
            op("t = Transpose(x)").with(reference("perm", "q", 7)),
            op("u = RandomUniform()").with(ints("shape", &[3, 2])),
            op("p = Constant()").with(float("value_float", 0.7)),
            op("b = Less(u, p)"),
            op("m = Cast(b)").with(int("to", 1)),
            op("z = Mul(t, m)"),
            op("d = Div(z, p)"),
            op("y = Transpose(d)").with(reference("perm", "q", 7)),
        ];
        calling(
            op("y = f::F(x)").with(ints("q", &perm)),
            defined(&["q"], body),
        )
    };
    strips(&with([1, 0])).draws_nothing();
    let why = refusal(&with([0, 1]));
    assert!(why.contains("larger than the data"), "{why}");
}

/// Dropout in a branch that a computed constant decides on.
#[test]
fn flags_of_calls_decide() {
    let with = |on: i64| {
        let body = [
            op("c = Constant()").with(reference("value_int", "t", 2)),
            op("f = Cast(c)").with(int("to", 9)),
            op("p = Constant()").with(float("value_float", 0.3)),
            op("y = Dropout(x, p, f)"),
        ];
        calling(op("y = f::F(x)").with(int("t", on)), defined(&["t"], body))
    };
    assert_eq!(audit(&with(1)).sites[0].mode, Mode::Active);
    assert_eq!(audit(&with(0)).sites[0].mode, Mode::Inert);
}

/// A mask that is an output of the model as well.
fn shown(text: &str, output: &str) -> Model {
    let mut made = made(text);
    let graph: Graph = std::mem::take(made.main_mut());
    *made.main_mut() = graph.output(output);
    made
}

#[test]
fn a_mask_that_is_an_output_stays_random() {
    let text = "u = RandomUniformLike(x)\nb = Less(u, keep)\nm = Cast(b)\nz = Mul(x, m)\nd = Div(z, keep)\n\
                y = Tanh(d)";
    for output in ["u", "b", "m"] {
        let stripped = strips(&shown(text, output));
        assert_eq!(stripped.sites[0].rate, Some(0.3));
        let lines = stripped.after.lines();
        assert!(
            lines.contains(&"y = Tanh(x)".to_string()),
            "{output}: {lines:?}"
        );
        assert!(lines[0].contains("RandomUniformLike"), "{lines:?}");
        assert_eq!(verdict(&stripped.after), Verdict::Random, "{output}");
    }
    // the twin: what is made of the mask is no mask
    let mean = format!("{text}\nq = ReduceMean(m)");
    let why = refusal(&shown(&mean, "q"));
    assert!(why.contains("is an output of graph"), "{why}");
}

#[test]
fn a_mask_that_is_a_result_of_a_function_may_be_shown_or_unused() {
    let body = [
        op("u = RandomUniformLike(x)"),
        op("p = Constant()").with(float("value_float", 0.7)),
        op("m = Less(u, p)"),
        op("k = Cast(m)").with(int("to", 1)),
        op("z = Mul(x, k)"),
        op("y = Div(z, p)"),
    ];
    let mut both = defined(&[], body);
    both.output.push("m".into());
    let call = op("a, b = f::F(x)");
    let unused = model(17, x_to_y([call.clone(), op("y = Tanh(a)")]));
    let unused = unused.imports("f", 1).function(both.clone());
    let stripped = strips(&unused);
    assert_eq!(verdict(&stripped.after), Verdict::Clean);
    let graph = x_to_y([call, op("y = Tanh(a)")]).output_of("b", DataType::BOOL, &[2, 3]);
    let shown = model(17, graph).imports("f", 1).function(both);
    assert_eq!(verdict(&strips(&shown).after), Verdict::Random);
}

/// As the tutorial of onnxscript writes dropout: a branch with a mask, one without, and the mask as a second
/// result.
#[test]
fn a_mask_that_is_a_result_of_a_branch_may_be_unused() {
    let with = |after: &str| {
        let branch = |text: &str, results: &[&str]| {
            let mut branch = graph(nodes(text));
            branch.output = results.iter().map(|name| untyped(name)).collect();
            branch
        };
        let drops = "u = RandomUniformLike(h)\nb = GreaterOrEqual(u, p)\nw = Where(b, h, zero)\n\
                     o = Div(w, keep)";
        let keeps =
            op("b2 = ConstantOfShape(sh)").with(tensor("value", raw(DataType::BOOL, &[1], &[1])));
        let mut other = branch("o2 = Identity(h)\nsh = Shape(h)", &["o2", "b2"]);
        other.node.push(keeps);
        let node = op("a, k = If(c)")
            .with(subgraph("then_branch", branch(drops, &["o", "b"])))
            .with(subgraph("else_branch", other));
        let numbers = [("p", 0.3), ("keep", 0.7), ("zero", 0.0)];
        let mut body = spelt("", &numbers).input_of("c", DataType::BOOL, &[]);
        let last = nodes(after);
        body.node = [op("h = Relu(x)"), node].into_iter().chain(last).collect();
        model(17, body)
    };
    let stripped = strips(&with("y = Tanh(a)"));
    assert_eq!(stripped.sites[0].mode, Mode::Runtime);
    assert_eq!(verdict(&stripped.after), Verdict::Clean);
    // the twin: the mask is used
    let used = with("t = Tanh(a)\nm = Cast(k)\ny = Mul(t, m)");
    let why = refusal(&used);
    assert!(why.contains("mask"), "{why}");
}

/// A threshold that is stored as a sparse tensor, and one drawn in another shape than the data has.
#[test]
fn masks_are_found_however_their_numbers_and_shapes_are_written() {
    let text = "u = RandomUniformLike(x)\nb = Less(u, t)\nm = Cast(b)\nz = Mul(x, m)\nd = Div(z, t)\n\
                y = Tanh(d)";
    let mut sparse = made(text);
    let values = raw(DataType::FLOAT, &[1], &0.75f32.to_le_bytes());
    sparse.main_mut().sparse_initializer.push(SparseTensor {
        values: Some(Tensor {
            name: Some("t".into()),
            ..values
        }),
        indices: Some(raw(DataType::INT64, &[1], &0i64.to_le_bytes())),
        dims: vec![1],
    });
    assert_eq!(audit(&sparse).sites[0].rate, Some(0.25));
    let flat = "f = Flatten(x)\nu = RandomUniformLike(f)\nb = Less(u, keep)\nm = Cast(b)\n\
                s = Shape(x)\nr = Reshape(m, s)\nz = Mul(x, r)\nd = Div(z, keep)\ny = Tanh(d)";
    let mut flat = made(flat);
    flat.main_mut().node[0].attribute = vec![int("axis", 0)];
    let stripped = strips(&flat).draws_nothing();
    assert_eq!(stripped.sites[0].noise_shape, None);
    // the twin: shared along an axis
    let row = "u = RandomUniform()\nb = Less(u, keep)\nm = Cast(b)\nz = Mul(x, m)\nd = Div(z, keep)\n\
               y = Tanh(d)";
    let mut row = made(row);
    row.main_mut().node[0].attribute = vec![ints("shape", &[3])];
    assert!(strips(&row).sites[0].noise_shape.is_some());
}

/// Converters merge equal draws: each layer drops by its own rate, be it in a row.
#[test]
fn one_draw_may_be_two_dropouts_in_a_row() {
    let row = |second: &str| {
        format!(
            "u = RandomUniformLike(x)\nb = GreaterOrEqual(u, p)\nm = Cast(b)\nz = Mul(x, m)\n\
             d = Div(z, keep)\ne = GreaterOrEqual(u, {second})\nn = Cast(e)\nw = Mul(d, n)\n\
             f = Div(w, {})\ny = Tanh(f)",
            if second == "half" { "half" } else { "keep" }
        )
    };
    let with = |text: &str| {
        let mut made = made(text);
        let graph: Graph = std::mem::take(made.main_mut());
        *made.main_mut() = graph.init("half", raw(DataType::FLOAT, &[], &0.5f32.to_le_bytes()));
        made
    };
    let stripped = strips(&with(&row("half"))).draws_nothing();
    let rates: Vec<_> = stripped.sites.iter().map(|site| site.rate).collect();
    assert_eq!(rates, [Some(0.3), Some(0.5)]);
    assert_eq!(stripped.after.lines(), ["y = Tanh(x)"]);
    // the twin: the same mask twice is one, which scales too much
    let once = audit(&with(&row("p"))).sites;
    assert_eq!(once.len(), 1, "{once:?}");
}

/// Halves of a draw are independent: what keeps where they differ is dropout, though no number drawn for all
/// of it keeps anything.
#[test]
fn halves_of_a_draw_may_decide_together() {
    let halves = |op: &str| {
        let mut made = made(&format!(
            "u = RandomUniform()\nl = Less(u, half)\na, b = Split(l)\nq = {op}(a, b)\nm = Cast(q)\n\
             w = Div(m, share)\nh = Relu(x)\nd = Mul(h, w)\ny = Tanh(d)"
        ));
        made.main_mut().node[0].attribute = vec![ints("shape", &[4, 3])];
        let share: f32 = if op == "Xor" { 0.5 } else { 0.25 };
        let number = |of: f32| raw(DataType::FLOAT, &[], &of.to_le_bytes());
        let graph: Graph = std::mem::take(made.main_mut());
        *made.main_mut() = graph.init("half", number(0.5)).init("share", number(share));
        made.main_mut().node[2].attribute = vec![int("num_outputs", 2)];
        made.opset_import[0].version = Some(18);
        made
    };
    let xor = audit(&halves("Xor")).sites;
    assert_eq!((xor.len(), xor[0].rate), (1, Some(0.5)));
    let why = refusal(&halves("Xor"));
    assert!(why.contains("only where those of the draw differ"), "{why}");
    let and = audit(&halves("And")).sites;
    assert_eq!((and.len(), and[0].rate), (1, Some(0.75)));
    strips(&halves("And")).draws_nothing();
}

/// A Loop with two states, a from `x` and r from `x`, and these nodes in its body.
fn two_states(body: &str, after: &str) -> Model {
    let mut step = graph(nodes(body));
    step.input = ["i", "go", "a", "r"].map(untyped).into();
    step.output = ["next", "an", "rn"].map(untyped).into();
    let node = op("as, rs = Loop(trips, yes, x, x)").with(subgraph("body", step));
    let all = [node].into_iter().chain(nodes(after));
    let graph = x_to_y(all).init("trips", raw(DataType::INT64, &[], &3i64.to_le_bytes()));
    model(17, graph.init("yes", raw(DataType::BOOL, &[], &[1])))
}

/// A state that draws matters where it, or what it is made into, leaves the loop or ends it.
#[test]
fn a_state_that_draws_and_that_nothing_uses() {
    let apart = "next = Identity(go)\nan = Relu(a)\nrn = RandomNormalLike(r)";
    let of = |body: &str, after: &str| verdict(&two_states(body, after));
    assert_eq!(of(apart, "y = Tanh(as)"), Verdict::Clean);
    // the twins: its last value is used, another state is made of it, and it ends the loop
    assert_eq!(of(apart, "y = Add(as, rs)"), Verdict::Random);
    let joined = "next = Identity(go)\nan = Add(a, r)\nrn = RandomNormalLike(r)";
    assert_eq!(of(joined, "y = Tanh(as)"), Verdict::Random);
    let ends = "m = ReduceMax(r)\ns = Cast:9(m)\nnext = Squeeze(s)\nan = Relu(a)
        rn = RandomNormalLike(r)";
    assert_eq!(of(ends, "y = Tanh(as)"), Verdict::Random);
}
