//! Masks that meet something else than data first, or data of another shape.

use dropout_onnx::dropout::{Form, Kind, Mode, RateOrigin, Scaling};
use dropout_onnx::onnx::DataType;

use super::spelt::{DRAWN, inside};
use crate::common::build::{f32s, function, model, scalar, x_to_y};
use crate::common::masks::{nodes, numbers, spelt};
use crate::common::stripped::{refusal, strips};

#[test]
fn two_masks_multiplied_first_are_two_dropouts() {
    let text = "h = Relu(x)\nr = RandomUniformLike(h)\nb = Less(r, keep)\nk = Cast(b)\nm = Div(k, keep)\n\
                r2 = RandomUniformLike(h)\nb2 = GreaterOrEqual(r2, half)\nk2 = Cast(b2)\n\
                n = Div(k2, half)\nboth = Mul(m, n)\nd = Mul(h, both)\ny = Tanh(d)";
    let made = model(15, spelt(text, &[("keep", 0.7), ("half", 0.5)]));
    let stripped = strips(&made).draws_nothing();
    let rates: Vec<_> = stripped.sites.iter().map(|site| site.rate).collect();
    assert_eq!(rates, [Some(0.3), Some(0.5)]);
    stripped.leaves(&["h = Relu(x)", "y = Tanh(h)"]);
}

#[test]
fn the_mask_is_applied_again_to_dropped_data_after_an_operator_that_keeps_it() {
    for between in ["Dropout", "Identity"] {
        let text = format!("{DRAWN}m = Mul(k, s)\nd = Mul(x, m)\ne = {between}(d)\ny = Mul(e, k)");
        strips(&inside(15, 0.3, &text))
            .draws_nothing()
            .leaves(&["hidden = Relu(x)", "y = Tanh(hidden)"]);
    }
}

#[test]
fn a_mask_larger_than_its_data_is_refused() {
    let text = "r = RandomUniformLike(like)\nb = Less(r, keep)\nk = Cast(b)\nm = Div(k, keep)\n\
                d = Mul(x, m)\ny = Tanh(d)";
    let graph = spelt(text, &numbers(0.3)).init("like", f32s(&[3, 2, 4], &[0.; 24]));
    let why = refusal(&model(15, graph));
    assert!(why.contains("its mask is larger than the data"), "{why}");
    // the twin: a mask that is shared along the first axis is smaller, and goes
    let graph = spelt(text, &numbers(0.3)).init("like", f32s(&[1, 3], &[0.; 3]));
    strips(&model(15, graph)).draws_nothing();
}

#[test]
fn a_zero_that_is_added_may_change_the_sign_of_a_zero() {
    // Relu leaves many zeros; times −1 they are −0, and −0 + 0 is 0
    let data = "hidden = Relu(x)\nz = Mul(hidden, minus)\n";
    let mask = "r = RandomUniformLike(z)\nb = Less(r, half)\nk = Cast(b)\nc = Not(b)\nl = Cast(c)\n\
                u = Div(z, half)\n";
    let constants = [("minus", -1.0), ("half", 0.5), ("zero", 0.0)];
    for usage in [
        "d = Mul(u, k)\ne = Mul(l, zero)\ny = Add(d, e)",
        "e = Mul(u, l)\ny = Sub(u, e)",
    ] {
        let made = model(15, spelt(&format!("{data}{mask}{usage}"), &constants));
        strips(&made).draws_nothing();
    }
}

#[test]
fn a_mask_that_is_an_argument_of_a_function() {
    let text = "r = RandomUniformLike(x)\nb = Less(r, keep)\nk = Cast(b)\nm = Div(k, keep)\n\
                y = local::Use(x, m)";
    let used = function("Use", "v, m", "w", 15, nodes("d = Mul(v, m)\nw = Tanh(d)"));
    let mut made = model(15, spelt(text, &numbers(0.3))).imports("local", 1);
    made.functions = vec![used];
    let stripped = strips(&made).draws_nothing();
    assert_eq!(stripped.sites[0].rate, Some(0.3));
}

#[test]
fn a_function_that_is_also_called_with_other_values_is_left_alone() {
    let text = "r = RandomUniformLike(x)\nb = Less(r, keep)\nk = Cast(b)\nm = Div(k, keep)\n\
                h = local::Use(x, m)\ny = local::Use(h, x)";
    let used = function("Use", "v, m", "w", 15, nodes("d = Mul(v, m)\nw = Tanh(d)"));
    let mut made = model(15, spelt(text, &numbers(0.3))).imports("local", 1);
    made.functions = vec![used];
    assert!(strips(&made).sites.is_empty());
}

