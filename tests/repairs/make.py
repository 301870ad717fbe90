"""Writes the models of this folder, and what ONNX Runtime computes with them.

    python tests/repairs/make.py

Each model needs the repair of the operator that it is named after, or the operator itself: without it, tract cannot run
the model, or computes something else (`src/verify/engine/tract/needed.rs`). Needs onnx, onnxruntime and numpy.
"""

import json
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, numpy_helper
from onnx.helper import make_graph, make_model, make_node, make_opsetid, make_tensor_value_info

HERE = Path(__file__).parent
MICROSOFT = "com.microsoft"
TYPES = {"float": np.float32, "float16": np.float16, "double": np.float64, "int32": np.int32, "int64": np.int64,
         "bool": np.bool_}  # fmt: skip
NUMBERS = {"float": 1, "int32": 6, "int64": 7, "bool": 9, "float16": 10, "double": 11}
MODELS = {}


def numbers(shape, element="float", seed=0):
    """Numbers in [-1, 1], or integers from 0 to 2."""
    generator = np.random.RandomState(seed + 7)
    if element.startswith("int"):
        return generator.randint(0, 3, shape).astype(TYPES[element])
    return np.array(np.round(generator.rand(*shape) * 2 - 1, 3), TYPES[element])


def ints(*values):
    return np.array(values, np.int64)


def case(name, nodes, inputs, weights=None, *, opset=17, outputs=("y",), results=None):
    """A model: `inputs` are (element, shape, values or None), `weights` are arrays. The types of the outputs are
    what ONNX Runtime finds, or `results`."""
    assert name not in MODELS
    infos = [make_tensor_value_info(key, NUMBERS[e], s) for key, (e, s, *_) in inputs.items()]
    weights = [numpy_helper.from_array(np.asarray(value), key) for key, value in (weights or {}).items()]
    untyped = [onnx.ValueInfoProto(name=output) for output in outputs]
    graph = make_graph(nodes, name, infos, untyped, weights)
    opsets = [make_opsetid("", opset), make_opsetid(MICROSOFT, 1)]
    model = make_model(graph, opset_imports=opsets, ir_version=10, producer_name="")
    fed = {}
    for key, (element, shape, *given) in inputs.items():
        shape = [size if isinstance(size, int) else 2 for size in shape]
        values = numbers(shape, element, len(key))
        fed[key] = np.array(given[0], TYPES[element]) if given else values
    found = results(fed) if results else run(model, fed)
    for info, value in zip(model.graph.output, found):
        element = onnx.helper.np_dtype_to_tensor_dtype(value.dtype)
        info.CopyFrom(make_tensor_value_info(info.name, element, [None] * value.ndim))
    MODELS[name] = model, fed, dict(zip(outputs, found))


def run(model, fed):
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 4
    return onnxruntime.InferenceSession(model.SerializeToString(), options).run(None, fed)


def x(element="float", *shape, of=None):
    return {"x": (element, list(shape), of) if of is not None else (element, list(shape))}


def one(name, op, inputs, given, weights=None, *, domain="", outputs=("y",), **rest):
    """A model of one node; options of `case` first, then attributes."""
    options = {key: rest.pop(key) for key in ("opset", "results") if key in rest}
    names = [output for output in outputs if output]
    case(name, [make_node(op, inputs, list(outputs), domain=domain, **rest)], given, weights, outputs=names, **options)


def arithmetic():
    for element in ("float16", "double"):
        one(f"Gemm.{element}", "Gemm", ["x", "w", "b"], x(element, 2, 4),
            {"w": numbers([4, 3], element), "b": numbers([3], element, 1)}, alpha=0.5, beta=2.0)  # fmt: skip
    nodes = [make_node("Shape", ["x"], ["s"]), make_node("ConstantOfShape", ["s"], ["z"]),
             make_node("Sub", ["z", "x"], ["y"])]  # fmt: skip
    case("ConstantOfShape.float", nodes, x("float", 3))
    one("Sigmoid.double", "Sigmoid", ["x"], x("double", 2, 3))
    ties = [[0.5, 1.5, -2.5], [-0.3, 2.7, 6e15]]
    one("Round.double", "Round", ["x"], x("double", 2, 3, of=ties), opset=11)
    one("LeakyRelu.double", "LeakyRelu", ["x"], x("double", 2, 3), alpha=0.2)
    one("Swish.alpha", "Swish", ["x"], x("float", 2, 3), alpha=0.5, opset=24)
    one("Celu.alpha", "Celu", ["x"], x("float", 2, 3), alpha=0.5)
    one("Mul.square", "Mul", ["x", "x"], x("int64", 2, 3))
    given = {**x("bool", 3, of=[1, 0, 1]), "z": ("bool", [3], [1, 1, 0])}
    one("Equal.bool", "Equal", ["x", "z"], given)
    nodes = [make_node("Range", ["a", "b", "c"], ["r"]), make_node("Add", ["x", "r"], ["y"])]
    steps = {key: np.array(value, np.float32) for key, value in {"a": 0, "b": 1.4, "c": 0.5}.items()}
    case("Range.float", nodes, x("float", 2, 3), steps)
    half = {"s": np.float16(0.01), "z": np.uint8(128)}
    nodes = [make_node("QuantizeLinear", ["x", "s", "z"], ["q"]), make_node("DequantizeLinear", ["q", "s", "z"], ["y"])]
    case("QuantizeLinear.float16", nodes, x("float16", 2, 2, of=[[0.123, -0.567], [0.3, 0.909]]), half, opset=19)
    nodes = [make_node("DynamicQuantizeLinear", ["x"], ["q", "s", "z"]),
             make_node("DequantizeLinear", ["q", "s", "z"], ["y"])]  # fmt: skip
    quantized = {"s": np.array([0.0131], np.float32), "z": np.array([3], np.int8)}
    twice = [make_node("QuantizeLinear", ["x", "s", "z"], ["q"]), make_node("DequantizeLinear", ["q", "s", "z"], ["d"]),
             make_node("Softmax", ["d"], ["p"]), make_node("QuantizeLinear", ["p", "s", "z"], ["r"]),
             make_node("DequantizeLinear", ["r", "s", "z"], ["y"])]  # fmt: skip
    case("DequantizeLinear.softmax", twice, x("float", 2, 3), quantized)
    case("DequantizeLinear.dynamic", nodes, x("float", 2, 3))


