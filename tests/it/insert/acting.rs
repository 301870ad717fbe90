//! Dropout that acts is watched; a dropout that does not do as it says is seen.

use dropout_onnx::onnx::{DataType, Model};
use dropout_onnx::rewrite::insert::insert;
use dropout_onnx::verify::acting::{Expected, Outcome, Report};
use dropout_onnx::verify::{self, Demand, Verdict, verify_change};

use super::check::*;
use crate::common::build::*;
use crate::common::proto;

fn wide() -> proto::Model {
    let shape = [16, 8, 4, 4];
    let nodes = [op("h = Sigmoid(x)"), op("k = Abs(h)"), op("y = Neg(k)")];
    model(
        17,
        graph(nodes)
            .input_of("x", DataType::FLOAT, &shape)
            .output_of("y", DataType::FLOAT, &shape),
    )
}

/// What sampling a result shows.
fn report(before: &proto::Model, after: &Model, expected: &Expected) -> Report {
    let how = verify::Options::default();
    let found = verify_change(&before.read(), after, expected, &how).unwrap();
    found.acting.unwrap()
}

#[test]
fn fractions_scales_and_seeds_are_as_requested() {
    for (acting, rates) in [("active", [0.1, 0.5]), ("runtime", [0.3, 0.9])] {
        let choices = ["h", "k"]
            .into_iter()
            .zip(rates)
            .map(|(name, p)| at(name).rate(rate(p)));
        let options = seeded(acts(acting, options(choices)));
        let (found, _) = inserts_verified(&wide(), &options);
        let acting = found.acting.unwrap();
        for (site, rate) in acting.sites.iter().zip(rates) {
            assert_eq!(site.outcome, Outcome::AsSaid);
            assert!(site.draws >= 200, "{site:?}");
            let share = site.dropped as f64 / site.draws as f64;
            assert!((share - rate).abs() < 0.1, "{site:?}");
        }
    }
}

#[test]
fn a_dropout_that_does_otherwise_is_seen() {
    let model = wide();
    let wanted = acts("active", options([at("h")]));
    let inserted = insert(&model.read(), &wanted).unwrap();
    let expected = inserted.expected(&wanted);
    let after = inserted.edited.model();
    let seen = |expected: &Expected, after: &Model| {
        let report = report(&model, after, expected);
        report.sites[0].outcome.clone()
    };
    assert_eq!(seen(&expected, after), Outcome::AsSaid);
    // another rate than was asked for
    let mut other = expected.clone();
    other.watches[0].rate = 0.25;
    let Outcome::Unlike(why) = seen(&other, after) else {
        panic!("a wrong rate was not seen");
    };
    assert!(why.contains("turns"), "{why}");
    // one that does not act at all
    let inert = insert(&model.read(), &options([at("h")])).unwrap();
    assert!(matches!(
        seen(&expected, inert.edited.model()),
        Outcome::Unlike(_)
    ));
    // and the verdict is that it is different
    let how = verify::Options::default();
    let found = verify_change(&model.read(), inert.edited.model(), &expected, &how).unwrap();
    assert!(matches!(
        found.verdict(Demand::Rewrite),
        Verdict::Different { .. }
    ));
}

#[test]
fn another_model_is_seen_by_structure_and_run() {
    let mut other = wide();
    other.main_mut().node[1] = op("k = Neg(h)");
    let wanted = acts("runtime", options([at("h")]));
    let inserted = insert(&other.read(), &wanted).unwrap();
    let expected = inserted.expected(&wanted);
    let how = verify::Options::default();
    let found = verify_change(&wide().read(), inserted.edited.model(), &expected, &how).unwrap();
    assert!(matches!(
        found.structure,
        Some(verify::structure::Verdict::Different { .. })
    ));
    assert!(matches!(
        found.verdict(Demand::Rewrite),
        Verdict::Different { .. }
    ));
}

#[test]
fn channels_drop_whole_where_axes_are_shared() {
    for (opset, acting) in [
        (9, "active"),
        (11, "active"),
        (13, "active"),
        (17, "runtime:on"),
    ] {
        let mut model = wide();
        model.opset_import[0].version = Some(opset);
        for axes in [vec![2, 3], vec![-1, -2], vec![0]] {
            let choice = at("h").shared_axes(Some(axes));
            let options = seeded(acts(acting, options([choice])));
            let (found, after) = inserts_verified(&model, &options);
            assert_eq!(after.dropouts(), 0);
            let report = found.acting.unwrap();
            assert_eq!(report.sites[0].outcome, Outcome::AsSaid, "{report:?}");
            let read = after.read();
            let sites = dropout_onnx::dropout::find(&dropout_onnx::Analysis::of(&read));
            let sites = sites.unwrap();
            assert_eq!((sites.len(), sites[0].rate), (1, Some(0.3)));
            assert!(sites[0].noise_shape.is_some());
        }
    }
}

#[test]
fn a_mask_that_is_not_shared_is_no_shared_mask() {
    let model = wide();
    let wanted = acts("active", options([at("h")]));
    let inserted = insert(&model.read(), &wanted).unwrap();
    let mut expected = inserted.expected(&wanted);
    expected.watches[0].shared = Some(vec![2, 3]);
    let report = report(&model, inserted.edited.model(), &expected);
    assert!(
        matches!(report.sites[0].outcome, Outcome::Unlike(_)),
        "{report:?}"
    );
}

