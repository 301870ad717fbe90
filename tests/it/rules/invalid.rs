//! Rules about dropout that cannot be judged.

use dropout_onnx::audit::{Level, ModelAudit, Selection, Verdict};

use super::{constants, dropouts, findings, fires, random_mask, silent, verdict, with_ratio};
use crate::common::build::{f32_scalar, f32s, flag, float, i64s, int, model, op, x_to_y};
use crate::common::proto::{SparseTensor, Tensor};

#[test]
fn invalid_rate() {
    for (ratio, what) in [
        (1.0, "ratio 1 is outside [0, 1)"),
        (50.0, "ratio 50 is outside [0, 1)"),
        (-0.5, "ratio -0.5 is outside [0, 1)"),
    ] {
        let model = with_ratio(ratio, [op("y = Dropout(x, r, on)")]);
        fires("invalid-rate", &model, what);
        silent("invalid-dropout", &model);
    }
    silent(
        "invalid-rate",
        &with_ratio(0.999, [op("y = Dropout(x, r, on)")]),
    );

    let node = op("y = Dropout(x)").with(int("ratio", 0));
    let model7 = model(6, x_to_y([node]));
    fires(
        "invalid-rate",
        &model7,
        "ratio is the int64 0, not a float scalar",
    );
    silent(
        "invalid-rate",
        &model(7, x_to_y([op("y = Dropout(x)").with(float("ratio", 0.25))])),
    );

    let list = x_to_y([op("y = Dropout(x, r)")]).init("r", f32s(&[2], &[0.5, 0.5]));
    let what = "ratio is a float of shape [2], not a float scalar";
    fires("invalid-rate", &model(13, list), what);
}

#[test]
fn invalid_dropout() {
    let switched = |on| {
        let graph = x_to_y([op("y = Dropout(x, r, t)")]).init("r", f32_scalar(0.5));
        model(13, graph.init("t", on))
    };
    let what = "training_mode is the float 1, not a boolean scalar";
    fires("invalid-dropout", &switched(f32_scalar(1.0)), what);
    silent("invalid-rate", &switched(f32_scalar(1.0)));
    silent("invalid-dropout", &switched(flag(true)));

    let is_test = |attribute| model(6, x_to_y([op("y = Dropout(x)").with(attribute)]));
    let what = "is_test is the float 1, not an integer";
    fires("invalid-dropout", &is_test(float("is_test", 1.0)), what);
    silent("invalid-dropout", &is_test(int("is_test", 1)));

    let attribute = dropouts([op("y = Dropout(x)").with(float("ratio", 0.25))]);
    let what = "has the attribute `ratio`, which Dropout of opset 13 does not have; runtimes refuse the model";
    fires("invalid-dropout", &attribute, what);
    silent("lost-rate", &attribute);
    silent("invalid-rate", &attribute);

    let without_data = model(13, x_to_y([op("y = Dropout()")]));
    fires("invalid-dropout", &without_data, "has no data input");
}

#[test]
fn the_ratio_of_an_inert_dropout_is_only_unusual() {
    let model = with_ratio(1.0, [op("y = Dropout(x, r, off)")]);
    let what = "has an unusual rate of 1, outside [0, 1); it is ignored at inference";
    fires("unusual-rate", &model, what);
    silent("invalid-rate", &model);
}

#[test]
fn unsound_model() {
    for (nodes, what) in [
        (["h = Relu(x)", "y = Add(h, b)"], "nothing defines `b`"),
        (["h = Relu(x)", "y, h = Split(h)"], "`h` is defined twice"),
        (
            ["h = Add(x, y)", "y = Relu(h)"],
            "the graph has a cycle: this node depends on its own output",
        ),
    ] {
        let unsound = dropouts(nodes.map(op));
        let all = findings(&unsound);
        let found = all.iter().find(|f| f.rule == "unsound-model").expect(what);
        assert_eq!(found.level, Level::Error);
        assert!(
            found.message.starts_with("graph: ") && found.message.ends_with(what),
            "{found:?}"
        );
        assert_eq!(verdict(&unsound), Some(Verdict::Unknown), "{what}");
    }
    let sound = dropouts([op("h = Relu(x)"), op("y = Add(h, x)")]);
    silent("unsound-model", &sound);
    assert_eq!(verdict(&sound), Some(Verdict::Clean));
}

