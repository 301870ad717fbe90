//! A small model with a bit of everything, and ways to change it, one thing each.

use dropout_onnx::onnx::DataType;

use crate::common::build::{
    entry, f32s, flag, float, function, graph, i64s, int, ints, model, op, reference, scalar,
    scale_of, subgraph, tensor, typed,
};
use crate::common::proto::{Dim, Graph, Model, Node, SparseTensor, Training, ValueInfo};

/// A float value whose first size is a symbol.
fn batch_of(name: &str, symbol: &str, size: i64) -> ValueInfo {
    let mut info = typed(name, DataType::FLOAT, &[0, size]);
    let shape = info.r#type.as_mut().and_then(|t| t.tensor_type.as_mut());
    let shape = shape.and_then(|t| t.shape.as_mut()).unwrap();
    shape.dim[0] = Dim {
        dim_value: None,
        dim_param: Some(symbol.into()),
    };
    info
}

pub fn everything() -> Model {
    let then = graph([op("t = Relu(d)").named("then_relu")]).output("t");
    let other = graph([op("e = Sub(d, k)").named("else_sub")])
        .init("k", scalar(DataType::FLOAT, 2.0))
        .output("e");
    let mut main = graph([
        op("h = MatMul(x, w)").named("fc"),
        op("hb = Add(h, b)").named("bias"),
        op("s = Constant()").with(tensor("value", scalar(DataType::FLOAT, 0.5))),
        op("d, mask = Dropout(hb, ratio, on)").named("drop"),
        op("c = If(flag)")
            .named("choice")
            .with(subgraph("then_branch", then))
            .with(subgraph("else_branch", other)),
        op("f = local::Scale(c)")
            .named("scaled")
            .with(float("factor", 2.0)),
        op("r = ReduceMean(f)")
            .named("mean")
            .with(ints("axes", &[1]))
            .with(int("keepdims", 1)),
        op("z = Sub(f, r)").named("centred"),
        op("y = Mul(z, s)").named("out"),
    ])
    .input_of("flag", DataType::BOOL, &[])
    .init("w", f32s(&[3, 4], &[0.25; 12]))
    .init("b", f32s(&[4], &[1.0, 2.0, 3.0, 4.0]))
    .init("ratio", scalar(DataType::FLOAT, 0.5))
    .init("on", flag(true))
    .annotation(scale_of("hb", "b"));
    main.input.insert(0, batch_of("x", "batch", 3));
    main.output = vec![batch_of("y", "batch", 4), batch_of("z", "batch", 4)];
    main.value_info.push(batch_of("h", "batch", 4));
    let mut values = f32s(&[1], &[5.0]);
    values.name = Some("sparse".into());
    main.sparse_initializer.push(SparseTensor {
        values: Some(values),
        indices: Some(i64s(&[2])),
        dims: vec![4],
    });
    let step = graph([op("w_next = Sub(w, rate)").named("step")])
        .init("rate", scalar(DataType::FLOAT, 0.125))
        .output("w_next");
    let mut scale = function(
        "Scale",
        "v",
        "out",
        13,
        [
            op("by = Constant()")
                .named("by")
                .with(reference("value_float", "factor", 1)),
            op("out = Mul(v, by)").named("times"),
        ],
    );
    scale.attribute.push("factor".into());
    let mut all = model(13, main)
        .imports("local", 1)
        .function(scale)
        .training(Training {
            algorithm: Some(step),
            update_binding: vec![entry("w", "w_next")],
            ..Training::default()
        });
    all.metadata_props.push(entry("author", "nobody"));
    all
}

pub fn node<'m>(model: &'m mut Model, name: &str) -> &'m mut Node {
    let nodes = model.main_mut().node.iter_mut();
    let mut nodes = nodes.filter(|node| node.name() == name);
    nodes.next().expect("a node of that name")
}

pub fn branch(model: &mut Model, index: usize) -> &mut Graph {
    node(model, "choice").attribute[index].g.as_mut().unwrap()
}

