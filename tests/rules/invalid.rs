//! Rules about dropout that cannot be judged.

use dropout_onnx::audit::Level;

use crate::common::build::{f32_scalar, f32s, flag, float, int, model, op, x_to_y};
use crate::{findings, fires, silent, with_ratio};

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
    let model7 = model(7, x_to_y([node]));
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

    let without_data = model(13, x_to_y([op("y = Dropout()")]));
    fires("invalid-dropout", &without_data, "has no data input");
}

/// A site with a problem has that finding, and none that believes the rest of it.
#[test]
fn a_problem_is_all_that_is_told_of_a_site() {
    let model = with_ratio(
        1.0,
        [op("d, m = Dropout(x, r, on)"), op("y = Where(m, d, x)")],
    );
    let all: Vec<_> = findings(&model).iter().map(|f| (f.rule, f.level)).collect();
    assert_eq!(all, [("invalid-rate", Level::Error)]);
}
