//! Broken rewrites of one graph.

use dropout_onnx::onnx::DataType;

use super::check::{Run, broken, differ};
use super::models::{change_weight, draws, layers, masked, node};
use crate::common::build::{
    SHAPE, f32s, flag, i64s, int, model, op, raw, sparse, tensor, typed, x_to_y,
};
use crate::common::proto::{Model, SparseTensor, Tensor};

#[test]
fn wrong_input() {
    let why = broken(&layers(), Run::Different, |after| {
        node(after, "k").input[0] = "g".into();
    });
    assert_eq!(
        why,
        "output `y` first diverges at Relu `h` before and MatMul `g` after"
    );
}

#[test]
fn operands_the_wrong_way_round() {
    let nodes = ["h = Relu(x)", "d = Dropout(h)", "y = Sub(x, d)"].map(op);
    broken(&model(13, x_to_y(nodes)), Run::Different, |after| {
        node(after, "y").input.reverse();
    });
}

#[test]
fn dropped_node() {
    broken(&layers(), Run::Different, |after| {
        after.main_mut().node.retain(|node| !node.is("Relu"));
        node(after, "k").input[0] = "g".into();
    });
}

#[test]
fn another_operator() {
    let why = broken(&layers(), Run::Different, |after| {
        node(after, "h").op_type = Some("Sigmoid".into());
    });
    assert!(why.contains("Relu `h` before and Sigmoid `h`"), "{why}");
}

#[test]
fn another_domain() {
    broken(&layers(), Run::Unrunnable, |after| {
        node(after, "h").domain = Some("com.example".into());
    });
}

/// The next number after `f`.
fn up(f: f32) -> f32 {
    f32::from_bits(f.to_bits() + 1)
}

#[test]
fn small_weight_changed_by_the_last_bit() {
    let why = broken(&layers(), Run::Different, |after| {
        change_weight(after, "s", |s| s[1] = up(s[1]));
    });
    let same = "same architecture, 1 weight differs (max |Δ| 1.192e-7): `s` [3]";
    assert_eq!(why, same);
}

#[test]
fn one_of_many_weights_changed_by_the_last_bit() {
    for place in [0, 599, 1199] {
        broken(&layers(), Run::Either, |after| {
            change_weight(after, "w", |w| w[place] = up(w[place]));
        });
    }
}

#[test]
fn one_of_many_weights_changed_much() {
    broken(&layers(), Run::Different, |after| {
        change_weight(after, "v", |v| v[600] = 100.0);
    });
}

#[test]
fn zeros_turned_negative() {
    let nodes = ["h = Relu(x)", "d = Dropout(h)", "y = Mul(d, zero)"].map(op);
    let before = model(13, x_to_y(nodes).init("zero", f32s(SHAPE, &[0.0; 6])));
    broken(&before, Run::Different, |after| {
        change_weight(after, "zero", |zero| zero[1] = -0.0);
    });
}

/// tract loses the sign of a zero that it broadcasts: it is structure that sees this one.
#[test]
fn a_zero_that_is_broadcast_turned_negative() {
    let nodes = ["h = Relu(x)", "d = Dropout(h)", "y = Mul(d, zero)"].map(op);
    let before = model(13, x_to_y(nodes).init("zero", f32s(&[1], &[0.0])));
    broken(&before, Run::Equal, |after| {
        change_weight(after, "zero", |zero| zero[0] = -0.0);
    });
}

#[test]
fn weights_of_the_same_bytes_in_another_shape() {
    let nodes = ["d = Dropout(x)", "y = Add(d, w)"].map(op);
    let before = model(13, x_to_y(nodes).init("w", f32s(&[1, 3], &[1., 2., 3.])));
    broken(&before, Run::Equal, |after| {
        after.main_mut().initializer[0].dims = vec![3];
    });
}

#[test]
fn weights_of_the_same_bytes_in_another_type() {
    let nodes = ["d = Dropout(x)", "e = Cast(w)", "y = Add(d, e)"];
    let mut nodes = nodes.map(op);
    nodes[1] = nodes[1].clone().with(int("to", 1));
    let before = model(13, x_to_y(nodes).init("w", f32s(&[3], &[1., 2., 3.])));
    broken(&before, Run::Different, |after| {
        after.main_mut().initializer[0].data_type = Some(DataType::INT32.0);
    });
}

