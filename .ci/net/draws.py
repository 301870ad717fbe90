"""Uniform draws and 0/1 masks made of them, in the spellings that exporters and people write."""

from dataclasses import dataclass

import numpy as np
from onnx import TensorProto, helper

from .build import BOOL, INT64


@dataclass
class Draw:
    """A draw between `low` and `high`, of a numpy type of its own."""

    value: str
    dtype: np.dtype
    low: float = 0.0
    high: float = 1.0

    def at(self, share):
        """Where the lower `share` of the draw ends."""
        return self.low + (self.high - self.low) * share


def shape_of(b, x, shape, noise):
    """A shape as a value: that of `x`, with 1 where the noise is shared."""
    whole = b.op("Shape", x)
    if noise == shape:
        return whole
    parts = []
    for axis, size in enumerate(noise):
        if size == 1 or not b.symbolic:
            parts.append(b.const([size], np.int64))
        else:
            parts.append(b.op("Gather", whole, b.const([axis], np.int64), axis=0))
    return b.op("Concat", *parts, axis=0)


def like(b, x, shape, noise):
    """A tensor in the shape of the noise, for operators that draw like another."""
    r = b.random
    ways = ["constant"] if b.has(9) else []
    ways += ["expand"] * b.has(8) + ["x"] * 2 * (noise == shape)
    way = r.choice(ways)
    if way == "x":
        return x, b.dtype
    size = shape_of(b, x, shape, noise)
    if way == "expand":
        return b.op("Expand", b.const(r.choice([0.0, 1.0]), np.float32), size), np.dtype(np.float32)
    if r.random() < 0.3:
        size = b.op("Cast", b.op("Cast", size, to=TensorProto.INT32), to=INT64)
    value = helper.make_tensor("v", TensorProto.FLOAT, [1], [0.0]) if r.random() < 0.5 else None
    return b.op("ConstantOfShape", size, value=value), np.dtype(np.float32)


def uniform(b, x, shape, noise):
    r = b.random
    ends = {}
    if r.random() < 0.25:
        ends = dict(zip(("low", "high"), [(0.0, 1.0), (-1.0, 1.0), (0.0, 2.0)][r.integers(3)]))
    seed = float(r.integers(100)) if r.random() < 0.4 else None
    low, high = ends.get("low", 0.0), ends.get("high", 1.0)
    if not b.symbolic and (r.random() < 0.3 or (noise != shape and not b.has(8))):
        dtype = np.dtype(np.float32) if r.random() < 0.4 else b.dtype
        element = helper.np_dtype_to_tensor_dtype(dtype)
        value = b.op("RandomUniform", shape=list(noise), dtype=element, seed=seed, **ends)
        return Draw(value, dtype, low, high)
    source, dtype = like(b, x, shape, noise)
    element = None
    if r.random() < 0.4:
        dtype = b.dtype
        element = b.element
    value = b.op("RandomUniformLike", source, dtype=element, seed=seed, **ends)
    return Draw(value, dtype, low, high)


def threshold(b, draw, share, noise):
    """The number to compare with: one number, one in a list, computed, or a tensor of them."""
    r = b.random
    at = draw.at(share)
    way = r.choice(["one", "one", "list", "minus", "full"])
    if way == "list":
        return b.const([at], draw.dtype)
    if way == "minus":
        return b.op("Sub", b.const(1.0, draw.dtype), b.const(1.0 - at, draw.dtype))
    if way == "full" and not b.symbolic:
        return b.const(np.full(noise, at), draw.dtype)
    return b.const(at, draw.dtype)


def kept(b, draw, p, noise, drop=False):
    """A BOOL mask: true where an element is kept (or dropped)."""
    r = b.random
    share = p if drop else 1 - p
    lower = r.random() < 0.5  # the lower part of the draw is true
    at = threshold(b, draw, share if lower else 1 - share, noise)
    exact = r.random() < 0.5 and b.has(12)
    turned, negated = r.random() < 0.25, r.random() < 0.3
    below = lower != negated  # the comparison that is written
    less, greater = ("LessOrEqual", "GreaterOrEqual") if exact else ("Less", "Greater")
    if turned:
        mask = b.op(greater if below else less, at, draw.value)
    else:
        mask = b.op(less if below else greater, draw.value, at)
    if negated:
        mask = b.op("Not", mask)
    if r.random() < 0.05:
        mask = b.op("And", mask, b.const(True, bool)) if r.random() < 0.5 else b.op(
            "Or", mask, b.const(False, bool)
        )
    if r.random() < 0.05:
        mask = b.op("Not", b.op("Not", mask))
    return mask


def number(b, mask):
    """A BOOL mask as 0 and 1 in the type of the data."""
    r = b.random
    ways = ["cast"] * 3 + ["where"] * b.has(9) + ["twice"]
    way = r.choice(ways)
    if way == "where":
        return b.op("Where", mask, b.const(1.0), b.const(0.0))
    if way == "twice":
        between = TensorProto.FLOAT if r.random() < 0.5 else TensorProto.INT32
        return b.op("Cast", b.op("Cast", mask, to=between), to=b.element)
    return b.op("Cast", mask, to=b.element)


def own_type(b, draw):
    if draw.dtype == b.dtype:
        return draw.value
    return b.op("Cast", draw.value, to=b.element)


def stepped(b, draw, p, noise):
    """0 and 1 without a comparison; the draw lies between 0 and 1."""
    r = b.random
    u = own_type(b, draw)
    way = r.choice(["floor", "floor", "ceil", "minus floor", "sign"])
    if way == "floor":
        terms = [u, b.const(1 - p)]
        return b.op("Floor", b.op("Add", *(terms if r.random() < 0.5 else terms[::-1])))
    if way == "ceil":
        return b.op("Ceil", b.op("Sub", u, b.const(p)))
    if way == "minus floor":
        return b.op("Sub", b.const(1.0), b.op("Floor", b.op("Add", u, b.const(p))))
    return b.op("Relu", b.op("Sign", b.op("Sub", u, b.const(p))))


def bernoulli(b, x, shape, noise, p):
    """Bernoulli(keep): 1 with the probability that is given."""
    r = b.random
    size = shape_of(b, x, shape, noise)
    if r.random() < 0.5:
        filled = b.op("Expand", b.const(1 - p, np.float32), size)
    else:
        tensor = helper.make_tensor("v", TensorProto.FLOAT, [1], [1 - p])
        filled = b.op("ConstantOfShape", size, value=tensor)
    way = r.choice(["type", "bool", "same"])
    if way == "type":
        return b.op("Bernoulli", filled, dtype=b.element)
    if way == "bool":
        return b.op("Cast", b.op("Bernoulli", filled, dtype=BOOL), to=b.element)
    return b.op("Cast", b.op("Bernoulli", filled), to=b.element)


def mask(b, x, shape, noise, p):
    """A mask of 0 and 1 in the type of the data, 1 with probability 1-p; and its spelling."""
    r = b.random
    way = r.choice(["compare"] * 5 + ["step"] * b.has(9) + ["complement"] + ["bernoulli"] * b.has(15))
    if way == "bernoulli":
        return bernoulli(b, x, shape, noise, p)
    draw = uniform(b, x, shape, noise)
    if way == "step" and (draw.low, draw.high) == (0.0, 1.0):
        return stepped(b, draw, p, noise)
    if way == "complement":
        return b.op("Sub", b.const(1.0), number(b, kept(b, draw, p, noise, drop=True)))
    return number(b, kept(b, draw, p, noise))
