//! `Dropout` operators, in every version and however their ratio and flag are stored.

use dropout_onnx::dropout::Mode;
use dropout_onnx::onnx::DataType;
use dropout_onnx::rewrite::set::Seed;

use super::check::*;
use crate::common::build::*;
use crate::common::proto::{Graph, Model};

/// Two dropouts in a row: `a` with the first ratio and flag, `b` with the others.
fn two(ratios: [&str; 2], flags: [&str; 2]) -> Graph {
    x_to_y([
        op(&format!("a = Dropout(x, {}, {})", ratios[0], flags[0])),
        op("h = Relu(a)"),
        op(&format!("b = Dropout(h, {}, {})", ratios[1], flags[1])),
        op("y = Neg(b)"),
    ])
}

fn shared() -> Model {
    let graph = two(["r", "r"], ["t", "t"])
        .init("r", f32_scalar(0.5))
        .init("t", flag(true));
    model(13, graph)
}

#[test]
fn constants_that_all_users_change_are_changed_where_they_are() {
    let (changed, acting) = sets(&shared().read(), &to_rate(0.2));
    let text = text(&changed);
    assert!(text.contains("initializer r: float[] {0.2}"), "{text}");
    assert!(
        text.contains("Dropout(x, r, t)") && text.contains("Dropout(h, r, t)"),
        "{text}"
    );
    assert_eq!(acting.unwrap().sites.len(), 2);
}

#[test]
fn constants_that_others_use_are_copied_first() {
    let model = shared().read();
    let (changed, _) = sets(&model, &only("name=a", to_rate(0.2)));
    let first = text(&changed);
    assert!(first.contains("initializer r: float[] {0.5}"), "{first}");
    assert!(first.contains("initializer r_2: float[] {0.2}"), "{first}");
    assert!(
        first.contains("Dropout(x, r_2, t)") && first.contains("Dropout(h, r, t)"),
        "{first}"
    );
    let (changed, _) = sets(&model, &only("name=b", to_mode("inert")));
    let second = text(&changed);
    assert!(
        second.contains("Dropout(x, r, t)") && second.contains("Dropout(h, r, t_2)"),
        "{second}"
    );
    assert_eq!(sites(&changed)[0].mode, Mode::Active);
    assert_eq!(sites(&changed)[1].mode, Mode::Inert);
}

#[test]
fn constant_nodes_of_each_kind() {
    let nodes = |constants: [crate::common::proto::Node; 2]| {
        let mut graph = two(["r", "s"], ["t", "t"]).init("t", flag(true));
        for (index, node) in constants.into_iter().enumerate() {
            graph.node.insert(index, node);
        }
        model(13, graph)
    };
    let model = nodes([
        op("r = Constant()").with(float("value_float", 0.5)),
        op("s = Constant()").with(tensor("value", scalar(DataType::FLOAT16, 0.25))),
    ]);
    let (changed, _) = sets(&model.read(), &to_rate(0.125));
    let rates: Vec<_> = sites(&changed).iter().map(|site| site.rate).collect();
    assert_eq!(rates, [Some(0.125), Some(0.125)]);
    let text = text(&changed);
    assert!(
        text.contains("value_float=0.125") && text.contains("float16"),
        "{text}"
    );
}

#[test]
fn absent_inputs_are_added() {
    let model = model(13, x_to_y([op("a = Dropout(x)"), op("y = Neg(a)")])).read();
    let (changed, _) = sets(&model, &to_rate(0.2));
    assert!(
        text(&changed).contains("Dropout(x, a/ratio)"),
        "{}",
        text(&changed)
    );
    let (changed, acting) = sets(&model, &to_mode("active"));
    assert!(
        text(&changed).contains("Dropout(x, \"\", a/training_mode)"),
        "{}",
        text(&changed)
    );
    assert_eq!(acting.unwrap().sites[0].rate, 0.5);
    let (changed, _) = sets(&model, &to_mode("inert"));
    assert_eq!(changed.outcome.changed, 0);
}

