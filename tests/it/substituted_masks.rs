//! Dropout that puts a number in the place of what it drops: DropKey and word dropout.

use dropout_onnx::dropout::{Kind, Mode, Scaling, Site};
use dropout_onnx::onnx::DataType;

use crate::common::build::{f32_scalar, f32s, graph, model, raw, typed};
use crate::common::masks::nodes;
use crate::common::proto::Model;
use crate::common::sites;
use crate::common::stripped::strips;

/// A model of scores x and ids i, whose output is y.
fn made(text: &str) -> Model {
    let ids = |id: i64| raw(DataType::INT64, &[], &id.to_le_bytes());
    let mut body = graph(nodes(text)).output("y");
    body.input.push(typed("x", DataType::FLOAT, &[2, 3]));
    body.input.push(typed("i", DataType::INT64, &[2, 3]));
    for (name, tensor) in [
        ("p", f32_scalar(0.2)),
        ("least", f32_scalar(-1e9)),
        ("few", f32_scalar(-5.0)),
        ("one", f32_scalar(1.0)),
        ("zero", ids(0)),
        ("unknown", ids(3)),
        (
            "table",
            f32s(&[8, 1], &[0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8]),
        ),
    ] {
        let used = body
            .node
            .iter()
            .any(|node| node.input.iter().any(|input| input == name));
        if used {
            body = body.init(name, tensor);
        }
    }
    model(17, body)
}

fn found(text: &str) -> Vec<Site> {
    sites(&made(text))
}

#[track_caller]
fn is_identity(text: &str, leaves: &[&str]) {
    let model = made(text);
    let all = sites(&model);
    let [site] = &all[..] else {
        panic!("{} sites in\n{text}", all.len());
    };
    assert_eq!((site.kind, site.mode), (Kind::Dropout, Mode::Active));
    assert_eq!((site.rate, site.scaling), (Some(0.2), Scaling::Other));
    assert_eq!(site.inference_scale, 1.0);
    strips(&model).draws_nothing().leaves(leaves);
}

/// A mask b of what is dropped, from a draw for each element of x.
const DROPS: &str = "s = Relu(x)\nu = RandomUniformLike(s)\nb = Less(u, p)\n";

#[test]
fn attention_scores() {
    for scores in [
        "m = Cast(b)\nn = Mul(m, least)\nd = Add(s, n)",
        "d = Where(b, least, s)",
        "k = GreaterOrEqual(u, p)\nd = Where(k, s, least)",
        "k = Not(b)\nf = Cast(k)\ng = Sub(one, f)\nn = Mul(g, least)\nd = Add(n, s)",
    ] {
        let text = format!("{DROPS}{scores}\ny = Softmax(d)");
        is_identity(&text, &["s = Relu(x)", "y = Softmax(s)"]);
    }
    // after a mask of padding
    let text = format!("{DROPS}d = Where(b, least, s)\ne = Add(d, x)\ny = Softmax(e)");
    is_identity(&text, &["s = Relu(x)", "e = Add(s, x)", "y = Softmax(e)"]);
}

#[test]
fn other_numbers_in_scores_and_in_other_data() {
    for text in [
        "m = Cast(b)\nn = Mul(m, few)\nd = Add(s, n)\ny = Softmax(d)",
        "d = Where(b, few, s)\ny = Softmax(d)",
        "d = Where(b, least, s)\ny = Sigmoid(d)",
        "m = Cast(b)\nn = Mul(m, least)\nd = Add(s, n)\ny = Relu(d)",
        // Gumbel: what is added varies
        "l = Log(u)\nn = Neg(l)\nd = Add(s, n)\ny = Softmax(d)",
    ] {
        assert!(found(&format!("{DROPS}{text}")).is_empty(), "{text}");
    }
}

#[test]
fn words() {
    let drops = "f = Cast:1(i)\nu = RandomUniformLike(f)\nb = Less(u, p)\n";
    for (unknown, words) in [
        ("zero", "d = Where(b, zero, i)"),
        ("unknown", "d = Where(b, unknown, i)"),
        (
            "unknown",
            "k = GreaterOrEqual(u, p)\nd = Where(k, i, unknown)",
        ),
        (
            "zero",
            "k = GreaterOrEqual(u, p)\nm = Cast:7(k)\nd = Mul(i, m)",
        ),
    ] {
        let text = format!("{drops}{words}\ny = Gather(table, d)");
        is_identity(&text, &["y = Gather(table, i)"]);
        // numbers that are compared are no words
        let compared = format!("{drops}{words}\nq = Equal(d, {unknown})\ny = Cast:1(q)");
        let sites = found(&compared);
        assert!(
            sites.iter().all(|site| site.inference_scale != 1.0),
            "{words}"
        );
    }
}

/// Keras 3 counts negative indices of an Embedding from the end of its table.
#[test]
fn words_that_may_be_negative() {
    let drops =
        "f = Cast:1(i)\nu = RandomUniformLike(f)\nb = Less(u, p)\nd = Where(b, unknown, i)\n";
    let wraps = "n = Less(d, zero)\ne = Add(d, rows)\nw = Where(n, e, d)\n";
    let rows = "h = Shape(table)\nrows = Gather(h, zero)\n";
    let text = format!("{drops}{rows}{wraps}y = Gather(table, w)");
    let all = [
        "h = Shape(table)",
        "rows = Gather(h, zero)",
        "n = Less(i, zero)",
        "e = Add(i, rows)",
    ];
    is_identity(
        &text,
        &[&all[..], &["w = Where(n, e, i)", "y = Gather(table, w)"]].concat(),
    );
    // numbers that also become a result are no words
    let shown = format!("{drops}{rows}{wraps}g = Gather(table, w)\nq = Cast:1(w)\ny = Add(g, q)");
    assert!(found(&shown).is_empty());
}

#[test]
fn words_that_are_swapped_are_no_dropout() {
    let drops = "f = Cast:1(i)\nu = RandomUniformLike(f)\nb = Less(u, p)\n";
    let text = "j = Add(i, unknown)\nd = Where(b, j, i)\ny = Gather(table, d)";
    assert!(found(&format!("{drops}{text}")).is_empty());
}
