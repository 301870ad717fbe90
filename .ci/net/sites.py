"""Dropout, as it is written in training, beside its inference form.

Each function takes a builder, a value and its shape and returns the value that takes its place; the
site is emitted in its training form or as its inference form, as the builder says.
"""

import numpy as np
from onnx import helper

from .build import BOOL
from .draws import kept, mask, number, own_type, uniform

RATES = (0.1, 0.2, 0.25, 0.3, 0.5, 0.6, 0.8)
ALPHA = -1.7580993408473766  # Klambauer et al. 2017: -scale * alpha of SELU


def inference(b, x, factor):
    """x times the mean of what training multiplies it by."""
    if b.spoil == "scale":
        factor = 1.0
    return b.op("Identity", x) if abs(factor - 1) < 1e-9 else b.op("Mul", x, b.const(factor, where="node"))


def noise_shape(b, shape):
    """Mostly one number per element; sometimes shared along some axes."""
    if b.random.random() < 0.75 or not b.has(8):
        return list(shape)
    shared = b.random.random(len(shape)) < 0.5
    shared[0] = False
    return [1 if share else size for share, size in zip(shared, shape)]


def rate_and_scale(b):
    """(p, what kept elements are multiplied by)."""
    p = float(b.random.choice(RATES))
    kind = b.random.choice(["inverted"] * 6 + ["classic"] * 2 + ["odd"])
    return p, {"inverted": 1 / (1 - p), "classic": 1.0, "odd": 1.5}[kind]


def masked(b, x, shape):
    """A random mask: 0 or one number, times x."""
    p, scale = rate_and_scale(b)
    noise = noise_shape(b, shape)
    form = b.random.choice(
        ["mul"] * 4 + ["select"] * 2 * b.has(9) + ["minus dropped", "two terms", "transposed"]
    )
    with b.site(f"mask, {form}") as training:
        if not training:
            return inference(b, x, scale * (1 - p))
        return FORMS[form](b, x, shape, noise, p, scale)


def scaled(b, value, scale):
    """value * scale, as a product or a quotient."""
    if scale == 1:
        return value
    if b.random.random() < 0.4:
        return b.op("Div", value, b.const(1 / scale))
    terms = [value, b.const(scale)]
    return b.op("Mul", *(terms if b.random.random() < 0.5 else terms[::-1]))


def product(b, x, m):
    return b.op("Mul", x, m) if b.random.random() < 0.5 else b.op("Mul", m, x)


def by_product(b, x, shape, noise, p, scale):
    place = b.random.choice(["before", "after", "mask", "after an activation"])
    if place == "before":
        x = scaled(b, x, scale)
    m = mask(b, x, shape, noise, p)
    if place == "mask":
        m = scaled(b, m, scale)
    y = product(b, x, m)
    return scaled(b, y, scale) if place.startswith("after") else y


def by_choice(b, x, shape, noise, p, scale):
    place = b.random.choice(["before", "after", "choice"])
    draw = uniform(b, x, shape, noise)
    drop = b.random.random() < 0.5
    which = kept(b, draw, p, noise, drop)
    zero = b.const(0.0)
    if place == "choice":
        one = b.const(scale)
        m = b.op("Where", which, *((zero, one) if drop else (one, zero)))
        return product(b, x, m)
    value = scaled(b, x, scale) if place == "before" else x
    y = b.op("Where", which, *((zero, value) if drop else (value, zero)))
    return scaled(b, y, scale) if place == "after" else y


def by_difference(b, x, shape, noise, p, scale):
    draw = uniform(b, x, shape, noise)
    dropped = number(b, kept(b, draw, p, noise, drop=True))
    x = scaled(b, x, scale)
    return b.op("Sub", x, product(b, x, dropped))


def by_two_terms(b, x, shape, noise, p, scale):
    """TensorFlow's SelectV2, as tf2onnx writes it: m·x + 0·(1-m)."""
    draw = uniform(b, x, shape, noise)
    keep = kept(b, draw, p, noise)
    first = product(b, scaled(b, x, scale), number(b, keep))
    second = product(b, b.const(0.0), number(b, b.op("Not", keep)))
    return b.op("Add", first, second)


def across_transpose(b, x, shape, noise, p, scale):
    """The scale on one side of a Transpose, the mask on the other."""
    order = [0, *range(len(shape) - 1, 0, -1)]
    turned = b.op("Transpose", scaled(b, x, scale), perm=order)
    m = mask(b, turned, [shape[i] for i in order], [noise[i] for i in order], p)
    return b.op("Transpose", product(b, turned, m), perm=order)


FORMS = {
    "mul": by_product,
    "select": by_choice,
    "minus dropped": by_difference,
    "two terms": by_two_terms,
    "transposed": across_transpose,
}


def switch(b):
    """training_mode: constant true or false, computed, or an input of the model."""
    way = b.random.choice(["true"] * 4 + ["false", "not", "input", "not input", "absent"])
    if way == "absent":
        return ""
    if way.endswith("input"):
        name = b.input("training", BOOL, [])
        if name:
            return b.op("Not", name) if way == "not input" else name
        way = "true"
    if way == "not":
        return b.op("Not", b.const(b.random.random() < 0.5, bool))
    return b.const(way == "true", bool)


