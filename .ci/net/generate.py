"""A model from a seed, in the form that is wanted.

`case(seed)` tells how many dropouts there are; `case(seed, training={0, 2})` has the first and the
third as in training and all others in their inference form. All forms of a seed have the same inputs,
outputs, layers and near misses, with the same names.
"""

from dataclasses import dataclass

import numpy as np

from .build import Builder
from .layers import layers
from .near import near_misses
from .places import places
from .sites import sites

OPSETS = (1, 6, 7, 9, 10, 11, 12, 13, 13, 15, 15, 17, 18, 21, 22)
TYPES = ("float32",) * 6 + ("float64", "float16")
SHAPES = ((3, 4), (2, 3, 4), (2, 3, 4, 4), (4, 4), (2, 4, 4))
EVERY = frozenset(range(100))


@dataclass
class Case:
    seed: int
    model: object
    sites: list
    near: list
    sizes: dict

    @property
    def twin(self):
        return case(self.seed, frozenset())


def block(b, x, shape):
    """A layer, a dropout or a near miss."""
    what = b.random.random()
    wrapper = b.random.choice(np.array(places(b), dtype=object))
    if what < 0.35:
        inner = layer
    elif what < 0.8 or not near_misses(b) or b.linear:
        inner = dropout
    else:
        inner = near
    if wrapper is None:
        return inner(b, x, shape)
    return wrapper(b, x, shape, block if b.random.random() < 0.3 else inner)


def pick(b, options):
    return options[int(b.random.integers(len(options)))]


def layer(b, x, shape):
    return pick(b, layers(b))(b, x, shape)


def dropout(b, x, shape):
    return pick(b, sites(b))(b, x, shape)


def near(b, x, shape):
    chosen = pick(b, near_misses(b))
    with b.near_miss(chosen.__name__.replace("_", " ")):
        y = chosen(b, x, shape)
        return b.op("Identity", x) if b.spoil == "near" else y


def case(seed, training=EVERY, linear=False, spoil=None):
    """The model of a seed. `spoil` breaks the inference form: for tests of the judge."""
    random = np.random.Generator(np.random.PCG64(seed))
    opset = int(random.choice(OPSETS))
    dtype = str(random.choice(TYPES))
    shape = list(SHAPES[int(random.integers(len(SHAPES)))])
    b = Builder(random, opset, dtype, training, linear, spoil)
    b.symbolic = bool(random.random() < 0.4)
    x = b.input("x", b.element, b.declared(shape))
    y = layer(b, x, shape) if random.random() < 0.5 else x
    if linear:
        y = dropout(b, y, shape)
    else:
        for _ in range(int(random.integers(1, 4))):
            y = block(b, y, shape)
    y = layer(b, y, shape) if random.random() < 0.6 else b.op("Identity", y)
    b.outputs.insert(0, b.info(y, b.declared(shape)))
    return Case(seed, b.model(), b.sites, b.near, {"batch": shape[0]})
