//! Dropout operators of ONNX Runtime and PyTorch, which are not part of ONNX.

use dropout_onnx::audit::{ModelAudit, Verdict};
use dropout_onnx::dropout::{Kind, MaskUse, Mode, RateOrigin, Site};
use dropout_onnx::onnx::DataType;
use dropout_onnx::rewrite::set;
use dropout_onnx::rewrite::strip::{Options, strip};
use dropout_onnx::verify::structure::{self, Verdict as Compared};

use crate::common::build::{
    f32_scalar, f32s, flag, float, function, int, model, op, scalar, string, untyped, x_to_y,
};
use crate::common::proto::{Model, Node};
use crate::common::sites;
use crate::common::stripped::{refusal, strips_unrun};

/// `h = Relu(x)`, a dropout of h, and `y = Tanh(d)`, at an opset; `p` is .3, `on` and `off` are flags.
fn with(opset: i64, dropout: Node) -> Model {
    let graph = x_to_y([op("h = Relu(x)"), dropout, op("y = Tanh(d)")])
        .init("p", f32_scalar(0.3))
        .init("on", flag(true))
        .init("off", flag(false))
        .init("b", f32s(&[3], &[1.0, 2.0, 3.0]))
        .init("r", f32s(&[2, 3], &[0.5; 6]));
    let domains = [
        "com.microsoft",
        "org.pytorch.aten",
        "pkg.onnxscript.torch_lib",
    ];
    let model = model(opset, graph);
    domains
        .into_iter()
        .fold(model, |model, domain| model.imports(domain, 1))
}

#[track_caller]
fn site(model: &Model) -> Site {
    let mut sites = sites(model);
    assert_eq!(sites.len(), 1);
    sites.remove(0)
}

fn of(text: &str) -> Site {
    site(&with(17, op(text)))
}

fn verdict(model: &Model) -> Option<Verdict> {
    ModelAudit::new("model.onnx", &model.read())
        .unwrap()
        .verdict
}

#[test]
fn rate_and_mode_are_inputs() {
    for (node, rate, mode) in [
        (
            "com.microsoft::BiasDropout(h, b, , p, on)",
            0.3,
            Mode::Active,
        ),
        (
            "com.microsoft::BiasDropout(h, b, r, p, off)",
            0.3,
            Mode::Inert,
        ),
        ("com.microsoft::BiasDropout(h, b, r, p)", 0.3, Mode::Inert),
        (
            "com.microsoft::BiasDropout(h, b, , , on)",
            0.5,
            Mode::Active,
        ),
        (
            "com.microsoft::BitmaskBiasDropout(h, b, r, p, on)",
            0.3,
            Mode::Active,
        ),
        ("com.microsoft::BitmaskDropout(h, p, on)", 0.3, Mode::Active),
        ("com.microsoft::BitmaskDropout(h, p)", 0.3, Mode::Inert),
        (
            "com.microsoft::BiasSoftmaxDropout(h, b, p)",
            0.3,
            Mode::Active,
        ),
        ("com.microsoft::TrainableDropout(h, p)", 0.3, Mode::Active),
        ("TrainableDropout(h, p)", 0.3, Mode::Active),
        (
            "org.pytorch.aten::native_dropout(h, p, on)",
            0.3,
            Mode::Active,
        ),
        ("org.pytorch.aten::native_dropout(h, p)", 0.3, Mode::Active),
        ("org.pytorch.aten::dropout(h, p, off)", 0.3, Mode::Inert),
    ] {
        let found = of(&format!("d = {node}"));
        assert_eq!((found.rate, found.mode), (Some(rate), mode), "{node}");
        assert_eq!((found.kind, found.problem), (Kind::Dropout, None), "{node}");
    }
    let mut open = with(17, op("d = com.microsoft::BiasDropout(h, b, , p, t)"));
    *open.main_mut() = open.main().clone().input_of("t", DataType::BOOL, &[]);
    assert_eq!(site(&open).mode, Mode::Runtime);
    assert!(site(&open).switch.is_some());
}

