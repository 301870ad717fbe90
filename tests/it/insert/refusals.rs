//! What is refused, and what is said then.

use dropout_onnx::onnx::DataType;
use dropout_onnx::rewrite::insert::{Choice, Options};

use super::check::*;
use crate::common::build::*;
use crate::common::proto::Model;

fn small() -> Model {
    model(
        13,
        x_to_y([
            op("h = Relu(x)"),
            op("i = Cast(h)").with(int("to", 7)),
            op("s = Shape(i)"),
            op("y = Neg(h)"),
        ])
        .output_of("s", DataType::INT64, &[2])
        .init("n", i64s(&[1])),
    )
}

#[track_caller]
fn refuses(model: &Model, options: &Options, words: &[&str]) {
    let why = refusal(model, options);
    for word in words {
        assert!(why.contains(word), "no `{word}` in: {why}");
    }
}

#[test]
fn choices_that_match_nothing() {
    refuses(
        &small(),
        &options([after("Relux")]),
        &["no node has the operator `Relux`; did you mean `Relu`?"],
    );
    refuses(
        &small(),
        &options([after("MaxPool")]),
        &["no node has the operator `MaxPool`; there are Cast, Neg, Relu, Shape"],
    );
    refuses(
        &small(),
        &options([named("zz*")]),
        &["`zz*`", "matches nothing"],
    );
    refuses(&small(), &options([at("hh")]), &["there is no value `hh`"]);
    let layer = Choice::default().layer(Some("encoder".into()));
    refuses(
        &small(),
        &options([layer.clone()]),
        &["no layer matches `encoder`", "does not declare"],
    );
    let named_nodes = model(
        13,
        x_to_y([op("h = Relu(x)").named("/decoder/Relu"), op("y = Neg(h)")]),
    );
    refuses(&named_nodes, &options([layer]), &["did you mean `decoder`"]);
    refuses(&small(), &options([named("[")]), &["`[` is not a pattern"]);
    let large = named(&"?".repeat(1 << 20));
    refuses(&small(), &options([large]), &["??` is not a pattern"]);
    refuses(&small(), &options([]), &["no position selected"]);
}

#[test]
fn choices_without_a_rate_or_with_two() {
    let open = options([after("Relu")]).rate(None);
    refuses(&small(), &open, &["after Relu", "no rate"]);
    let other = named("h*").rate(rate(0.5));
    refuses(
        &small(),
        &options([named("h"), other]),
        &["`h`", "name `h`", "name `h*`", "--at"],
    );
}

#[test]
fn values_that_take_no_dropout() {
    refuses(&small(), &options([at("i")]), &["type int64"]);
    refuses(&small(), &options([at("n")]), &["it has no readers"]);
    let passed = model(13, x_to_y([op("y = Neg(x)")]).output("x"));
    refuses(
        &passed,
        &options([at("x")]),
        &["passes through a graph unchanged"],
    );
    let unknown =
        model(13, x_to_y([op("h = custom::F(x)"), op("y = Neg(h)")])).imports("custom", 1);
    refuses(&unknown, &options([at("h")]), &["element type is unknown"]);
}

#[test]
fn switches_that_cannot_be() {
    let runtime = |name: &str| acts(&format!("runtime:{name}"), options([at("h")]));
    refuses(&small(), &runtime("h"), &["`h`", "a different value"]);
    refuses(
        &small(),
        &runtime("x"),
        &["`x`", "float[2, 3], not a boolean"],
    );
    let body = [op("h = Relu(a)"), op("b = Neg(h)")];
    let function = model(13, x_to_y([op("y = local::F(x)")]))
        .imports("local", 1)
        .function(function("F", "a", "b", 13, body));
    refuses(
        &function,
        &runtime("on"),
        &["a function does not see", "inline"],
    );
}

#[test]
fn axes_that_cannot_be_shared() {
    let sharing = |axes: &[i64], acting: &str| {
        let choice = at("h").shared_axes(Some(axes.to_vec()));
        acts(acting, options([choice]))
    };
    refuses(&small(), &sharing(&[1], "inert"), &["needs --mode active"]);
    refuses(
        &small(),
        &sharing(&[2], "active"),
        &["2 axes, so there is no axis 2"],
    );
    let zero = sharing(&[1], "active").rate(rate(0.0));
    refuses(&small(), &zero, &["a mask with a rate of 0"]);
    let old = model(8, x_to_y([op("h = Relu(x)"), op("y = Neg(h)")]));
    refuses(&old, &sharing(&[1], "active"), &["opset 9 or later"]);
}