#[test]
fn weights_exchanged() {
    let nodes = ["d = Dropout(x)", "a = Mul(d, v)", "y = Add(a, w)"].map(op);
    let graph = x_to_y(nodes)
        .init("v", f32s(&[3], &[1., 2., 3.]))
        .init("w", f32s(&[3], &[4., 5., 6.]));
    broken(&model(13, graph), Run::Different, |after| {
        let tensors = &mut after.main_mut().initializer;
        tensors[0].name = Some("w".into());
        tensors[1].name = Some("v".into());
    });
}

#[test]
fn outputs_exchanged() {
    broken(&layers(), Run::Different, |after| {
        node(after, "y").output[0] = "tmp".into();
        node(after, "z").output[0] = "y".into();
        node(after, "tmp").output[0] = "z".into();
    });
}

/// A run feeds and reads by name: it is structure that sees this one.
#[test]
fn outputs_listed_in_another_order() {
    let why = broken(&layers(), Run::Equal, |after| {
        after.main_mut().output.reverse()
    });
    assert_eq!(why, "output 0 is `y` before and `z` after");
}

#[test]
fn output_of_another_name() {
    broken(&layers(), Run::Different, |after| {
        node(after, "z").output[0] = "other".into();
        after.main_mut().output[1].name = Some("other".into());
    });
}

#[test]
fn output_of_another_declared_shape() {
    let why = broken(&layers(), Run::Equal, |after| {
        after.main_mut().output[1] = typed("z", DataType::FLOAT, &[3, 2]);
    });
    assert_eq!(
        why,
        "output `z` is float[2, 3] before and float[3, 2] after"
    );
}

#[test]
fn output_of_another_type() {
    broken(&layers(), Run::Different, |after| {
        node(after, "z").output[0] = "narrow".into();
        let cast = op("z = Cast(narrow)").with(int("to", 11));
        after.main_mut().node.push(cast);
        after.main_mut().output[1] = typed("z", DataType::DOUBLE, SHAPE);
    });
}

#[test]
fn output_lost() {
    broken(&layers(), Run::Different, |after| {
        after.main_mut().output.pop();
    });
}

#[test]
fn output_added() {
    broken(&layers(), Run::Different, |after| {
        let output = typed("g", DataType::FLOAT, &[2, 400]);
        after.main_mut().output.push(output);
    });
}

#[test]
fn input_of_another_name() {
    broken(&layers(), Run::Different, |after| {
        after.main_mut().input[0].name = Some("other".into());
        node(after, "g").input[0] = "other".into();
    });
}

#[test]
fn input_lost() {
    let graph = x_to_y(["d = Dropout(x)", "y = Relu(d)"].map(op)).input("idle");
    broken(&model(13, graph), Run::Different, |after| {
        after.main_mut().input.pop();
    });
}

#[test]
fn default_of_an_input_changed() {
    let nodes = ["d = Dropout(x)", "y = Mul(d, w)"].map(op);
    let graph = x_to_y(nodes)
        .input_of("w", DataType::FLOAT, &[3])
        .init("w", f32s(&[3], &[1., 2., 3.]));
    let ran = broken_by(&model(13, graph), |after| {
        change_weight(after, "w", |w| w[2] = 4.0);
    });
    assert!(ran.contains("output `y`"), "{ran}");
}

/// As [`broken`], where a run may see it or not.
fn broken_by(before: &Model, change: impl FnOnce(&mut Model)) -> String {
    broken(before, Run::Either, change)
}

#[test]
fn attribute_changed() {
    let why = broken(&layers(), Run::Different, |after| {
        node(after, "z").attribute[0].i = Some(0);
    });
    assert!(
        why.starts_with("output `z` first diverges at Softmax `z` (attributes differ)"),
        "{why}"
    );
}

/// Today's default may be what the attribute says: to structure an attribute is either there or not.
#[test]
fn attribute_lost() {
    broken(&layers(), Run::Equal, |after| {
        node(after, "z").attribute.clear()
    });
}

#[test]
fn opset_version_changed() {
    broken(&layers(), Run::Equal, |after| {
        after.opset_import[0].version = Some(12);
    });
}

#[test]
fn optional_input_moved() {
    broken(&layers(), Run::Different, |after| {
        node(after, "l").input.remove(1);
    });
}

#[test]
fn optional_input_lost() {
    broken(&layers(), Run::Equal, |after| {
        node(after, "l").input.truncate(1);
    });
}

