//! What each selector chooses.

use dropout_onnx::onnx::Model;
use dropout_onnx::rewrite::Action;
use dropout_onnx::rewrite::insert::{Choice, Options, Preset, candidates, insert};

use super::check::*;
use crate::common::build::*;

fn fixture(stem: &str) -> Model {
    let fixtures = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures");
    Model::open(fixtures.join(format!("{stem}.onnx"))).unwrap()
}

/// The values behind which dropout was put, with their rates.
fn places(model: &Model, options: &Options) -> Vec<(String, f64)> {
    let inserted = insert(model, options).unwrap();
    let applied = inserted
        .plan
        .applied()
        .map(|step| &inserted.places[step.site]);
    applied
        .map(|place| (place.data.to_string(), place.rate.value()))
        .collect()
}

fn names(model: &Model, choice: Choice) -> Vec<String> {
    let places = places(model, &options([choice]));
    places.into_iter().map(|(name, _)| name).collect()
}

fn layer(pattern: &str) -> Choice {
    Choice::default().layer(Some(pattern.into()))
}

const COURSE: &str = "torch_course_eval_op17";

#[test]
fn each_kind_of_selector() {
    let model = fixture(COURSE);
    let both = ["/1/Relu_output_0", "/4/Relu_output_0"];
    assert_eq!(names(&model, after("Relu")), both);
    assert_eq!(names(&model, named("/*/Relu")), both);
    assert_eq!(names(&model, named("*Relu_output_0")), both);
    assert_eq!(names(&model, named("/4/Relu")), both[1..]);
    assert_eq!(names(&model, layer("1")), both[..1]);
    assert_eq!(names(&model, layer("[14]")), both);
    assert_eq!(names(&model, at(both[0])), both[..1]);
    let head = Choice::default().preset(Some(Preset::Head));
    assert_eq!(names(&model, head), both);
}

#[test]
fn criteria_of_one_choice_all_hold() {
    let choice = after("Relu").layer(Some("4".into()));
    assert_eq!(names(&fixture(COURSE), choice), ["/4/Relu_output_0"]);
}

#[test]
fn choices_have_rates_of_their_own_and_a_name_counts_for_more() {
    let one = at("/4/Relu_output_0").rate(rate(0.1));
    let found = places(&fixture(COURSE), &options([after("Relu"), one]));
    let wanted = [
        ("/1/Relu_output_0".to_string(), 0.3),
        ("/4/Relu_output_0".to_string(), 0.1),
    ];
    assert_eq!(found, wanted);
}

#[test]
fn outputs_of_the_model_are_left_out_unless_named() {
    let model = fixture(COURSE);
    let inserted = insert(&model, &options([named("*")])).unwrap();
    let left = inserted.plan.steps.iter();
    let left: Vec<_> = left
        .filter_map(|step| match &step.action {
            Action::NoEffect(why) => Some(why.text()),
            _ => None,
        })
        .collect();
    assert_eq!(left, ["it is an output of the model"]);
    let output = model.graph(model.main()).outputs[0].name.to_string();
    assert_eq!(places(&model, &options([at(&output)])).len(), 1);
}

#[test]
fn keras_layers_are_chosen_by_their_paths() {
    let model = fixture("keras_course_infer_op15");
    let mut layers: Vec<_> = candidates(&model, &options([named("*")])).unwrap();
    layers.retain(|site| site.layer.is_some());
    let first = layers[0].layer.clone().unwrap();
    let chosen = names(&model, layer(&first));
    assert_eq!(chosen.len(), 1, "{first}: {chosen:?}");
    // a layer around it hands on less
    let around = first.split('/').next().unwrap();
    assert!(
        insert(&model, &options([layer(around)])).is_err(),
        "only the output: {around}"
    );
}

#[test]
fn layers_are_read_from_metadata_of_the_dynamo_exporter() {
    let original = fixture("torch_course_dynamo_train_op18");
    let base = dropout_onnx::rewrite::strip::strip(&original, &Default::default()).unwrap();
    let found = candidates(base.edited.model(), &options([after("Relu")])).unwrap();
    assert!(found.iter().all(|site| site.layer.is_some()), "{found:?}");
}