#[test]
fn aten_names_its_operator() {
    let aten = |operator: &str| {
        let node = op("d = org.pytorch.aten::ATen(h, p, on)");
        with(17, node.with(string("operator", operator)))
    };
    for (operator, kind) in [
        ("dropout", Kind::Dropout),
        ("aten::dropout_", Kind::Dropout),
        ("native_dropout", Kind::Dropout),
        ("feature_dropout", Kind::Dropout),
        ("alpha_dropout", Kind::AlphaDropout),
    ] {
        let found = site(&aten(operator));
        assert_eq!((found.kind, found.rate), (kind, Some(0.3)), "{operator}");
        assert_eq!(found.mode, Mode::Active);
    }
    assert!(sites(&aten("gelu")).is_empty());
    // double precision is what torch writes
    let mut double = aten("dropout");
    double
        .main_mut()
        .initializer
        .retain(|tensor| tensor.name() != "p");
    *double.main_mut() = double
        .main()
        .clone()
        .init("p", scalar(DataType::DOUBLE, 0.3));
    assert_eq!(site(&double).rate, Some(0.3));
}

#[test]
fn calls_of_torch_lib_without_its_functions() {
    let call = |name: &str, train| {
        let node = op(&format!("d = pkg.onnxscript.torch_lib::{name}(h)"));
        with(18, node.with(float("p", 0.25)).with(int("train", train)))
    };
    for name in ["aten_dropout", "aten_native_dropout", "aten_alpha_dropout"] {
        let (on, off) = (site(&call(name, 1)), site(&call(name, 0)));
        assert_eq!((on.mode, off.mode), (Mode::Active, Mode::Inert), "{name}");
        let rate = (on.rate, on.rate_origin);
        assert_eq!(rate, (Some(0.25), RateOrigin::Attribute), "{name}");
    }
    // a function of the model is analysed as it is
    let mut defined = call("aten_dropout", 1);
    let mut body = function("aten_dropout", "i", "o", 18, [op("o = Neg(i)")]);
    body.domain = Some("pkg.onnxscript.torch_lib".into());
    body.attribute = vec!["p".into(), "train".into()];
    defined = defined.function(body);
    assert!(sites(&defined).is_empty());
}

/// Another operator that is named after dropout stays unknown.
#[test]
fn only_known_operators_are_sites() {
    for name in [
        "com.acme::BiasDropout",
        "com.microsoft::NewDropout",
        "com.acme::dropout",
    ] {
        let unknown = with(17, op(&format!("d = {name}(h, b, , p, on)"))).imports("com.acme", 1);
        assert!(sites(&unknown).is_empty(), "{name}");
    }
    let unknown = with(17, op("d = com.microsoft::NewDropout(h, p, on)"));
    assert_eq!(verdict(&unknown), Some(Verdict::Unknown));
    let known = with(17, op("d = com.microsoft::BitmaskDropout(h, p, on)"));
    assert_eq!(verdict(&known), Some(Verdict::Active));
    let gradient = with(17, op("d = com.microsoft::DropoutGrad(h, r, p, on)"));
    assert_eq!(verdict(&gradient), Some(Verdict::Clean));
}

