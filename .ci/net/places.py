"""Where dropout can be: the main graph, If, Loop, Scan, functions, and these in each other."""

import numpy as np
from onnx import AttributeProto, helper

from .build import BOOL, INT64
from .sites import RATES, inference, mask, product, rate_and_scale, scaled


def in_if(b, x, shape, inner):
    """In one branch of an If or in both."""
    decides = b.input("cond", BOOL, [])
    if decides is None:
        return inner(b, x, shape)
    both = b.random.random() < 0.3
    branches = {}
    for name, filled in (("then_branch", True), ("else_branch", both)):
        with b.graph() as scope:
            y = inner(b, x, shape) if filled else b.op("Tanh", x)
            branches[name] = b.body(scope, b.name("branch"), [], [b.info(y)])
    return b.op("If", decides, **branches)


def in_loop(b, x, shape, inner):
    """In the body of a Loop with the data as its state."""
    turns, start = b.const(2, np.int64), b.const(True, bool)
    with b.graph() as scope:
        number, go, state = b.name("i"), b.name("go"), b.name("state")
        y = inner(b, state, shape)
        y = b.op("Tanh", y)
        again = b.op("Identity", go)
        inputs = [b.info(number, [], INT64), b.info(go, [], BOOL), b.info(state, shape)]
        body = b.body(scope, b.name("body"), inputs, [b.info(again, [], BOOL), b.info(y)])
    return b.op("Loop", turns, start, x, body=body)


def mask_as_state(b, x, shape, _inner):
    """A mask that is drawn once and carried through a Loop."""
    p, scale = rate_and_scale(b)
    turns, start = b.const(2, np.int64), b.const(True, bool)
    with b.site("mask carried as a state of a Loop") as training:
        carried = []
        if training:
            carried = [scaled(b, mask(b, x, shape, list(shape), p), scale)]
        with b.graph() as scope:
            names = [b.name(hint) for hint in ("i", "go", "state", "mask")]
            number, go, state, m = names
            y = product(b, state, m) if training else inference(b, state, scale * (1 - p))
            y = b.op("Tanh", b.op("Add", y, b.const(0.1)))
            again = b.op("Identity", go)
            inputs = [b.info(number, [], INT64), b.info(go, [], BOOL), b.info(state, shape)]
            results = [b.info(again, [], BOOL), b.info(y)]
            if training:
                inputs.append(b.info(m, shape))
                results.append(b.info(b.op("Identity", m)))
            body = b.body(scope, b.name("body"), inputs, results)
        made = b.op("Loop", turns, start, x, *carried, outputs=1 + len(carried), body=body)
        return made if isinstance(made, str) else made[0]


def in_scan(b, x, shape, inner):
    """In the body of a Scan over the first axis; rows are of rank one lower."""
    with b.graph() as scope:
        row = b.name("row")
        whole = b.op("Reshape", row, b.const([1, *shape[1:]], np.int64))
        symbolic, b.symbolic = b.symbolic, False
        y = inner(b, whole, [1, *shape[1:]])
        b.symbolic = symbolic
        y = b.op("Reshape", y, b.const(shape[1:], np.int64))
        body = b.body(scope, b.name("body"), [b.info(row, shape[1:])], [b.info(y, shape[1:])])
    return b.op("Scan", x, num_scan_inputs=1, body=body)


def in_function(b, x, shape, inner):
    """In a function, called once or twice."""
    name = b.name("Function")
    with b.graph(function=True) as scope:
        formal = b.name("arg")
        y = inner(b, formal, shape)
        b.function(scope, name, [formal], [y])
    for _ in range(int(b.random.integers(1, 3))):
        x = b.op(name, x, domain="net")
    return x


def rate_by_call(b, x, shape, _inner):
    """A function whose ratio is an attribute of each call, or an input with the mode."""
    name = b.name("Dropped")
    by_attribute = b.random.random() < 0.5
    rates = [float(b.random.choice(RATES)) for _ in range(int(b.random.integers(1, 4)))]
    with b.site("function, ratio per call") as training:
        if not training:
            for _ in rates:
                x = b.op("Identity", x)
            return x
        with b.graph(function=True) as scope:
            formal, ratio, mode = b.name("arg"), b.name("ratio"), b.name("mode")
            if by_attribute:
                node = helper.make_node("Constant", [], [ratio], name=f"n_{ratio}")
                attribute = AttributeProto(name="value_float", type=AttributeProto.FLOAT)
                attribute.ref_attr_name = "p"
                node.attribute.append(attribute)
                scope.nodes.append(node)
                y = b.op("Dropout", formal, ratio, b.const(True, bool))
                b.function(scope, name, [formal], [y], ["p"])
            else:
                y = b.op("Dropout", formal, ratio, mode)
                b.function(scope, name, [formal, ratio, mode], [y])
        for p in rates:
            if by_attribute:
                x = b.op(name, x, domain="net", p=p)
            else:
                x = b.op(name, x, b.const(p, np.float32), b.const(True, bool), domain="net")
    return x


def places(b):
    """Wrappers that the builder's version has, by weight; None is no wrapper."""
    found = (None,) * 8
    if b.depth >= 2 or b.linear or not b.has(9):
        return found
    found += (in_if, in_if)
    if b.has(11):
        found += (in_loop, mask_as_state)
    if b.has(11) and not any(scope.function for scope in b.scopes):
        found += (in_scan,)
    if b.has(15):
        found += (in_function, in_function, rate_by_call)
    return found
