//! Dropout written as a random mask, in few words: what makes a mask, and what is done with it.

use super::build::{SHAPE, f32_scalar, int, ints, model, op, x_to_y};
use super::proto::{Graph, Model, Node};

/// The rates that every mask is tried with.
pub const RATES: &[f64] = &[0.1, 0.2, 0.25, 0.3, 0.5, 0.9];

/// Nodes, one a line. `Cast` is to float, `Cast:7` to type 7; what draws has a shape.
pub fn nodes(text: &str) -> Vec<Node> {
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    lines
        .map(|line| {
            let (line, to) = match line.split_once("Cast:") {
                Some((before, after)) => {
                    let (to, call) = after.split_once('(').expect("a call");
                    (format!("{before}Cast({call}"), to.parse().expect("a type"))
                }
                None => (line.to_string(), 1),
            };
            let node = op(&line);
            match node.op_type() {
                "Cast" => node.with(int("to", to)),
                "RandomUniform" | "RandomNormal" => node.with(ints("shape", SHAPE)),
                _ => node,
            }
        })
        .collect()
}

/// A graph from x to y of these nodes and float scalars.
pub fn spelt(text: &str, constants: &[(&str, f64)]) -> Graph {
    let start = x_to_y(nodes(text));
    let add = |graph: Graph, &(name, c): &(&str, f64)| graph.init(name, f32_scalar(c as f32));
    constants.iter().fold(start, add)
}

/// p, keep and scale of a rate.
pub fn numbers(rate: f64) -> Vec<(&'static str, f64)> {
    vec![
        ("p", rate),
        ("keep", 1.0 - rate),
        ("s", 1.0 / (1.0 - rate)),
        ("zero", 0.0),
        ("one", 1.0),
    ]
}

/// A model of these nodes, with p, keep, s, zero and one for the rate.
pub fn at(opset: i64, rate: f64, text: &str) -> Model {
    model(opset, spelt(text, &numbers(rate)))
}

/// Masks `k` of zeros and ones, from a draw `r`.
pub const MASKS: &[(&str, &str)] = &[
    ("GreaterOrEqual", "b = GreaterOrEqual(r, p)\nk = Cast(b)"),
    ("Greater", "b = Greater(r, p)\nk = Cast(b)"),
    ("Not(Less)", "l = Less(r, p)\nb = Not(l)\nk = Cast(b)"),
    (
        "Not(LessOrEqual)",
        "l = LessOrEqual(r, p)\nb = Not(l)\nk = Cast(b)",
    ),
    ("Less of keep", "b = Less(r, keep)\nk = Cast(b)"),
    (
        "LessOrEqual of keep",
        "b = LessOrEqual(r, keep)\nk = Cast(b)",
    ),
    ("the threshold first", "b = Less(p, r)\nk = Cast(b)"),
    (
        "Not(Greater) of keep",
        "g = Greater(r, keep)\nb = Not(g)\nk = Cast(b)",
    ),
    ("Floor(keep + r)", "a = Add(keep, r)\nk = Floor(a)"),
    ("Floor(r + keep)", "a = Add(r, keep)\nk = Floor(a)"),
    ("Ceil(r - p)", "a = Sub(r, p)\nk = Ceil(a)"),
    ("1 - Less", "l = Less(r, p)\nlc = Cast(l)\nk = Sub(one, lc)"),
    ("Where", "b = Less(r, p)\nk = Where(b, zero, one)"),
    ("CastLike", "b = Less(r, keep)\nk = CastLike(b, x)"),
    (
        "by way of integers",
        "b = GreaterOrEqual(r, p)\nbi = Cast:7(b)\nk = Cast(bi)",
    ),
    (
        "Identity and Reshape",
        "b = GreaterOrEqual(r, p)\nbi = Identity(b)\nc = Cast(bi)\nshape = Shape(x)\n\
         k = Reshape(c, shape)",
    ),
];

/// Uses of a mask `k`.
pub const USES: &[(&str, &str)] = &[
    ("data scaled first", "xs = Mul(x, s)\ny = Mul(xs, k)"),
    (
        "data scaled first, mask before",
        "xs = Mul(s, x)\ny = Mul(k, xs)",
    ),
    ("data divided first", "xs = Div(x, keep)\ny = Mul(xs, k)"),
    ("mask scaled", "ks = Mul(k, s)\ny = Mul(x, ks)"),
    ("mask divided", "ks = Div(k, keep)\ny = Mul(ks, x)"),
    ("product scaled", "d = Mul(x, k)\ny = Mul(d, s)"),
    ("product divided", "d = Mul(k, x)\ny = Div(d, keep)"),
    (
        "scale by Reciprocal",
        "i = Reciprocal(keep)\nxs = Mul(x, i)\ny = Mul(xs, k)",
    ),
    (
        "scale computed",
        "q = Sub(one, p)\ni = Div(one, q)\nxs = Mul(x, i)\ny = Mul(xs, k)",
    ),
    (
        "Where",
        "kb = Cast:9(k)\nxs = Mul(x, s)\ny = Where(kb, xs, zero)",
    ),
    (
        "Where dropped, then divided",
        "kb = Cast:9(k)\ndb = Not(kb)\nd = Where(db, zero, x)\ny = Div(d, keep)",
    ),
    (
        "SelectV2 of tf2onnx",
        "kb = Cast:9(k)\nxs = Mul(x, s)\nn = Not(kb)\nnc = Cast(n)\nkept = Mul(k, xs)\n\
         lost = Mul(zero, nc)\ny = Add(kept, lost)",
    ),
    (
        "Transpose between",
        "xs = Mul(x, s)\nt = Transpose(xs)\ntk = Transpose(k)\nyt = Mul(t, tk)\ny = Transpose(yt)",
    ),
    (
        "mask unsqueezed to ones",
        "ks = Div(k, keep)\ne = Identity(ks)\ny = Mul(x, e)",
    ),
];

/// One mask for many products in a row, each with an operator between.
pub fn masks_in_a_row(uses: usize) -> Model {
    let mut text =
        String::from("r = RandomUniform()\nb = Less(r, keep)\nk = Cast(b)\nm = Mul(k, s)\n");
    for i in 0..uses {
        let from = if i == 0 { "x".into() } else { format!("t{i}") };
        let to = if i + 1 == uses {
            "y".into()
        } else {
            format!("t{}", i + 1)
        };
        text += &format!("d{i} = Mul({from}, m)\n{to} = Tanh(d{i})\n");
    }
    at(13, 0.5, &text)
}
