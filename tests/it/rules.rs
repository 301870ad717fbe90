//! The rules of an audit: for each a model where it fires and a near twin where it does not.

mod book;
mod fixtures;
mod invalid;
mod neighbours;
mod operators;
mod random;
mod selection;
mod sites;
mod weights;

use dropout_onnx::audit::{Finding, ModelAudit, RULES, Selection, Verdict, check};
use dropout_onnx::dropout::{self, Site};
use dropout_onnx::onnx::Values;

use crate::common::build::{f32_scalar, flag, model, op, x_to_y};
use crate::common::proto::{Graph, Model, Node};

fn findings(model: &Model) -> Vec<Finding> {
    let audit = ModelAudit::new("model.onnx", &model.read()).expect("an audit");
    audit.findings
}

/// What a rule says of a model, after the place.
#[track_caller]
fn said(rule: &str, model: &Model) -> Vec<String> {
    assert!(RULES.iter().any(|known| known.name == rule), "{rule}");
    let found = findings(model).into_iter().filter(|f| f.rule == rule);
    found
        .map(|finding| {
            let place = format!("`{}`: ", finding.node.expect("a node"));
            let (_, what) = finding.message.split_once(&place).expect("a place");
            what.to_string()
        })
        .collect()
}

/// The rule fires once.
#[track_caller]
fn fires(rule: &str, model: &Model, what: &str) {
    assert_eq!(said(rule, model), [what]);
}

#[track_caller]
fn silent(rule: &str, model: &Model) {
    assert_eq!(said(rule, model), [""; 0]);
}

/// A model of opset 13 with constants for `Dropout`: `r` is 0.5, `on` true, `off` false.
fn verdict(model: &Model) -> Option<Verdict> {
    ModelAudit::new("model.onnx", &model.read())
        .unwrap()
        .verdict
}

fn dropouts(nodes: impl IntoIterator<Item = Node>) -> Model {
    with_ratio(0.5, nodes)
}

fn with_ratio(ratio: f32, nodes: impl IntoIterator<Item = Node>) -> Model {
    model(13, constants(ratio, x_to_y(nodes)))
}

fn constants(ratio: f32, graph: Graph) -> Graph {
    graph
        .init("r", f32_scalar(ratio))
        .init("on", flag(true))
        .init("off", flag(false))
}

/// `y`, a random mask of rate 0.5 on `x`: inverted if it scales by 2, classic by 1.
fn random_mask(scale: f32) -> Model {
    let nodes = [
        op("u = RandomUniformLike(x)"),
        op("k = GreaterOrEqual(u, r)"),
        op("m = Cast(k)").with(crate::common::build::int("to", 1)),
        op("t = Mul(m, s)"),
        op("y = Mul(x, t)"),
    ];
    model(
        13,
        constants(0.5, x_to_y(nodes)).init("s", f32_scalar(scale)),
    )
}

/// What a rule says of a model whose first site is altered: recognisers find no such site yet, or
/// only in large models.
fn said_of(rule: &str, model: &Model, alter: impl Fn(&mut Site)) -> Vec<String> {
    let model = model.read();
    let values = Values::new(&model);
    let mut found = dropout::search(&dropout_onnx::Analysis::of(&model)).unwrap();
    alter(&mut found.sites[0]);
    let rules = Selection::default().select(rule).unwrap();
    let found = check(&model, &values, &found, &rules);
    found.into_iter().map(|finding| finding.message).collect()
}

#[test]
fn a_finding_names_its_place() {
    let model = dropouts([op("y = Dropout(x, r, on)").named("drop")]);
    let audit = ModelAudit::with("model.onnx", &model.read(), &Selection::default()).unwrap();
    let finding = &audit.findings[0];
    assert_eq!(finding.rule, "active-dropout");
    assert_eq!(finding.site, Some(0));
    assert_eq!(finding.scope, "graph");
    assert_eq!(finding.node, Some("drop".into()));
    assert_eq!(
        finding.message,
        "graph: Dropout `drop`: still drops on every run"
    );
    let json = serde_json::to_value(finding).unwrap();
    let keys: Vec<_> = json.as_object().unwrap().keys().collect();
    assert_eq!(keys, ["rule", "level", "site", "message", "fingerprint"]);
}

#[test]
fn findings_are_in_the_order_of_nodes() {
    let model = dropouts([
        op("a = Dropout(x, r, off)"),
        op("b = Dropout(a)"),
        op("y = Dropout(b, r, on)"),
    ]);
    let rules: Vec<_> = findings(&model).iter().map(|f| (f.site, f.rule)).collect();
    assert_eq!(
        rules,
        [
            (Some(0), "leftover-dropout"),
            (Some(1), "leftover-dropout"),
            (Some(1), "lost-rate"),
            (Some(2), "active-dropout"),
            (Some(2), "dropout-on-output"),
        ]
    );
}