def integers():
    """What is cast to int64 is a size to tract, and so is what `Shape` returns."""
    nodes = [make_node("Shape", ["x"], ["s"]), make_node("Sub", ["s", "o"], ["d"]), make_node("Sign", ["d"], ["y"])]
    case("Shape.sign", nodes, x("float", 2, 3), {"o": ints(3)})
    cast = make_node("Cast", ["x"], ["c"], to=TensorProto.INT64)
    given = x("int32", 2, 3)
    nodes = [cast, make_node("Add", ["c", "o"], ["d"]), make_node("Mod", ["o", "d"], ["y"])]
    case("Mod.cast", nodes, given, {"o": ints(1)})
    for op in ("BitwiseAnd", "BitwiseOr", "BitwiseXor"):
        case(f"{op}.cast", [cast, make_node(op, ["c", "o"], ["y"])], given, {"o": ints(1)}, opset=18)
    for op in ("Sign", "ArgMax", "ArgMin", "NonZero"):
        case(f"{op}.cast", [cast, make_node(op, ["c"], ["y"])], given)
    case("TopK.cast", [cast, make_node("TopK", ["c", "k"], ["y", "i"])], given, {"k": ints(2)}, outputs=("y", "i"))
    case("MatMul.cast", [cast, make_node("MatMul", ["c", "w"], ["y"])], given, {"w": ints(1, 2, 3)})
    case("CumSum.cast", [cast, make_node("CumSum", ["c", "a"], ["y"])], given, {"a": np.array(1, np.int32)})
    one("CumSum.list", "CumSum", ["x", "a"], x("float", 2, 3), {"a": ints(-1)}, reverse=1, exclusive=1, opset=11)
    nodes = [make_node("Cast", ["k"], ["c"], to=TensorProto.INT64), make_node("Trilu", ["x", "c"], ["y"], upper=0)]
    case("Trilu.cast", nodes, x("float", "N", 4), {"k": np.array(1, np.int32)})
    one("Trilu.list", "Trilu", ["x", "k"], x("float", 3, 4), {"k": ints(1)})


def indices():
    u = {"u": ("float", [2, 4])}
    one("ScatterND.negative", "ScatterND", ["x", "i", "u"], {**x("float", 3, 4), **u}, {"i": ints([-1], [0])}, opset=11)
    nodes = [make_node("Sub", ["j", "o"], ["i"]), make_node("ScatterND", ["x", "i", "u"], ["y"], reduction="add")]
    case("ScatterND.computed", nodes, {**x("float", "N", 4), **u, "j": ("int64", [2, 1], [[0], [1]])}, {"o": ints(1)})
    one("GatherND.negative", "GatherND", ["x", "i"], x("float", 3, 4), {"i": ints([-1, 0], [0, -2])})
    one("GatherND.batch", "GatherND", ["x", "i"], x("float", 2, 3, 4), {"i": ints([-1], [0])}, batch_dims=1)
    lengths = {"l": ints(1, 4, 2)}
    one("ReverseSequence.time", "ReverseSequence", ["x", "l"], x("float", 4, 3, 2), lengths, opset=10)
    one("ReverseSequence.batch", "ReverseSequence", ["x", "l"], x("int32", 3, 4), lengths, time_axis=1, batch_axis=0)


