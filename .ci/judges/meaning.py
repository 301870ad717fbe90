"""What a model with random masks computes at inference, without knowing where a mask begins or ends.

An evaluator of its own, node by node (single operators by onnx.reference). Every random draw is a
handful of *worlds*: uniform numbers one for each interval between the numbers a model could compare
with (its scalar constants c and 1 - c), weighted by the interval's length, so that every threshold is
met exactly; normal numbers a few symmetric points. Within a draw all elements have the same number.
A value that depends on draws is carried as all its worlds, exactly, through whatever is linear in the
data, and replaced by its mean where it enters anything else (an activation, a norm, a product with
another such value). For dropout that is the inference meaning, wherever its exit may be: inverted
dropout has the mean x, an unscaled mask keep * x, Gaussian dropout and noise x.

Alpha dropout is the exception: its mean is not x. It is recognised by its numbers: in a share p of the
worlds the whole tensor is a(p) * alpha' * (1 - p), and elsewhere a(p) * x + b(p); then x is taken.

What else is random (a VAE's sampling, a flip) gets its mean too: no meaning, but the same on both sides.
"""

from dataclasses import dataclass

import numpy as np
import onnx
from onnx import AttributeProto, NodeProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

from . import scopes
from .runtime import CannotRun, with_numbered_casts

MOST_CASES = 40_000  # of one value: product of the worlds of the draws it depends on
ALPHA = -1.7580993408473766  # -scale * alpha of SELU (Klambauer 2017)
NORMAL_POINTS = np.array([-1.5, -0.5, 0.5, 1.5])

# Linear in all inputs together.
LINEAR = set(
    "Identity Transpose Reshape Flatten Expand Tile Slice Squeeze Unsqueeze Concat Split Gather Pad "
    "Add Sub Sum Neg ReduceSum ReduceMean GlobalAveragePool AveragePool Cast CastLike Where "
    "ReverseSequence DepthToSpace SpaceToDepth".split()
)
# Linear in each input; Div in its first.
BILINEAR = {"Mul", "MatMul", "Gemm", "Conv", "Einsum", "Div"}
UNIFORM = {"RandomUniform", "RandomUniformLike", "StatelessRandomUniformV2", "Bernoulli"}
NORMAL = {"RandomNormal", "RandomNormalLike", "StatelessRandomNormalV2"}


@dataclass
class Value:
    """`cases[index[w1, w2, ...]]` is the array in world w1 of the first draw, w2 of the second, ..."""

    cases: list
    index: np.ndarray
    draws: tuple = ()
    data: bool = False  # depends on what an input or a weight holds, not only on its shape

    @property
    def random(self):
        return bool(self.draws)

    @property
    def array(self):
        assert not self.draws
        return self.cases[0]


def fixed(array, data=False):
    return Value([array], np.zeros((), int), (), data)


