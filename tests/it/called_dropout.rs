//! Dropout in functions whose calls set it: the ratio is an attribute of the call.

use dropout_onnx::dropout::{Convention, Mode, Site};
use dropout_onnx::onnx::DataType;
use dropout_onnx::rewrite::set;
use dropout_onnx::rewrite::strip::{Options, strip};
use dropout_onnx::verify::structure::{self, Verdict as Compared};

use crate::common::build::{
    f32_scalar, flag, float, function, int, model, op, reference, scalar, tensor, x_to_y,
};
use crate::common::proto::{Attribute, Function, Model, Node};
use crate::common::sites;
use crate::common::stripped::strips;

/// torch's function for `nn.Dropout`: the ratio is the attribute `p`, in a Constant of this form.
fn module(form: &str, kind: i32) -> Function {
    let mut body = function(
        "Dropout",
        "i",
        "o",
        15,
        [
            op("r = Constant()").with(reference(form, "p", kind)),
            op("t = Constant()").with(tensor("value", flag(true))),
            op("o = Dropout(i, r, t)"),
        ],
    );
    body.domain = Some("torch".into());
    body.attribute = vec!["p".into()];
    body
}

fn call(text: &str, name: &str, ratio: Attribute) -> Node {
    op(text).named(name).with(ratio)
}

fn p(ratio: f32) -> Attribute {
    float("p", ratio)
}

/// Two calls, of .1 and .25.
fn two() -> Model {
    let calls = [
        call("a = torch::Dropout(x)", "/enc/drop", p(0.1)),
        op("b = Relu(a)"),
        call("c = torch::Dropout(b)", "/head/drop", p(0.25)),
        op("y = Tanh(c)"),
    ];
    let model = model(15, x_to_y(calls)).imports("torch", 1);
    model.function(module("value_float", 1))
}

fn rates(sites: &[Site]) -> Vec<f64> {
    sites.iter().map(|site| site.rate.unwrap()).collect()
}

#[test]
fn each_call_is_a_site() {
    let found = sites(&two());
    assert_eq!(rates(&found), [0.1, 0.25]);
    let layers: Vec<&str> = found
        .iter()
        .flat_map(|site| site.layer.as_deref())
        .collect();
    assert_eq!(layers, ["enc.drop", "head.drop"]);
    assert!(found.iter().all(|site| site.mode == Mode::Active));
    let mut alike = two();
    for node in &mut alike.main_mut().node {
        for attribute in &mut node.attribute {
            attribute.f = Some(0.2);
        }
    }
    assert_eq!(rates(&sites(&alike)), [0.2, 0.2]);
}

/// torch writes the constant that it folded: a tensor.
#[test]
fn the_attribute_may_be_a_tensor() {
    let ratio = |ratio: f64| tensor("p", scalar(DataType::DOUBLE, ratio));
    let calls = [
        call("a = torch::Dropout(x)", "/a", ratio(0.1)),
        call("y = torch::Dropout(a)", "/b", ratio(0.3)),
    ];
    let model = model(15, x_to_y(calls)).imports("torch", 1);
    let model = model.function(module("value", 4));
    assert_eq!(rates(&sites(&model)), [0.1, 0.3]);
    let changed = set::set(&model.read(), &to_rate(0.4, "id=1")).unwrap();
    let after = changed.edited.examined().sites().unwrap();
    assert_eq!(rates(after), [0.1, 0.4]);
}

/// Blocks pass an attribute of their own; the dropout itself has it as an attribute.
#[test]
fn calls_are_followed_to_where_the_rate_is() {
    let mut inner = function(
        "Dropout",
        "i",
        "o",
        7,
        [op("o = Dropout(i)").with(reference("ratio", "p", 1))],
    );
    inner.domain = Some("torch".into());
    inner.attribute = vec!["p".into()];
    let mut block = function(
        "Block",
        "i",
        "o",
        7,
        [
            op("a = torch::Dropout(i)").with(reference("p", "q", 1)),
            op("o = torch::Dropout(a)").with(p(0.5)),
        ],
    );
    block.attribute = vec!["q".into()];
    let calls = [0.1, 0.2].map(|q| float("q", q));
    let [one, two] = calls;
    let calls = [
        op("a = local::Block(x)").with(one),
        op("y = local::Block(a)").with(two),
    ];
    let model = model(7, x_to_y(calls))
        .imports("torch", 1)
        .imports("local", 1);
    let model = model.function(inner).function(block);
    let found = sites(&model);
    assert_eq!(rates(&found), [0.1, 0.2, 0.5]);
    let depths: Vec<usize> = found.iter().map(|site| site.calls.len()).collect();
    assert_eq!(depths, [2, 2, 1]);
}

#[test]
fn strip_removes_the_node_for_all_calls() {
    let stripped = strips(&two());
    assert_eq!(stripped.outcome.removed, 2);
    stripped.leaves(&["b = Relu(x)", "y = Tanh(b)"]);
}

/// Classic scales of .9 and .75 are not one node.
#[test]
fn classic_strip_needs_one_rate() {
    let options = Options::default().convention(Convention::Classic);
    let why = strip(&two().read(), &options).unwrap_err().to_string();
    assert!(
        why.contains("the calls of its function scale by different rates"),
        "{why}"
    );
}