def operator(b, x, shape):
    """Dropout in every version; its second output in some."""
    r = b.random
    p = float(r.choice(RATES))
    second = r.random() < 0.15
    told = b.depth == 0 and b.has(12) and not b.linear and r.random() < 0.1  # the mask is an output
    with b.site(f"operator {b.opset}") as training:
        # names and inputs are the same in every form
        mode = switch(b) if b.has(12) else ""
        names = [b.name("drop")] + ([b.name("mask")] if second or told else [])
        if told:
            b.outputs.append(b.info(names[1], b.declared(shape), BOOL))
        if not training:
            if told:
                b.op("Equal", x, x, names=names[1:])
            return b.op("Identity", x)
        how = {"outputs": len(names), "names": names}
        if b.has(12):
            dtype = r.choice(["float32", "float64", str(b.dtype)])
            inputs = [x, b.const(p, dtype) if mode or r.random() < 0.8 else "", mode]
            while inputs[-1] == "":
                inputs.pop()
            seed = int(r.integers(9)) if r.random() < 0.3 else None
            made = b.op("Dropout", *inputs, seed=seed, **how)
        else:
            test = int(r.random() < 0.3) if b.opset < 7 and r.random() < 0.6 else None
            ratio = p if r.random() < 0.8 else None
            made = b.op("Dropout", x, ratio=ratio, is_test=test, **how)
        return made if isinstance(made, str) else made[0]


def alpha(b, x, shape):
    """Alpha dropout, Keras' spelling or PyTorch's."""
    p = float(b.random.choice(RATES[:5]))
    with b.site("alpha dropout") as training:
        if not training:
            return b.op("Identity", x)
        a = ((1 - p) * (1 + p * ALPHA**2)) ** -0.5
        c = -a * ALPHA * p
        k = number(b, kept(b, uniform(b, x, shape, shape), p, shape))
        if b.random.random() < 0.5:
            rest = b.op("Mul", b.const(ALPHA), b.op("Sub", b.const(1.0), k))
            both = b.op("Add", product(b, x, k), rest)
            return b.op("Add", b.op("Mul", b.const(a), both), b.const(c))
        shift = b.op("Mul", b.op("Add", k, b.const(-1.0)), b.const(-a * ALPHA))
        return b.op("Add", b.op("Mul", x, b.op("Mul", k, b.const(a))), b.op("Add", shift, b.const(c)))


def gaussian(b, x, shape):
    """Gaussian dropout: x times a normal number around 1."""
    p = float(b.random.choice(RATES[:5]))
    sigma = (p / (1 - p)) ** 0.5
    with b.site("gaussian dropout") as training:
        if not training:
            return b.op("Identity", x)
        if b.random.random() < 0.5:
            return product(b, x, b.op("RandomNormalLike", x, mean=1.0, scale=sigma))
        n = b.op("Mul", b.op("RandomNormalLike", x), b.const(sigma))
        return product(b, x, b.op("Add", n, b.const(1.0)))


def shared(b, x, shape):
    """One mask on two values, whose sum is taken."""
    p, scale = rate_and_scale(b)
    z = b.op("Tanh", x)
    noise = noise_shape(b, shape)
    together = b.op("Relu", x)
    with b.site("one mask, two uses") as training:
        if not training:
            one, two = (inference(b, value, scale * (1 - p)) for value in (together, z))
        else:
            m = scaled(b, mask(b, x, shape, noise, p), scale)
            one, two = product(b, together, m), product(b, z, m)
        return b.op("Add", b.op("Sigmoid", one), two)


def thresholds(b, x, shape):
    """One draw, compared with two rates."""
    (p, scale), (q, other) = rate_and_scale(b), rate_and_scale(b)
    z, x = b.op("Tanh", x), b.op("Relu", x)
    with b.site("one draw, two rates") as training:
        if not training:
            one, two = inference(b, x, scale * (1 - p)), inference(b, z, other * (1 - q))
        else:
            draw = uniform(b, x, shape, shape)
            one = scaled(b, product(b, x, number(b, kept(b, draw, p, shape))), scale)
            two = product(b, scaled(b, z, other), number(b, kept(b, draw, q, shape)))
        return b.op("Add", one, two)


def keep_probability(b, x, shape):
    """TensorFlow 1: the keep probability is an input of the model."""
    keep = b.input("keep", b.element, [])
    if keep is None:
        return masked(b, x, shape)
    with b.site("keep probability is an input") as training:
        if not training:
            return b.op("Identity", x)
        u = b.op("RandomUniformLike", x)
        return b.op("Mul", b.op("Div", x, keep), b.op("Floor", b.op("Add", u, keep)))


def switched(b, x, shape):
    """Where(training, dropout(x), x): the switch is an input."""
    flag = b.input("phase", BOOL, []) if b.has(9) else None
    if flag is None:
        return masked(b, x, shape)
    p = float(b.random.choice(RATES))
    with b.site("switched by Where") as training:
        if not training:
            return b.op("Identity", x)
        y = by_product(b, x, shape, shape, p, 1 / (1 - p))
        return b.op("Where", flag, y, x)