#[test]
fn a_keep_probability_that_a_run_has_to_give() {
    let text = "r = RandomUniformLike(x)\nb = Less(r, keep)\nk = Cast(b)\nxs = Div(x, keep)\n\
                d = Mul(xs, k)\ny = Tanh(d)";
    let graph = x_to_y(nodes(text)).input_of("keep", DataType::FLOAT, &[]);
    let stripped = strips(&model(15, graph)).draws_nothing();
    let site = &stripped.sites[0];
    assert_eq!((site.rate, site.rate_origin), (None, RateOrigin::Input));
    assert_eq!(
        (site.mode, site.scaling),
        (Mode::Runtime, Scaling::Inverted)
    );
    assert_eq!(stripped.outcome.idle_inputs.len(), 1);
}

#[test]
fn numbers_of_half_precision_are_as_they_were_written() {
    let half = |number| scalar(DataType::FLOAT16, number);
    for rate in [0.1, 0.2, 0.25, 0.3, 0.35, 0.4, 0.5] {
        let text = "r = RandomUniformLike(h)\nb = GreaterOrEqual(r, p)\nk = Cast:10(b)\n\
                    xs = Mul(h, s)\nd = Mul(xs, k)\ny = Cast(d)";
        let text = format!("h = Cast:10(x)\n{text}");
        let graph = x_to_y(nodes(&text))
            .init("p", half(rate))
            .init("s", half(1.0 / (1.0 - rate)));
        let stripped = strips(&model(15, graph)).draws_nothing();
        let site = &stripped.sites[0];
        assert_eq!((site.kind, site.rate), (Kind::Dropout, Some(rate)));
        assert_eq!(
            (site.scaling, site.inference_scale),
            (Scaling::Inverted, 1.0),
            "{rate}"
        );
    }
}

/// Where the mask chooses between two of the same data, one of them dropped where it is chosen.
#[test]
fn a_choice_that_drops_what_it_chooses() {
    let text = format!(
        "{DRAWN}g = Dropout(x)\nd = Mul(x, k)\ne = Div(d, keep)\nf = Mul(g, k)\ny = Where(b, e, f)"
    );
    strips(&inside(15, 0.3, &text))
        .draws_nothing()
        .leaves(&["hidden = Relu(x)", "y = Tanh(hidden)"]);
    // the twin: what is not dropped where it is chosen
    let other = text.replace("f = Mul(g, k)", "f = Mul(g, g)");
    let sites = strips(&inside(15, 0.3, &other)).sites;
    assert!(
        sites.iter().all(|site| site.form == Form::Operator),
        "{sites:?}"
    );
}

/// Both ends of a choice are one value.
#[test]
fn a_choice_between_one_and_the_same() {
    let text = format!(
        "{DRAWN}f = Mul(x, k)\nr2 = RandomUniformLike(f)\nb2 = Less(r2, keep)\nk2 = Cast(b2)\n\
         d = Mul(f, k2)\ne = Div(d, keep)\ny = Where(b, e, e)"
    );
    let stripped = strips(&inside(15, 0.3, &text));
    let rates: Vec<_> = stripped.sites.iter().map(|site| site.rate).collect();
    assert_eq!(rates, [Some(0.3), Some(0.3)]);
}

/// The shape of data that was scaled before it was dropped is that of the data.
#[test]
fn the_shape_of_what_a_factor_made_may_be_used() {
    for shape in ["sh = Shape(xs)", "q = RandomUniformLike(xs)\nsh = Shape(q)"] {
        let text = format!(
            "xs = Mul(x, s)\n{shape}\nv = Reshape(xs, sh)\n{DRAWN}d = Mul(v, k)\n\
             w = Reshape(x, sh)\ny = Add(d, w)"
        );
        let shape = shape.replace("xs", "hidden");
        let left = format!(
            "hidden = Relu(x)\n{shape}\nv = Reshape(hidden, sh)\nw = Reshape(hidden, sh)\n\
             out = Add(v, w)\ny = Tanh(out)"
        );
        let left: Vec<&str> = left.lines().collect();
        strips(&inside(15, 0.3, &text)).leaves(&left);
    }
}