def reductions():
    ops = ["Max", "Min", "Mean", "Sum", "Prod", "L1", "L2", "LogSum", "LogSumExp", "SumSquare"]
    for op in ("Reduce" + op for op in ops):
        nodes = [make_node("Abs", ["x"], ["a"]), make_node("Shape", ["x"], ["s"]), make_node("Shape", ["s"], ["r"]),
                 make_node("Sub", ["r", "o"], ["axes"]), make_node(op, ["a", "axes"], ["y"])]  # fmt: skip
        case(f"{op}.computed", nodes, x("float", "N", 3, 4), {"o": ints(1)}, opset=18)
        nodes = [make_node("Abs", ["x"], ["a"]), make_node(op, ["a", ""], ["y"], keepdims=0)]
        case(f"{op}.empty", nodes, x("float", 2, 3), opset=18)
        case(f"{op}.noop", [make_node(op, ["x", ""], ["y"], noop_with_empty_axes=1)], x("float", 1, 1, of=[[0.5]]), opset=18)
    for op in ("ReduceMax", "ReduceMin"):
        one(f"{op}.bool", op, ["x", "a"], x("bool", 2, 2, of=[[1, 0], [1, 1]]), {"a": ints(1)}, opset=20)
    for op, element in (("ReduceL2", "int32"), ("ReduceL2", "int64"), ("ReduceLogSum", "int64"), ("ReduceSumSquare", "int64"),
                        ("ReduceLogSumExp", "int32"), ("ReduceLogSumExp", "int64")):  # fmt: skip
        one(f"{op}.{element}", op, ["x"], x(element, 2, 3, of=[[1, 2, 2], [5, 12, 0]]), axes=[1])


def normalizations():
    parameters = {key: np.abs(numbers([3], seed=at)) for at, key in enumerate("sbmv")}
    for opset in (9, 15):
        nodes = [make_node("Abs", ["w"], ["v"]), make_node("Add", ["w", "a"], ["s"]),
                 make_node("BatchNormalization", ["x", "s", "b", "m", "v"], ["y"], epsilon=0.01)]  # fmt: skip
        weights = {"a": parameters["s"], "b": parameters["b"], "m": parameters["m"]}
        case(f"BatchNormalization.computed{opset}", nodes, {**x("float", 2, 3, 4), "w": ("float", [3])}, weights, opset=opset)
    one("BatchNormalization.mixed", "BatchNormalization", ["x", "s", "b", "m", "v"], x("float16", 2, 3, 4), parameters)
    one("LayerNormalization.empty", "LayerNormalization", ["x", "s", ""], x("float", 2, 3, 4), {"s": numbers([4])})
    every = {key: numbers([2, 3, 4] if key == "s" else [4], seed=at) for at, key in enumerate(["s", "g", "b", "c"])}
    half = {key: value.astype(np.float16) for key, value in every.items()}
    skip = dict(domain=MICROSOFT, op="SkipLayerNormalization")
    one(f"{MICROSOFT}.SkipLayerNormalization.all", inputs=["x", "s", "g", "b", "c"], given=x("float", 2, 3, 4),
        weights=every, outputs=["y", "m", "i", "sum"], **skip)  # fmt: skip
    one(f"{MICROSOFT}.SkipLayerNormalization.half", inputs=["x", "s", "g", "", "c"], given=x("float16", 2, 3, 4),
        weights=half, epsilon=1e-3, **skip)  # fmt: skip
    one(f"{MICROSOFT}.SkipSimplifiedLayerNormalization.bias", "SkipSimplifiedLayerNormalization", ["x", "s", "g", "c"],
        x("float", 2, 3, 4), every, domain=MICROSOFT, outputs=["y", "", "", "sum"])  # fmt: skip
    tables = {key: numbers(shape, seed=at) for at, (key, shape) in enumerate(
        {"we": [3, 4], "pe": [5, 4], "se": [3, 4], "g": [4], "b": [4]}.items())}  # fmt: skip
    name, op = f"{MICROSOFT}.EmbedLayerNormalization", "EmbedLayerNormalization"
    words = {**x("int32", "B", 3), "s": ("int32", ["B", 3])}
    one(f"{name}.mask", op, ["x", "s", "we", "pe", "se", "g", "b", "m"],
        {**words, "m": ("int32", ["B", 3], [[1, 1, 0], [1, 1, 1]])}, tables, domain=MICROSOFT, outputs=["y", "l"])  # fmt: skip
    one(f"{name}.positions", op, ["x", "", "we", "pe", "", "g", "b", "", "p"], x("int32", 2, 3),
        {**tables, "p": np.array([[0, 2, 1]], np.int32)}, domain=MICROSOFT, outputs=["y", "", "sum"])  # fmt: skip


