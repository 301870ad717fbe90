"""The stand-in's removal of random masks: crude, slow, and sharing nothing with dropout-onnx.

One evaluation by judges/meaning.py, whose draws are one number for the whole tensor: there `y` is a
masked `x` when in every world y = c * x with a number c, and the mean of c is how x has to be scaled.
Every read of such a y becomes one of x; what then reaches no output goes.
"""

import numpy as np
import onnx
from onnx import helper, numpy_helper

from . import masks, meaning, runtime, scopes


class Traced(meaning.Meaning):
    """Keeps the last value of every name, and those of alpha dropouts apart."""

    def __init__(self, model):
        super().__init__(model)
        self.values, self.order, self.makers, self.readers, self.alphas = {}, {}, {}, {}, set()
        self.latest = 0

    def node(self, node, known, opset, attributes):
        before = self.alpha
        results = super().node(node, known, opset, attributes)
        for name in node.input:
            self.readers.setdefault(name, []).append(node)
            if name and known[name] is not None:
                if self.order.setdefault(name, -1) == -1:  # an input, perhaps of a loop's body
                    self.values[name] = known[name]
        for name, result in zip(node.output, results):
            self.values[name] = result
            if node.domain in scopes.ONNX_DOMAINS:
                self.makers[name] = node
            self.latest += 1
            self.order[name] = self.latest
        if self.alpha > before and node.op_type not in ("If", "Loop"):
            self.alphas.add(node.output[0])
        return results


def factor(x, y):
    """The c of y = c * x, or None."""
    at, kind = np.argmax(np.abs(x)), x.dtype
    c = float(y.reshape(-1)[at]) / float(x.reshape(-1)[at])
    x, y = x.astype(np.float64), y.astype(np.float64)
    return c if np.allclose(y, c * x, *masks.tolerances(kind)) else None


def looks_masked(traced, name, value):
    """A product with a mask, or what is made of one element by element; some worlds are dropped,
    or the draw is a normal one."""
    if not (value.random and value.data and value.cases[0].dtype.kind == "f"):
        return False
    normal = any(len(traced.weights[d]) == len(meaning.NORMAL_POINTS) for d in value.draws)
    elementwise = name in traced.makers and traced.makers[name].op_type in "Mul Div Add Where".split()
    return elementwise and (normal or not all(case.any() for case in value.cases))


def summed_with_another(traced, name):
    """As the halves of a random flip are: mask * x + (1 - mask) * flipped."""
    others = [n for r in traced.readers.get(name, []) if r.op_type == "Add" for n in r.input if n != name]
    return any(set(traced.values[n].draws) & set(traced.values[name].draws) for n in others)


def masked(model):
    """{y: [(x, scale)]}, the best first; whether y can see x is another question"""
    feed = None
    for dim in (3, 1, 2, 8):
        try:
            feed = runtime.inputs(model, 0, dim)  # switches are on
            listed = {i.name for i in model.graph.input}
            switches = [t.name for t in model.graph.initializer if t.name in listed and t.data_type == 9]
            feed |= {name: np.array(True) for name in switches if len(switches) < len(listed)}
            traced = Traced(model)
            traced.run(feed)
            break
        except runtime.CannotRun:
            feed = None
    if feed is None:
        return {}
    known = {}
    for name, v in traced.values.items():
        if v.data and v.cases[0].dtype.kind == "f" and v.cases[0].size > 1:
            known[name] = traced.mean(v).array
    found = {}
    for name in sorted(traced.values, key=traced.order.get):
        value, alpha = traced.values[name], name in traced.alphas
        if not alpha and not looks_masked(traced, name, value):
            continue
        for x in sorted((n for n in known if n not in traced.alphas), key=lambda n: -traced.order[n]):
            earlier = traced.order[x] < traced.order[name] and x not in found
            alike = known[x].shape == value.cases[0].shape and known[x].any()
            apart = not set(value.draws) & set(traced.values[x].draws)
            if not (earlier and alike and apart) or any(
                factor(known[x], case) is None for case in value.cases
            ):
                continue
            scale = factor(known[x], traced.mean(value).array)
            if abs(scale - 1) < masks.tolerances(known[x].dtype)[1]:
                found.setdefault(name, []).insert(0, (x, 1.0))
            elif scale > 0.01 and not summed_with_another(traced, name):
                found.setdefault(name, []).append((x, rounded(scale)))
        found.get(name, []).sort(key=lambda cut: (cut[1] != 1.0, -traced.order[cut[0]]))
    return found


