//! Attributes that differ, and operators that one model lacks: reached if outputs change with those of the other
//! model, and without the operator.

use dropout_onnx::verify::compare::Tolerance;
use dropout_onnx::verify::{Demand, Verdict};

use super::{compared, is_equal, is_not_shown};
use crate::common::build::{f32_scalar, f32s, float, i64s, int, ints, model, op, x_to_y};
use crate::common::proto::{Attribute, Graph, Model, Node, Tensor};

fn verdict_of(one: &Model, other: &Model) -> Verdict {
    let found = compared(&one.read(), &other.read(), Tolerance::Exact);
    found.verdict(Demand::Outputs)
}

#[test]
fn a_slope_has_to_be_used() {
    let sloped = |first: &str, alpha: f32| {
        let slope = op("y = LeakyRelu(h)").with(float("alpha", alpha));
        x_to_y([op(first), slope])
    };
    let why = "attribute `alpha`: no output depends on it in any run";
    is_not_shown(sloped("h = Abs(x)", 0.25), sloped("h = Abs(x)", 0.5), why);
    let [one, other] = [0.25, 0.5].map(|alpha| model(17, sloped("h = Neg(x)", alpha)));
    assert!(matches!(
        verdict_of(&one, &other),
        Verdict::Different { .. }
    ));
}

/// `x` times a number, clipped, and divided by it.
fn clipped(factor: f32, low: f32, high: f32) -> Model {
    let clip = op("c = Clip(h)")
        .with(float("min", low))
        .with(float("max", high));
    let graph = x_to_y([op("h = Mul(x, k)"), clip, op("y = Div(c, k)")]);
    model(10, graph.init("k", f32_scalar(factor)))
}

#[test]
fn each_attribute_has_to_be_reached() {
    let one = clipped(2.0, -1.0, 1.0);
    assert_eq!(verdict_of(&one, &clipped(4.0, -2.0, 2.0)), Verdict::Equal);
    let Verdict::NotShown { reason } =
        verdict_of(&clipped(2.0, -1.0, 1e6), &clipped(4.0, -2.0, 2e6))
    else {
        panic!("a bound that no input reaches");
    };
    assert!(reason.contains("attribute `max`: no output"), "{reason}");
}

#[test]
fn weights_may_be_transposed() {
    let gemm = |first: [i64; 2], w: &[f32], transposed: bool| {
        let gemm = op("h = Gemm(x, w)");
        let gemm = if transposed {
            gemm.with(int("transB", 1))
        } else {
            gemm
        };
        let graph = x_to_y([gemm, op("y = MatMul(h, v)")]).init("w", f32s(&first, w));
        graph.init("v", f32s(&[2, 3], &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]))
    };
    let [w, turned] = [
        [1.0, 2.0, 3.0, 4.0, 5.0, 6.0],
        [1.0, 3.0, 5.0, 2.0, 4.0, 6.0],
    ];
    is_equal(gemm([3, 2], &w, false), gemm([2, 3], &turned, true));
    // the first input is always 0, and with it the weights that differ
    let silent = |graph: Graph| {
        let mut nodes = vec![op("n = Abs(x)"), op("m = Neg(n)"), op("z = Relu(m)")];
        nodes.extend(graph.node.clone());
        nodes[3].input[0] = "z".into();
        nodes.push(op("o = Add(y, x)"));
        let mut silent = x_to_y(nodes);
        silent.initializer = graph.initializer;
        silent.node[4].output[0] = "p".into();
        silent.node[5] = op("y = Add(p, x)");
        silent
    };
    is_not_shown(
        silent(gemm([3, 2], &w, false)),
        silent(gemm([2, 3], &w, true)),
        "no output depends on it",
    );
}

#[test]
fn ties_do_not_happen_in_random_numbers() {
    let last = |select: i64| {
        let largest = op("a = ArgMax(x)").with(int("select_last_index", select));
        x_to_y([
            largest,
            op("f = Cast(a)").with(int("to", 1)),
            op("y = Add(x, f)"),
        ])
    };
    is_not_shown(last(0), last(1), "attribute `select_last_index`: no output");
}

#[test]
fn floats_of_an_operator_on_one_side() {
    let leaky = |first: &str| {
        let slope = op("y = LeakyRelu(h)").with(float("alpha", 0.5));
        x_to_y([op(first), slope])
    };
    let larger = |first: &str| {
        let nodes = [op(first), op("l = Mul(h, half)"), op("y = Max(h, l)")];
        x_to_y(nodes).init("half", f32_scalar(0.5))
    };
    is_equal(leaky("h = Neg(x)"), larger("h = Neg(x)"));
    let why = "attributes of graph: LeakyRelu `y` (before): attribute `alpha`";
    is_not_shown(leaky("h = Abs(x)"), larger("h = Abs(x)"), why);
}

