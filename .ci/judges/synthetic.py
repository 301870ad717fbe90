"""Small models for every place a Dropout can stand in, at the opsets where it was redefined.

Real exporters write few of these; the specification allows them all. The names say what each is.
"""

import itertools

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

F, B, I = TensorProto.FLOAT, TensorProto.BOOL, TensorProto.INT64
SHAPE = [2, 4]
IR = {1: 3, 6: 3, 7: 3, 9: 4, 10: 5, 11: 6, 12: 7, 13: 7, 15: 8, 18: 8, 22: 10}


def info(name, kind=F, shape=SHAPE):
    return helper.make_tensor_value_info(name, kind, shape)


def scalar(name, value, dtype=np.float32):
    return numpy_helper.from_array(np.array(value, dtype), name)


def node(op, inputs, outputs, **attributes):
    inputs, outputs = inputs.split(), outputs.split()
    name = attributes.pop("name", f"{op}_{outputs[0]}")
    blank = [["" if n == "_" else n for n in names] for names in (inputs, outputs)]
    return helper.make_node(op, *blank, name=name, **attributes)


class Builder:
    """Dropout in the spelling of an opset; constants are shared unless asked otherwise."""

    def __init__(self, opset, active=True, kind=F):
        self.opset, self.active, self.kind = opset, active, kind
        self.tensors, self.functions, self.imports = [], [], []

    def dropout(self, x, outputs, **more):
        if self.opset < 12:
            if self.opset < 7:
                more["is_test"] = 0 if self.active else 1
            return node("Dropout", x, outputs, ratio=0.3, **more)
        if not self.tensors:
            self.tensors += [scalar("ratio", 0.3), scalar("mode", self.active, np.bool_)]
        return node("Dropout", f"{x} ratio mode", outputs, **more)

    def model(self, nodes, inputs=("x",), outputs=("y",), **parts):
        def typed(names):
            return [n if not isinstance(n, str) else info(n, self.kind) for n in names]

        inputs, tensors = typed(inputs), [*self.tensors, *parts.pop("tensors", [])]
        if IR[self.opset] < 4:
            named = {i.name for i in inputs}
            inputs += [
                info(t.name, t.data_type, list(t.dims)) for t in tensors if t.name not in named
            ]
        graph = helper.make_graph(nodes, "g", inputs, typed(outputs), tensors, **parts)
        model = helper.make_model(
            graph,
            opset_imports=[helper.make_opsetid("", self.opset), *self.imports],
            functions=self.functions,
            ir_version=IR[self.opset],
            producer_name="judge",
        )
        helper.set_model_props(model, {"kept": "as it is"})
        return model


def subgraph(nodes, outputs, inputs=(), name="body", tensors=()):
    typed = [o if not isinstance(o, str) else info(o) for o in outputs]
    return helper.make_graph(nodes, name, list(inputs), typed, list(tensors))


TOPOLOGIES = {}


def topology(*opsets):
    def register(build):
        TOPOLOGIES[build.__name__] = (build, opsets)
        return build

    return register


EVERY = (1, 6, 7, 10, 12, 13, 22)
SOME = (9, 13)


@topology(*EVERY)
def mid_chain(b):
    return b.model([node("Relu", "x", "a"), b.dropout("a", "d"), node("Abs", "d", "y")])


@topology(*EVERY)
def input_to_output(b):
    return b.model([b.dropout("x", "y")])


@topology(*EVERY)
def mask_is_output(b):
    kind = B if b.opset >= 10 else F
    return b.model(
        [node("Relu", "x", "a"), b.dropout("a", "d m"), node("Abs", "d", "y")],
        outputs=("y", info("m", kind)),
    )


@topology(7, 10, 13, 22)
def mask_is_read(b):
    cast = [node("Cast", "m", "f", to=F)]
    return b.model(
        [node("Relu", "x", "a"), b.dropout("a", "d m"), *cast, node("Sub", "d f", "y")]
    )


@topology(13)
def only_the_mask_is_read(b):
    return b.model(
        [b.dropout("x", "d m"), node("Cast", "m", "f", to=F), node("Sub", "x f", "y")]
    )


@topology(13)
def everything_is_output(b):
    return b.model(
        [node("Relu", "x", "a"), b.dropout("a", "d m")], outputs=("a", "d", info("m", B))
    )