def padding():
    for opset in (10, 13):
        for mode in ("constant", "reflect", "edge"):
            pads = [0, -1, 0, 1]
            how = dict(mode=mode, opset=opset)
            if opset < 11:
                one(f"Pad.{mode}{opset}", "Pad", ["x"], x("float", 2, 4), pads=pads, **how)
            else:
                one(f"Pad.{mode}{opset}", "Pad", ["x", "p"], x("float", 2, 4), {"p": ints(*pads)}, **how)
    one("Pad.wrap", "Pad", ["x", "p", "", "a"], x("float", 2, 3, 4), {"p": ints(1, 2), "a": ints(-1)}, mode="wrap", opset=19)
    one("Pad.bool", "Pad", ["x", "p"], x("bool", 2, 2, of=[[1, 0], [1, 1]]), {"p": ints(1, 0, 0, 2)})
    number = {**x("float", 2, 3), "v": ("float", [])}
    one("Pad.number", "Pad", ["x", "p", "v"], number, {"p": ints(1, 0, 0, 2)})
    one("Pad.list", "Pad", ["x", "p", "v"], x("float", 2, 3), {"p": ints(1, 0, 0, 2), "v": np.array([1.5], np.float32)})
    cast = make_node("Cast", ["x"], ["c"], to=TensorProto.INT64)
    case("Pad.cast", [cast, make_node("Pad", ["c", "p"], ["y"])], x("int32", 2, 3), {"p": ints(0, 1, 0, 1)})


def resampling():
    for mode in ("nearest", "linear"):
        one(f"Upsample.{mode}7", "Upsample", ["x"], x("float", 1, 2, 3, 4), mode=mode, scales=[1.0, 1.0, 2.0, 2.0], opset=7)
        scales = {"s": np.array([1, 1, 1.5, 1.25], np.float32)}
        one(f"Upsample.{mode}9", "Upsample", ["x", "s"], x("float", "N", 2, 4, 4), scales, mode=mode, opset=9)
    one("Upsample.whole", "Upsample", ["x"], x("int32", 1, 1, 3, 4), mode="linear", scales=[1.0, 1.0, 2.0, 2.0], opset=7)
    one("Resize.nearest10", "Resize", ["x", "s"], x("float", 1, 1, 3, 4), {"s": np.array([1, 1, 1.7, 2], np.float32)}, opset=10)


def recurrent():
    for op, gates in (("LSTM", 4), ("GRU", 3), ("RNN", 1)):
        for element, direction in (("float", "reverse"), ("float16", "forward"), ("float16", "reverse")):
            shapes = {"w": [1, gates * 3, 4], "r": [1, gates * 3, 3], "b": [1, gates * 6]}
            weights = {key: numbers(shape, element, at) for at, (key, shape) in enumerate(shapes.items())}
            one(f"{op}.{direction}-{element}", op, ["x", "w", "r", "b"], x(element, 5, 2, 4), weights, opset=14,
                outputs=["y", "h"], hidden_size=3, direction=direction)  # fmt: skip
        for direction, count in (("forward", 1), ("reverse", 1), ("bidirectional", 2)):
            shapes = {"w": [count, gates * 3, 4], "r": [count, gates * 3, 3], "f": [count, 2, 3]}
            weights = {key: numbers(shape, seed=at) for at, (key, shape) in enumerate(shapes.items())}
            given = {**x("float", 5, 2, 4), "n": ("int32", [2], [5, 3])}
            one(f"{op}.lengths-{direction}", op, ["x", "w", "r", "", "n", "f"], given, weights, opset=14,
                outputs=["y", "h"], hidden_size=3, direction=direction)  # fmt: skip


