use crate::onnx::{DataType, Values};
use dropout_onnx::common::build::{
    f32_scalar, f32s, flag, function, graph, i64s, int, ints, model, op, subgraph, tensor,
};
use dropout_onnx::common::proto::{Dim as ProtoDim, Graph, Model, Node};

use super::*;

/// The result of `of` for the first value of a name.
fn of<T>(model: &Model, name: &str, of: impl Fn(Facts<'_>, ValueId) -> T) -> T {
    let model = model.read();
    let values = Values::new(&model);
    let view = View::new(&model, &values);
    let memo = Memo::default();
    let value = view
        .all_values()
        .find(|value| value.name == name)
        .expect(name);
    of(Facts::new(view, &memo), value.id)
}

fn shape(model: &Model, name: &str) -> Option<String> {
    let text = of(model, name, |facts, value| {
        facts.shape_text(&facts.shape(value))
    });
    text.map(|dims| dims.join(" "))
}

#[track_caller]
fn are(model: &Model, shapes: &[(&str, &str)]) {
    for (name, expected) in shapes {
        assert_eq!(shape(model, name).as_deref(), Some(*expected), "{name}");
    }
}

fn constant(model: &Model, name: &str) -> Option<f64> {
    of(model, name, |facts, value| facts.constant(value)).map(|number| number.value)
}

/// Inputs `x` of shape `[n, 6]`, `y` of unknown rank, and a flag `on`.
fn fed(nodes: impl IntoIterator<Item = Node>) -> Graph {
    let mut graph = graph(nodes)
        .input_of("x", DataType::FLOAT, &[0, 6])
        .input_of("y", DataType::FLOAT, &[])
        .input_of("on", DataType::BOOL, &[])
        .output_of("z", DataType::FLOAT, &[]);
    for (input, named) in graph.input.iter_mut().zip([true, false, false]) {
        let tensor = input.r#type.as_mut().unwrap().tensor_type.as_mut().unwrap();
        match named {
            true => {
                let dims = &mut tensor.shape.as_mut().unwrap().dim;
                dims[0] = ProtoDim {
                    dim_value: None,
                    dim_param: Some("n".into()),
                };
            }
            false if input.name.as_deref() == Some("y") => tensor.shape = None,
            false => {}
        }
    }
    graph.output[0].r#type = None;
    graph
}

#[test]
fn shape_arithmetic_keeps_symbols() {
    let nodes = [
        op("s = Shape(x)"),
        op("first = Gather(s, zero)"),
        op("to = Concat(first, two, minus)").with(int("axis", 0)),
        op("split = Reshape(x, to)"),
        op("flat = Reshape(x, minus)"),
        op("twice = Concat(x, x)").with(int("axis", 0)),
        op("wide = Concat(x, x)").with(int("axis", 1)),
        op("turned = Transpose(wide)"),
        op("padded = Pad(x, pads)"),
        op("part = Slice(x, one, four, one)"),
        op("best, places = TopK(x, two)"),
        op("hot = OneHot(x, two, s)"),
        op("z = Relu(places)"),
    ];
    let graph = fed(nodes)
        .init("zero", i64s(&[0]))
        .init("one", i64s(&[1]))
        .init("two", i64s(&[2]))
        .init("four", i64s(&[4]))
        .init("minus", i64s(&[-1]))
        .init("pads", i64s(&[0, 1, 0, 2]));
    are(
        &model(17, graph),
        &[
            ("s", "2"),
            ("split", "n 2 3"),
            ("flat", "?"),
            ("twice", "? 6"),
            ("wide", "n 12"),
            ("turned", "12 n"),
            ("padded", "n 9"),
            ("part", "n 3"),
            ("best", "n 2"),
            ("z", "n 2"),
            ("hot", "n 6 2"),
        ],
    );
}

/// Of images of a batch, and a height, that only a run decides.
#[test]
fn windows_and_scales_keep_symbols() {
    let nodes = [
        op("same = Conv(image, w)").with(ints("pads", &[1, 1, 1, 1])),
        op("narrow = MaxPool(image)").with(ints("kernel_shape", &[3, 3])),
        op("half = MaxPool(image)")
            .with(ints("kernel_shape", &[2, 2]))
            .with(ints("strides", &[2, 2])),
        op("large = Resize(image, , scales)"),
        op("odd = Resize(image, , fractions)"),
        op("sized = Resize(image, , , sizes)"),
        op("wide = Conv(narrow, u)").with(ints("pads", &[2, 2, 2, 2])),
        op("flat = DepthToSpace(image)").with(int("blocksize", 2)),
        op("deep = SpaceToDepth(flat)").with(int("blocksize", 2)),
        op("thin = SpaceToDepth(image)").with(int("blocksize", 2)),
        op("z = Relu(same)"),
    ];
    let mut graph = graph(nodes)
        .input_of("image", DataType::FLOAT, &[0, 4, 0, 8])
        .output_of("z", DataType::FLOAT, &[])
        .init("w", f32s(&[5, 4, 3, 3], &[0.0; 180]))
        .init("u", f32s(&[1, 4, 3, 3], &[0.0; 36]))
        .init("scales", f32s(&[4], &[1.0, 1.0, 2.0, 2.0]))
        .init("fractions", f32s(&[4], &[1.0, 1.0, 0.5, 2.0]))
        .init("sizes", i64s(&[2, 4, 9, 9]));
    let tensor = graph.input[0].r#type.as_mut().unwrap();
    let shape = tensor.tensor_type.as_mut().unwrap().shape.as_mut().unwrap();
    for (axis, name) in [(0, "n"), (2, "h")] {
        shape.dim[axis] = ProtoDim {
            dim_value: None,
            dim_param: Some(name.into()),
        };
    }
    are(
        &model(17, graph),
        &[
            ("same", "n 5 h 8"),
            ("narrow", "n 4 ? 6"),
            ("wide", "n 1 h 8"),
            ("half", "n 4 ? 4"),
            ("large", "n 4 ? 16"),
            ("odd", "n 4 ? 16"),
            ("sized", "2 4 9 9"),
            ("flat", "n 1 ? 16"),
            ("deep", "n 4 h 8"),
            ("thin", "n 16 ? 4"),
        ],
    );
}

/// TorchScript computes the pads of ONNX, all that are before and then all that are after, from those of
/// PyTorch, axis by axis from the last.
#[test]
fn pads_are_reordered() {
    let pads = |step| {
        let nodes = [
            op("pairs = Reshape(given, rows)"),
            op(&format!("back = Slice(pairs, minus, least, zero, {step})")),
            op("turned = Transpose(back)").with(ints("perm", &[1, 0])),
            op("pads = Reshape(turned, minus)"),
            op("z = Pad(x, pads)"),
        ];
        let graph = fed(nodes)
            .init("given", i64s(&[2, 3, 0, 1]))
            .init("rows", i64s(&[-1, 2]))
            .init("least", i64s(&[i64::MIN + 1]))
            .init("zero", i64s(&[0]))
            .init("two", i64s(&[2]))
            .init("minus", i64s(&[-1]));
        model(17, graph)
    };
    are(&pads("minus"), &[("z", "? 11")]);
    are(&pads("two"), &[("z", "? ?")]);
}

#[test]
fn multiples_of_symbols_are_compared() {
    let nodes = [
        op("twice = Concat(x, x)").with(int("axis", 0)),
        op("z = Add(twice, twice)"),
    ];
    let dims = |name: &str| {
        let shape = of(&model(17, fed(nodes.clone())), name, |facts, value| {
            facts.shape(value)
        });
        shape.to_vec().unwrap()
    };
    let twice = dims("twice")[0];
    assert!(matches!(
        twice,
        Dim::Affine {
            factor: 2,
            offset: 0,
            ..
        }
    ));
    assert_eq!(twice.over(Dim::Size(2)), dims("x")[0]);
    assert_eq!(twice.minus(dims("x")[0]), dims("x")[0]);
    assert_eq!(twice.plus(Dim::Size(1)).over(Dim::Size(2)), Dim::Unknown);
    assert_eq!(dims("z")[0], twice);
}

#[test]
fn an_unknown_rank_is_that_of_a_value() {
    let nodes = [
        op("a = Relu(y)"),
        op("b = Mul(a, half)"),
        op("c = Mul(a, four)"),
        op("s = Shape(y)"),
        op("d = ConstantOfShape(s)"),
        op("z = Frob(y)"),
    ];
    let graph = fed(nodes)
        .init("half", f32_scalar(0.5))
        .init("four", f32s(&[4], &[1.0; 4]));
    let model = model(17, graph);
    let like = |name: &str| {
        of(&model, name, |facts, value| {
            let values = facts.view().all_values();
            let y = values.into_iter().find(|value| value.name == "y").unwrap();
            facts.shape(value) == facts.shape(y.id)
        })
    };
    assert!(like("a") && like("b") && like("d"));
    assert!(!like("c") && !like("z"));
}

#[test]
fn the_operator_wins_over_a_declared_shape() {
    let mut graph = fed([op("a = Transpose(x)"), op("z = Frob(x)")]);
    let told =
        |name: &str, dims: &[i64]| dropout_onnx::common::build::typed(name, DataType::FLOAT, dims);
    graph.value_info = vec![told("a", &[9, 5]), told("z", &[7])];
    are(&model(17, graph), &[("a", "6 5"), ("z", "7")]);
}

#[test]
fn functions_have_a_shape_in_each_context() {
    let body = [op("b = Relu(a)"), op("c = Reshape(b, to)")];
    let called = function("f", "a, to", "b, c", 17, body);
    let nodes = [op("p, q = local::f(x, one)"), op("r, z = local::f(y, two)")];
    let graph = fed(nodes)
        .init("one", i64s(&[-1, 6]))
        .init("two", i64s(&[3, 2]));
    let model = model(17, graph).imports("local", 1).function(called);
    are(&model, &[("p", "n 6"), ("q", "n 6"), ("z", "3 2")]);
    assert_eq!(shape(&model, "r"), None);
    // in the function: what both calls have
    assert_eq!(shape(&model, "b"), None);
    assert_eq!(shape(&model, "c").as_deref(), Some("? ?"));
}

fn looped(step: Node) -> Model {
    let mut body = graph([
        op("going = Identity(more)"),
        step,
        op("kept_out = Identity(kept)"),
    ]);
    for name in ["i", "more", "state", "kept"] {
        body = body.input_of(name, DataType::FLOAT, &[]);
    }
    for name in ["going", "next", "kept_out", "next"] {
        body = body.output_of(name, DataType::FLOAT, &[]);
    }
    let untyped = |infos: &mut Vec<dropout_onnx::common::proto::ValueInfo>| {
        infos.iter_mut().for_each(|info| info.r#type = None);
    };
    untyped(&mut body.input);
    untyped(&mut body.output);
    let run = op("after, same, z = Loop(times, on, w, x)").with(subgraph("body", body));
    let graph = fed([run])
        .init("times", i64s(&[3]))
        .init("w", f32s(&[1, 6], &[0.0; 6]));
    model(17, graph)
}

#[test]
fn a_state_keeps_a_shape_that_no_step_changes() {
    let steady = looped(op("next = Relu(state)"));
    are(
        &steady,
        &[
            ("state", "1 6"),
            ("after", "1 6"),
            ("same", "n 6"),
            ("z", "? 1 6"),
        ],
    );
    let growing = looped(op("next = Concat(state, kept)").with(int("axis", 0)));
    assert_eq!(shape(&growing, "state"), None);
    assert_eq!(shape(&growing, "after"), None);
    are(&growing, &[("same", "n 6")]);
    let unknown = looped(op("next = Frob(state)"));
    assert_eq!(shape(&unknown, "state"), None);
}

fn branching(condition: &str) -> Model {
    let branch = |node: Node| {
        let mut graph = graph([node]).output_of("out", DataType::FLOAT, &[]);
        graph.output[0].r#type = None;
        graph
    };
    let run = op(&format!("z = If({condition})"))
        .with(subgraph("then_branch", branch(op("out = Relu(x)"))))
        .with(subgraph("else_branch", branch(op("out = Relu(w)"))));
    let not = op("off = Not(yes)");
    let graph = fed([not, run])
        .init("yes", flag(true))
        .init("w", f32s(&[2, 6], &[0.0; 12]));
    model(17, graph)
}

#[test]
fn a_branch_that_is_never_taken_does_not_count() {
    are(&branching("on"), &[("z", "? 6")]);
    are(&branching("yes"), &[("z", "n 6")]);
    are(&branching("off"), &[("z", "2 6")]);
}

#[test]
fn numbers_are_computed_in_their_types() {
    let seven = || tensor("value", i64s(&[7]));
    let nodes = [
        op("seven = Constant()").with(seven()),
        op("three = Div(seven, two)"),
        op("sure = Greater(three, two)"),
        op("no = Not(sure)"),
        op("either = Or(no, sure)"),
        op("never = And(on, no)"),
        op("open = And(on, sure)"),
        op("zeros = ConstantOfShape(seven)"),
        op("picked = Where(sure, two, seven)"),
        op("size = Gather(s, one)"),
        op("s = Shape(x)"),
        op("six = Equal(size, limit)"),
        op("batch = Equal(first, limit)"),
        op("first = Gather(s, none)"),
        op("z = Mul(zeros, x)"),
    ];
    let graph = fed(nodes)
        .init("two", i64s(&[2]))
        .init("one", i64s(&[1]))
        .init("none", i64s(&[0]))
        .init("limit", i64s(&[6]))
        .init("mixed", i64s(&[6, 7]));
    let model = model(17, graph);
    for (name, expected) in [
        ("three", Some(3.0)),
        ("sure", Some(1.0)),
        ("either", Some(1.0)),
        ("never", Some(0.0)),
        ("open", None),
        ("zeros", Some(0.0)),
        ("picked", Some(2.0)),
        ("six", Some(1.0)),
        ("batch", None),
        ("mixed", None),
        ("z", None),
    ] {
        assert_eq!(constant(&model, name), expected, "{name}");
    }
}

#[test]
fn a_default_is_no_constant() {
    for (ir, origin) in [(3, Origin::Constant), (8, Origin::Default)] {
        let model = model(17, fed([op("z = Not(on)")]).init("on", flag(true))).ir(ir);
        let known = |name: &str| {
            of(&model, name, |facts, value| {
                facts.number_in(ContextId::OUTSIDE, value).unwrap()
            })
        };
        let Known::Number(on) = known("on") else {
            panic!("a number expected");
        };
        assert_eq!(on.origin, origin);
        let Known::Number(not) = known("z") else {
            panic!("a number expected");
        };
        assert_eq!((not.value, not.origin == Origin::Constant), (0.0, ir == 3));
    }
}

#[test]
fn long_chains_and_wide_nodes_are_no_problem() {
    let chain = (0..50_000).map(|i| op(&format!("v{} = Relu(v{i})", i + 1)));
    let start = [op("v0 = Identity(x)")];
    let inputs = vec!["x"; 50_000].join(", ");
    let wide = [
        op(&format!("z = Sum({inputs})")),
        op(&format!("c = Concat({inputs})")),
    ];
    let model = model(17, fed(start.into_iter().chain(chain).chain(wide)));
    are(
        &model,
        &[("v50000", "n 6"), ("z", "n 6"), ("c", "n 300000")],
    );
}

#[test]
fn answers_do_not_depend_on_the_order_of_questions() {
    let nodes: Vec<Node> = (0..300)
        .map(|i| op(&format!("v{} = Add(v{i}, v{i})", i + 1)))
        .chain([
            op("v0 = Transpose(x)").with(ints("perm", &[1, 0])),
            op("z = Relu(v300)"),
        ])
        .collect();
    let model = model(17, fed(nodes)).read();
    let values = Values::new(&model);
    let view = View::new(&model, &values);
    let ids: Vec<ValueId> = values.ids().collect();
    let all = |order: &mut dyn Iterator<Item = &ValueId>| {
        let memo = Memo::default();
        let mut found: Vec<(ValueId, Shape)> = order
            .map(|&value| (value, Facts::new(view, &memo).shape(value)))
            .collect();
        found.sort_by_key(|(value, _)| *value);
        found
    };
    assert_eq!(all(&mut ids.iter()), all(&mut ids.iter().rev()));
}
