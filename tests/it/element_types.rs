//! The element types of operators' outputs.

use dropout_onnx::onnx::{DataType, Values};

use crate::common::build::*;
use crate::common::proto::{Graph, Model, Node};

const FLOAT: Option<DataType> = Some(DataType::FLOAT);
const HALF: Option<DataType> = Some(DataType::FLOAT16);
const INT64: Option<DataType> = Some(DataType::INT64);
const BOOL: Option<DataType> = Some(DataType::BOOL);

/// The type of the first value of a name, in whichever graph.
fn type_of(model: &Model, name: &str) -> Option<DataType> {
    let model = model.read();
    let values = Values::new(&model);
    let mut ids = values.ids();
    let value = ids.find(|&value| values[value].name == name).expect(name);
    model.element_type(&values, value)
}

#[track_caller]
fn are(model: &Model, types: &[(&str, Option<DataType>)]) {
    for (name, element) in types {
        assert_eq!(type_of(model, name), *element, "{name}");
    }
}

/// A graph with inputs float16 `x`, double `w`, int64 `i`, bool `b`, and no other declared types.
fn untold(nodes: impl IntoIterator<Item = Node>) -> Graph {
    graph(nodes)
        .input_of("x", DataType::FLOAT16, &[2, 3])
        .input_of("w", DataType::DOUBLE, &[2, 3])
        .input_of("i", DataType::INT64, &[2])
        .input_of("b", DataType::BOOL, &[2, 3])
}

#[test]
fn outputs_with_the_type_of_an_input() {
    let model = model(
        24,
        untold([
            op("split0, split1 = Split(x)"),
            op("where = Where(b, x, x)"),
            op("hidden, last, cell = LSTM(x, x, x)"),
            op("dequantized = DequantizeLinear(i, x)"),
            op("values, indices = TopK(x, i)"),
            op("attended, key, value = Attention(x, x, w)"),
            op("rotated = RotaryEmbedding(x, x, x)"),
            op("sampled = GridSample(x, w)"),
            op("like = CastLike(i, x)"),
            op("normal, mean = LayerNormalization(x, x)"),
            op("root = RMSNormalization(w, x)"),
            op("hot = OneHot(i, i, x)"),
            op("swish = Swish(split1)"),
        ]),
    );
    let halves = [
        "split0",
        "split1",
        "where",
        "hidden",
        "last",
        "cell",
        "dequantized",
        "values",
        "attended",
        "key",
        "rotated",
        "sampled",
        "like",
        "normal",
        "root",
        "hot",
        "swish",
    ];
    are(&model, &halves.map(|name| (name, HALF)));
    are(
        &model,
        &[
            ("indices", INT64),
            ("value", Some(DataType::DOUBLE)),
            ("mean", FLOAT),
        ],
    );
}

#[test]
fn outputs_with_a_fixed_type_or_one_from_an_attribute() {
    let half = i64::from(DataType::FLOAT16.0);
    let model = model(
        21,
        untold([
            op("less = Less(x, x)"),
            op("shape = Shape(x)"),
            op("cast = Cast(x)").with(int("to", 7)),
            op("drawn = RandomUniform()"),
            op("half = RandomUniform()").with(int("dtype", half)),
            op("alike = RandomNormalLike(x)"),
            op("zeros = ConstantOfShape(i)"),
            op("ones = ConstantOfShape(i)").with(tensor("value", i64s(&[1]))),
            op("number = Constant()").with(float("value_float", 1.0)),
            op("classes = Multinomial(x)"),
            op("quantized = QuantizeLinear(x, x)"),
            op("told = QuantizeLinear(x, x)").with(int("output_dtype", 3)),
            op("zero = QuantizeLinear(x, x, i)"),
        ]),
    );
    are(
        &model,
        &[
            ("less", BOOL),
            ("shape", INT64),
            ("cast", INT64),
            ("drawn", FLOAT),
            ("half", HALF),
            ("alike", HALF),
            ("zeros", FLOAT),
            ("ones", INT64),
            ("number", FLOAT),
            ("classes", Some(DataType::INT32)),
            ("quantized", Some(DataType::UINT8)),
            ("told", Some(DataType::INT8)),
            ("zero", INT64),
        ],
    );
}

