//! Rules about operators that draw at random.

use dropout_onnx::audit::Verdict;
use dropout_onnx::onnx::DataType;

use super::{findings, fires, random_mask, silent, verdict};
use crate::common::build::{f32_scalar, function, i64s, int, ints, model, op, string, x_to_y};
use crate::common::masks::nodes;
use crate::common::proto::{Model, Node};

/// `draw` makes `u`, which data is added to as no dropout does.
fn drawn(draw: Node) -> Model {
    let graph = x_to_y([draw, op("a = Mul(u, x)"), op("y = Mul(a, u)")]);
    model(
        18,
        graph.init("s", i64s(&[2, 3])).init("p", f32_scalar(0.3)),
    )
}

fn shaped(op_type: &str) -> Node {
    op(&format!("u = {op_type}()")).with(ints("shape", &[2, 3]))
}

#[test]
fn unloadable_random() {
    let rule = "unloadable-random";
    for name in ["StatelessRandomUniformV2", "StatelessRandomNormalV2"] {
        let what = "is not an ONNX operator, so no runtime loads the model";
        fires(rule, &drawn(op(&format!("u = {name}(s, s, s, s)"))), what);
        silent(rule, &drawn(op(&format!("u = tf::{name}(s, s, s, s)"))));
        let mut own = function(
            name,
            "a, b, c, d",
            "e",
            18,
            [op("e = RandomUniformLike(a)")],
        );
        own.domain = None;
        let model = drawn(op(&format!("u = {name}(s, s, s, s)")));
        silent(rule, &model.function(own));
    }
    for name in ["RandomUniform", "RandomNormal"] {
        let what = "takes no input in ONNX, so no runtime loads the model";
        fires(rule, &drawn(op(&format!("u = {name}(s)"))), what);
        silent(rule, &drawn(shaped(name)));
        silent(rule, &drawn(op(&format!("u = {name}Like(x)"))));
    }
}

/// The node of the draw is what cannot be loaded; its site is what `strip` removes.
#[test]
fn what_cannot_be_loaded_names_its_site() {
    let mut model = random_mask(2.0);
    model.main_mut().node[0] = op("u = StatelessRandomUniformV2(x, x, x, x)").named("draw");
    let all = findings(&model);
    let found = all.iter().find(|f| f.rule == "unloadable-random").unwrap();
    assert_eq!((found.site, &found.node), (Some(0), &Some("draw".into())));
    let drawn = findings(&drawn(op("u = StatelessRandomUniformV2(s, s, s, s)")));
    assert_eq!(drawn[0].rule, "unloadable-random");
    assert_eq!(drawn[0].site, None);
}

fn bernoulli(keep: f32) -> Model {
    let nodes = [
        op("q = Expand(k, n)"),
        op("m = Bernoulli(q)"),
        op("d = Mul(x, m)"),
        op("y = Div(d, k)"),
    ];
    model(
        15,
        x_to_y(nodes)
            .init("k", f32_scalar(keep))
            .init("n", i64s(&[2, 3])),
    )
}

#[test]
fn bernoulli_ambiguity() {
    let rule = "bernoulli-ambiguity";
    let what = "ONNX Runtime draws the opposite of what ONNX defines";
    fires(rule, &bernoulli(0.9), what);
    fires(rule, &drawn(op("u = Bernoulli(x)")), what);
    // both readings are the same
    silent(rule, &bernoulli(0.5));
    silent(rule, &random_mask(2.0));
    silent(rule, &drawn(op("u = local::Bernoulli(x)")));
}

#[test]
fn random_outside_dropout() {
    let rule = "random-outside-dropout";
    let what = "draws random numbers outside dropout, which change output `y`";
    fires(rule, &drawn(op("u = RandomNormalLike(x)")), what);
    fires(rule, &drawn(shaped("RandomUniform")), what);
    fires(
        rule,
        &drawn(op("u = StatelessRandomUniformV2(s, s, s, s)")),
        what,
    );
    let multinomial = [
        op("i = Multinomial(x)"),
        op("y = Cast(i)").with(int("to", 1)),
    ];
    fires(rule, &model(13, x_to_y(multinomial)), what);

    silent(rule, &random_mask(2.0));
    silent(rule, &bernoulli(0.9));
    silent(rule, &drawn(op("u = Relu(x)")));
    fires(rule, &drawn(op("u = local::RandomNormalLike(x)")), what);
    silent(rule, &drawn(op("u = local::Normalize(x)")));
    let dropout = op("u = Dropout(x, p, on)");
    let mut model = drawn(dropout);
    let main = model.graph.take().unwrap();
    model.graph = Some(main.input_of("on", DataType::BOOL, &[]));
    silent(rule, &model);
}