class Meaning:
    def __init__(self, model, bernoulli_drops=False):
        """`bernoulli_drops`: Bernoulli(p) is 1 with probability 1 - p, as in ONNX Runtime."""
        self.bernoulli_drops = bernoulli_drops
        self.model = with_numbered_casts(model)
        self.opset = scopes.opset(model.opset_import, 1)
        self.functions = {(f.domain, f.name, getattr(f, "overload", "")): f for f in model.functions}
        self.weights = []  # of the worlds of each draw
        self.runners = {}
        self.alpha = 0  # alpha dropouts recognised
        self.means = 0  # values replaced by their mean
        self.early = 0  # ... because they depended on too many draws

    def run(self, feed):
        self.weights, self.alpha, self.means, self.early = [], 0, 0, 0
        self.thresholds = thresholds(self.model, feed)
        graph = self.model.graph
        known = {}
        for name, array in feed.items():
            known[name] = fixed(array, data=np.asarray(array).ndim > 0)
        results = self.graph(graph, known, self.opset)
        return [np.asarray(self.mean(r).array) for r in results]

    # -- scopes

    def graph(self, graph, known, opset, given=()):
        known = dict(known)
        for tensor in graph.initializer:
            if tensor.name not in given and (given or tensor.name not in known):
                array = numpy_helper.to_array(tensor)
                # weights may be masked as well as data may
                known[tensor.name] = fixed(array, array.dtype.kind == "f" and len(np.unique(array)) > 2)
        self.nodes(graph.node, known, opset, {})
        return [known[o.name] for o in graph.output]

    def nodes(self, nodes, known, opset, attributes):
        for node in nodes:
            try:
                results = self.node(node, known, opset, attributes)
            except CannotRun:
                raise
            except Exception as error:
                text = (str(error).strip() or type(error).__name__).splitlines()[0][:160]
                raise CannotRun(f"{node.op_type} {node.name!r}: {text}") from error
            for name, result in zip(node.output, results):
                if name:
                    known[name] = result

    def node(self, node, known, opset, attributes):
        node = with_attributes(node, attributes)
        inputs = [known[name] if name else None for name in node.input]
        function = self.functions.get((node.domain, node.op_type, getattr(node, "overload", "")))
        if function is not None:
            return self.call(function, node, inputs)
        if node.domain not in scopes.ONNX_DOMAINS:
            raise CannotRun(f"{node.domain}::{node.op_type} is unknown")
        if node.op_type in UNIFORM | NORMAL:
            return [self.draw(node, inputs)]
        if node.op_type == "Dropout":
            ones = fixed(np.ones(inputs[0].cases[0].shape, bool if opset >= 10 else np.float32))
            return [inputs[0], ones]
        if node.op_type == "If":
            branch = "then_branch" if bool(inputs[0].array) else "else_branch"
            body = next(a.g for a in node.attribute if a.name == branch)
            return self.graph(body, known, opset)
        if node.op_type == "Loop":
            return self.loop(node, inputs, known, opset)
        if node.op_type == "Scan":
            return self.scan(node, inputs, known, opset)
        if node.op_type in ("Shape", "Size"):
            return [fixed(r) for r in self.operator(node, opset, [inputs[0].cases[0]])]
        return [self.exit_of_alpha(r) for r in self.worlds(node, opset, inputs)]

    def call(self, function, node, inputs):
        inner = {name: value for name, value in zip(function.input, inputs) if value is not None}
        for name in function.input[len(inputs) :]:
            inner[name] = None
        attributes = {a.name: a for a in function.attribute_proto}
        attributes |= {a.name: a for a in node.attribute}
        self.nodes(function.node, inner, scopes.opset(function.opset_import, self.opset), attributes)
        return [inner[name] for name in function.output]

    def loop(self, node, inputs, known, opset):
        body = node.attribute[0].g
        trips = None if inputs[0] is None else int(inputs[0].array)
        going = inputs[1] is None if len(inputs) < 2 else inputs[1] is None or bool(inputs[1].array)
        state = inputs[2:]
        count = len(state)
        scans = [[] for _ in body.output[1 + count :]]
        names = [i.name for i in body.input]
        step = 0
        while going and (trips is None or step < trips):
            if step > 1000:
                raise CannotRun("a Loop of more than 1000 steps")
            inner = dict(known)
            inner |= zip(names, [fixed(np.array(step, np.int64)), fixed(np.array(True)), *state])
            results = self.graph(body, inner, opset, given=set(names))
            going = bool(results[0].array)
            state = results[1 : 1 + count]
            for scan, value in zip(scans, results[1 + count :]):
                scan.append(value)
            step += 1
        return [*state, *(self.stacked(scan) for scan in scans)]

    def scan(self, node, inputs, known, opset):
        """Along the first axis, forwards."""
        attribute = {a.name: helper.get_attribute_value(a) for a in node.attribute}
        body, count = attribute.pop("body"), attribute.pop("num_scan_inputs")
        if opset < 9 or any(any(value) for value in attribute.values()):
            raise CannotRun("a Scan along another axis, or backwards")
        names, state, scanned = [i.name for i in body.input], inputs[:-count], inputs[-count:]
        scans = [[] for _ in body.output[len(state) :]]
        for step in range(scanned[0].cases[0].shape[0]):
            pieces = [Value([c[step] for c in v.cases], v.index, v.draws, v.data) for v in scanned]
            inner = dict(known) | dict(zip(names, [*state, *pieces]))
            results = self.graph(body, inner, opset, given=set(names))
            state = results[: len(state)]
            for scan, value in zip(scans, results[len(state) :]):
                scan.append(value)
        return [*state, *(self.stacked(scan) for scan in scans)]

    def stacked(self, values):
        values = self.few_draws(values)
        return self.joined(values, lambda *arrays: [np.stack(arrays)])[0]

    # -- draws

    def draw(self, node, inputs):
        attribute = {a.name: helper.get_attribute_value(a) for a in node.attribute}
        like = inputs[0] if inputs else None
        if node.op_type.endswith("Like") or node.op_type == "Bernoulli":
            shape, kind = like.cases[0].shape, like.cases[0].dtype
        else:
            shape = attribute["shape"] if like is None else like.array
            shape, kind = tuple(int(d) for d in shape), np.dtype(np.float32)
        if "dtype" in attribute:
            kind = helper.tensor_dtype_to_np_dtype(attribute["dtype"])
        if node.op_type in NORMAL:
            numbers = attribute.get("mean", 0.0) + attribute.get("scale", 1.0) * NORMAL_POINTS
            weights = np.full(len(numbers), 1 / len(numbers))
        else:
            low, high = attribute.get("low", 0.0), attribute.get("high", 1.0)
            numbers = low + (high - low) * (self.thresholds[1:] + self.thresholds[:-1]) / 2
            weights = np.diff(self.thresholds)
        name = len(self.weights)
        self.weights.append(weights)
        kept = np.dtype(np.float32) if node.op_type == "Bernoulli" else kind
        drawn = [np.full(shape, number, kept) for number in numbers]
        drawn = Value(drawn, np.arange(len(numbers)), (name,), False)
        if node.op_type != "Bernoulli":
            return drawn
        return self.joined([drawn, like], lambda u, p: [((u < p) != self.bernoulli_drops).astype(kind)])[0]

    def mean(self, value):
        if not value.random:
            return value
        self.means += 1
        weights = np.ones(())
        for draw in value.draws:
            weights = np.multiply.outer(weights, self.weights[draw])
        shares = np.bincount(value.index.ravel(), weights.ravel(), len(value.cases))
        total = sum(share * case.astype(np.float64) for share, case in zip(shares, value.cases))
        return fixed(total.astype(value.cases[0].dtype), value.data)

    def exit_of_alpha(self, value):
        if len(value.draws) != 1 or len(value.cases) != 2 or not value.data:
            return value
        if value.cases[0].dtype.kind != "f" or value.cases[0].size == 0:
            return value
        shares = np.bincount(value.index, self.weights[value.draws[0]], 2)
        for dropped, kept in ((0, 1), (1, 0)):
            p = shares[dropped]
            a = ((1 - p) * (1 + p * ALPHA**2)) ** -0.5
            if np.allclose(value.cases[dropped], a * ALPHA * (1 - p), rtol=1e-4, atol=0):
                self.alpha += 1
                x = (value.cases[kept].astype(np.float64) + a * ALPHA * p) / a
                return fixed(x.astype(value.cases[kept].dtype), True)
        return value

    # -- operators over worlds

    def worlds(self, node, opset, inputs):
        inputs = list(inputs)
        noisy = [i for i, v in enumerate(inputs) if v is not None and v.random]
        if noisy:
            tainted = [i for i in noisy if inputs[i].data and inputs[i].cases[0].dtype.kind == "f"]
            if node.op_type in BILINEAR:
                divisor = [i for i in tainted if node.op_type == "Div" and i == 1]
                collapse = tainted if len(tainted) > 1 else divisor
            else:
                collapse = [] if node.op_type in LINEAR else tainted
            for i in collapse:
                inputs[i] = self.mean(inputs[i])
            inputs = self.few_draws(inputs)
        return self.joined(inputs, lambda *arrays: self.operator(node, opset, arrays))

    def few_draws(self, values):
        """The values, those with data replaced by their means where different draws meet."""
        values = list(values)
        for data_only in (True, False):
            draws = {v.draws for v in values if v is not None and v.random}
            together = sorted(set().union(*draws)) if draws else []
            many = np.prod([len(self.weights[d]) for d in together]) > MOST_CASES if together else False
            if len(draws) < 2 or not (data_only or many):
                break
            for i, v in enumerate(values):
                if v is None or not v.random or v.cases[0].dtype.kind != "f":
                    continue
                others = [d for d in draws if d != v.draws and not set(d) & set(v.draws)]
                if (v.data and others) or not data_only:
                    values[i] = self.mean(v)
                    self.early += not data_only
        return values

    def joined(self, values, function):
        """`function` of the arrays in every case that occurs."""
        present = [v for v in values if v is not None]
        draws = tuple(sorted({d for v in present for d in v.draws}))
        shape = tuple(len(self.weights[d]) for d in draws)
        if np.prod(shape, dtype=float) > MOST_CASES:
            raise CannotRun(f"a value depends on {len(draws)} draws at once")
        keys = np.zeros(shape, np.int64)
        for v in present:
            at = [len(self.weights[d]) if d in v.draws else 1 for d in draws]
            keys = keys * len(v.cases) + v.index.reshape(at)
        unique, index = np.unique(keys, return_inverse=True)
        results = []
        for key in unique:
            chosen = []
            for v in reversed(values):
                if v is None:
                    chosen.append(None)
                    continue
                key, case = divmod(key, len(v.cases))
                chosen.append(v.cases[case])
            results.append(function(*reversed(chosen)))
        data = any(v.data for v in present)
        index = index.reshape(shape)
        return [self.distinct(list(cases), index, draws, data) for cases in zip(*results)]

    def distinct(self, cases, index, draws, data):
        seen, renamed, kept = {}, [], []
        for case in cases:
            case = np.asarray(case)
            key = (case.dtype.str, case.shape, case.tobytes())
            if key not in seen:
                seen[key] = len(kept)
                kept.append(case)
            renamed.append(seen[key])
        if len(kept) == 1:
            return fixed(kept[0], data)
        if len({case.shape for case in kept}) > 1:
            raise CannotRun("a shape depends on a draw")
        index = np.array(renamed)[index]
        for axis in reversed(range(len(draws))):  # a draw that no longer matters is forgotten
            first = np.take(index, [0], axis)
            if (index == first).all():
                index = np.take(index, 0, axis)
                draws = draws[:axis] + draws[axis + 1 :]
        return Value(kept, index, draws, data)

    def operator(self, node, opset, arrays):
        if node.op_type == "BatchNormalization" and opset < 14:
            return batch_normalization(node, *arrays)
        key = (node.SerializeToString(), opset)
        if key not in self.runners:
            node, opset = as_defined(node, opset)
            inputs = [helper.make_tensor_value_info(n, 0, None) for n in dict.fromkeys(node.input) if n]
            outputs = [helper.make_tensor_value_info(n, 0, None) for n in node.output if n]
            graph = helper.make_graph([node], "one", inputs, outputs)
            self.runners[key] = ReferenceEvaluator(graph, opsets={"": opset})
        feed = {n: a for n, a in zip(node.input, arrays) if n}
        with np.errstate(all="ignore"):
            results = iter(self.runners[key].run(None, feed))
        return [next(results) if n else np.zeros(0) for n in node.output]