/// Something done to the model.
pub struct Edit {
    pub what: &'static str,
    pub edit: fn(&mut Model),
    /// The lines of the difference.
    pub lines: &'static [&'static str],
    /// True if the model means the same afterwards, called otherwise.
    pub names_only: bool,
}

const fn edit(what: &'static str, edit: fn(&mut Model), lines: &'static [&'static str]) -> Edit {
    Edit {
        what,
        edit,
        lines,
        names_only: false,
    }
}

const fn rename(what: &'static str, edit: fn(&mut Model), lines: &'static [&'static str]) -> Edit {
    Edit {
        what,
        edit,
        lines,
        names_only: true,
    }
}

pub const EDITS: &[Edit] = &[
    edit(
        "an IR version",
        |m| m.ir_version = Some(9),
        &["model", "  ~ model ir_version: 8 -> 9"],
    ),
    edit(
        "an operator set",
        |m| m.opset_import[0].version = Some(14),
        &["model", "  ~ opset ai.onnx: 13 -> 14"],
    ),
    edit(
        "a new operator set",
        |m| *m = m.clone().imports("odd", 1),
        &["model", "  + opset odd: 1"],
    ),
    edit(
        "metadata",
        |m| m.metadata_props[0].value = Some("somebody".into()),
        &["model", "  ~ metadata author: \"nobody\" -> \"somebody\""],
    ),
    edit(
        "new metadata",
        |m| m.metadata_props.push(entry("license", "MIT")),
        &["model", "  + metadata license: \"MIT\""],
    ),
    edit(
        "an input's type",
        |m| m.main_mut().input[0] = batch_of("x", "batch", 5),
        &[
            "graph",
            "  ~ input x: type: float[batch, 3] -> float[batch, 5]",
        ],
    ),
    edit(
        "a symbol that is another",
        |m| m.main_mut().input[0] = batch_of("x", "rows", 3),
        &[
            "graph",
            "  ~ input x: type: float[batch, 3] -> float[rows, 3]",
        ],
    ),
    edit(
        "the order of inputs",
        |m| m.main_mut().input.swap(0, 1),
        &["graph", "  ~ graph inputs: order changed"],
    ),
    edit(
        "the order of outputs",
        |m| m.main_mut().output.swap(0, 1),
        &["graph", "  ~ graph outputs: order changed"],
    ),
    edit(
        "an output less",
        |m| drop(m.main_mut().output.pop()),
        &["graph", "  - output z: float[batch, 4]"],
    ),
    edit(
        "an input more",
        |m| m.main_mut().input.push(batch_of("new", "batch", 1)),
        &["graph", "  + input new: float[batch, 1]"],
    ),
    edit(
        "another type in between",
        |m| m.main_mut().value_info[0] = batch_of("h", "batch", 7),
        &[
            "graph",
            "  ~ value h: type: float[batch, 4] -> float[batch, 7]",
        ],
    ),
    edit(
        "a quantization less",
        |m| m.main_mut().quantization_annotation.clear(),
        &["graph", "  ~ value hb: quantization: [\"b\"] -> nothing"],
    ),
    edit(
        "a large weight",
        |m| m.main_mut().initializer[0].raw_data.as_mut().unwrap()[5] ^= 1,
        &["graph", "  ~ initializer w: elements: float[3, 4]"],
    ),
    edit(
        "a small weight",
        |m| m.main_mut().initializer[1] = named("b", f32s(&[4], &[1.0, 2.0, 3.0, 5.0])),
        &[
            "graph",
            "  ~ initializer b: elements: float[4] {1.0, 2.0, 3.0, 4.0} -> float[4] {1.0, 2.0, 3.0, 5.0}",
        ],
    ),
    edit(
        "a weight's shape",
        |m| m.main_mut().initializer[1].dims = vec![1, 4],
        &[
            "graph",
            "  ~ initializer b: type: float[4] {1.0, 2.0, 3.0, 4.0} -> float[1, 4] {1.0, 2.0, 3.0, 4.0}",
        ],
    ),
    edit(
        "a sparse weight",
        |m| m.main_mut().sparse_initializer[0].dims = vec![6],
        &[
            "graph",
            "  ~ initializer sparse: elements: sparse [4] values float[1] {5.0} at int64[1] {2} -> \
             sparse [6] values float[1] {5.0} at int64[1] {2}",
        ],
    ),
    edit(
        "a weight more",
        |m| m.main_mut().initializer.push(named("idle", flag(true))),
        &["graph", "  + initializer idle: bool[] {true}"],
    ),
    edit(
        "an operator",
        |m| node(m, "centred").op_type = Some("Add".into()),
        &["graph", "  ~ node centred: operator: Sub -> Add"],
    ),
    edit(
        "a domain",
        |m| node(m, "centred").domain = Some("odd".into()),
        &["graph", "  ~ node centred: operator: Sub -> odd::Sub"],
    ),
    edit(
        "the order of inputs of a node",
        |m| node(m, "centred").input.swap(0, 1),
        &[
            "graph",
            "  ~ node centred: input 0: f -> r, through mean",
            "  ~ node centred: input 1: r -> f, past mean",
        ],
    ),
    edit(
        "an input less",
        |m| drop(node(m, "drop").input.pop()),
        &["graph", "  ~ node drop: input 2: on -> nothing"],
    ),
    edit(
        "an output of a node less",
        |m| drop(node(m, "drop").output.pop()),
        &["graph", "  ~ node drop: output 1: mask -> nothing"],
    ),
    edit(
        "an attribute",
        |m| node(m, "mean").attribute[0] = ints("axes", &[0]),
        &["graph", "  ~ node mean: attribute axes: [1] -> [0]"],
    ),
    edit(
        "an attribute less",
        |m| drop(node(m, "mean").attribute.pop()),
        &["graph", "  ~ node mean: attribute keepdims: 1 -> nothing"],
    ),
    edit(
        "a tensor in an attribute",
        |m| {
            let half = &mut m.main_mut().node[2].attribute[0];
            *half = tensor("value", scalar(DataType::FLOAT, 0.75));
        },
        &[
            "graph",
            "  ~ node s: attribute value: float[] {0.5} -> float[] {0.75}",
        ],
    ),
    edit(
        "a node taken out",
        |m| {
            m.main_mut().node.remove(1);
            node(m, "drop").input[0] = "h".into();
        },
        &[
            "graph",
            "  - node bias: hb = Add(h, b)",
            "  ~ node drop: input 0: hb -> h, past bias",
        ],
    ),
    edit(
        "a node put in",
        |m| {
            m.main_mut()
                .node
                .insert(2, op("hr = Relu(hb)").named("relu"));
            node(m, "drop").input[0] = "hr".into();
        },
        &[
            "graph",
            "  ~ node drop: input 0: hb -> hr, through relu",
            "  + node relu: hr = Relu(hb)",
        ],
    ),
    edit(
        "a node in a branch",
        |m| branch(m, 0).node[0].op_type = Some("Tanh".into()),
        &[
            "graph/choice.then_branch",
            "  ~ node then_relu: operator: Relu -> Tanh",
        ],
    ),
    edit(
        "a weight in a branch",
        |m| branch(m, 1).initializer[0] = named("k", scalar(DataType::FLOAT, 3.0)),
        &[
            "graph/choice.else_branch",
            "  ~ initializer k: elements: float[] {2.0} -> float[] {3.0}",
        ],
    ),
    edit(
        "what a branch captures",
        |m| branch(m, 0).node[0].input[0] = "hb".into(),
        &[
            "graph/choice.then_branch",
            "  ~ node then_relu: input 0: d -> hb, past drop",
        ],
    ),
    edit(
        "a branch less",
        |m| drop(node(m, "choice").attribute.pop()),
        &[
            "graph",
            "  ~ node choice: attribute else_branch: graph of 1 nodes -> nothing",
        ],
    ),
    edit(
        "an operator in a function",
        |m| m.functions[0].node[1].op_type = Some("Div".into()),
        &[
            "function:local::Scale",
            "  ~ node times: operator: Mul -> Div",
        ],
    ),
    edit(
        "an attribute of a function",
        |m| m.functions[0].attribute[0] = "by".into(),
        &[
            "function:local::Scale",
            "  ~ function function:local::Scale: attribute by: nothing -> without a default",
            "  ~ function function:local::Scale: attribute factor: without a default -> nothing",
        ],
    ),
    edit(
        "an operator set of a function",
        |m| m.functions[0].opset_import[0].version = Some(15),
        &["function:local::Scale", "  ~ opset ai.onnx: 13 -> 15"],
    ),
    edit(
        "a function more",
        |m| m.functions.push(function("Idle", "a", "a", 13, [])),
        &["model", "  + function function:local::Idle: 0 nodes"],
    ),
    edit(
        "a training step",
        |m| {
            let step = m.training_info[0].algorithm.as_mut().unwrap();
            step.node[0].op_type = Some("Add".into());
        },
        &[
            "training_info[0].algorithm",
            "  ~ node step: operator: Sub -> Add",
        ],
    ),
    edit(
        "the order of inputs in a training step",
        |m| {
            let step = m.training_info[0].algorithm.as_mut().unwrap();
            step.node[0].input.swap(0, 1);
        },
        &[
            "training_info[0].algorithm",
            "  ~ node step: input 0: w -> rate",
            "  ~ node step: input 1: rate -> w",
        ],
    ),
    edit(
        "what training assigns",
        |m| m.training_info[0].update_binding[0] = entry("b", "w_next"),
        &[
            "model",
            "  ~ training training_info[0]: bindings: w = w_next -> b = w_next",
        ],
    ),
    edit(
        "no training",
        |m| m.training_info.clear(),
        &["model", "  - training training_info[0]: removed"],
    ),
    rename(
        "the name of the graph",
        |m| m.main_mut().name = Some("main".into()),
        &["graph", "  ~ graph g: name renamed: g -> main"],
    ),
    rename(
        "the name of a node",
        |m| node(m, "mean").name = Some("average".into()),
        &["graph", "  ~ node mean: name renamed: mean -> average"],
    ),
    rename(
        "the name of a value",
        |m| {
            node(m, "fc").output[0] = "fc_out".into();
            node(m, "bias").input[0] = "fc_out".into();
            m.main_mut().value_info[0].name = Some("fc_out".into());
        },
        &["graph", "  ~ node fc: output 0 renamed: h -> fc_out"],
    ),
    rename(
        "the name of a weight",
        |m| {
            m.main_mut().initializer[2].name = Some("p".into());
            node(m, "drop").input[1] = "p".into();
        },
        &["graph", "  ~ initializer ratio: renamed: ratio -> p"],
    ),
    rename(
        "the name of an input",
        |m| {
            m.main_mut().input[0].name = Some("data".into());
            node(m, "fc").input[0] = "data".into();
        },
        &["graph", "  ~ input x: renamed: x -> data"],
    ),
    rename(
        "the name of an output",
        |m| {
            m.main_mut().output[0].name = Some("result".into());
            node(m, "out").output[0] = "result".into();
        },
        &[
            "graph",
            "  ~ output y: renamed: y -> result",
            "  ~ node out: output 0 renamed: y -> result",
        ],
    ),
    rename(
        "the name of a function's input",
        |m| {
            m.functions[0].input[0] = "data".into();
            m.functions[0].node[1].input[0] = "data".into();
        },
        &["function:local::Scale", "  ~ input v: renamed: v -> data"],
    ),
    rename(
        "the order of nodes",
        |m| m.main_mut().node.swap(1, 2),
        &["graph", "  ~ graph nodes: order changed"],
    ),
];

fn named(name: &str, tensor: crate::common::proto::Tensor) -> crate::common::proto::Tensor {
    crate::common::proto::Tensor {
        name: Some(name.into()),
        ..tensor
    }
}