#[test]
fn types_depend_on_the_opset() {
    for (opset, mask) in [(6, HALF), (7, HALF), (10, BOOL), (22, BOOL)] {
        let dropout = model(opset, untold([op("y, mask = Dropout(x)")]));
        are(&dropout, &[("y", HALF), ("mask", mask)]);
    }
    // unknown: a schema newer than the checked ones, another domain
    let cast = op("y = Cast(x)").with(int("to", 1));
    for (opset, node, element) in [
        (20, op("y = Gelu(x)"), HALF),
        (19, op("y = Gelu(x)"), HALF),
        (27, cast.clone(), FLOAT),
        (28, cast, None),
        (28, op("y = Relu(x)"), HALF),
        (29, op("y = Relu(x)"), None),
        (20, op("y = ai.onnx::Relu(x)"), HALF),
        (20, op("y = com.microsoft::Relu(x)"), None),
        (20, op("y = Invented(x)"), None),
    ] {
        assert_eq!(
            type_of(&model(opset, untold([node.clone()])), "y"),
            element,
            "{opset}: {node:?}"
        );
    }
}

#[test]
fn an_operator_overrides_a_declaration() {
    let declared = |node: Node| {
        let graph = untold([node]).output_of("y", DataType::FLOAT, &[2, 3]);
        type_of(&model(20, graph), "y")
    };
    assert_eq!(declared(op("y = Relu(x)")), HALF);
    assert_eq!(declared(op("y = com.microsoft::Relu(x)")), FLOAT);
}

#[test]
fn branches_and_loops() {
    let branch = |line: &str| {
        let nodes = [op(line)];
        graph(nodes).output_of("r", DataType(0), &[])
    };
    let body = graph([op("s = Add(t, x)"), op("l = Less(t, x)")]);
    let mut body = body.input_of("n", DataType(0), &[]);
    for name in ["c", "t"] {
        body = body.input_of(name, DataType(0), &[]);
    }
    for name in ["c", "s", "l"] {
        body = body.output_of(name, DataType(0), &[]);
    }
    let model = model(
        16,
        untold([
            op("chosen = If(b)")
                .with(subgraph("then_branch", branch("r = foreign::Op(x)")))
                .with(subgraph("else_branch", branch("r = Relu(x)"))),
            op("state, scanned = Loop(i, b, x)").with(subgraph("body", body)),
        ]),
    );
    are(
        &model,
        &[
            ("chosen", HALF),
            ("n", INT64),
            ("t", HALF),
            ("state", HALF),
            ("scanned", BOOL),
        ],
    );
}

#[test]
fn a_call_has_its_own_types_and_a_function_those_of_all_calls() {
    let calls = |second: &str| {
        let graph = untold([
            op("p = local::Outer(x)"),
            op(&format!("q = local::Outer({second})")),
        ]);
        let inner = function("Inner", "a", "r", 20, [op("r = Relu(a)")]);
        let outer = [op("h = local::Inner(o)"), op("s = Neg(h)")];
        let outer = function("Outer", "o", "s", 20, outer);
        let model = model(20, graph).imports("local", 1);
        model.function(inner).function(outer)
    };
    are(&calls("w"), &[("p", HALF), ("q", Some(DataType::DOUBLE))]);
    are(&calls("w"), &[("a", None), ("r", None), ("h", None)]);
    are(
        &calls("x"),
        &[("a", HALF), ("r", HALF), ("h", HALF), ("q", HALF)],
    );
}

#[test]
fn sequences_have_no_element_type_but_their_items_do() {
    let model = model(
        17,
        untold([
            op("list = SequenceConstruct(x, x)"),
            op("item = SequenceAt(list, i)"),
            op("optional = Optional(x)"),
            op("there = OptionalGetElement(optional)"),
            op("joined = ConcatFromSequence(list)").with(int("axis", 0)),
        ]),
    );
    are(
        &model,
        &[
            ("list", None),
            ("item", HALF),
            ("optional", None),
            ("there", HALF),
            ("joined", HALF),
        ],
    );
}

#[test]
fn long_chains_and_many_inputs_are_linear_and_need_no_stack() {
    let chain = (0..20_000).map(|n| op(&format!("v{} = Relu(v{n})", n + 1)));
    let start = op("v0 = Identity(x)");
    let long = model(20, untold(std::iter::once(start).chain(chain)));
    assert_eq!(type_of(&long, "v20000"), HALF);
    let unknown = (0..20_000).map(|n| op(&format!("u{n} = foreign::Op(x)")));
    let names: Vec<String> = (0..20_000).map(|n| format!("u{n}")).collect();
    let sum = op(&format!("y = Sum({}, x)", names.join(", ")));
    let wide = model(20, untold(unknown.chain([sum])));
    assert_eq!(type_of(&wide, "y"), HALF);
}