#[test]
fn constant_node_changed() {
    let nodes = [
        op("k = Constant()").with(tensor("value", f32s(&[3], &[1., 2., 3.]))),
        op("d = Dropout(x)"),
        op("y = Mul(d, k)"),
    ];
    broken(&model(13, x_to_y(nodes)), Run::Different, |after| {
        node(after, "k").attribute[0] = tensor("value", f32s(&[3], &[1., 2., 4.]));
    });
}

#[test]
fn sparse_constant_changed() {
    let sparse_at = |index| {
        let tensor = SparseTensor {
            values: Some(f32s(&[1], &[2.0])),
            indices: Some(i64s(&[index])),
            dims: vec![3],
        };
        sparse("sparse_value", tensor)
    };
    let nodes = [
        op("k = Constant()").with(sparse_at(0)),
        op("d = Dropout(x)"),
        op("y = Mul(d, k)"),
    ];
    broken(&model(13, x_to_y(nodes)), Run::Unrunnable, |after| {
        node(after, "k").attribute[0] = sparse_at(1);
    });
}

fn of_one(value: Tensor) -> impl FnOnce(&mut Model) {
    |after| {
        let ones = &mut node(after, "m").attribute[0];
        assert_eq!(ones.name(), "value");
        ones.t = Some(value);
    }
}

#[test]
fn mask_of_zeros() {
    let zero = raw(DataType::BOOL, &[1], &[0]);
    let why = broken(&masked(13), Run::Different, of_one(zero));
    assert_eq!(
        why,
        "output `m` first diverges at a mask of ones before and ConstantOfShape `m` after"
    );
}

#[test]
fn mask_of_zeros_of_the_datas_type() {
    broken(&masked(9), Run::Different, of_one(f32s(&[1], &[0.0])));
    broken(&masked(7), Run::Different, |after| {
        node(after, "m").input[0] = "m/greater".into();
    });
}

#[test]
fn mask_of_the_wrong_type() {
    broken(
        &masked(9),
        Run::Different,
        of_one(raw(DataType::BOOL, &[1], &[1])),
    );
    broken(&masked(13), Run::Different, of_one(f32s(&[1], &[1.0])));
}

/// The shapes happen to be equal.
#[test]
fn mask_in_the_shape_of_something_else() {
    broken(&masked(13), Run::Equal, |after| {
        node(after, "m/shape").input[0] = "x".into();
    });
}

#[test]
fn mask_and_data_exchanged() {
    let nodes = ["n = Not(c)", "y, m = Dropout(x)"].map(op);
    let graph = x_to_y(nodes)
        .input_of("c", DataType::BOOL, SHAPE)
        .output_of("n", DataType::BOOL, SHAPE)
        .output_of("m", DataType::BOOL, SHAPE);
    broken(&model(13, graph), Run::Different, |after| {
        node(after, "n").output[0] = "tmp".into();
        node(after, "m").name = None;
        node(after, "m").output[0] = "n".into();
        node(after, "tmp").output[0] = "m".into();
    });
}

#[test]
fn two_draws_that_look_alike_made_one() {
    broken(&draws(), Run::Different, |after| {
        node(after, "e").input[1] = "a".into();
    });
}

#[test]
fn a_draw_made_another() {
    broken(&draws(), Run::Different, |after| {
        node(after, "a").op_type = Some("RandomNormal".into());
    });
}

#[test]
fn a_model_that_lost_a_definition_is_an_error() {
    let mut after = super::check::stripped(&layers());
    after.main_mut().node.remove(1);
    let options = dropout_onnx::verify::Options::default();
    let error = dropout_onnx::verify::verify(&layers().read(), &after.read(), &options);
    let why = error.expect_err("undefined").to_string();
    assert!(why.contains("nothing defines `h`"), "{why}");
}

#[test]
fn quite_another_model() {
    let mut other = model(13, x_to_y([op("y = Relu(x)")]));
    other.graph = other
        .graph
        .map(|graph| graph.output("z").init("z", f32s(SHAPE, &[1.; 6])));
    differ(&layers().read(), &other.read(), Run::Different);
}

#[test]
fn a_switch_that_is_left_is_not_the_switch_that_was() {
    let nodes = ["a = Dropout(x)", "b = Neg(a)", "y = Where(t, a, b)"].map(op);
    broken(
        &model(13, x_to_y(nodes).init("t", flag(true))),
        Run::Different,
        |after| {
            after.main_mut().initializer[0].raw_data = Some(vec![0]);
        },
    );
}
