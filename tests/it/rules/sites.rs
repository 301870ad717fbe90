//! Rules about whether a dropout acts, and with which rate, scale and seed.

use dropout_onnx::dropout::{Form, Mode, RateOrigin};
use dropout_onnx::onnx::DataType;

use super::{constants, dropouts, fires, random_mask, said, said_of, silent, with_ratio};
use crate::common::build::{float, int, model, op, x_to_y};

#[test]
fn active_dropout() {
    let what = "still drops on every run";
    fires(
        "active-dropout",
        &dropouts([op("y = Dropout(x, r, on)")]),
        what,
    );
    fires("active-dropout", &random_mask(2.0), what);
    silent("active-dropout", &dropouts([op("y = Dropout(x, r, off)")]));
    silent(
        "active-dropout",
        &with_ratio(0.0, [op("y = Dropout(x, r, on)")]),
    );
}

#[test]
fn active_noise_does_not_drop() {
    let nodes = [
        op("n = RandomNormalLike(x)").with(float("scale", 0.1)),
        op("y = Add(x, n)"),
    ];
    let what = "still adds noise on every run";
    fires(
        "active-dropout",
        &model(13, x_to_y(nodes)).by("tf2onnx"),
        what,
    );
    let nodes = [
        op("n = RandomNormalLike(x)")
            .with(float("mean", 1.0))
            .with(float("scale", 0.5)),
        op("y = Mul(x, n)"),
    ];
    let what = "still multiplies by noise on every run";
    fires("active-dropout", &model(13, x_to_y(nodes)), what);
}

#[test]
fn runtime_dropout() {
    let switched = |name| {
        let nodes = [op(&format!("y = Dropout(x, r, {name})"))];
        model(
            13,
            constants(0.3, x_to_y(nodes)).input_of("t", DataType::BOOL, &[]),
        )
    };
    fires(
        "runtime-dropout",
        &switched("t"),
        "a model input switches it on",
    );
    silent("active-dropout", &switched("t"));
    silent("runtime-dropout", &switched("on"));
}

#[test]
fn frozen_mask() {
    let mask = random_mask(2.0);
    let frozen = said_of("frozen-mask", &mask, |site| {
        site.mode = Mode::Frozen;
        site.form = Form::FrozenMask;
    });
    assert_eq!(
        frozen,
        ["graph: Mul `y`: drops the same elements on every run"]
    );
    assert!(said_of("frozen-mask", &mask, |_| ()).is_empty());
}

#[test]
fn leftover_dropout() {
    let what = "has no effect, and some runtimes do not support it";
    fires(
        "leftover-dropout",
        &model(7, x_to_y([op("y = Dropout(x)")])),
        what,
    );
    fires(
        "leftover-dropout",
        &with_ratio(0.0, [op("y = Dropout(x, r, on)")]),
        what,
    );
    silent("leftover-dropout", &dropouts([op("y = Dropout(x, r, on)")]));
    silent(
        "leftover-dropout",
        &dropouts([op("y = local::Dropout(x, r)")]),
    );
    let scale = said_of("leftover-dropout", &random_mask(2.0), |site| {
        site.mode = Mode::Inert;
        site.form = Form::Scale;
    });
    assert!(scale.is_empty());
}

#[test]
fn lost_rate() {
    let what = "has no ratio, so it reads as 0.5; the exporter probably lost the real rate";
    fires(
        "lost-rate",
        &model(12, x_to_y([op("y = Dropout(x)")])),
        what,
    );
    fires("lost-rate", &dropouts([op("y = Dropout(x, , on)")]), what);
    silent("lost-rate", &dropouts([op("y = Dropout(x, r)")]));
    silent("lost-rate", &model(11, x_to_y([op("y = Dropout(x)")])));
}