def fused():
    name = f"{MICROSOFT}.FusedMatMul"
    one(f"{name}.transposed", "FusedMatMul", ["x", "w"], x("float", 2, 4, 3), {"w": numbers([5, 4])}, domain=MICROSOFT,
        transA=1, transB=1, alpha=0.5)  # fmt: skip
    one(f"{name}.batch", "FusedMatMul", ["x", "w"], x("float", 3, 2, 4), {"w": numbers([4, 2, 5])}, domain=MICROSOFT,
        transBatchA=1, transBatchB=1)  # fmt: skip
    one(f"{name}.half", "FusedMatMul", ["x", "w"], x("float16", 2, 4), {"w": numbers([4, 5], "float16")},
        domain=MICROSOFT, alpha=0.25)  # fmt: skip
    one(f"{MICROSOFT}.TransposeMatMul.plain", "TransposeMatMul", ["x", "w"], x("float", 2, 4), {"w": numbers([5, 4])},
        domain=MICROSOFT, transB=1)  # fmt: skip
    for activation, parameters in {"Relu": [], "LeakyRelu": [0.2], "HardSigmoid": [0.2, 0.4]}.items():
        named = dict(zip(("activation_alpha", "activation_beta"), parameters))
        one(f"{MICROSOFT}.FusedGemm.{activation}", "FusedGemm", ["x", "w", "b"], x("float", 2, 4),
            {"w": numbers([5, 4]), "b": numbers([5])}, domain=MICROSOFT, activation=activation, transB=1, alpha=0.5,
            beta=2.0, **named)  # fmt: skip
    weights = {"w": numbers([4, 3, 3, 3]), "b": numbers([4])}
    for activation, parameters in {"Relu": [], "Clip": [-0.1, 0.4], "LeakyRelu": [0.2]}.items():
        one(f"{MICROSOFT}.FusedConv.{activation}", "FusedConv", ["x", "w", "b"], x("float", 1, 3, 5, 5), weights,
            domain=MICROSOFT, activation=activation, pads=[1, 1, 1, 1], activation_params=parameters or [0.0])  # fmt: skip
    one(f"{MICROSOFT}.FusedConv.sum", "FusedConv", ["x", "w", "b", "z"],
        {**x("float", 1, 3, 5, 5), "z": ("float", [1, 4, 3, 3])}, weights, domain=MICROSOFT, activation="Relu")  # fmt: skip

    def softmax(fed):
        total = fed["x"] + numbers([1, 3, 4])
        power = np.exp(total - total.max((1, 2), keepdims=True))
        return [power / power.sum((1, 2), keepdims=True)]

    one(f"{MICROSOFT}.BiasSoftmax.inner", "BiasSoftmax", ["x", "b"], x("float", 2, 3, 4), {"b": numbers([1, 3, 4])},
        domain=MICROSOFT, axis=1, is_inner_broadcast=1, results=softmax)  # fmt: skip
    one(f"{MICROSOFT}.ExpandDims.axis", "ExpandDims", ["x", "a"], x("float", 2, 3), {"a": np.array(1, np.int32)}, domain=MICROSOFT)
    one(f"{MICROSOFT}.GridSample.linear", "GridSample", ["x", "g"], {**x("float", 1, 1, 3, 3), "g": ("float", [1, 2, 2, 2])}, domain=MICROSOFT)
    steps = {key: np.array(value, np.int64) for key, value in {"a": 0, "b": 3, "c": 1}.items()}
    nodes = [make_node("Range", ["a", "b", "c"], ["r"], domain=MICROSOFT), make_node("Gather", ["x", "r"], ["y"], axis=1)]
    case(f"{MICROSOFT}.Range.int64", nodes, x("float", 2, 4), steps)
    one(f"{MICROSOFT}.Trilu.lower", "Trilu", ["x"], x("float", 3, 4), domain=MICROSOFT, upper=0)
    quantized = {"s": np.array(0.01, np.float32), "z": np.array(128, np.uint8)}
    nodes = [make_node("QuantizeLinear", ["x", "s", "z"], ["q"], domain=MICROSOFT),
             make_node("DequantizeLinear", ["q", "s", "z"], ["y"], domain=MICROSOFT)]  # fmt: skip
    off_ties = x("float", 2, 2, of=[[0.123, -0.567], [0.3, 0.909]])
    case(f"{MICROSOFT}.QuantizeLinear.scalar", nodes, off_ties, quantized)
    case(f"{MICROSOFT}.DequantizeLinear.scalar", nodes, off_ties, quantized)


def attention():
    four = {"q": ("float", [2, 4, 3, 4]), "k": ("float", [2, 2, 5, 4]), "v": ("float", [2, 2, 5, 4])}
    seen = np.array([[1, 0, 1, 1, 0], [1, 1, 1, 1, 1], [1, 1, 1, 0, 1]], np.bool_)
    one("Attention.mask", "Attention", ["q", "k", "v", "m"], four, {"m": seen}, opset=23)
    one("Attention.causal", "Attention", ["q", "k", "v", "m"], four, {"m": seen}, is_causal=1, scale=0.3, opset=24)
    one("Attention.softcap", "Attention", ["q", "k", "v"], four, softcap=0.5, opset=23, outputs=["y", "", "", "s"], qk_matmul_output_mode=3)
    past = {**four, "pk": ("float", [2, 2, 2, 4]), "pv": ("float", [2, 2, 2, 4])}
    one("Attention.past", "Attention", ["q", "k", "v", "", "pk", "pv"], past, is_causal=1, opset=24, outputs=["y", "nk", "nv"])
    one("Attention.lengths", "Attention", ["q", "k", "v", "", "", "", "n"], four, {"n": ints(3, 5)}, opset=24)
    flat = {"q": ("float16", [2, 3, 8]), "k": ("float16", [2, 5, 4]), "v": ("float16", [2, 5, 4])}
    one("Attention.flat", "Attention", ["q", "k", "v", "m"], flat, {"m": seen}, q_num_heads=4, kv_num_heads=2, opset=23)

    name = f"{MICROSOFT}.Attention"
    weights = {"w": numbers([6, 12]), "b": numbers([12], seed=1)}
    masks = {"lengths": [2, 3], "keys": [[1, 1, 0], [1, 1, 1]], "queries": [[[1, 0, 0], [1, 1, 0], [1, 1, 1]]] * 2}
    for kind, mask in masks.items():
        one(f"{name}.{kind}", "Attention", ["x", "w", "b", "m"], x("float", 2, 3, 6),
            {**weights, "m": np.array(mask, np.int32)}, domain=MICROSOFT, num_heads=2)  # fmt: skip
    one(f"{name}.past", "Attention", ["x", "w", "b", "", "p"], {**x("float", 2, 3, 6), "p": ("float", [2, 2, 2, 4, 2])},
        weights, domain=MICROSOFT, num_heads=2, unidirectional=1, outputs=["y", "present"])  # fmt: skip
    one(f"{name}.bias", "Attention", ["x", "w", "", "", "", "a"], {**x("float", 2, 3, 6), "a": ("float", [2, 2, 3, 3])},
        weights, domain=MICROSOFT, num_heads=2, scale=0.3, qkv_hidden_sizes=[2, 2, 8])  # fmt: skip

    name, op = f"{MICROSOFT}.MultiHeadAttention", "MultiHeadAttention"
    heads = dict(domain=MICROSOFT, num_heads=2)
    separate = {"q": ("float", [2, 3, 4]), "k": ("float", [2, 5, 4]), "v": ("float", [2, 5, 6])}
    mask = np.array([[1, 1, 1, 0, 0], [1, 1, 1, 1, 1]], np.int32)
    for kind, opset in (("bias", 17), ("old", 9)):
        one(f"{name}.{kind}", op, ["q", "k", "v", "b", "m"], separate, {"b": numbers([14]), "m": mask}, opset=opset, **heads)
    one(f"{name}.scores", op, ["q", "k", "v", "", "", "a"], {**separate, "a": ("float", [1, 2, 3, 5])}, **heads)
    square = {key: ("float", [2, 3, 4]) for key in "qkv"}
    one(f"{name}.causal", op, ["q", "k", "v"], square, unidirectional=1, **heads)
    past = {**square, "pk": ("float", [2, 2, 4, 2]), "pv": ("float", [2, 2, 4, 2])}
    one(f"{name}.past", op, ["q", "k", "v", "", "", "", "pk", "pv"], past, outputs=["y", "nk", "nv"], **heads)