#[test]
fn a_switch_is_added_and_removed() {
    let model = model(
        13,
        x_to_y([op("a = Dropout(x, r, t)"), op("y = Neg(a)")])
            .init("r", f32_scalar(0.5))
            .init("t", flag(false)),
    )
    .read();
    let (changed, acting) = sets(&model, &to_mode("runtime:on"));
    assert_eq!(sites(&changed)[0].mode, Mode::Runtime);
    assert!(changed.outcome.added_input);
    assert!(acting.unwrap().sites[0].draws > 100);
    let shown = text(&changed);
    assert!(
        shown.contains("input on: bool[]") && !shown.contains("initializer t:"),
        "{shown}"
    );
    // back again: the input stays, and is said to be idle
    let (back, _) = sets(changed.edited.model(), &to_mode("inert"));
    assert_eq!(back.outcome.idle_inputs, ["on"]);
    assert_eq!(sites(&back)[0].mode, Mode::Inert);
}

#[test]
fn seeds_follow_each_other_and_go() {
    let (changed, _) = sets(&shared().read(), &to_seed(Seed::Number(7)));
    let seeds: Vec<_> = sites(&changed).iter().map(|site| site.seed).collect();
    assert_eq!(seeds, [Some(7), Some(8)]);
    let (changed, _) = sets(changed.edited.model(), &to_seed(Seed::None));
    assert!(sites(&changed).iter().all(|site| site.seed.is_none()));
}

#[test]
fn attributes_of_the_first_versions() {
    for opset in [1, 6] {
        let dropout = op("a = Dropout(x)")
            .with(float("ratio", 0.25))
            .with(int("is_test", 1));
        let model = model(opset, x_to_y([dropout, op("y = Neg(a)")])).read();
        let (changed, _) = sets(&model, &to_rate(0.5));
        assert_eq!(
            (sites(&changed)[0].rate, sites(&changed)[0].mode),
            (Some(0.5), Mode::Inert)
        );
        let (changed, acting) = sets(&model, &to_mode("active"));
        assert_eq!(
            (sites(&changed)[0].rate, sites(&changed)[0].mode),
            (Some(0.25), Mode::Active)
        );
        assert!(acting.unwrap().sites[0].draws > 100);
        let why = refusal(&model, &to_mode("runtime"));
        assert!(
            why.contains("is an attribute") && why.contains("opset 12"),
            "{why}"
        );
        let why = refusal(&model, &to_seed(Seed::Number(1)));
        assert!(why.contains("has no seed"), "{why}");
    }
}

#[test]
fn versions_without_a_switch_have_a_rate_and_nothing_else() {
    for opset in 7..=11 {
        let dropout = op("a = Dropout(x)").with(float("ratio", 0.25));
        let model = model(opset, x_to_y([dropout, op("y = Neg(a)")])).read();
        let (changed, _) = sets(&model, &to_rate(0.5));
        assert_eq!(sites(&changed)[0].rate, Some(0.5));
        for mode in ["active", "runtime"] {
            let why = refusal(&model, &to_mode(mode));
            assert!(
                why.contains(&format!("opset {opset}")) && why.contains("opset 12"),
                "{why}"
            );
        }
        assert_eq!(sets(&model, &to_mode("inert")).0.outcome.changed, 0);
    }
}

#[test]
fn rates_that_a_run_decides_are_refused_and_defaults_are_not() {
    let graph = || two(["r", "r"], ["t", "t"]).init("t", flag(true));
    let decided = model(13, graph().input_of("r", DataType::FLOAT, &[])).read();
    let why = refusal(&decided, &to_rate(0.2));
    assert!(why.contains("decided at run time, by `r`"), "{why}");
    let default = graph()
        .input_of("r", DataType::FLOAT, &[])
        .init("r", f32_scalar(0.5));
    let default = model(13, default).read();
    let (changed, _) = sets(&default, &to_rate(0.2));
    assert!(
        text(&changed).contains("initializer r: float[] {0.2}"),
        "{}",
        text(&changed)
    );
    let why = refusal(&default, &only("name=a", to_rate(0.2)));
    assert!(
        why.contains("the input `r`, which has other readers"),
        "{why}"
    );
}