@topology(13)
def mask_in_subgraph(b):
    then = subgraph([node("Cast", "m", "t", to=F)], ["t"], name="then")
    other = subgraph([node("Identity", "d", "e")], ["e"], name="else")
    return b.model(
        [
            node("Relu", "x", "a"),
            b.dropout("a", "d m"),
            node("If", "c", "y", then_branch=then, else_branch=other),
        ],
        inputs=("x", info("c", B, [])),
    )


@topology(9, 13)
def empty_mask_name(b):
    return b.model([node("Relu", "x", "a"), b.dropout("a", "d _"), node("Abs", "d", "y")])


@topology(*SOME)
def chain_of_three(b):
    return b.model(
        [node("Relu", "x", "a"), b.dropout("a", "d"), b.dropout("d", "e"), b.dropout("e", "y")]
    )


@topology(*SOME)
def chain_from_input_to_output(b):
    return b.model([b.dropout("x", "d"), b.dropout("d", "y")])


@topology(*SOME)
def many_readers(b):
    return b.model(
        [
            node("Relu", "x", "a"),
            b.dropout("a", "d"),
            node("Abs", "d", "e"),
            node("Add", "d d", "f"),
            node("Add", "e f", "y"),
        ]
    )


@topology(*SOME)
def output_also_read(b):
    return b.model(
        [node("Neg", "x", "a"), b.dropout("a", "y"), node("Abs", "y", "z")], outputs=("y", "z")
    )


@topology(*SOME)
def output_whose_source_is_read(b):
    return b.model(
        [node("Neg", "x", "a"), node("Abs", "a", "z"), b.dropout("a", "y")], outputs=("y", "z")
    )


@topology(*SOME)
def two_outputs_from_one_value(b):
    return b.model(
        [node("Neg", "x", "a"), b.dropout("a", "y"), b.dropout("a", "z")], outputs=("y", "z")
    )


@topology(*SOME)
def value_and_its_dropout_are_outputs(b):
    return b.model([node("Neg", "x", "y"), b.dropout("y", "z")], outputs=("y", "z"))


@topology(*SOME)
def two_outputs_in_a_chain(b):
    return b.model(
        [node("Neg", "x", "a"), b.dropout("a", "y"), b.dropout("y", "z")], outputs=("y", "z")
    )


@topology(*SOME)
def weight_to_output(b):
    return b.model(
        [b.dropout("w", "y"), node("Neg", "x", "z")],
        outputs=("y", "z"),
        tensors=[numpy_helper.from_array(np.arange(8, dtype=np.float32).reshape(SHAPE), "w")],
    )


@topology(13)
def one_of_several_outputs_of_a_node(b):
    half = [info(n, F, [1, 4]) for n in "yz"]
    return b.model(
        [node("Split", "x", "a z"), b.dropout("a", "y")], inputs=("x",), outputs=half
    )


@topology(*SOME)
def captured_by_subgraph(b):
    then = subgraph([node("Abs", "d", "t")], ["t"], name="then")
    other = subgraph([node("Add", "d a", "e")], ["e"], name="else")
    return b.model(
        [
            node("Neg", "x", "a"),
            b.dropout("a", "d"),
            node("If", "c", "y", then_branch=then, else_branch=other),
        ],
        inputs=("x", info("c", B, [])),
    )


@topology(*SOME)
def renamed_producer_is_captured(b):
    then = subgraph([node("Abs", "a", "t")], ["t"], name="then")
    other = subgraph([node("Neg", "z", "e")], ["e"], name="else")
    return b.model(
        [
            node("Neg", "x", "a"),
            b.dropout("a", "z"),
            node("If", "c", "y", then_branch=then, else_branch=other),
        ],
        inputs=("x", info("c", B, [])),
        outputs=("y", "z"),
    )


@topology(*SOME)
def whole_branches(b):
    then = subgraph([b.dropout("a", "t")], ["t"], name="then")
    other = subgraph([node("Abs", "a", "f"), b.dropout("f", "e")], ["e"], name="else")
    return b.model(
        [node("Neg", "x", "a"), node("If", "c", "y", then_branch=then, else_branch=other)],
        inputs=("x", info("c", B, [])),
    )


@topology(13)
def three_deep(b):
    inner = subgraph([b.dropout("d1", "d3"), node("Abs", "d3", "r")], ["r"], name="inner")
    other = subgraph([b.dropout("x", "s")], ["s"], name="inner_else")
    middle = subgraph(
        [
            b.dropout("d0", "d1"),
            node("If", "c", "q", then_branch=inner, else_branch=other, name="inner_if"),
        ],
        ["q"],
        name="middle",
    )
    last = subgraph([node("Neg", "d0", "p")], ["p"], name="last")
    return b.model(
        [b.dropout("x", "d0"), node("If", "c", "y", then_branch=middle, else_branch=last)],
        inputs=("x", info("c", B, [])),
    )