#[test]
fn the_inference_form_stays() {
    for (node, operator, left) in [
        (
            "com.microsoft::BiasDropout(h, b, , p, on)",
            "BiasDropout",
            &["d = Add(h, b)"][..],
        ),
        (
            "com.microsoft::BiasDropout(h, b, r, p, on)",
            "BiasDropout",
            &["d/sum = Add(h, b)", "d = Add(d/sum, r)"],
        ),
        (
            "com.microsoft::BitmaskBiasDropout(h, b, r, p)",
            "BitmaskBiasDropout",
            &["d/sum = Add(h, b)", "d = Add(d/sum, r)"],
        ),
        (
            "com.microsoft::BiasSoftmaxDropout(h, b, p)",
            "BiasSoftmaxDropout",
            &["d/sum = Add(h, b)", "d = Softmax(d/sum)"],
        ),
    ] {
        let model = with(17, op(&format!("d = {node}")));
        let lines = [&["h = Relu(x)"], left, &["y = Tanh(d)"]].concat();
        strips_unrun(&model, &format!("com.microsoft::{operator}")).leaves(&lines);
    }
    for node in [
        "com.microsoft::BitmaskDropout(h, p, on)",
        "com.microsoft::TrainableDropout(h, p)",
        "org.pytorch.aten::native_dropout(h, p, on)",
    ] {
        let model = with(17, op(&format!("d = {node}")));
        let (operator, _) = node.split_once('(').unwrap();
        let stripped = strips_unrun(&model, operator).leaves(&["h = Relu(x)", "y = Tanh(h)"]);
        assert!(
            stripped.outcome.initializers.contains(&"p".into()),
            "{node}"
        );
    }
}

/// Below opset 13, Softmax flattens the axes from its axis on, as this operator does.
#[test]
fn a_softmax_along_more_than_one_axis() {
    let softmax = |opset, axis| {
        let node = op("d = com.microsoft::BiasSoftmaxDropout(h, b, p)");
        with(opset, node.with(int("axis", axis)))
    };
    for (opset, axis) in [(12, 0), (12, 1), (13, 1), (17, -1)] {
        let stripped = strip(&softmax(opset, axis).read(), &Options::default());
        assert_eq!(
            stripped.unwrap().outcome.removed,
            1,
            "opset {opset}, axis {axis}"
        );
    }
    let why = refusal(&softmax(13, 0));
    assert!(
        why.contains("the axis of its Softmax is not known to be the last one"),
        "{why}"
    );
}

#[test]
fn a_mask_that_is_used_is_not_replaced() {
    for node in ["BitmaskDropout(h, p, on)", "BiasDropout(h, b, , p, on)"] {
        let mut used = with(17, op(&format!("d, m = com.microsoft::{node}")));
        assert_eq!(site(&used).mask, MaskUse::Unused);
        strip(&used.read(), &Options::default()).unwrap();
        used.main_mut().output.push(untyped("m"));
        assert_eq!(site(&used).mask, MaskUse::Output);
        let why = refusal(&used);
        assert!(why.contains("than its result are used"), "{why}");
    }
}

#[test]
fn what_cannot_be_expressed_is_refused() {
    let old = with(6, op("d = com.microsoft::BiasDropout(h, b, , p, on)"));
    let why = refusal(&old);
    assert!(
        why.contains("its inference form needs opset 7 or later"),
        "{why}"
    );
    let options = set::Options::default().rate(Some("0.2".parse().unwrap()));
    let model = with(17, op("d = com.microsoft::BiasDropout(h, b, , p, on)")).read();
    let why = set::set(&model, &options).unwrap_err().to_string();
    assert!(why.contains("BiasDropout is not part of ONNX"), "{why}");
}

/// The inference form is compared by what it adds, and not taken on trust.
#[test]
fn another_inference_form_is_different() {
    let original = with(17, op("d = com.microsoft::BiasDropout(h, b, r, p, on)"));
    let form = |nodes: &[&str]| {
        let mut model = original.clone();
        model
            .main_mut()
            .node
            .splice(1..2, nodes.iter().map(|node| op(node)));
        structure::compare(&original.read(), &model.read()).unwrap()
    };
    let same = form(&["s = Add(h, b)", "d = Add(s, r)"]);
    assert!(matches!(same, Compared::Same { .. }), "{same:?}");
    for nodes in [
        &["d = Identity(h)"][..],
        &["d = Add(h, b)"],
        &["s = Add(h, r)", "d = Add(s, r)"],
        &["s = Add(h, b)", "d = Sub(s, r)"],
    ] {
        let other = form(nodes);
        assert!(
            matches!(other, Compared::Different { .. }),
            "{nodes:?}: {other:?}"
        );
    }
}
