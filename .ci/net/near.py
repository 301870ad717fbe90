"""What looks like dropout and is not: it must compute the same before and after."""

import numpy as np
from onnx import TensorProto, helper

from .build import INT64
from .draws import kept, mask, number, own_type, uniform
from .sites import RATES, product


def coin(b, x, shape):
    p = float(b.random.choice(RATES))
    return p, mask(b, x, shape, list(shape), p)


def random_sign(b, x, shape):
    p, m = coin(b, x, shape)
    way = b.random.choice(["sign", "difference", "choice" if b.has(9) else "sign"])
    if way == "sign":
        double = b.op("Mul", m, b.const(2.0))
        return product(b, x, b.op("Sub", double, b.const(1.0)))
    if way == "difference":
        return b.op("Sub", b.op("Mul", product(b, x, m), b.const(2.0)), x)
    keep = b.op("Greater", m, b.const(0.5))
    return b.op("Where", keep, x, b.op("Neg", x))


def swap(b, x, shape):
    """A random choice between two values."""
    z = b.op("Tanh", b.op("Neg", x))
    p, m = coin(b, x, shape)
    way = b.random.choice(["terms", "difference", "choice" if b.has(9) else "terms"])
    if way == "terms":
        rest = b.op("Sub", b.const(1.0), m)
        return b.op("Add", product(b, x, m), product(b, z, rest))
    if way == "difference":
        return b.op("Add", z, product(b, b.op("Sub", x, z), m))
    return b.op("Where", b.op("Greater", m, b.const(0.5)), x, z)


def swap_rows(b, x, shape):
    """Swap noise: an element may be that of its neighbour."""
    _, m = coin(b, x, shape)
    first, rest = b.op("Split", x, outputs=2, axis=len(shape) - 1, **split_sizes(b, shape[-1]))
    rolled = b.op("Concat", rest, first, axis=len(shape) - 1)
    if b.random.random() < 0.5:
        return b.op("Add", x, product(b, b.op("Sub", rolled, x), m))
    return b.op("Add", product(b, x, m), product(b, rolled, b.op("Sub", b.const(1.0), m)))


def split_sizes(b, size):
    assert not b.has(13)
    return {"split": [1, size - 1]}


def varying(b, x, shape):
    """Kept values that are not one number."""
    u = own_type(b, uniform(b, x, shape, list(shape)))
    way = b.random.choice(["square", "exponential", "itself", "soft"])
    if way == "square":
        over = b.op("Relu", b.op("Sub", u, b.const(0.5)))
        return product(b, x, b.op("Mul", over, over))
    if way == "soft":
        return product(b, x, b.op("Sigmoid", b.op("Mul", b.op("Sub", u, b.const(0.3)), b.const(10.0))))
    m = b.op("Cast", b.op("Greater", u, b.const(0.4)), to=b.element)
    values = b.op("Exp", u) if way == "exponential" else u
    return product(b, x, b.op("Mul", values, m))


def transposed(b, x, shape):
    """One mask, and itself transposed."""
    if shape[-1] != shape[-2]:
        return swap(b, x, shape)
    _, m = coin(b, x, shape)
    order = [*range(len(shape) - 2), len(shape) - 1, len(shape) - 2]
    both = b.op("Mul", m, b.op("Transpose", m, perm=order))
    return product(b, x, both)


def outer(b, x, shape):
    """Nodes dropped from an adjacency matrix: A * m * m^T."""
    if shape[-1] != shape[-2]:
        return varying(b, x, shape)
    p = float(b.random.choice(RATES))
    noise = [*shape[:-1], 1]
    m = mask(b, x, shape, noise, p) if b.has(9) else coin(b, x, shape)[1]
    order = [*range(len(shape) - 2), len(shape) - 1, len(shape) - 2]
    return b.op("Mul", product(b, x, m), b.op("Transpose", m, perm=order))


def sampled(b, x, shape):
    """Noise scaled by data: a variational encoder, diffusion."""
    noise = b.op("RandomNormalLike", x)
    deviation = b.op("Exp", b.op("Mul", b.op("Tanh", x), b.const(0.5)))
    return b.op("Add", x, b.op("Mul", deviation, noise))