def losses():
    labels, weights = ints(1, 0, 4), {"w": np.abs(numbers([5]))}
    for reduction in ("mean", "sum", "none"):
        one(f"SoftmaxCrossEntropyLoss.{reduction}", "SoftmaxCrossEntropyLoss", ["x", "t", "w"], x("float", 3, 5),
            {"t": labels, **weights}, reduction=reduction, ignore_index=0, outputs=["y", "l"])  # fmt: skip
        one(f"NegativeLogLikelihoodLoss.{reduction}", "NegativeLogLikelihoodLoss", ["x", "t"], x("float", 3, 5, 2),
            {"t": ints([1, 0], [4, 2], [0, 3])}, reduction=reduction)  # fmt: skip


def pooling():
    sizes = dict(kernel_shape=[2, 2], strides=[2, 1])
    one("LpPool.two", "LpPool", ["x"], x("float", 1, 2, 4, 4), opset=11, **sizes)
    one("LpPool.three", "LpPool", ["x"], x("float", 1, 2, 4, 4), p=3, pads=[1, 0, 1, 0], opset=18, **sizes)
    one("GlobalLpPool.one", "GlobalLpPool", ["x"], x("float", 2, 3, 4), p=1, opset=13)


def grids():
    for aligned in (0, 1):
        one(f"AffineGrid.plane{aligned}", "AffineGrid", ["x", "s"], x("float", 2, 2, 3), {"s": ints(2, 1, 3, 4)},
            align_corners=aligned, opset=20)  # fmt: skip
    one("AffineGrid.space", "AffineGrid", ["x", "s"], x("float", 1, 3, 4), {"s": ints(1, 1, 2, 3, 4)}, opset=20)
    theta = numbers([2, 2, 3])
    one("AffineGrid.open", "AffineGrid", ["x", "s"], x("float", "N", "R", "C", of=theta), {"s": ints(2, 1, 3, 4)}, opset=20)
    one("CenterCropPad.all", "CenterCropPad", ["x", "s"], x("float", 5, 4), {"s": ints(2, 7)}, opset=18)
    one("CenterCropPad.axes", "CenterCropPad", ["x", "s"], x("float", "N", 5, 4), {"s": ints(8, 1)}, axes=[1, -1], opset=18)


