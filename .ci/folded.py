#!/usr/bin/env python3
"""Judges `dropout-onnx fold` with ONNX Runtime, on random graphs.

    .ci/folded.py target/debug/dropout-onnx [--models 600] [--seed 0] [--only N]

Small graphs are made of factors (Mul and Div by constants of every form), of all that fold passes
and folds into, and of what it must not pass, with branches, shared weights and several outputs. Then:

    exit      status 0, `--verify structure`; every tenth is also run by tract, which finds no difference
    checker   onnx.checker accepts the result, with shape inference
    outputs   ONNX Runtime (optimisations off) gives the same for both, within rounding
    fewer     as many factors are gone as the report says
    fixed     a second run changes nothing
    seen      over all models, every operator of the tables was passed or took a factor

Every comparison is also shown to fail, on each model with its factors taken out and nothing scaled:
the outputs (but for the few where what is dropped makes no difference), the count, and `verify`.
"""

import argparse
import json
import random
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
from onnx import TensorProto, helper, numpy_helper

ort.set_default_logger_severity(4)
OPSETS = [11, 13, 17, 18, 21]
# What random graphs of this size surely show.
PASSED = """Abs Add AveragePool Cast Clip Concat CumSum DepthToSpace Dropout Expand Flatten Gather GlobalAveragePool
    GlobalMaxPool Identity LeakyRelu MatMul Max MaxPool Min Mul Neg PRelu Pad ReduceL2 ReduceMax
    ReduceMean ReduceSum Relu Reshape Slice Split Squeeze Sub Sum Tile Transpose Trilu Unsqueeze Where""".split()
TOOK = """BatchNormalization Conv ConvTranspose Gemm InstanceNormalization LayerNormalization MatMul Mul
    Div""".split()