def batch_normalization(node, x, scale, bias, mean, variance):
    """By the statistics given; by those of the batch where running statistics are put out too (the
    training mode of opsets up to 13, which onnx.reference computes otherwise than any runtime)."""
    if any(node.output[1:]):
        axes = tuple(i for i in range(x.ndim) if i != 1)
        mean, variance = x.mean(axes), x.var(axes)
    epsilon = next((a.f for a in node.attribute if a.name == "epsilon"), 1e-5)
    shape = (1, -1) + (1,) * (x.ndim - 2)
    scale, bias, mean, variance = (a.reshape(shape) for a in (scale, bias, mean, variance))
    y = (scale * (x - mean) / np.sqrt(variance + np.float32(epsilon)) + bias).astype(x.dtype)
    return [y, *[np.zeros(0)] * (len(node.output) - 1)]  # nobody reads running statistics


def as_defined(node, opset):
    """The node and the opset it needs: exporters wrote Einsum-12 into opset 11, with an attribute `N`."""
    try:
        schema = onnx.defs.get_schema(node.op_type, opset, "")
    except onnx.defs.SchemaError:
        schema = onnx.defs.get_schema(node.op_type)
        opset = schema.since_version
    result = NodeProto()
    result.CopyFrom(node)
    del result.attribute[:]
    result.attribute.extend(a for a in node.attribute if a.name in schema.attributes)
    return result, opset