@topology(11, 13)
def loop_body(b):
    body = subgraph(
        [
            node("Identity", "go", "again"),
            node("Neg", "state", "n"),
            b.dropout("n", "d"),
            node("Add", "d outside", "next"),
            b.dropout("next", "scanned"),
        ],
        [info("again", B, []), "next", "scanned"],
        inputs=[info("i", I, []), info("go", B, []), info("state")],
    )
    return b.model(
        [
            b.dropout("x", "outside"),
            node("Loop", "trips yes x", "y all", body=body),
        ],
        outputs=("y", info("all", F, [3, *SHAPE])),
        tensors=[scalar("trips", 3, np.int64), scalar("yes", True, np.bool_)],
    )


@topology(11, 13)
def scan_body(b):
    body = subgraph(
        [b.dropout("row", "d"), node("Add", "sum d", "total"), b.dropout("total", "each")],
        [info("total", F, [4]), info("each", F, [4])],
        inputs=[info("sum", F, [4]), info("row", F, [4])],
    )
    zero = numpy_helper.from_array(np.zeros(4, np.float32), "zero")
    return b.model(
        [node("Scan", "zero x", "y all", body=body, num_scan_inputs=1)],
        outputs=(info("y", F, [4]), info("all")),
        tensors=[zero],
    )


def function(b, name, inputs, outputs, nodes, opset=None, attributes=()):
    imports = [helper.make_opsetid("", opset or b.opset), helper.make_opsetid("own", 1)]
    b.imports = [helper.make_opsetid("own", 1)]
    b.functions.append(
        helper.make_function("own", name, inputs, outputs, nodes, imports, list(attributes))
    )


def constants(ratio="r", mode="t", value=0.3, active=True):
    return [
        node("Constant", "", ratio, value=scalar("", value)),
        node("Constant", "", mode, value=scalar("", active, np.bool_)),
    ]


@topology(15, 18)
def function_is_one_dropout(b):
    function(b, "Drop", ["a"], ["b"], [*constants(), node("Dropout", "a r t", "b")])
    return b.model(
        [node("Neg", "x", "n"), node("Drop", "n", "y", domain="own")],
    )


@topology(18)
def function_of_another_opset(b):
    """The function's own opset rules in its body: there, ratio is an attribute."""
    function(
        b, "Old", ["a"], ["b"], [node("Abs", "a", "c"), node("Dropout", "c", "b", ratio=0.3)], 11
    )
    return b.model([node("Old", "x", "d", domain="own"), b.dropout("d", "y")])


@topology(18)
def function_with_ratio_attribute(b):
    ratio = helper.make_node("Constant", [], ["r"], name="ratio")
    reference = onnx.AttributeProto(
        name="value_float", ref_attr_name="p", type=onnx.AttributeProto.FLOAT
    )
    ratio.attribute.append(reference)
    true = constants()[1]
    body = [ratio, true, node("Dropout", "a r t", "d"), node("Abs", "d", "b")]
    function(b, "Drop", ["a"], ["b"], body, attributes=["p"])
    return b.model([node("Drop", "x", "y", domain="own", p=0.25)])


@topology(18)
def function_with_ratio_input(b):
    body = [constants()[1], node("Dropout", "a p t", "d"), node("Abs", "d", "b")]
    function(b, "Drop", ["a", "p"], ["b"], body)
    return b.model(
        [node("Drop", "x p", "y", domain="own")], tensors=[scalar("p", 0.25)]
    )


@topology(18)
def foreign_dropout(b):
    """`Dropout` of another domain, implemented as a function that doubles: not ours."""
    function(b, "Dropout", ["a"], ["b"], [node("Add", "a a", "b")])
    return b.model(
        [node("Dropout", "x", "d", domain="own", name="foreign"), b.dropout("d", "y", name="ours")]
    )


@topology(13)
def domain_spelled_out(b):
    return b.model([node("Neg", "x", "a"), b.dropout("a", "y", domain="ai.onnx")])


@topology(13)
def ratio_as_constant_float(b):
    return b.model(
        [
            node("Constant", "", "r", value_float=0.4),
            node("Constant", "", "t", value=scalar("", True, np.bool_)),
            node("Dropout", "x r t", "d"),
            node("Abs", "d", "y"),
        ]
    )