def noise(b, x, shape):
    """Gaussian noise stays unless it is asked for."""
    n = b.op("RandomNormalLike", x)
    return b.op("Add", x, b.op("Mul", n, b.const(float(b.random.choice([0.1, 0.5])))))


def rectified(b, x, shape):
    """RReLU: a random slope where data is negative."""
    slope = b.op("RandomUniformLike", x, low=0.125, high=0.333)
    below = b.op("Cast", b.op("Less", x, b.const(0.0)), to=b.element)
    part = b.op("Mul", below, b.op("Mul", x, slope))
    return b.op("Add", b.op("Relu", x), part)


def from_data(b, x, shape):
    """A threshold that depends on data."""
    u = own_type(b, uniform(b, x, shape, list(shape)))
    m = b.op("Cast", b.op("Less", u, b.op("Sigmoid", x)), to=b.element)
    return product(b, x, m)


def level(b, x, shape):
    """x times (2m) to the power of an integer input."""
    name = b.input("level", INT64, [])
    if name is None or not b.has(12):
        return random_sign(b, x, shape)
    m = number(b, kept(b, uniform(b, x, shape, list(shape)), 0.5, list(shape)))
    return product(b, x, b.op("Pow", b.op("Mul", m, b.const(2.0)), b.op("Cast", name, to=b.element)))


def rounding(b, x, shape):
    """Stochastic rounding."""
    u = own_type(b, uniform(b, x, shape, list(shape)))
    return b.op("Floor", b.op("Add", x, u))


def large(b, x, shape):
    """Samples of one input: the mask has more rows than the data."""
    row = b.op("ReduceMean", x, axes=[0], keepdims=1) if not b.has(18) else None
    if row is None or b.symbolic or shape[0] == 1:
        return swap(b, x, shape)
    m = mask(b, x, shape, list(shape), float(b.random.choice(RATES)))
    return product(b, row, m)


def whole(b, x, shape):
    """A coin for the whole tensor decides which of two layers counts."""
    u = b.op("RandomUniform", shape=[1], dtype=TensorProto.FLOAT)
    m = b.op("Cast", b.op("Less", u, b.const(0.5, np.float32)), to=b.element)
    return b.op("Add", b.op("Mul", b.op("Tanh", x), m), b.op("Mul", x, b.op("Sub", b.const(1.0), m)))


def layer_drop(b, x, shape):
    """A random scalar decides with If whether a layer runs."""
    u = b.op("RandomUniform", shape=[1], dtype=TensorProto.FLOAT)
    runs = b.op("Less", u, b.const(0.5, np.float32))
    branches = {}
    for name, op_type in (("then_branch", "Tanh"), ("else_branch", "Identity")):
        with b.graph() as scope:
            y = b.op(op_type, x)
            branches[name] = b.body(scope, name, [], [b.info(y, shape)])
    return b.op("If", runs, **branches)


def of_constant(b, x, shape):
    """A mask times a constant is still a mask: added to data."""
    c = b.const(np.linspace(0.5, 1.5, shape[-1]))
    _, m = coin(b, x, shape)
    gate = b.op("Sigmoid", b.op("Mul", c, m))
    return b.op("Mul", x, gate)


def frozen(b, x, shape):
    """A mask that was drawn once, at export: it stays unless it is asked for."""
    made = np.random.default_rng(int(b.random.integers(1 << 30))).random(shape[1:]) > 0.4
    return b.op("Mul", x, b.const(made * (1 / 0.6)))


NEAR = (random_sign, swap, varying, transposed, outer, sampled, noise, rectified, from_data)
FROM_9 = (level, rounding, large, whole, layer_drop, of_constant, frozen)


def near_misses(b):
    if not b.has(7):
        return ()
    found = NEAR
    if b.has(9):
        found += FROM_9
    if b.has(9) and not b.has(13):
        found += (swap_rows,)
    return found