/// Only what reaches an output counts, through graphs, loops and functions.
#[test]
fn random_numbers_count_where_they_reach_an_output() {
    let rule = "random-outside-dropout";
    let what = "draws random numbers outside dropout, which change output `y`";
    let unused = [
        op("u = RandomNormalLike(x)"),
        op("v = Relu(u)"),
        op("y = Neg(x)"),
    ];
    let unused = model(13, x_to_y(unused));
    silent(rule, &unused);
    assert_eq!(verdict(&unused), Some(Verdict::Clean));
    let both = x_to_y([
        op("u = RandomNormalLike(x)"),
        op("y = Add(u, x)"),
        op("z = Neg(u)"),
    ]);
    let both = model(13, both.output_of("z", DataType::FLOAT, &[2, 3]));
    fires(
        rule,
        &both,
        "draws random numbers outside dropout, which change several outputs",
    );
    assert_eq!(verdict(&both), Some(Verdict::Random));

    let body = function(
        "noise",
        "a",
        "b",
        13,
        nodes("n = RandomNormalLike(a)\nb = Add(a, n)"),
    );
    let calls = |call: &str| {
        let model = model(13, x_to_y(nodes(call))).imports("local", 1);
        model.function(body.clone())
    };
    fires(rule, &calls("y = local::noise(x)"), what);
    silent(rule, &calls("z = local::noise(x)\ny = Neg(x)"));
}

#[test]
fn unknown_operator() {
    let rule = "unknown-operator";
    let custom = |text: &str| model(13, x_to_y(nodes(text))).imports("com.acme", 1);
    let what = "is not part of ONNX, so its effect is unknown; all such operators: com.acme.Pool (2 nodes)";
    let two = custom("a = com.acme::Pool(x)\ny = com.acme::Pool(a)");
    fires(rule, &two, what);
    assert_eq!(verdict(&two), Some(Verdict::Clean));
    silent(rule, &custom("y = Relu(x)"));
    silent(rule, &custom("y = ai.onnx.ml::Scaler(x)"));
    let defined = function("Pool", "a", "b", 13, nodes("b = Relu(a)"));
    let mut defined = two.clone().function(defined);
    defined.functions[0].domain = Some("com.acme".to_string());
    silent(rule, &defined);
}

/// A domain of the model's own functions has no others.
#[test]
fn a_call_that_nothing_defines_is_a_limit() {
    let body = function("f", "a", "b", 13, nodes("b = Relu(a)"));
    let calls = |text: &str| {
        let model = model(13, x_to_y(nodes(text))).imports("local", 1);
        model.function(body.clone())
    };
    let rule = "analysis-limit";
    let missing = calls("a = local::f(x)\ny = local::g(a)");
    fires(
        rule,
        &missing,
        "the search for dropout stopped here: the model calls a function that it does not define",
    );
    assert_eq!(verdict(&missing), Some(Verdict::Unknown));
    let whole = calls("a = local::f(x)\ny = local::f(a)");
    silent(rule, &whole);
    assert_eq!(verdict(&whole), Some(Verdict::Clean));
}

/// An unknown operator that is named after dropout is never `clean`; a function that defines it is searched.
#[test]
fn unknown_dropout_is_a_limit() {
    let rule = "analysis-limit";
    let what = "the search for dropout stopped here: dropout of this operator is not analysed";
    let of = |text: &str| model(13, x_to_y(nodes(text))).imports("com.microsoft", 1);
    for operator in ["QuickDropout", "DropoutAddLayerNorm"] {
        let foreign = of(&format!("y = com.microsoft::{operator}(x)"));
        fires(rule, &foreign, what);
        assert_eq!(verdict(&foreign), Some(Verdict::Unknown));
    }
    let aten = |name: &str| {
        let node = op("y = org.pytorch.aten::ATen(x)").with(string("operator", name));
        model(13, x_to_y([node])).imports("org.pytorch.aten", 1)
    };
    fires(rule, &aten("quick_dropout"), what);
    silent(rule, &aten("native_dropout"));
    silent(rule, &aten("relu"));
    silent(rule, &of("y = com.microsoft::BitmaskDropout(x)"));
    silent(rule, &of("y = com.microsoft::BitmaskDropoutGrad(x)"));
    silent(rule, &of("y = com.microsoft::FastGelu(x)"));
    let mut defined = of("y = com.microsoft::BiasDropout(x)");
    let body = function("BiasDropout", "a", "b", 13, nodes("b = Relu(a)"));
    defined = defined.function(body);
    defined.functions[0].domain = Some("com.microsoft".to_string());
    silent(rule, &defined);
    assert_eq!(verdict(&defined), Some(Verdict::Clean));
}