#[test]
fn an_operator_of_one_model_has_to_do_something() {
    let with =
        |nodes: &[&str], k: f32| x_to_y(nodes.iter().map(|text| op(text))).init("k", f32_scalar(k));
    let plain = |k| with(&["y = Add(x, k)"], k);
    for (last, why) in [
        (
            "y = Relu(a)",
            "Relu `y`, without which it is input 0 (before): no output",
        ),
        (
            "y = Max(a, x)",
            "Max `y`, without which it is input 0 (before): no output",
        ),
        (
            "y = LeakyRelu(a)",
            "LeakyRelu `y`, without which it is input 0 (before): no output",
        ),
    ] {
        let clipped = |k| with(&["a = Add(x, k)", last], k);
        is_not_shown(clipped(100.0), plain(100.0), why);
        let [one, other] = [clipped(-1.0), plain(-1.0)].map(|graph| model(17, graph));
        assert!(matches!(
            verdict_of(&one, &other),
            Verdict::Different { .. }
        ));
    }
    is_equal(with(&["y = Max(x, k)"], 0.0), with(&["y = Relu(x)"], 0.0));
}

#[test]
fn an_axis_may_be_counted_from_the_end() {
    let concat = |axis: i64| {
        let joined = op("c = Concat(x, x)").with(int("axis", axis));
        model(
            17,
            x_to_y([joined, op("y = MatMul(c, w)")]).init("w", f32s(&[6, 3], &[0.5; 18])),
        )
    };
    assert_eq!(verdict_of(&concat(1), &concat(-1)), Verdict::Equal);
    assert!(!matches!(
        verdict_of(&concat(1), &concat(0)),
        Verdict::Equal
    ));
    let softmax = |axis: Option<i64>| {
        let softmax = axis.map(|axis| int("axis", axis));
        model(
            17,
            x_to_y([softmax.into_iter().fold(op("y = Softmax(x)"), Node::with)]),
        )
    };
    assert_eq!(
        verdict_of(&softmax(Some(1)), &softmax(None)),
        Verdict::Equal
    );
    assert!(!matches!(
        verdict_of(&softmax(Some(0)), &softmax(None)),
        Verdict::Equal
    ));
}

/// That of a OneHot is one of its output, which has one more.
#[test]
fn an_axis_of_the_output_is_counted_from_its_end() {
    let one_hot = |axis: i64| {
        let nodes = [
            op("o = OneHot(ids, depth, offon)").with(int("axis", axis)),
            op("s = ReduceSum(o)").with(int("keepdims", 0)),
            op("y = Mul(x, s)"),
        ];
        x_to_y(nodes)
            .init("ids", i64s(&[0, 2, 1]))
            .init("depth", i64s(&[3]))
            .init("offon", f32s(&[2], &[0.0, 1.0]))
    };
    let [one, other] = [-1, 1].map(|axis| model(17, one_hot(axis)));
    assert_eq!(verdict_of(&one, &other), Verdict::Equal);
    is_not_shown(one_hot(-1), one_hot(0), "attribute `axis`: no output");
}

#[test]
fn axes_may_be_an_attribute_or_an_input() {
    let attribute = op("m = ReduceMean(x)").with(ints("axes", &[1]));
    let attribute = model(13, x_to_y([attribute, op("y = Sub(x, m)")]));
    let input = |axis: i64| {
        let graph = x_to_y([op("m = ReduceMean(x, axes)"), op("y = Sub(x, m)")]);
        model(18, graph.init("axes", i64s(&[axis])))
    };
    assert_eq!(verdict_of(&attribute, &input(1)), Verdict::Equal);
    assert!(matches!(
        verdict_of(&attribute, &input(0)),
        Verdict::Different { .. }
    ));
}

/// An operator with attributes at one opset, and with inputs at a later one.
struct Version {
    opset: i64,
    text: &'static str,
    attributes: Vec<Attribute>,
    constants: Vec<Tensor>,
}

impl Version {
    /// `h = abs(x) + 1`, which is never 0, and the operator on it.
    fn model(&self) -> Model {
        let nodes = [op("a = Abs(x)"), op("h = Add(a, one)")];
        let node = self
            .attributes
            .iter()
            .cloned()
            .fold(op(self.text), Node::with);
        let graph = x_to_y(nodes.into_iter().chain([node])).init("one", f32_scalar(1.0));
        let constants = self.constants.iter().cloned().zip(["p", "q", "r", "s"]);
        let graph = constants.fold(graph, |graph, (tensor, name)| graph.init(name, tensor));
        model(self.opset, graph)
    }
}