#[test]
fn sites_have_shapes_and_usual_rates() {
    let found = candidates(&fixture(COURSE), &Options::default()).unwrap();
    insta::assert_snapshot!(serde_json::to_string_pretty(&found).unwrap());
}

#[test]
fn dropout_that_is_there_is_not_doubled() {
    let model = model(
        13,
        x_to_y([op("h = Relu(x)"), op("d = Dropout(h)"), op("y = Neg(d)")]),
    );
    for name in ["h", "d"] {
        let why = refusal(&model, &options([at(name)]));
        assert!(why.contains("it already has dropout"), "{why}");
    }
    let why = refusal(&model, &options([after("Relu")]));
    assert!(
        why.contains("dropout cannot be inserted after any selected value"),
        "{why}"
    );
}

#[test]
fn precedence_of_overlapping_selectors() {
    let head = || Choice::default().preset(Some(Preset::Head));
    let rated = |choice: Choice, p: f64| choice.rate(rate(p));
    let model = fixture(COURSE);
    let value = "/4/Relu_output_0";
    // at one rate, one is as good as the other
    let same = [rated(after("Relu"), 0.2), rated(layer("4"), 0.2)];
    assert_eq!(places(&model, &options(same)).len(), 2);
    // a name counts for more, whichever comes first
    for flip in [false, true] {
        let mut choices = vec![rated(after("Relu"), 0.2), rated(at(value), 0.4)];
        if flip {
            choices.reverse();
        }
        assert_eq!(places(&model, &options(choices.clone()))[1].1, 0.4);
        let found = candidates(&model, &options(choices)).unwrap();
        assert_eq!(found[1].rate, 0.4);
    }
    // a layer is narrower than an operator, and a preset than all of an operator
    for (narrow, wide) in [
        (rated(layer("4"), 0.3), rated(after("Relu"), 0.2)),
        (rated(head(), 0.3), rated(after("Relu"), 0.2)),
        (rated(layer("4"), 0.3), rated(head(), 0.2)),
    ] {
        for choices in [[narrow.clone(), wide.clone()], [wide, narrow]] {
            assert_eq!(places(&model, &options(choices))[1].1, 0.3);
        }
    }
    // else it is said, and nothing is done
    let other = options([rated(layer("4"), 0.2), rated(layer("[4]"), 0.3)]);
    for why in [
        insert(&model, &other).unwrap_err().to_string(),
        candidates(&model, &other).unwrap_err().to_string(),
    ] {
        assert!(why.contains("which differ"), "{why}");
    }
    let twice = options([rated(at(value), 0.2), rated(at(value), 0.3)]);
    assert!(insert(&model, &twice).is_err());
}

#[test]
fn scopes_distinguish_values_with_the_same_name() {
    let branch = || graph([op("t = Abs(x)"), op("out = Neg(t)")]).output("out");
    let model = model(
        13,
        x_to_y([op("y = If(c)")
            .with(subgraph("then_branch", branch()))
            .with(subgraph("else_branch", branch()))])
        .init("c", flag(true)),
    );
    let why = refusal(&model, &options([at("t")]));
    assert!(
        why.contains("`t` is a value in each of") && why.contains("`scope`"),
        "{why}"
    );
    let found = candidates(&model.read(), &options([after("Abs")])).unwrap();
    assert_eq!(found.len(), 2);
    for site in &found {
        let (inserted, _) = inserts(&model, &options([site.choice().unwrap()]));
        assert_eq!(inserted.places.len(), 1);
        assert_eq!(model.read().scope(inserted.places[0].graph), site.scope);
    }
    let scoped = |scope: &str| Choice::default().scope(Some(scope.into()));
    // alone: all values there
    let (inserted, _) = inserts(&model, &options([scoped("*then_branch")]));
    assert_eq!(inserted.plan.applied().count(), 2);
    let why = refusal(&model, &options([scoped("grahp")]));
    assert!(
        why.contains("no scope matches `grahp`; did you mean `graph`"),
        "{why}"
    );
}