#[test]
fn unusual_rate() {
    let with = |rate| with_ratio(rate, [op("y = Dropout(x, r)")]);
    let keep = "; is it the probability to keep?";
    fires(
        "unusual-rate",
        &with(0.9),
        &format!("has an unusual rate of 0.9{keep}"),
    );
    fires(
        "unusual-rate",
        &with(0.51),
        &format!("has an unusual rate of 0.51{keep}"),
    );
    fires("unusual-rate", &with(0.01), "has an unusual rate of 0.01");
    for usual in [0.0, 0.05, 0.1, 0.2, 0.5] {
        silent("unusual-rate", &with(usual));
    }
    let noise = [
        op("n = RandomNormalLike(x)").with(float("scale", 0.9)),
        op("y = Add(x, n)"),
    ];
    silent("unusual-rate", &model(13, x_to_y(noise)));
    let acting = with_ratio(0.9, [op("y = Dropout(x, r, on)")]);
    assert_eq!(said_of("unusual-rate", &acting, |_| ()).len(), 1);
    let counted = said_of("unusual-rate", &acting, |site| {
        site.form = Form::FrozenMask;
        site.rate_origin = RateOrigin::Mask;
    });
    assert!(counted.is_empty());
}

#[test]
fn unscaled_mask() {
    let how = "does not scale the elements it keeps";
    let classic = format!("{how}; inference must multiply by 0.5");
    fires("unscaled-mask", &random_mask(1.0), &classic);
    let other = format!("{how} by 1/(1-p); inference must multiply by 1.5");
    fires("unscaled-mask", &random_mask(3.0), &other);
    silent("unscaled-mask", &random_mask(2.0));
    let scale = said_of("unscaled-mask", &random_mask(1.0), |site| {
        site.form = Form::Scale
    });
    assert!(scale.is_empty());
    let inert = said_of("unscaled-mask", &random_mask(1.0), |site| {
        site.mode = Mode::Inert
    });
    assert!(inert.is_empty());
}

#[test]
fn mask_used() {
    let of = |nodes: &[&str]| dropouts(nodes.iter().map(|node| op(node)));
    let used = of(&["d, m = Dropout(x, r)", "y = Where(m, d, x)"]);
    fires(
        "mask-used",
        &used,
        "its mask is used, and runtimes compute it differently",
    );
    let mut output = of(&["y, m = Dropout(x, r)"]);
    let main = output.graph.take().unwrap();
    output.graph = Some(main.output_of("m", DataType::BOOL, &[2, 3]));
    fires(
        "mask-used",
        &output,
        "its mask is an output, and runtimes compute it differently",
    );
    silent("mask-used", &of(&["y, m = Dropout(x, r)"]));
    silent("mask-used", &random_mask(2.0));
}

#[test]
fn shared_seed() {
    let seeded = |seeds: &[i64], flag: &str| {
        let last = seeds.len() - 1;
        let nodes = seeds.iter().enumerate().map(|(i, &seed)| {
            let input = if i == 0 {
                "x".to_string()
            } else {
                format!("d{}", i - 1)
            };
            let output = if i == last {
                "y".to_string()
            } else {
                format!("d{i}")
            };
            op(&format!("{output} = Dropout({input}, r, {flag})")).with(int("seed", seed))
        });
        dropouts(nodes.collect::<Vec<_>>())
    };
    fires(
        "shared-seed",
        &seeded(&[7, 7], "on"),
        "has the same seed 7 as `y`",
    );
    let many = "has the same seed 0 as `d1`, `d2`, `d3`, 2 more";
    fires("shared-seed", &seeded(&[0; 6], "on"), many);
    assert_eq!(said("shared-seed", &seeded(&[1, 2, 1, 2], "on")).len(), 2);
    silent("shared-seed", &seeded(&[7, 8], "on"));
    silent("shared-seed", &seeded(&[7], "on"));
    silent("shared-seed", &seeded(&[7, 7], "off"));
    silent(
        "shared-seed",
        &dropouts([op("d = Dropout(x, r, on)"), op("y = Dropout(d, r, on)")]),
    );
}