def mask_of_operator(b, x, shape):
    """The mask output of a Dropout as the coin of a product with its own scale."""
    p = float(b.random.choice(RATES))
    with b.site("mask of an operator as coin") as training:
        if not training:
            return b.op("Identity", x)
        data = x if b.random.random() < 0.5 else b.op("Add", b.op("Mul", x, b.const(0.0)), b.const(1.0))
        inputs = [data, b.const(p, np.float32), b.const(True, bool)]
        _, coin = b.op("Dropout", *inputs, outputs=2)
        return b.op("Div", b.op("Mul", x, b.op("Cast", coin, to=b.element)), b.const(1 - p))


def dropout_of_ones(b, x, shape):
    """Dropout of ones, compared with 0."""
    p = float(b.random.choice(RATES))
    with b.site("dropout of ones, compared") as training:
        if not training:
            return b.op("Identity", x)
        size = b.op("Shape", x)
        ones = b.op("ConstantOfShape", size, value=helper.make_tensor("v", b.element, [1], [1.0]))
        coin = b.op("Dropout", ones, b.const(p, np.float32), b.const(True, bool))
        m = b.op("Cast", b.op("Greater", coin, b.const(0.0)), to=b.element)
        return b.op("Div", b.op("Mul", x, m), b.const(1 - p))


def halves(b, x, shape):
    """Two halves of one draw are two masks: both must keep an element."""
    if b.symbolic or not b.has(9):
        return masked(b, x, shape)
    p, scale = rate_and_scale(b)
    with b.site("halves of one draw, both keep") as training:
        if not training:
            return inference(b, x, scale * (1 - p) ** 2)
        r, last = b.random, len(shape) - 1
        drawn = b.op("RandomUniform", shape=[*shape[:-1], 2 * shape[-1]], dtype=b.element)
        sizes = {"num_outputs": 2} if b.has(18) else {}
        both = b.op("Split", drawn, outputs=2, axis=last, **sizes)
        one, two = (b.op("Greater", half, b.const(p)) for half in both)
        if r.random() < 0.5:
            m = number(b, b.op("And", one, two))
        else:
            m = b.op("Mul", number(b, one), number(b, two))
        return scaled(b, product(b, x, m), scale)


def typed(b, x, shape):
    """Masks through integers and booleans, where numbers are cut off."""
    p = float(b.random.choice(RATES))
    way = b.random.choice(["bool of two", "integer quotient", "relu to bool"])
    scale = {"bool of two": 1.0, "integer quotient": 2.0, "relu to bool": 1 / (1 - p)}[way]
    with b.site(f"typed mask: {way}") as training:
        if not training:
            return inference(b, x, scale * (1 - p))
        draw = uniform(b, x, shape, shape)
        if way == "relu to bool":
            u = own_type(b, draw)
            keep = b.op("Cast", b.op("Relu", b.op("Sub", u, b.const(draw.at(p)))), to=BOOL)
            return scaled(b, product(b, x, b.op("Cast", keep, to=b.element)), scale)
        m = number(b, kept(b, draw, p, shape))
        if way == "bool of two":
            keep = b.op("Cast", b.op("Mul", m, b.const(2.0)), to=BOOL)
            return product(b, x, b.op("Cast", keep, to=b.element))
        five = b.op("Mul", b.op("Cast", m, to=6), b.const(5, np.int32))
        return product(b, x, b.op("Cast", b.op("Div", five, b.const(2, np.int32)), to=b.element))


def gated_by_complement(b, x, shape):
    """x·m·sigmoid(x·(1-m)): where an element is kept, the gate is 1/2."""
    p = float(b.random.choice(RATES))
    with b.site("gate of the complement") as training:
        if not training:
            return inference(b, x, 0.5 * (1 - p))
        m = mask(b, x, shape, shape, p)
        gate = b.op("Sigmoid", product(b, x, b.op("Sub", b.const(1.0), m)))
        return b.op("Mul", product(b, x, m), gate)


def dropped_keys(b, x, shape):
    """DropKey: a large negative number is added before a softmax."""
    with b.site("keys") as training:
        if training:
            draw = uniform(b, x, shape, list(shape))
            m = number(b, kept(b, draw, 0.3, list(shape), drop=True))
            x = b.op("Add", x, b.op("Mul", m, b.const(-1e4)))
        return b.op("Softmax", x, axis=-1)


PLAIN = (masked,) * 7 + (alpha, gaussian, shared, thresholds, keep_probability, switched)
FROM_12 = (mask_of_operator, dropout_of_ones)
ODD = (typed, gated_by_complement, halves)


def sites(b):
    """What can be emitted in the builder's version, by weight."""
    if not b.has(7):
        return (operator,)
    found = (operator,) * 6 + PLAIN
    if b.has(9):
        found += ODD
    found += FROM_12 * b.has(12)
    # it is no multiple of its data
    return found + (dropped_keys,) * (b.has(13) and not b.linear)