/// A function called with training on and off.
fn modes() -> Model {
    let body = [op("o = Dropout(i, r, t)")];
    let calls = ["a = local::F(x, r, on)", "y = local::F(a, r, off)"].map(op);
    let graph = x_to_y(calls).init("r", f32_scalar(0.3));
    let graph = graph.init("on", flag(true)).init("off", flag(false));
    let model = model(13, graph).imports("local", 1);
    model.function(function("F", "i, r, t", "o", 13, body))
}

#[test]
fn a_node_that_other_calls_keep_is_not_removed() {
    let only = |mode| Options::default().only(vec![mode]);
    let why = strip(&modes().read(), &only(Mode::Inert))
        .unwrap_err()
        .to_string();
    assert!(
        why.contains("other calls of its function keep this dropout"),
        "{why}"
    );
    // an inert one may go with it
    let stripped = strip(&modes().read(), &only(Mode::Active)).unwrap();
    assert_eq!(stripped.outcome.removed, 2);
}

fn to_rate(rate: f64, filter: &str) -> set::Options {
    set::Options::default()
        .rate(Some(rate.to_string().parse().unwrap()))
        .filters(vec![filter.parse().unwrap()])
}

#[test]
fn set_changes_the_attribute_of_the_selected_call() {
    for (filter, expected) in [
        ("layer=enc.drop", [0.4, 0.25]),
        ("layer=head.*", [0.1, 0.4]),
        ("name=/head/drop", [0.1, 0.4]),
        ("id=0", [0.4, 0.25]),
        ("kind=dropout", [0.4, 0.4]),
    ] {
        let before = two().read();
        let changed = set::set(&before, &to_rate(0.4, filter)).unwrap();
        let after = changed.edited.examined().sites().unwrap();
        assert_eq!(rates(after), expected, "{filter}");
        let compared = structure::compare(&before, changed.edited.model()).unwrap();
        assert!(
            matches!(compared, Compared::Same { .. }),
            "{filter}: {compared:?}"
        );
    }
}

/// A constant in the function is that of all calls.
#[test]
fn set_refuses_what_other_calls_share() {
    let before = modes().read();
    let why = set::set(&before, &to_rate(0.4, "id=0"))
        .unwrap_err()
        .to_string();
    assert!(
        why.contains("other calls of its function would change too"),
        "{why}"
    );
    let changed = set::set(&before, &to_rate(0.4, "kind=dropout")).unwrap();
    let after = changed.edited.examined().sites().unwrap();
    let found: Vec<_> = after.iter().map(|site| (site.rate, site.mode)).collect();
    assert_eq!(found, [(Some(0.4), Mode::Active), (Some(0.4), Mode::Inert)]);
}

/// An attribute that only sets a rate does not change inference; another one does.
#[test]
fn attributes_that_a_function_reads_are_compared() {
    let with = |ratio: f32, slope: f32| {
        let mut module = module("value_float", 1);
        module
            .node
            .push(op("z = LeakyRelu(o)").with(reference("alpha", "slope", 1)));
        module.output = vec!["z".into()];
        module.attribute.push("slope".into());
        let call = op("y = torch::Dropout(x)")
            .with(p(ratio))
            .with(float("slope", slope));
        model(15, x_to_y([call]))
            .imports("torch", 1)
            .function(module)
            .read()
    };
    let compare = |other| structure::compare(&with(0.1, 0.2), &other).unwrap();
    assert!(matches!(compare(with(0.5, 0.2)), Compared::Same { .. }));
    assert!(matches!(
        compare(with(0.1, 0.3)),
        Compared::Different { .. }
    ));
}

/// Stochastic depth: the threshold and the scale are attributes of the call.
#[test]
fn masks_of_different_rates_are_sites_of_their_own() {
    let body = [
        op("keep = Constant()").with(reference("value_float", "keep", 1)),
        op("u = RandomUniformLike(i)"),
        op("b = Less(u, keep)"),
        op("m = Cast(b)").with(int("to", 1)),
        op("s = Div(m, keep)"),
        op("o = Mul(i, s)"),
    ];
    let mut depth = function("Depth", "i", "o", 13, body);
    depth.attribute = vec!["keep".into()];
    let of = |keeps: [f32; 2]| {
        let call = |text: &str, keep| op(text).with(float("keep", keep));
        let calls = [
            call("a = local::Depth(x)", keeps[0]).named("/a/depth"),
            call("y = local::Depth(a)", keeps[1]).named("/b/depth"),
        ];
        model(13, x_to_y(calls))
            .imports("local", 1)
            .function(depth.clone())
    };
    let differ = of([0.9, 0.75]);
    let found = sites(&differ);
    assert_eq!(rates(&found), [0.1, 0.25]);
    let layers: Vec<&str> = found
        .iter()
        .flat_map(|site| site.layer.as_deref())
        .collect();
    assert_eq!(layers, ["a.depth", "b.depth"]);
    assert_eq!(rates(&sites(&of([0.9, 0.9]))), [0.1]);
    let stripped = strip(&differ.read(), &Options::default()).unwrap();
    assert_eq!(stripped.outcome.removed, 2);
    let left = stripped.edited.model().nodes();
    assert!(
        left.into_iter()
            .all(|(_, node)| node.op_type != "RandomUniformLike")
    );
}