/// The place is the graph where no node is to blame, and one finding stands for all names.
#[test]
fn an_unsound_model_without_a_node_to_blame() {
    let graph = x_to_y([op("y = Relu(x)")]).output("z").output("w");
    let all = findings(&model(13, graph));
    let found: Vec<_> = all
        .iter()
        .map(|f| (f.rule, f.message.as_str(), &f.node))
        .collect();
    let message = "graph: output 1: nothing defines `z` (and 1 more name)";
    assert_eq!(found, [("unsound-model", message, &None)]);
}

/// A mask is not searched for in a model that is not sound; a Dropout that acts is there all the same.
#[test]
fn the_verdict_of_an_unsound_model_is_no_better_than_it_may_be() {
    let mut mask = random_mask(2.0);
    assert_eq!(verdict(&mask), Some(Verdict::Active));
    mask.main_mut().node.push(op("unrelated = Relu(nowhere)"));
    assert_eq!(verdict(&mask), Some(Verdict::Unknown));
    for (switch, expected) in [("on", Verdict::Active), ("off", Verdict::Unknown)] {
        let dropout = op(&format!("y = Dropout(x, r, {switch})"));
        let model = dropouts([dropout, op("unrelated = Relu(nowhere)")]);
        assert_eq!(verdict(&model), Some(expected), "{switch}");
    }
}

/// The default of an input may be sparse; two defaults are one too many.
#[test]
fn a_sparse_default_of_an_input_is_sound() {
    let sparse = || SparseTensor {
        values: Some(Tensor {
            name: Some("x".into()),
            ..f32s(&[1], &[2.0])
        }),
        indices: Some(i64s(&[0])),
        dims: vec![2, 3],
    };
    let mut graph = x_to_y([op("y = Relu(x)")]);
    graph.sparse_initializer.push(sparse());
    let once = model(13, graph.clone());
    silent("unsound-model", &once);
    assert_eq!(verdict(&once), Some(Verdict::Clean));
    graph.sparse_initializer.push(sparse());
    assert_eq!(verdict(&model(13, graph.clone())), Some(Verdict::Unknown));
}

/// A draw that is followed through more nodes than the limit: something beyond may drop.
#[test]
fn analysis_limit() {
    // a mask with as many steps as numbers that the draw is compared with
    let of = |steps: usize| {
        let mut nodes = vec![op("u = RandomUniformLike(x)"), op("m0 = Mul(u, zero)")];
        let mut graph = x_to_y([]);
        for step in 1..=steps {
            let before = step - 1;
            nodes.extend([
                op(&format!("b{step} = Less(u, c{step})")),
                op(&format!("f{step} = Cast(b{step})")).with(int("to", 1)),
                op(&format!("m{step} = Add(m{before}, f{step})")),
            ]);
            let number = step as f32 / (steps + 1) as f32;
            graph = graph.init(&format!("c{step}"), f32_scalar(number));
        }
        nodes.push(op(&format!("y = Mul(x, m{steps})")));
        graph.node = nodes;
        model(13, constants(0.5, graph.init("zero", f32_scalar(0.0))))
    };
    let (short, long) = (of(10), of(100));
    silent("analysis-limit", &short);
    assert_eq!(verdict(&short), Some(Verdict::Random));
    let what = "the search for dropout stopped here: a mask changes at no more than 64 draws";
    fires("analysis-limit", &long, what);
    assert_eq!(verdict(&long), Some(Verdict::Unknown));
    // what was found is found all the same
    let mut active = of(100);
    let main = active.main_mut();
    main.node.push(op("z = Dropout(x, r, on)"));
    *main = std::mem::take(main).output("z");
    assert_eq!(verdict(&active), Some(Verdict::Active));
    let rules = Selection::default().allow("analysis-limit").unwrap();
    let allowed = ModelAudit::with("model.onnx", &long.read(), &rules).unwrap();
    assert_eq!(allowed.verdict, Some(Verdict::Unknown));
}

/// A site with a problem has that finding, and none that believes the rest of it.
#[test]
fn a_site_with_a_problem_has_no_other_finding() {
    let model = with_ratio(
        1.0,
        [op("d, m = Dropout(x, r, on)"), op("y = Where(m, d, x)")],
    );
    let all: Vec<_> = findings(&model).iter().map(|f| (f.rule, f.level)).collect();
    assert_eq!(all, [("invalid-rate", Level::Error)]);
}