/// The refusal names the rank, which follows from the operator: nothing is declared.
#[test]
fn ranks_follow_from_operators() {
    for (line, rank) in [
        ("h = MatMul(x, w)", "2 axes"),
        ("h, index = TopK(x, n)", "2 axes"),
        ("h = Add(x, c)", "3 axes"),
        ("h = Where(c, x, x)", "3 axes"),
        ("h, last = GRU(c, c, c)", "4 axes"),
        ("h = Tile(c, n)", "3 axes"),
        ("h = Attention(c, c, c)", "3 axes"),
        ("h = foreign::Op(x)", "its rank is unknown"),
    ] {
        let graph = x_to_y([
            op(line),
            op("i = Cast(h)").with(int("to", 1)),
            op("y = Neg(i)"),
        ])
        .init("w", f32s(&[3, 3], &[0.5; 9]))
        .init("c", f32s(&[1, 1, 3], &[0.5; 3]))
        .input_of("n", DataType::INT64, &[2]);
        let choice = at(if rank == "its rank is unknown" {
            "i"
        } else {
            "h"
        })
        .shared_axes(Some(vec![5]));
        let options = acts("active", options([choice]));
        refuses(&model(23, graph), &options, &[rank]);
    }
}

#[test]
fn a_model_that_is_not_sound() {
    let broken = model(13, x_to_y([op("h = Relu(nothing)"), op("y = Neg(h)")]));
    refuses(&broken, &options([at("h")]), &["nothing defines `nothing`"]);
}

#[test]
fn inside_a_mask_there_is_dropout_already() {
    let cast = || op("m = Cast(k)").with(int("to", 1));
    let mask = model(
        13,
        x_to_y([
            op("h = Relu(x)"),
            op("u = RandomUniformLike(h)"),
            op("k = GreaterOrEqual(u, p)"),
            cast(),
            op("s = Mul(h, c)"),
            op("d = Mul(s, m)"),
            op("y = Neg(d)"),
        ])
        .init("p", f32_scalar(0.5))
        .init("c", f32_scalar(2.0)),
    );
    for name in ["h", "u", "m", "s", "d"] {
        refuses(&mask, &options([at(name)]), &["it already has dropout"]);
    }
    refuses(
        &mask,
        &options([named("*")]),
        &["dropout cannot be inserted after any selected value"],
    );
}

#[test]
fn what_nothing_is_fed_into_is_left_to_names() {
    let weights = model(
        13,
        x_to_y([op("v = Abs(w)"), op("h = Add(x, v)"), op("y = Neg(h)")])
            .init("w", f32s(SHAPE, &[1.0; 6])),
    );
    let (inserted, _) = inserts(&weights, &options([named("*")]));
    let chosen = inserted
        .plan
        .applied()
        .map(|step| inserted.places[step.site].data.clone());
    assert_eq!(chosen.collect::<Vec<_>>(), ["h"]);
    assert_eq!(inserts(&weights, &options([at("v")])).0.outcome.inserted, 1);
}

/// Its input would no longer be what the attribute names.
#[test]
fn a_value_that_a_gradient_is_of() {
    let gradient = |of: &str| {
        let nodes = [
            op("h = Relu(x)"),
            op("y = Neg(h)"),
            op(&format!("g = ai.onnx.preview.training::Gradient({of})"))
                .with(strings("xs", &[of]))
                .with(string("y", "y")),
        ];
        let graph = x_to_y(nodes).output("g");
        model(13, graph).imports("ai.onnx.preview.training", 1)
    };
    let why = "an attribute of Gradient `g` names it";
    refuses(&gradient("h"), &options([at("h")]), &[why]);
    let read = gradient("x").read();
    let inserted = dropout_onnx::rewrite::insert::insert(&read, &options([at("h")]));
    assert!(inserted.is_ok(), "{inserted:?}");
}