def quantized():
    """Values between the steps, so that no rounding is a tie."""
    scales = {"s": np.array(0.013, np.float32), "z": np.array(128, np.uint8), "t": np.array(0.021, np.float32),
              "o": np.array(0, np.uint8)}  # fmt: skip
    first = make_node("QuantizeLinear", ["x", "s", "z"], ["q"])
    last = make_node("DequantizeLinear", ["r", "t", "z"], ["y"])
    pair, alone = ["q", "s", "z", "q", "s", "z", "t", "z"], ["q", "s", "z", "t", "z"]

    def through(op, inputs, given, kind="plain", **attributes):
        node = make_node(op, inputs, ["r"], domain=MICROSOFT, **attributes)
        case(f"{MICROSOFT}.{op}.{kind}", [first, node, last], given, scales)

    rows = x("float", 2, 3, of=[[0.113, -0.567, 0.3], [0.909, -0.02, 0.71]])
    through("QLinearAdd", pair, rows)
    through("QLinearMul", pair, rows)
    through("QLinearSigmoid", alone, rows)
    through("QLinearLeakyRelu", alone, rows, alpha=0.3)
    through("QLinearSoftmax", alone, rows, axis=-1, opset=13)
    through("QLinearSoftmax", alone, rows, "flat", axis=0, opset=12)
    through("QLinearConcat", ["t", "z", "q", "s", "z", "q", "s", "z"], rows, axis=1)
    through("QLinearGlobalAveragePool", alone, x("float", 1, 2, 3, 3))
    through("QLinearAveragePool", alone, x("float", 1, 2, 4, 4), kernel_shape=[2, 2])
    weights = {"w": np.arange(12, dtype=np.int8).reshape(3, 4) - 5, "v": np.array([0.01, 0.02, 0.01, 0.03], np.float32),
               "u": np.zeros(4, np.int8), "c": np.arange(4, dtype=np.int32) * 90, "e": np.array(0.05, np.float32)}  # fmt: skip
    gemm = make_node("QGemm", ["q", "s", "z", "w", "v", "u", "c", "t", "z"], ["r"], domain=MICROSOFT)
    case(f"{MICROSOFT}.QGemm.channels", [first, gemm, last], rows, {**scales, **weights})
    number = {"v": np.array(0.01, np.float32), "u": np.array(0, np.int8), "b": numbers([4])}
    one(f"{MICROSOFT}.DynamicQuantizeMatMul.bias", "DynamicQuantizeMatMul", ["x", "w", "v", "u", "b"], rows,
        {"w": weights["w"], **number}, domain=MICROSOFT)  # fmt: skip
    nodes = [make_node("DynamicQuantizeLinear", ["x"], ["q", "s", "z"]),
             make_node("MatMulIntegerToFloat", ["q", "w", "s", "v", "z", "u", "b"], ["y"], domain=MICROSOFT)]  # fmt: skip
    case(f"{MICROSOFT}.MatMulIntegerToFloat.bias", nodes, rows, {"w": weights["w"], **number})


def older():
    nodes = [make_node("Cast", ["x"], ["c"], to="DOUBLE"), make_node("Cast", ["c"], ["y"], to="FLOAT")]
    case("Cast.word", nodes, x("float", 2, 3), opset=5, results=lambda fed: [fed["x"]])
    one("TopK.attribute", "TopK", ["x"], x("float", 2, 4), k=2, axis=1, opset=9, outputs=["y", "i"])
    one("Reshape.attribute", "Reshape", ["x"], x("float", 2, 3), shape=[3, -1], opset=4,
        results=lambda fed: [fed["x"].reshape(3, 2)])  # fmt: skip
    by_axis = {"Add": np.add, "Sub": np.subtract, "Mul": np.multiply, "Div": np.divide}
    for op, function in by_axis.items():
        w = numbers([3])
        one(f"{op}.axis", op, ["x", "w"], x("float", 2, 3, 4), {"w": w}, broadcast=1, axis=1, opset=6,
            results=lambda fed, function=function: [function(fed["x"], w[:, None])])  # fmt: skip


def loop(name, nodes, given, weights, *, states, before=(), after=(), most="", goes="", collects=(), opset=17):
    """A loop over states by their names before, inside, and after a step, with a body of these nodes."""
    sequence = onnx.helper.make_sequence_type_proto(onnx.helper.make_tensor_type_proto(1, None))

    def typed(key):
        if key.startswith("list"):
            return onnx.helper.make_value_info(key, sequence)
        scalar = {"i": 7, "go": 9, "goes": 9}
        return make_tensor_value_info(key, scalar.get(key, 1), [] if key in scalar else None)

    formals = ["i", "go", *(inside for _, inside, _ in states)]
    results = ["goes", *(later for _, _, later in states), *collects]
    body = make_graph(nodes, "body", [*map(typed, formals)], [*map(typed, results)])
    outputs = [f"{start}_end" for start, _, _ in states] + [f"{value}_all" for value in collects]
    node = make_node("Loop", [most, goes, *(start for start, _, _ in states)], outputs, body=body)
    names = [output for output in outputs if not output.startswith("list")]
    names += [output for last in after for output in last.output]
    case(name, [*before, node, *after], given, weights, outputs=names, opset=opset)