@topology(13)
def ratio_missing_mode_given(b):
    return b.model(
        [node("Dropout", "x _ t", "d"), node("Abs", "d", "y")],
        tensors=[scalar("t", True, np.bool_)],
    )


@topology(13)
def data_alone(b):
    return b.model([node("Dropout", "x", "d"), node("Abs", "d", "y")])


@topology(13)
def ratio_is_read_elsewhere(b):
    return b.model([b.dropout("x", "d"), node("Mul", "d ratio", "y")])


@topology(13)
def ratio_is_an_output(b):
    return b.model([b.dropout("x", "d"), node("Abs", "d", "y")], outputs=("y", info("ratio", F, [])))


@topology(13)
def ratio_and_mode_are_overridable_inputs(b):
    return b.model(
        [b.dropout("x", "d"), node("Abs", "d", "y")],
        inputs=("x", info("ratio", F, []), info("mode", B, [])),
    )


@topology(13)
def mode_is_an_input(b):
    return b.model(
        [node("Dropout", "x r mode", "d"), node("Abs", "d", "y")],
        inputs=("x", info("mode", B, [])),
        tensors=[scalar("r", 0.3)],
    )


@topology(13)
def mode_is_computed(b):
    return b.model(
        [
            node("Not", "still", "mode"),
            node("Dropout", "x r mode", "d"),
            node("Abs", "d", "y"),
        ],
        inputs=("x", info("still", B, [])),
        tensors=[scalar("r", 0.3)],
    )


@topology(13)
def constants_shared_with_a_subgraph(b):
    then = subgraph([node("Mul", "d ratio", "t")], ["t"], name="then")
    other = subgraph([b.dropout("d", "f"), node("Abs", "f", "e")], ["e"], name="else")
    return b.model(
        [b.dropout("x", "d"), node("If", "mode", "y", then_branch=then, else_branch=other)]
    )


@topology(13, 22)
def half_precision(b):
    b.kind = TensorProto.FLOAT16
    return b.model([node("Neg", "x", "a"), b.dropout("a", "d"), node("Abs", "d", "y")])


@topology(13)
def double_precision(b):
    b.kind = TensorProto.DOUBLE
    return b.model([node("Neg", "x", "a"), b.dropout("a", "d"), node("Abs", "d", "y")])


@topology(13)
def everything_annotated(b):
    model = b.model(
        [node("Neg", "x", "a"), b.dropout("a", "d m"), node("Abs", "d", "e"), b.dropout("e", "y")],
        value_info=[info("a"), info("d"), info("m", B), info("e")],
        doc_string="kept",
    )
    model.graph.quantization_annotation.append(onnx.TensorAnnotation(tensor_name="d"))
    model.graph.quantization_annotation.append(onnx.TensorAnnotation(tensor_name="e"))
    return model


@topology(13)
def unnamed_nodes(b):
    model = b.model(
        [
            node("Neg", "x", "a"),
            b.dropout("a", "d"),
            node("Neg", "d", "e"),
            b.dropout("e", "f"),
            node("Neg", "f", "y"),
        ]
    )
    for n in model.graph.node:
        n.ClearField("name")
    return model


@topology(13)
def unknown_fields(b):
    """A newer ONNX may have fields we do not know: length-delimited and varint, at three levels."""
    unknown = bytes.fromhex("c23e03616263") + bytes.fromhex("c83e07")  # fields 1000 and 1001
    inner = b.model([node("Neg", "x", "a"), b.dropout("a", "d"), node("Abs", "d", "y")])
    data = inner.graph.node[2].SerializeToString() + unknown
    inner.graph.node[2].ParseFromString(data)
    inner.graph.ParseFromString(inner.graph.SerializeToString() + unknown)
    return onnx.ModelProto.FromString(inner.SerializeToString() + unknown)


def all_models():
    """(name, model) of every topology at its opsets, active and inert."""
    for name, (build, opsets) in TOPOLOGIES.items():
        for opset, active in itertools.product(opsets, (True, False)):
            if not active and (7 <= opset < 12):
                continue  # no switch to turn
            mode = "active" if active else "inert"
            yield f"{name}_op{opset}_{mode}", build(Builder(opset, active))


def write(folder):
    for name, model in all_models():
        (folder / f"{name}.onnx").write_bytes(model.SerializeToString())