class Builder:
    """A graph that grows by one random operator at a time."""

    def __init__(self, seed):
        self.random = random.Random(seed)
        self.numbers = np.random.default_rng(seed)
        self.opset = self.random.choice(OPSETS)
        self.nodes, self.constants, self.values = [], [], []
        self.weights = {}
        shape = [self.random.choice([1, 2, 3, 4]) for _ in range(self.random.choice([2, 3, 4, 4]))]
        self.input = helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)
        self.values.append(("x", shape))

    def constant(self, array, form=None):
        """The name of a constant: an initializer or a Constant node."""
        name = f"c{len(self.constants) + len(self.nodes)}_{len(self.weights)}"
        array = np.asarray(array)
        form = form or self.random.choice(["initializer", "initializer", "node", "float"])
        if form == "initializer" or (form == "float" and (array.ndim or array.dtype != np.float32)):
            self.constants.append(numpy_helper.from_array(array, name))
        elif form == "node":
            value = numpy_helper.from_array(array, "")
            self.nodes.append(helper.make_node("Constant", [], [name], value=value))
        elif self.opset >= 12:
            self.nodes.append(helper.make_node("Constant", [], [name], value_float=float(array)))
        else:
            self.constants.append(numpy_helper.from_array(array, name))
        self.weights[name] = array
        return name

    def weight(self, *shape):
        """Weights, sometimes those that something else uses as well."""
        for name, array in self.weights.items():
            if array.shape == shape and array.dtype == np.float32 and self.random.random() < 0.3:
                return name
        return self.constant(self.numbers.uniform(-1, 1, shape).astype(np.float32))

    def node(self, op, inputs, shape, outputs=1, **attributes):
        """Adds a node; its first output has this shape."""
        name = f"v{len(self.nodes)}"
        names = [name] + [f"{name}_{i}" for i in range(1, outputs)]
        self.nodes.append(helper.make_node(op, inputs, names, name=f"n{len(self.nodes)}", **attributes))
        self.values.append((name, list(shape)))
        return names

    def integers(self, attribute, numbers, since, op_inputs):
        """Integers as an attribute, or from an opset on as an input."""
        if self.opset < since:
            return op_inputs, {attribute: numbers}
        return op_inputs + [self.constant(np.array(numbers, np.int64))], {}

    # The ways to go on; each returns False where it does not fit.

    def factor(self, x, shape):
        size, rank = None, len(shape)
        ones = [1] * self.random.randint(0, rank)
        if ones and self.random.random() < 0.5:
            axis = self.random.randrange(len(ones))
            size = ones[axis] = shape[rank - len(ones) + axis]
        numbers = self.numbers.uniform(0.3, 3, ones).astype(np.float32)
        if self.random.random() < 0.4:
            numbers = np.float32(2) ** self.numbers.integers(-2, 3, ones).astype(np.float32)
        if self.random.random() < 0.15:
            numbers = -numbers
        by = self.constant(np.asarray(numbers, np.float32).reshape(ones))
        if self.random.random() < 0.35:
            self.node("Div", [x, by], shape)
        else:
            self.node("Mul", [x, by] if self.random.random() < 0.7 else [by, x], shape)

    def matmul(self, x, shape):
        out = self.random.choice([1, 2, 3])
        if self.random.random() < 0.7:
            self.node("MatMul", [x, self.weight(shape[-1], out)], shape[:-1] + [out])
        else:
            self.node("MatMul", [self.weight(out, shape[-2]), x], shape[:-2] + [out, shape[-1]])

    def gemm(self, x, shape):
        if len(shape) != 2:
            return False
        out, more = self.random.choice([1, 2, 3]), {}
        trans = [self.random.randint(0, 1) for _ in range(2)]
        left = self.random.random() < 0.75
        if left:
            m, k = shape[::-1] if trans[0] else shape
            inputs = [x, self.weight(*((out, k) if trans[1] else (k, out)))]
            result = [m, out]
        else:
            n, k = shape if trans[1] else shape[::-1]
            inputs = [self.weight(*((k, out) if trans[0] else (out, k))), x]
            result = [out, n]
        if self.random.random() < 0.7:
            bias = self.random.choice([[result[1]], [1], [result[0], 1], result, []])
            inputs.append(self.weight(*bias))
        for name in ("alpha", "beta"):
            if self.random.random() < 0.3:
                more[name] = self.random.choice([0.5, 2.0, -1.5, 0.3])
        self.node("Gemm", inputs, result, transA=trans[0], transB=trans[1], **more)

    def conv(self, x, shape):
        if len(shape) < 3:
            return False
        channels, spatial = shape[1], shape[2:]
        group = self.random.choice([g for g in (1, 1, 2, 3, 4) if channels % g == 0])
        out = group * self.random.choice([1, 2])
        kernel = [1] * len(spatial)
        bias = [self.weight(out)] if self.random.random() < 0.6 else []
        if self.random.random() < 0.6:
            w = self.weight(out, channels // group, *kernel)
            self.node("Conv", [x, w] + bias, [shape[0], out] + spatial, group=group)
        else:
            w = self.weight(channels, out // group, *kernel)
            self.node("ConvTranspose", [x, w] + bias, [shape[0], out] + spatial, group=group)

    def normalization(self, x, shape):
        kind = self.random.choice(["BatchNormalization", "InstanceNormalization", "LayerNormalization"])
        if kind == "LayerNormalization":
            if self.opset < 17:
                return False
            axis = self.random.randrange(len(shape))
            scale = [self.weight(*shape[axis:]) for _ in range(self.random.choice([1, 2]))]
            self.node(kind, [x] + scale, shape, axis=axis)
            return
        scale = [self.weight(shape[1]), self.weight(shape[1])]
        if kind == "BatchNormalization":
            mean = self.weight(shape[1])
            var = self.constant(self.numbers.uniform(0.5, 2, shape[1]).astype(np.float32))
            self.node(kind, [x] + scale + [mean, var], shape, epsilon=self.random.choice([1e-5, 0.1]))
        elif len(shape) >= 3:
            self.node(kind, [x] + scale, shape)
        else:
            return False

    def same(self, x, shape):
        op = self.random.choice(
            """Abs Abs Cast Cast Clip Dropout Identity LeakyRelu Neg PRelu Relu Relu Relu Trilu Where
            Cast16 Sigmoid Softmax Sqrt Tanh""".split()
        )
        if op == "Cast":
            middle = f"m{len(self.nodes)}"
            self.nodes.append(helper.make_node("Cast", [x], [middle], to=TensorProto.DOUBLE))
            self.node("Cast", [middle], shape, to=TensorProto.FLOAT)
        elif op == "Cast16":
            middle = f"m{len(self.nodes)}"
            self.nodes.append(helper.make_node("Cast", [x], [middle], to=TensorProto.INT64))
            self.node("Cast", [middle], shape, to=TensorProto.FLOAT)
        elif op == "Trilu":
            if self.opset < 14:
                return False
            self.node(op, [x], shape, upper=self.random.randint(0, 1))
        elif op == "LeakyRelu":
            self.node(op, [x], shape, alpha=self.random.choice([0.1, -0.5]))
        elif op == "PRelu":
            slope = self.random.choice([[1], shape, shape[-1:]])
            self.node(op, [x, self.weight(*slope)], shape)
        elif op == "Where":
            mask = self.constant(self.numbers.integers(0, 2, shape).astype(bool), "initializer")
            other = self.random.choice([x, self.pick(shape), self.constant(np.zeros([], np.float32))])
            self.node(op, [mask, x, other] if self.random.random() < 0.5 else [mask, other, x], shape)
        elif op == "Clip":
            low = self.constant(np.array(0, np.float32))
            high = [self.constant(np.array(1, np.float32))] if self.random.random() < 0.3 else []
            self.node(op, [x, low] + high, shape)
        elif op == "Sqrt":
            middle = f"m{len(self.nodes)}"
            self.nodes.append(helper.make_node("Abs", [x], [middle]))
            self.node(op, [middle], shape)
        else:
            self.node(op, [x], shape)

    def reduce(self, x, shape):
        op = self.random.choice(
            "ReduceL1 ReduceL2 ReduceMax ReduceMean ReduceMin ReduceSum ReduceSum ReduceProd ReduceSumSquare"
            .split()
        )
        axes = sorted(self.random.sample(range(len(shape)), self.random.randint(1, len(shape) - 1)))
        keep = self.random.randint(0, 1) if len(shape) - len(axes) >= 2 else 1
        since = 13 if op == "ReduceSum" else 18
        named = [axis - len(shape) if self.random.random() < 0.5 else axis for axis in axes]
        inputs, more = self.integers("axes", named, since, [x])
        result = [1 if i in axes else n for i, n in enumerate(shape) if keep or i not in axes]
        self.node(op, inputs, result, keepdims=keep, **more)

    def pool(self, x, shape):
        if len(shape) < 3:
            return False
        op = self.random.choice(
            "AveragePool MaxPool LpPool GlobalAveragePool GlobalMaxPool GlobalLpPool".split()
        )
        spatial = shape[2:]
        if op.startswith("Global"):
            self.node(op, [x], shape[:2] + [1] * len(spatial))
        else:
            kernel = [self.random.choice([1, 2]) if n > 1 else 1 for n in spatial]
            result = shape[:2] + [n - k + 1 for n, k in zip(spatial, kernel)]
            self.node(op, [x], result, kernel_shape=kernel)

    def pad(self, x, shape):
        axis = self.random.randrange(len(shape))
        pads = [0] * 2 * len(shape)
        pads[axis], pads[axis + len(shape)] = self.random.randint(0, 1), self.random.randint(0, 2)
        inputs = [x, self.constant(np.array(pads, np.int64))]
        if self.random.random() < 0.6:
            inputs.append(self.constant(np.array(self.random.choice([0, 0, 1]), np.float32)))
        result = list(shape)
        result[axis] += sum(pads)
        if self.opset >= 18 and self.random.random() < 0.5:
            inputs += [""] * (3 - len(inputs)) + [self.constant(np.array([axis - len(shape)], np.int64))]
            pads = [pads[axis], pads[axis + len(shape)]]
            inputs[1] = self.constant(np.array(pads, np.int64))
        mode = "edge" if self.random.random() < 0.2 else "constant"
        self.node("Pad", inputs, result, mode=mode)

    def shuffle(self, x, shape):
        rank = len(shape)
        op = self.random.choice(
            """Transpose Transpose Reshape Reshape Flatten Squeeze Unsqueeze Slice Gather GatherElements
            Tile Expand Split Split Split DepthToSpace DepthToSpace SpaceToDepth CumSum""".split()
        )
        if op == "Transpose":
            perm = self.random.sample(range(rank), rank)
            self.node(op, [x], [shape[i] for i in perm], perm=perm)
        elif op == "Reshape":
            size = int(np.prod(shape))
            first = self.random.choice([n for n in range(1, size + 1) if size % n == 0])
            second = self.random.choice([n for n in range(1, size // first + 1) if size // first % n == 0])
            to = self.random.choice([[first, size // first], [first, second, size // first // second]])
            given = list(to)
            if self.random.random() < 0.3:
                given[self.random.randrange(len(to))] = -1
            self.node(op, [x, self.constant(np.array(given, np.int64))], to)
        elif op == "Flatten":
            axis = self.random.randrange(rank)
            rows = int(np.prod(shape[:axis]))
            self.node(op, [x], [rows, int(np.prod(shape)) // rows], axis=axis)
        elif op == "Squeeze":
            ones = [i for i, n in enumerate(shape) if n == 1]
            if not ones or rank == 2:
                return False
            axis = self.random.choice(ones)
            inputs, more = self.integers("axes", [axis], 13, [x])
            self.node(op, inputs, shape[:axis] + shape[axis + 1 :], **more)
        elif op == "Unsqueeze":
            if rank == 4:
                return False
            axis = self.random.randint(0, rank)
            inputs, more = self.integers("axes", [axis], 13, [x])
            self.node(op, inputs, shape[:axis] + [1] + shape[axis:], **more)
        elif op == "Slice":
            axis = self.random.randrange(rank)
            start, step = self.random.choice([(0, 1), (0, 2), (1, 1), (-1, -1)])
            sliced = range(shape[axis])[start : None if step > 0 else None : step]
            if not sliced:
                return False
            end = 2**31 if step > 0 else -(2**31)
            numbers = [self.constant(np.array([n], np.int64)) for n in (start, end, axis, step)]
            result = list(shape)
            result[axis] = len(sliced)
            self.node(op, [x] + numbers, result)
        elif op == "Gather":
            axis = self.random.randrange(rank)
            picked = [self.random.randrange(shape[axis]) for _ in range(self.random.randint(1, 3))]
            result = list(shape)
            result[axis] = len(picked)
            self.node(op, [x, self.constant(np.array(picked, np.int64))], result, axis=axis)
        elif op == "GatherElements":
            axis = self.random.randrange(rank)
            picked = self.numbers.integers(0, shape[axis], shape)
            self.node(op, [x, self.constant(picked)], shape, axis=axis)
        elif op == "Tile":
            times = [self.random.choice([1, 1, 2]) for _ in shape]
            result = [n * t for n, t in zip(shape, times)]
            self.node(op, [x, self.constant(np.array(times, np.int64))], result)
        elif op == "Expand":
            result = [n if n > 1 else self.random.choice([1, 2]) for n in shape]
            self.node(op, [x, self.constant(np.array(result, np.int64))], result)
        elif op == "Split":
            axis = self.random.randrange(rank)
            if shape[axis] < 2:
                return False
            parts = [1, shape[axis] - 1]
            inputs, more = self.integers("split", parts, 13, [x])
            names = self.node(op, inputs, [], outputs=2, axis=axis, **more)
            self.values.pop()
            for name, size in zip(names, parts):
                self.values.append((name, shape[:axis] + [size] + shape[axis + 1 :]))
        elif op in ("DepthToSpace", "SpaceToDepth"):
            if rank != 4:
                return False
            n, c, h, w = shape
            if op == "DepthToSpace" and c % 4 == 0:
                self.node(op, [x], [n, c // 4, 2 * h, 2 * w], blocksize=2)
            elif op == "SpaceToDepth" and h % 2 == 0 and w % 2 == 0:
                self.node(op, [x], [n, 4 * c, h // 2, w // 2], blocksize=2)
            else:
                return False
        else:
            axis = self.constant(np.array(self.random.randrange(rank), np.int64), "initializer")
            self.node(op, [x, axis], shape)

    def pick(self, shape):
        """A value of this shape: another, where there is one."""
        return self.random.choice([name for name, known in self.values if known == shape])

    def joint(self, x, shape):
        op = self.random.choice("Add Add Sub Mul Div Max Min Sum Mean Concat Concat MatMul Bias Bias".split())
        if op == "Bias":
            bias = self.random.choice([[], [1], shape[-1:], [shape[-2], 1]])
            both = [x, self.weight(*bias)]
            self.random.shuffle(both)
            self.node(self.random.choice(["Add", "Sub"]), both, shape)
        elif op == "Concat":
            axis = self.random.randrange(len(shape))
            fits = [v for v in self.values if len(v[1]) == len(shape)
                    and all(a == b for i, (a, b) in enumerate(zip(v[1], shape)) if i != axis)]
            name, other = self.random.choice(fits)
            result = list(shape)
            result[axis] += other[axis]
            self.node(op, [x, name] if self.random.random() < 0.5 else [name, x], result, axis=axis)
        elif op == "MatMul":
            turned = shape[:-2] + [shape[-1], shape[-2]]
            perm = list(range(len(shape) - 2)) + [len(shape) - 1, len(shape) - 2]
            other = self.node("Transpose", [self.pick(shape)], turned, perm=perm)[0]
            self.node(op, [x, other], shape[:-1] + [shape[-2]])
        else:
            if op == "Div":  # by what is far from 0
                other = f"m{len(self.nodes)}"
                self.nodes.append(helper.make_node("Exp", [self.pick(shape)], [other]))
            else:
                other = self.pick(shape)
            self.node(op, [x, other], shape)

    def twins(self, x, shape):
        """Values that are scaled alike, put together."""
        other = self.pick(shape)
        by = self.constant(np.array(self.random.choice([0.5, 0.7, 3.0, -2.0]), np.float32))
        both = [self.node("Mul", [value, by], shape)[0] for value in (x, other)]
        op = self.random.choice("Add Sub Max Min Sum Mean Concat Where Where".split())
        if self.random.random() < 0.3:
            both[1] = self.constant(np.zeros(self.random.choice([[], shape[-1:]]), np.float32))
        if op == "Concat" and len(both[1].split("_")) == 1:
            axis = self.random.randrange(len(shape))
            self.node(op, both, [n * 2 if i == axis else n for i, n in enumerate(shape)], axis=axis)
        elif op == "Where":
            mask = self.constant(self.numbers.integers(0, 2, shape).astype(bool), "initializer")
            self.node(op, [mask] + both, shape)
        else:
            self.node("Add" if op == "Concat" else op, both, shape)

    def model(self):
        carries = [self.same] * 4 + [self.reduce, self.pool, self.pool, self.pad] + [self.shuffle] * 5
        takers = [self.matmul, self.gemm, self.gemm, self.conv, self.conv, self.normalization]
        # most factors find something to pass, and then something to go into
        after = {
            "taker": (["factor"] * 4 + ["taker"] * 2 + ["carry", "joint"]),
            "factor": (["carry"] * 5 + ["taker"] * 3 + ["factor", "joint"]),
            "carry": (["carry"] * 2 + ["taker"] * 5 + ["factor", "joint"]),
            "joint": (["taker"] * 5 + ["factor"] * 2 + ["carry"]),
        }
        ways = {"factor": [self.factor], "carry": carries, "taker": takers}
        ways["joint"] = [self.joint, self.twins, self.twins]
        target, last = self.random.randint(4, 16), "taker"
        while len(self.nodes) < target:
            name, shape = self.values[-1] if self.random.random() < 0.9 else self.random.choice(self.values)
            if int(np.prod(shape)) < 400:
                way = self.random.choice(after[last])
                if self.random.choice(ways[way])(name, list(shape)) is not False:
                    last = way
            else:
                self.values.append(self.values[0])
        used = {name for node in self.nodes for name in node.input}
        ends = [name for name, _ in self.values if name not in used]
        if self.random.random() < 0.1:
            ends.append(self.random.choice(self.values)[0])
        ends = [end for end in dict.fromkeys(ends) if end != "x"]
        shapes = dict(self.values)
        outputs = [helper.make_tensor_value_info(end, TensorProto.FLOAT, shapes[end]) for end in ends]
        graph = helper.make_graph(self.nodes, "g", [self.input], outputs, self.constants)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", self.opset)], ir_version=8)
        return onnx.shape_inference.infer_shapes(model) if self.random.random() < 0.5 else model


def run(model, data):
    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.intra_op_num_threads = 1
    session = ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return session.run(None, data)


def data(model, seed):
    shape = [d.dim_value for d in model.graph.input[0].type.tensor_type.shape.dim]
    return {"x": np.random.default_rng(seed).normal(size=shape).astype(np.float32)}


def outputs_problem(before, after, seeds=(1, 2)):
    """What is wrong with the outputs of a result."""
    for seed in seeds:
        fed = data(before, seed)
        for info, a, b in zip(before.graph.output, run(before, fed), run(after, fed)):
            if a.shape != b.shape:
                return f"{info.name}: {a.shape} became {b.shape}"
            finite = np.isfinite(a)
            if (finite != np.isfinite(b)).any():
                return f"{info.name}: not finite in other places"
            # what is rounded on the way is as large as the largest number there
            room = 1e-3 * max(1e-3, np.abs(a[finite]).max(initial=0))
            worst = np.abs(a[finite] - b[finite]).max(initial=0)
            if worst > room:
                return f"{info.name}: differs by {worst}, of {np.abs(a[finite]).max(initial=0)}"
    return None


def count_problem(before, after, folded):
    """What is wrong with the number of factors that are gone."""
    count = lambda model: sum(node.op_type in ("Mul", "Div") for node in model.graph.node)
    gone = count(before) - count(after)
    return None if gone == folded else f"{gone} are gone, and the report says {folded}"


def factors_dropped(model, report):
    """The model with folded factors taken out, and nothing scaled."""
    result = onnx.ModelProto()
    result.CopyFrom(model)
    constants = {t.name for t in model.graph.initializer}
    constants |= {n.output[0] for n in model.graph.node if n.op_type == "Constant"}
    gone = {f["value"] for f in report["factors"] if f["action"] == "fold" and f["factor"] not in ("1", "-1")}
    for node in result.graph.node:
        if node.output[0] in gone:
            kept = [i for i in node.input if i not in constants]
            node.CopyFrom(helper.make_node("Identity", kept[:1], node.output, name=node.name))
    return result


class Judge:
    def __init__(self, binary, folder):
        self.binary, self.folder = binary, folder
        self.problems, self.seen, self.run = [], Counter(), Counter()
        self.folded = self.missed = 0

    def tool(self, *arguments):
        return subprocess.run([self.binary, *map(str, arguments)], capture_output=True, text=True)

    def fold(self, path, out, how):
        done = self.tool("fold", "--format", "json", "--verify", how, "--force", path, out)
        return done, json.loads(done.stdout) if done.stdout.startswith("{") else None

    def judge(self, seed):
        model = Builder(seed).model()
        if any(not np.isfinite(out).all() for out in run(model, data(model, 1))):
            return
        path, out, again = (self.folder / name for name in ("a.onnx", "b.onnx", "c.onnx"))
        onnx.save(model, path)
        done, report = self.fold(path, out, "structure")
        if done.returncode:
            self.problems.append((seed, f"exit {done.returncode}: {done.stdout}{done.stderr}"))
            return
        result = onnx.load(out)
        said = [f for f in report["factors"] if f["action"] == "fold"]
        for factor in said:
            self.seen.update({("passed", text.split()[0]) for text in factor["through"]})
            self.seen.update({("took", text.split()[0]) for text in factor["into"]})
        self.folded += len(said)
        problem = self.problem(model, result, report)
        if problem is None:
            done, report_again = self.fold(out, again, "structure")
            if done.returncode:
                problem = f"again: exit {done.returncode}: {done.stderr}"
            elif out.read_bytes() != again.read_bytes():
                problem = f"a second run folds {report_again['folded']} more"
        if problem is None and seed % 10 == 0 and said:
            done = self.tool("fold", "--force", "--rtol", "1e-3", "--atol", "1e-3", path, again)
            self.run[done.returncode] += 1
            if done.returncode == 1:
                problem = f"tract: {done.stdout}{done.stderr}"
        if problem:
            self.problems.append((seed, problem))
        elif said:
            self.twin(seed, model, report)

    def problem(self, model, result, report):
        try:
            onnx.checker.check_model(result, full_check=True)
        except Exception as e:  # noqa: BLE001
            return f"checker: {str(e)[:300]}"
        return outputs_problem(model, result) or count_problem(model, result, report["folded"])

    def twin(self, seed, model, report):
        """The checks see what is wrong; now and then what is dropped cancels out."""
        dropped = factors_dropped(model, report)
        if outputs_problem(model, dropped) is None:
            self.missed += 1
        if count_problem(model, model, report["folded"]) is None:
            raise SystemExit(f"model {seed}: factors that are still there were not seen")
        if seed % 10 == 0 and dropped != model:
            before, broken = self.folder / "a.onnx", self.folder / "d.onnx"
            onnx.save(dropped, broken)
            if self.tool("verify", "--verify", "structure", before, broken).returncode != 1:
                raise SystemExit(f"model {seed}: verify did not see that factors are missing")


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    arguments.add_argument("binary")
    arguments.add_argument("--models", type=int, default=600)
    arguments.add_argument("--seed", type=int, default=0)
    arguments.add_argument("--only", type=int)
    arguments.add_argument("--keep", type=Path, help="write the models of --only here")
    asked = arguments.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        judge = Judge(asked.binary, asked.keep or Path(folder))
        seeds = range(asked.seed, asked.seed + asked.models) if asked.only is None else [asked.only]
        for seed in seeds:
            judge.judge(seed)
    for seed, problem in judge.problems:
        print(f"model {seed}: {problem}")
    print(f"{len(seeds)} models, {judge.folded} factors folded, {judge.missed} twins not seen;",
          "tract:", dict(judge.run))
    for what in ("passed", "took"):
        print(what, {op: n for (kind, op), n in sorted(judge.seen.items()) if kind == what})
    if asked.only is None and asked.models >= 600:
        lacks = [f"passed {op}" for op in PASSED if not judge.seen["passed", op]]
        lacks += [f"took {op}" for op in TOOK if not judge.seen["took", op]]
        if lacks:
            raise SystemExit(f"never seen: {', '.join(lacks)}")
    if judge.missed > max(3, judge.folded // 10):
        raise SystemExit(f"{judge.missed} models without their factors were not told from the original")
    if judge.problems:
        raise SystemExit(f"{len(judge.problems)} of {len(seeds)} models are folded wrongly")


if __name__ == "__main__":
    sys.exit(main())
