"""Runs a model in training mode, with draws fixed by the names of nodes (onnx.reference beneath).

A node that draws gets numbers that depend on the seed, the node's name and how often it has run: two
models in which a node has the same name see the same draws, whatever else differs between them.
"""

import zlib

import numpy as np
from onnx import TensorProto, helper
from onnx.reference import ReferenceEvaluator
from onnx.reference.op_run import OpRun

FLOAT = TensorProto.FLOAT


class Draws:
    """The seed of a run and the number of times each node has drawn; one run at a time."""

    seed = 0
    count: dict = {}

    @classmethod
    def start(cls, seed):
        cls.seed, cls.count = seed, {}

    @classmethod
    def generator(cls, node):
        turn = cls.count[node] = cls.count.get(node, 0) + 1
        return np.random.Generator(np.random.PCG64([cls.seed, zlib.crc32(node.encode()), turn]))


class Random(OpRun):
    """An operator that draws: attributes are read here, also those that a function's call gives."""

    def run(self, *inputs, linked_attributes=None, context=None, bindings=None):
        given = {}
        for attribute in self.onnx_node.attribute:
            if attribute.ref_attr_name:
                if attribute.ref_attr_name in (linked_attributes or {}):
                    given[attribute.name] = linked_attributes[attribute.ref_attr_name]
            else:
                given[attribute.name] = helper.get_attribute_value(attribute)
        generator = Draws.generator(self.onnx_node.name)
        version = self.run_params["opsets"].get("", 1)
        return self.draw(generator, given, version, *inputs)

    def _run(self, *_inputs, **_attributes):
        raise NotImplementedError


def kind(attributes, otherwise):
    dtype = attributes.get("dtype")
    return otherwise if dtype is None else helper.tensor_dtype_to_np_dtype(dtype)


def uniform(generator, attributes, shape, dtype):
    low, high = attributes.get("low", 0.0), attributes.get("high", 1.0)
    return (low + (high - low) * generator.random(shape)).astype(dtype)


def normal(generator, attributes, shape, dtype):
    mean, scale = attributes.get("mean", 0.0), attributes.get("scale", 1.0)
    return (mean + scale * generator.standard_normal(shape)).astype(dtype)


class RandomUniform(Random):
    def draw(self, generator, attributes, _version):
        return (uniform(generator, attributes, attributes["shape"], kind(attributes, np.float32)),)


class RandomUniformLike(Random):
    def draw(self, generator, attributes, _version, like):
        return (uniform(generator, attributes, like.shape, kind(attributes, like.dtype)),)


class RandomNormal(Random):
    def draw(self, generator, attributes, _version):
        return (normal(generator, attributes, attributes["shape"], kind(attributes, np.float32)),)


class RandomNormalLike(Random):
    def draw(self, generator, attributes, _version, like):
        return (normal(generator, attributes, like.shape, kind(attributes, like.dtype)),)


class Bernoulli(Random):
    def draw(self, generator, attributes, _version, probability):
        drawn = generator.random(probability.shape) < probability.astype(np.float64)
        return (drawn.astype(kind(attributes, probability.dtype)),)


class Dropout(Random):
    """Versions 1 and 6 drop unless `is_test`; 7 and 10 never; 12 and later with `training_mode`."""

    def draw(self, generator, attributes, version, data, ratio=None, training=None):
        if version < 12:
            rate = attributes.get("ratio", 0.5)
            drops = version < 7 and not attributes.get("is_test", 0)
        else:
            rate = 0.5 if ratio is None else np.asarray(ratio).reshape(()).astype(np.float64)
            drops = training is not None and bool(np.asarray(training).reshape(()))
        mask = np.ones(data.shape, bool)
        if drops and rate > 0:
            mask = generator.random(data.shape) >= float(rate)
            data = (data.astype(np.float64) * mask / (1 - float(rate))).astype(data.dtype)
        return data, mask.astype(data.dtype if version < 10 else bool)


OPERATORS = {
    one.__name__: one
    for one in (RandomUniform, RandomUniformLike, RandomNormal, RandomNormalLike, Bernoulli, Dropout)
}


class Evaluator(ReferenceEvaluator):
    def _load_impl(self, node, input_types=None):
        if node.domain in ("", "ai.onnx") and node.op_type in OPERATORS:
            return OPERATORS[node.op_type]
        return super()._load_impl(node, input_types)


class Trained:
    """A model, to be run in training mode with fixed draws."""

    def __init__(self, model):
        self.evaluator = Evaluator(model)

    def __call__(self, feed, seed):
        Draws.start(seed)
        with np.errstate(all="ignore"):
            return [np.asarray(one) for one in self.evaluator.run(None, feed)]


def feed(model, seed, sizes):
    """Random inputs. Switches (BOOL) alternate with the seed, integers go through 0, 1 and 2."""
    made = {}
    for place, info in enumerate(model.graph.input):
        generator = np.random.Generator(np.random.PCG64([seed, zlib.crc32(info.name.encode())]))
        tensor = info.type.tensor_type
        dtype = helper.tensor_dtype_to_np_dtype(tensor.elem_type)
        shape = [d.dim_value if d.HasField("dim_value") else sizes[d.dim_param] for d in tensor.shape.dim]
        if tensor.elem_type == TensorProto.BOOL:
            array = np.full(shape, (seed + place) % 2 == 0)
        elif np.issubdtype(dtype, np.integer):
            array = np.full(shape, seed % 3)
        elif not shape:
            array = np.array(generator.choice([0.4, 0.75, 0.9]))
        else:
            array = generator.uniform(0.25, 1.5, shape) * generator.choice([-1, 1], shape)
        made[info.name] = np.asarray(array, dtype=dtype)
    return made


TOLERANCE = {"float16": 2e-2, "float32": 2e-4, "float64": 1e-5, "bfloat16": 1e-1}


def close(expected, found):
    """Equal within the rounding of the element type, relative to the largest element."""
    if len(expected) != len(found):
        return False
    for one, other in zip(expected, found, strict=True):
        if one.shape != other.shape or one.dtype != other.dtype:
            return False
        tolerance = TOLERANCE.get(str(one.dtype))
        if tolerance is None:
            if not np.array_equal(one, other):
                return False
            continue
        a, b = one.astype(np.float64), other.astype(np.float64)
        finite = np.isfinite(a)
        if not np.array_equal(finite, np.isfinite(b)):
            return False
        largest = np.max(np.abs(a[finite]), initial=1.0)
        if np.any(np.abs(a[finite] - b[finite]) > tolerance * largest):
            return False
    return True