def loops():
    """Of loops, tract has none: their steps are written out, or taken in the run."""
    go = make_node("Identity", ["go"], ["goes"])
    true, limit = np.array(True), np.array(9, np.float32)
    add = make_node("Add", ["s", "one"], ["t"])
    state = [("x", "s", "t")]
    weights = {"one": np.ones(3, np.float32), "yes": true, "limit": limit, "three": np.array(3), "h": np.float32([1.5])}
    size = [make_node("ReduceSum", ["s"], ["sum"], keepdims=0), make_node("Less", ["sum", "limit"], ["goes"])]
    seen = make_node("Mul", ["s", "s"], ["seen"])
    loop("Loop.known", [add, go, seen], x("float", 3), weights, states=state, most="three", collects=["seen"])
    loop("Loop.data", [add, *size, seen], x("float", 3), weights, states=state, goes="yes", collects=["seen"])
    loop("Loop.limit", [add, *size], x("float", 3), weights, states=state, most="three", goes="yes")
    count = [make_node("ReduceSum", ["x"], ["n"], keepdims=0), make_node("Cast", ["n"], ["count"], to=TensorProto.INT64)]
    loop("Loop.count", [add, go, seen], x("float", 3, of=[0.5, 0, 2.5]), weights, states=state, before=count, most="count",
         collects=["seen"])  # fmt: skip
    start = make_node("SequenceEmpty", [], ["list"])
    grow = [make_node("Gather", ["x", "i"], ["row"]), make_node("SequenceInsert", ["list_in", "row"], ["list_out"])]
    for op, rest in {"ConcatFromSequence": {"axis": 0, "new_axis": 1}, "SequenceAt": {}}.items():
        end = make_node(op, ["list_end", "last"] if op == "SequenceAt" else ["list_end"], ["y"], **rest)
        loop(f"{op}.loop", [*grow, go], x("float", 3, 2), {"three": np.array(3), "last": np.array(-1)},
             states=[("list", "list_in", "list_out")], before=[start], after=[end], most="three")  # fmt: skip


def choices():
    """tract gives all `If` one name."""
    nodes = []
    for name, op in {"a": "Neg", "b": "Exp"}.items():
        branches = {
            branch: make_graph([make_node(of, ["x"], [branch + name])], branch, [], [onnx.ValueInfoProto(name=branch + name)])
            for branch, of in {"then_branch": op, "else_branch": "Abs"}.items()
        }
        nodes.append(make_node("If", ["c"], [name], **branches))
    nodes.append(make_node("Add", ["a", "b"], ["y"]))
    case("If.two", nodes, {**x("float", 3), "c": ("bool", [], True)})


def sequences():
    split = make_node("SplitToSequence", ["x", "n"], ["l"], axis=1)
    at = make_node("SequenceAt", ["l", "i"], ["y"])
    for kind, sizes in {"each": np.array(2), "sizes": ints(1, 4)}.items():
        case(f"SplitToSequence.{kind}", [split, at], x("float", 2, 5), {"n": sizes, "i": ints(-1)[0]})
    nodes = [make_node("SplitToSequence", ["x"], ["l"], axis=-1, keepdims=0), at]
    case("SplitToSequence.one", nodes, x("float", 2, 5), {"i": ints(3)[0]})
    made = make_node("SequenceConstruct", ["x", "w"], ["l"])
    more = make_node("SequenceInsert", ["l", "w", "i"], ["m"])
    joined = make_node("ConcatFromSequence", ["m"], ["y"], axis=-1)
    given = x("float", 2, 5), {"w": numbers([2, 3]), "i": ints(0)[0]}
    case("SequenceInsert.first", [made, more, joined], *given)
    case("SequenceConstruct.two", [made, make_node("ConcatFromSequence", ["l"], ["y"], axis=1)], *given)
    case("SequenceErase.first", [made, make_node("SequenceErase", ["l", "i"], ["m"]), joined], *given)
    case("SequenceLength.two", [made, make_node("SequenceLength", ["l"], ["y"])], *given)
    nodes = [make_node("SequenceEmpty", [], ["l"]), make_node("SequenceInsert", ["l", "x"], ["m"]), joined]
    case("SequenceEmpty.one", nodes, x("float", 2, 5))


def listed(value):
    name = onnx.helper.tensor_dtype_to_string(onnx.helper.np_dtype_to_tensor_dtype(value.dtype))
    element = name.removeprefix("TensorProto.").lower()
    flat = value.astype(np.float64).ravel().tolist()
    return [element, list(value.shape), [float(f"{number:.8g}") for number in flat]]


def main():
    for make in (arithmetic, integers, indices, reductions, normalizations, padding, resampling, recurrent, fused,
                 attention, losses, pooling, grids, quantized, older, loops, choices, sequences):  # fmt: skip
        make()
    for old in HERE.glob("*.onnx"):
        old.unlink()
    expected = {}
    for name, (model, fed, found) in sorted(MODELS.items()):
        (HERE / f"{name}.onnx").write_bytes(model.SerializeToString())
        both = {"inputs": fed, "outputs": found}
        expected[name] = {key: {n: listed(v) for n, v in values.items()} for key, values in both.items()}
    lines = [f"{json.dumps(name)}: {json.dumps(value)}" for name, value in expected.items()]
    (HERE / "expected.json").write_text("{\n" + ",\n".join(lines) + "\n}\n")
    print(f"{len(MODELS)} models")


if __name__ == "__main__":
    main()