#[test]
fn in_functions_the_calls_no_longer_decide() {
    let body = [op("b = Dropout(a, r, t)")];
    let call = op("y = local::F(x, r, t)");
    let model = model(
        13,
        x_to_y([call])
            .init("r", f32_scalar(0.5))
            .init("t", flag(true)),
    )
    .imports("local", 1)
    .function(function("F", "a, r, t", "b", 13, body));
    let (changed, _) = sets(&model.read(), &to_rate(0.2));
    assert_eq!(sites(&changed)[0].rate, Some(0.2));
    let why = refusal(&model.read(), &to_mode("runtime"));
    assert!(why.contains("a function does not see"), "{why}");
}

#[test]
fn texts_before_and_after() {
    let model = shared().read();
    let (changed, _) = sets(&model, &only("name=b", to_rate(0.2)));
    let plan = changed.plan.steps.iter();
    let plan: Vec<String> = plan
        .map(|step| format!("{}: {}", step.label, step.action))
        .collect();
    insta::assert_snapshot!(format!(
        "plan\n----\n{}\n\nbefore\n------\n{}\nafter\n-----\n{}",
        plan.join("\n"),
        dropout_onnx::show::text(&model).unwrap(),
        text(&changed)
    ));
}

#[test]
fn fixtures_of_exporters() {
    for (stem, count) in [
        ("torch_course_preserve_op17", 2),
        ("torch_course_dynamo_train_op18", 2),
        ("torch_mask_output_op13", 1),
        ("keras_course_train_op8", 2),
        ("torch_mlp_training_op7", 2),
        ("torch112_nested_functions_op15", 2),
        ("keras_mc_lost_ratio_op12", 2),
    ] {
        let (changed, _) = sets(&fixture(stem), &only("form=operator", to_rate(0.125)));
        assert_eq!(changed.outcome.changed, count, "{stem}");
        let rates = sites(&changed).into_iter().map(|site| site.rate);
        assert!(
            rates.filter(|rate| *rate == Some(0.125)).count() == count,
            "{stem}"
        );
    }
}

#[test]
fn a_rate_of_0_is_kept_and_another_comes_back() {
    let (changed, _) = sets(&shared().read(), &to_rate(0.0));
    let found = sites(&changed);
    // what drops nothing does not act
    assert!(
        found
            .iter()
            .all(|site| (site.rate, site.mode) == (Some(0.0), Mode::Inert))
    );
    let (back, acting) = sets(changed.edited.model(), &to_rate(0.5));
    assert!(sites(&back).iter().all(|site| site.mode == Mode::Active));
    assert_eq!(acting.unwrap().sites.len(), 2);
}

#[test]
fn dropout_that_an_input_switches_already_is_watched_with_it_on() {
    for (flag_of, on) in [("t = Identity(train)", "train"), ("t = Not(off)", "off")] {
        let graph = x_to_y([op(flag_of), op("a = Dropout(x, r, t)"), op("y = Neg(a)")])
            .init("r", f32_scalar(0.5))
            .input_of(on, DataType::BOOL, &[]);
        let (changed, acting) = sets(&model(13, graph).read(), &to_rate(0.25));
        assert_eq!(sites(&changed)[0].mode, Mode::Runtime);
        let report = acting.unwrap();
        assert_eq!(
            report.sites[0].outcome,
            dropout_onnx::verify::acting::Outcome::AsSaid,
            "{report:?}"
        );
        assert!(report.sites[0].draws > 100);
    }
}

#[test]
fn dropout_of_another_version_is_refused() {
    let graph = x_to_y([op("y = Dropout(x)").with(float("ratio", 0.2))]);
    let why = refusal(&model(13, graph.clone()).read(), &to_rate(0.4));
    assert!(
        why.contains("has the attribute `ratio`, which Dropout of opset 13"),
        "{why}"
    );
    sets(&model(11, graph).read(), &to_rate(0.4));
}

#[test]
fn a_ratio_outside_the_interval_is_not_made_to_act() {
    let graph = x_to_y([op("y = Dropout(x, r)")]).init("r", f32_scalar(1.0));
    let model = model(13, graph).read();
    let why = refusal(&model, &to_mode("active"));
    assert!(
        why.contains("its rate of 1 is outside [0, 1); give --rate as well"),
        "{why}"
    );
    let both = to_rate(0.4).acting(Some("active".parse().unwrap()));
    sets(&model, &both);
}