/// An If whose branches have a value each, `t` and `o`, where `c` says which runs.
fn branches(c: Option<bool>) -> proto::Model {
    let shape = [16, 8];
    let then = graph([op("t = Sigmoid(x)"), op("out = Neg(t)")]).output("out");
    let other = graph([op("o = Sigmoid(x)"), op("end = Abs(o)")]).output("end");
    let chosen = op("y = If(c)")
        .with(subgraph("then_branch", then))
        .with(subgraph("else_branch", other));
    let graph = graph([chosen])
        .input_of("x", DataType::FLOAT, &shape)
        .output_of("y", DataType::FLOAT, &shape);
    model(
        13,
        match c {
            Some(c) => graph.init("c", flag(c)),
            None => graph.input_of("c", DataType::BOOL, &[]),
        },
    )
}

#[test]
fn branches_are_sampled_and_unreached_ones_reported() {
    let wanted = acts("active", options([at("t"), at("o")]));
    let (found, _) = inserts_verified(&branches(None), &wanted);
    let report = found.acting.unwrap();
    for site in &report.sites {
        assert_eq!(site.outcome, Outcome::AsSaid, "{report:?}");
        assert!(site.draws > 500, "{report:?}");
    }
    let (found, _) = inserts_verified(&branches(Some(true)), &wanted);
    let report = found.acting.unwrap();
    assert_eq!(report.sites[0].outcome, Outcome::AsSaid);
    let why = "it was not reached by any run".to_string();
    assert_eq!(report.sites[1].outcome, Outcome::Unseen(why));
}

#[test]
fn every_step_of_a_scan_is_watched() {
    let shape = [16, 8];
    let body = graph([op("h = Sigmoid(s)"), op("t = Neg(h)")])
        .input_of("s", DataType::FLOAT, &shape[1..])
        .output_of("t", DataType::FLOAT, &shape[1..]);
    let scan = op("y = Scan(x)")
        .with(int("num_scan_inputs", 1))
        .with(subgraph("body", body));
    let graph = graph([scan])
        .input_of("x", DataType::FLOAT, &shape)
        .output_of("y", DataType::FLOAT, &shape);
    let (found, _) = inserts_verified(&model(13, graph), &acts("active", options([at("h")])));
    let report = found.acting.unwrap();
    assert_eq!(report.sites[0].outcome, Outcome::AsSaid, "{report:?}");
    assert_eq!(report.sites[0].draws, report.runs * 16 * 8);
}

#[test]
fn every_call_of_a_function_is_watched() {
    let shape = [16, 8];
    let body = [op("h = Sigmoid(a)"), op("b = Neg(h)")];
    let graph = graph([op("z = local::F(x)"), op("y = local::F(z)")])
        .input_of("x", DataType::FLOAT, &shape)
        .output_of("y", DataType::FLOAT, &shape);
    let model = model(13, graph)
        .imports("local", 1)
        .function(function("F", "a", "b", 13, body));
    let wanted = acts("active", options([at("h")]));
    let (found, _) = inserts_verified(&model, &wanted);
    let sampled = found.acting.unwrap();
    assert_eq!(sampled.sites[0].outcome, Outcome::AsSaid, "{sampled:?}");
    assert_eq!(sampled.sites[0].draws, sampled.runs * 2 * 16 * 8);
    // the twin: one that does not act, where it stands inside
    let inserted = insert(&model.read(), &wanted).unwrap();
    let expected = inserted.expected(&wanted);
    let inert = insert(&model.read(), &options([at("h")])).unwrap();
    let report = report(&model, inert.edited.model(), &expected);
    assert!(
        matches!(report.sites[0].outcome, Outcome::Unlike(_)),
        "{report:?}"
    );
}

#[test]
fn what_a_drop_makes_of_the_rest_may_be_no_number() {
    // 1/0 where the dropout in the middle drops, and then 0/0
    let nodes = [
        op("h = Sigmoid(x)"),
        op("k = Reciprocal(h)"),
        op("l = Sub(k, k)"),
        op("y = Neg(l)"),
    ];
    let model = model(13, x_to_y(nodes));
    let (found, _) = inserts_verified(
        &model,
        &acts("active", options([at("h"), at("k"), at("l")])),
    );
    let sites = found.acting.unwrap().sites;
    assert_eq!(sites[1].outcome, Outcome::AsSaid, "{sites:?}");
}

#[test]
fn unobserved_dropout_is_reported() {
    let nodes = ["c2 = Identity(c1)", "t = Abs(v)", "v2 = acme::Secret(t)"];
    let body = graph(nodes.map(op))
        .input_of("i", DataType::INT64, &[])
        .input_of("c1", DataType::BOOL, &[])
        .input_of("v", DataType::FLOAT, SHAPE)
        .output_of("c2", DataType::BOOL, &[])
        .output_of("v2", DataType::FLOAT, SHAPE);
    let looped = op("y = Loop(n, c, x)").with(subgraph("body", body));
    let model = model(
        13,
        x_to_y([looped]).init("n", i64s(&[2])).init("c", flag(true)),
    )
    .imports("acme", 1);
    let (found, _) = inserts_verified(&model, &acts("active", options([at("t")])));
    let report = found.acting.unwrap();
    let Outcome::Unseen(why) = &report.sites[0].outcome else {
        panic!("{report:?}");
    };
    assert!(why.contains("acme::Secret"), "{why}");
}
