//! Masks that other masks drop, and numbers next to a mask that rounding decides on.

use dropout_onnx::dropout::Scaling;

use super::spelt::{DRAWN, inside};
use crate::common::build::{f32s, ints, model};
use crate::common::masks::spelt;
use crate::common::proto::Model;
use crate::common::stripped::{refusal, strips};

const GONE: &[&str] = &["hidden = Relu(x)", "y = Tanh(hidden)"];

/// Two masks, each of its own draw: of every element, and of the rows.
fn two(text: &str) -> Model {
    let drawn = "r = RandomUniformLike(x)\nb = GreaterOrEqual(r, p)\nk = Cast(b)
        q = RandomUniform()\nc = GreaterOrEqual(q, p)\nj = Cast(c)";
    let mut made = inside(15, 0.3, &format!("{drawn}\n{text}"));
    for node in &mut made.main_mut().node {
        if node.is("RandomUniform") {
            node.attribute = vec![ints("shape", &[2, 1])];
        }
    }
    made
}

/// Which of the two is the data of the other depends on their shapes, not on their order.
#[test]
fn a_mask_that_drops_a_mask() {
    for product in ["m = Mul(k, j)", "m = Mul(j, k)"] {
        let text = format!("{product}\nt = Mul(x, m)\nh = Mul(t, s)\ny = Mul(h, s)");
        let stripped = strips(&two(&text)).draws_nothing().leaves(GONE);
        assert_eq!(stripped.sites.len(), 2);
    }
    // of two, one is scaled for both: the other counts as unscaled
    let both = "r = RandomUniformLike(x)\nb = GreaterOrEqual(r, p)\nk = Cast(b)
        q = RandomUniformLike(x)\nc = GreaterOrEqual(q, p)\nj = Cast(c)
        m = Mul(k, j)\nt = Mul(x, m)\nh = Mul(t, s)\ny = Mul(h, s)";
    let stripped = strips(&inside(15, 0.3, both)).draws_nothing().leaves(GONE);
    let scalings: Vec<Scaling> = stripped.sites.iter().map(|site| site.scaling).collect();
    assert_eq!(scalings, [Scaling::Classic, Scaling::Inverted]);
}

/// The twin: the larger mask alone is larger than its data.
#[test]
fn a_mask_that_spreads_its_data_stays() {
    let text = "v = ReduceMean(x)\nt = Mul(v, k)\nh = Mul(t, s)\ny = Add(h, j)";
    assert!(refusal(&two(text)).contains("its mask is larger than the data"));
}

/// `Sign` makes 0 of the one draw that is the threshold: no probability is in that.
#[test]
fn a_mask_that_is_a_half_at_its_threshold() {
    for sign in [
        "e = Sub(r, p)\ng = Sign(e)\nf = Add(g, one)",
        "e = Sub(p, r)\ng = Sign(e)\nf = Sub(one, g)",
    ] {
        // the rate is a half: 0 or 2, and 1 between them
        let text = format!("r = RandomUniformLike(x)\n{sign}\ny = Mul(x, f)");
        let stripped = strips(&inside(15, 0.5, &text)).draws_nothing();
        assert_eq!(stripped.leaves(GONE).sites[0].rate, Some(0.5));
    }
}

/// The twin: between, a tenth of the draws make a half.
#[test]
fn a_mask_of_three_numbers_stays() {
    let text = "r = RandomUniformLike(x)\nb = GreaterOrEqual(r, p)\nk = Cast(b)
        c = GreaterOrEqual(r, keep)\nj = Cast(c)\nm = Add(k, j)\ny = Mul(x, m)";
    let stripped = strips(&inside(15, 0.3, text));
    assert!(stripped.sites.is_empty());
}

/// `Where(kept, x, 0·x)` and `Where(kept, x, x - x)`: zeros, whatever the data is.
#[test]
fn zeros_made_of_the_data() {
    for zeros in ["o = Mul(x, zero)", "o = Mul(zero, x)", "o = Sub(x, x)"] {
        let text = format!("{DRAWN}{zeros}\nt = Where(b, x, o)\ny = Mul(t, s)");
        strips(&inside(15, 0.3, &text)).draws_nothing().leaves(GONE);
    }
    // the twins: a hundredth of the data, and other data
    for rest in ["o = Mul(x, p)", "g = Tanh(x)\no = Sub(x, g)"] {
        let text = format!("{DRAWN}{rest}\nt = Where(b, x, o)\ny = Mul(t, s)");
        assert!(strips(&inside(15, 0.3, &text)).sites.is_empty(), "{rest}");
    }
}

/// Two masks in a row, with nothing between: the scale after the first is no scale of the second.
#[test]
fn masks_in_a_row_have_their_own_scales() {
    for dropped in [
        "k@ = Cast(b@)\nw@ = Mul(#, k@)",
        "w@ = Where(b@, #, zero)",
        "o@ = Mul(#, zero)\nw@ = Where(b@, #, o@)",
    ] {
        let mask = "r@ = RandomUniformLike(#)\nb@ = GreaterOrEqual(r@, p)";
        let one = format!("{mask}\n{dropped}\n");
        let first = one.replace('@', "1").replace('#', "x");
        let second = one.replace('@', "2").replace('#', "v");
        let text = format!("{first}v = Div(w1, keep)\n{second}y = Div(w2, keep)");
        let stripped = strips(&inside(15, 0.3, &text)).draws_nothing().leaves(GONE);
        let scalings: Vec<Scaling> = stripped.sites.iter().map(|site| site.scaling).collect();
        assert_eq!(scalings, [Scaling::Inverted; 2], "{dropped}");
    }
}

/// An unrolled recurrent layer whose first state is made of its data: zeros, which the mask drops as well.
#[test]
fn a_first_state_of_zeros_made_of_the_data() {
    for zeros in ["o = Mul(x, zero)", "o = Sub(x, x)"] {
        let text = format!(
            "{DRAWN}ks = Mul(k, s)\n{zeros}\nf = Mul(o, ks)\ng = Add(f, x)\nh = Tanh(g)
            i = Mul(h, ks)\ny = Add(i, x)"
        );
        let stripped = strips(&inside(15, 0.3, &text)).draws_nothing();
        assert_eq!(stripped.sites[0].scaling, Scaling::Inverted);
    }
}

/// Engines multiply constants first that stand next to each other: 2 in the original, 0.75 in the result.
#[test]
fn a_factor_that_is_left_next_to_one_that_is_removed() {
    let text = "v = Mul(x, c)\nr = RandomUniformLike(v)\nb = GreaterOrEqual(r, half)\nk = Cast(b)
        m = Mul(k, two)\nd = Mul(v, m)
        q = RandomUniformLike(d)\ng = GreaterOrEqual(q, p)\nj = Cast(g)
        e = Mul(d, j)\nf = Div(e, t)\ny = Sigmoid(f)";
    for c in [[0.712_613_4, 0.775_586_9, 1.421_742], [1.5, 0.5, 1.0]] {
        let numbers = [("half", 0.5), ("two", 2.0), ("p", 0.25), ("t", 0.666_666_7)];
        let graph = spelt(text, &numbers).init("c", f32s(&[3], &c));
        let stripped = strips(&model(15, graph)).draws_nothing();
        let scales = stripped.sites.iter().map(|site| site.junctions[0].scale);
        assert_eq!(scales.collect::<Vec<_>>(), [1.0, 0.75]);
    }
}