#[test]
fn parameters_may_be_attributes_or_inputs() {
    const END: i64 = i32::MAX as i64;
    let new = |opset, text, constants| Version {
        opset,
        text,
        attributes: vec![],
        constants,
    };
    let old = |opset, text, attributes| Version {
        opset,
        text,
        attributes,
        constants: vec![],
    };
    let list = |list: &[i64]| i64s(list);
    let number = f32_scalar;
    let slice = |end| {
        new(
            13,
            "y = Slice(h, p, q)",
            vec![list(&[0, 1]), list(&[2, end])],
        )
    };
    let clip = |max| new(13, "y = Clip(h, p, q)", vec![number(-1.0), number(max)]);
    let pad = |value| new(13, "y = Pad(h, p, q)", vec![list(&[0; 4]), number(value)]);
    let split = |sizes: &[i64]| Version {
        attributes: vec![int("axis", 1)],
        ..new(13, "y, z = Split(h, p)", vec![list(sizes)])
    };
    let axes = |opset, text, axis| new(opset, text, vec![list(&[axis])]);
    let cases = [
        (
            old(
                9,
                "y = Slice(h)",
                vec![ints("starts", &[0, 1]), ints("ends", &[2, END])],
            ),
            slice(END),
            slice(END - 1),
        ),
        (
            old(
                9,
                "y = Slice(h)",
                vec![
                    ints("starts", &[1]),
                    ints("ends", &[END]),
                    ints("axes", &[1]),
                ],
            ),
            new(
                11,
                "y = Slice(h, p, q, r, s)",
                vec![list(&[1]), list(&[END]), list(&[1]), list(&[1])],
            ),
            new(
                11,
                "y = Slice(h, p, q, r, s)",
                vec![list(&[1]), list(&[END]), list(&[1]), list(&[2])],
            ),
        ),
        (
            old(
                6,
                "y = Clip(h)",
                vec![float("min", -1.0), float("max", 1e6)],
            ),
            clip(1e6),
            clip(2e6),
        ),
        (
            old(6, "y = Clip(h)", vec![float("min", -1.0)]),
            new(13, "y = Clip(h, p)", vec![number(-1.0)]),
            clip(1e6),
        ),
        (
            old(
                2,
                "y = Pad(h)",
                vec![ints("pads", &[0; 4]), float("value", 2.0)],
            ),
            pad(2.0),
            pad(3.0),
        ),
        (
            old(2, "y = Pad(h)", vec![ints("pads", &[0; 4])]),
            pad(0.0),
            pad(3.0),
        ),
        (
            old(11, "y = Unsqueeze(h)", vec![ints("axes", &[0])]),
            axes(13, "y = Unsqueeze(h, p)", 0),
            axes(13, "y = Unsqueeze(h, p)", 1),
        ),
        (
            old(11, "y = ReduceSum(h)", vec![ints("axes", &[1])]),
            axes(13, "y = ReduceSum(h, p)", 1),
            axes(13, "y = ReduceSum(h, p)", 0),
        ),
        (
            old(13, "y = ReduceMax(h)", vec![ints("axes", &[1])]),
            axes(18, "y = ReduceMax(h, p)", 1),
            axes(18, "y = ReduceMax(h, p)", 0),
        ),
        (
            old(
                11,
                "y, z = Split(h)",
                vec![int("axis", 1), ints("split", &[1, 2])],
            ),
            split(&[1, 2]),
            split(&[2, 1]),
        ),
        (
            old(9, "y, i = TopK(h)", vec![int("k", 1)]),
            axes(10, "y, i = TopK(h, p)", 1),
            axes(10, "y, i = TopK(h, p)", 2),
        ),
    ];
    for (old, new, twin) in cases {
        let [old, new, twin] = [old, new, twin].map(|version| (version.text, version.model()));
        let text = old.0;
        assert_eq!(verdict_of(&old.1, &new.1), Verdict::Equal, "{text}");
        assert_eq!(verdict_of(&new.1, &old.1), Verdict::Equal, "{text}");
        assert_ne!(verdict_of(&old.1, &twin.1), Verdict::Equal, "{text}");
        assert_ne!(verdict_of(&twin.1, &old.1), Verdict::Equal, "{text}");
    }
}