def rounded(scale):
    """The short decimal that a mean of float32 numbers stands for, where it stands for one."""
    short = float(f"{scale:.4g}")
    return short if abs(short - scale) < 1e-6 else scale


def made_in(body):
    return {o for n in body.node for o in n.output} | {getattr(i, "name", i) for i in body.input}


def visible(scope, name):
    while scope is not None and name not in made_in(scope.body):
        scope = scope.outer
    return scope is not None


def redirect(scope, y, cuts):
    body = scope.body
    cuts = [cut for cut in cuts if visible(scope, cut[0])]
    if not cuts:
        return
    x, scale = cuts[0]
    at = next(i for i, n in enumerate(body.node) if y in n.output)
    if scale != 1.0:
        number = numpy_helper.from_array(np.array(scale, np.float32))
        body.node.insert(at, helper.make_node("Constant", [], [f"{y}__scale"], value=number))
        body.node.insert(at + 1, helper.make_node("Mul", [x, f"{y}__scale"], [f"{y}__scaled"]))
        x = f"{y}__scaled"
    for inner in scopes.within(scope):
        for node in inner.body.node:
            for index, name in enumerate(node.input):
                if name == y:
                    node.input[index] = x
        if inner is not scope:
            for output in inner.body.output:
                output.name = x if output.name == y else output.name
    if y in scopes.output_names(body):
        old = next(n for n in body.node if y in n.output)
        old.output[list(old.output).index(y)] = f"{y}__masked"
        body.node.append(helper.make_node("Identity", [x], [y]))


def drop_states(body, node, idle):
    inner, names, _ = masks.loop_states(node)
    for i in reversed([i for i, name in enumerate(names) if name in idle]):
        del node.input[2 + i], node.output[i], inner.input[2 + i], inner.output[1 + i]


def sweep(model, was_useless):
    """Everything that is of no use now and was before, until nothing more is found."""
    while True:
        now = masks.useless(model) - was_useless
        if not now:
            return
        size = model.ByteSize()
        for scope in reversed(list(scopes.scopes(model))):
            body = scope.body
            for node in list(body.node):
                real = [o for o in node.output if o]
                if node.op_type == "Loop":
                    _, names, _ = masks.loop_states(node)
                    drop_states(body, node, {n for n in names if f"loop state {n!r}" in now})
                if f"node {node.op_type} {real[:1]}" in now:
                    body.node.remove(node)
            for tensor in list(getattr(body, "initializer", [])):
                if f"initializer {tensor.name!r}" in now and tensor.name not in made_in(body):
                    body.initializer.remove(tensor)
        for function in list(model.functions):
            if f"function {function.domain}::{function.name}, never called" in now:
                model.functions.remove(function)
        if model.ByteSize() == size:
            return


def without_masks(model, factor=1.0):
    """`factor`: what every scale is wrong by."""
    if not masks.random_nodes(model):
        return model
    result = onnx.ModelProto()
    result.CopyFrom(model)
    was_useless = masks.useless(model)
    for y, cuts in masked(model).items():
        for scope in list(scopes.scopes(result)):
            if any(y in n.output for n in scope.body.node):
                redirect(scope, y, [(x, scale * factor) for x, scale in cuts])
    sweep(result, was_useless)
    return result


def swept(model, before):
    """`model` without what is of no use and was in `before`."""
    sweep(model, masks.useless(before))
    return model
