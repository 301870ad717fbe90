//! Dropout that acts is watched; a dropout that does not do as it says is seen.

use dropout_onnx::onnx::Model;
use dropout_onnx::rewrite::insert::{Choice, insert};
use dropout_onnx::verify::acting::{Expected, Outcome, check, verify_change};
use dropout_onnx::verify::run::Settings;
use dropout_onnx::verify::{self, Demand, Verdict};

use super::check::*;
use crate::common::build::*;
use crate::common::proto;

fn wide() -> proto::Model {
    let shape = [16, 8, 4, 4];
    let nodes = [op("h = Sigmoid(x)"), op("k = Abs(h)"), op("y = Neg(k)")];
    model(
        17,
        graph(nodes)
            .input_of("x", dropout_onnx::onnx::DataType::FLOAT, &shape)
            .output_of("y", dropout_onnx::onnx::DataType::FLOAT, &shape),
    )
}

#[test]
fn fractions_scales_and_seeds_are_as_said() {
    for (acting, rates) in [("active", [0.1, 0.5]), ("runtime", [0.3, 0.9])] {
        let choices = ["h", "k"].into_iter().zip(rates).map(|(name, p)| Choice {
            rate: rate(p),
            ..at(name)
        });
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
    let expected = Expected::of_insert(&inserted, &wanted);
    let after = &inserted.edited.model;
    let seen = |expected: &Expected, after: &Model| {
        let report = check(after, expected, &Settings::default()).unwrap();
        report.sites[0].outcome.clone()
    };
    assert_eq!(seen(&expected, after), Outcome::AsSaid);
    // another rate than was asked for
    let mut other = expected.clone();
    other.watches[0].rate = 0.25;
    let Outcome::Unlike(why) = seen(&other, after) else {
        panic!("a wrong rate was not seen");
    };
    assert!(why.contains("makes"), "{why}");
    // one that does not act at all
    let inert = insert(&model.read(), &options([at("h")])).unwrap();
    assert!(matches!(
        seen(&expected, &inert.edited.model),
        Outcome::Unlike(_)
    ));
    // and the verdict is that it is different
    let how = verify::Options::default();
    let found = verify_change(&model.read(), &inert.edited.model, &expected, &how).unwrap();
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
    let expected = Expected::of_insert(&inserted, &wanted);
    let how = verify::Options::default();
    let found = verify_change(&wide().read(), &inserted.edited.model, &expected, &how).unwrap();
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
            let choice = Choice {
                shared_axes: Some(axes),
                ..at("h")
            };
            let options = seeded(acts(acting, options([choice])));
            let (found, after) = inserts_verified(&model, &options);
            assert_eq!(after.dropouts(), 0);
            let report = found.acting.unwrap();
            assert_eq!(report.sites[0].outcome, Outcome::AsSaid, "{report:?}");
            let read = after.read();
            let sites = dropout_onnx::dropout::find(&read, &dropout_onnx::onnx::Values::new(&read));
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
    let mut expected = Expected::of_insert(&inserted, &wanted);
    expected.watches[0].shared = Some(dropout_onnx::verify::acting::Shared::Along(vec![2, 3]));
    let report = check(&inserted.edited.model, &expected, &Settings::default()).unwrap();
    assert!(
        matches!(report.sites[0].outcome, Outcome::Unlike(_)),
        "{report:?}"
    );
}

#[test]
fn what_is_not_seen_is_said() {
    let then = graph([op("t = Abs(x)"), op("out = Neg(t)")]).output("out");
    let other = graph([op("o = Neg(x)")]).output("o");
    let model = model(
        13,
        x_to_y([op("y = If(c)")
            .with(subgraph("then_branch", then))
            .with(subgraph("else_branch", other))])
        .init("c", flag(true)),
    );
    let (found, _) = inserts_verified(&model, &acts("active", options([at("t")])));
    let report = found.acting.unwrap();
    let why = "it stands in an inner graph".to_string();
    assert_eq!(report.sites[0].outcome, Outcome::Unseen(why));
}