def with_attributes(node, attributes):
    """The node of a function's body, its reference attributes resolved."""
    if not any(a.ref_attr_name for a in node.attribute):
        return node
    result = NodeProto()
    result.CopyFrom(node)
    del result.attribute[:]
    for a in node.attribute:
        if a.ref_attr_name:
            if a.ref_attr_name not in attributes:
                continue
            given = AttributeProto()
            given.CopyFrom(attributes[a.ref_attr_name])
            given.name = a.name
            a = given
        result.attribute.append(a)
    return result


def thresholds(model, feed):
    """Everything in (0, 1) a uniform number might be compared with, sorted, with 0 and 1."""
    found = {round(i / 10, 6) for i in range(11)}
    arrays = [a for a in feed.values() if np.asarray(a).size == 1]
    for scope in scopes.scopes(model):
        arrays += [numpy_helper.to_array(t) for t in getattr(scope.body, "initializer", [])]
        for node in scope.body.node:
            if node.op_type == "Constant":
                arrays.append(scopes.constant(node))
            for a in node.attribute:
                if a.type == AttributeProto.FLOAT:
                    arrays.append(np.array(a.f))
    for array in arrays:
        if array is None or array.dtype.kind != "f" or array.size == 0:
            continue
        number = float(array.reshape(-1)[0])
        if 0 < number < 1 and (array == array.reshape(-1)[0]).all():
            found |= {number, 1 - number}
    ordered = sorted(found)
    apart = [b for a, b in zip([-1.0, *ordered], ordered) if b - a > 1e-7]
    return np.array(apart)
