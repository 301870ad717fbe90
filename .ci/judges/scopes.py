"""Every scope of a model, and the Dropout operators in them."""

from dataclasses import dataclass

import numpy as np
from onnx import AttributeProto, numpy_helper

ONNX_DOMAINS = ("", "ai.onnx")


@dataclass
class Scope:
    label: str
    body: object  # GraphProto or FunctionProto
    opset: int  # of the default domain, as it rules here
    outer: object = None  # the Scope whose names are visible here


def opset(imports, otherwise):
    versions = [i.version for i in imports if i.domain in ONNX_DOMAINS]
    return versions[0] if versions else otherwise


def subgraphs(node):
    for attribute in node.attribute:
        if attribute.type == AttributeProto.GRAPH or attribute.HasField("g"):
            yield attribute.name, attribute.g
        for index, graph in enumerate(attribute.graphs):
            yield f"{attribute.name}[{index}]", graph


def within(scope):
    yield scope
    for node in scope.body.node:
        for name, graph in subgraphs(node):
            label = f"{scope.label}/{node.name or node.op_type}.{name}"
            yield from within(Scope(label, graph, scope.opset, scope))


def scopes(model):
    version = opset(model.opset_import, 1)
    yield from within(Scope("graph", model.graph, version))
    for function in model.functions:
        label = f"function:{function.domain}::{function.name}"
        yield from within(Scope(label, function, opset(function.opset_import, version)))
    for info in model.training_info:
        yield from within(Scope("training_info.initialization", info.initialization, version))
        yield from within(Scope("training_info.algorithm", info.algorithm, version))


def is_dropout(node):
    return node.op_type == "Dropout" and node.domain in ONNX_DOMAINS


def dropouts(model):
    return [(s, n) for s in scopes(model) for n in s.body.node if is_dropout(n)]


def key_of(node):
    """What it calls, if it calls a function."""
    return node.domain, node.op_type, node.overload


def emptied(model):
    """Functions of which nothing is left without Dropout: {key: which input each output is}."""
    found = {}
    for _ in model.functions:  # once for each level of calls
        for body in model.functions:
            places = passed_through(body, found)
            if places is not None:
                found[body.domain, body.name, body.overload] = places
    return found


def passed_through(body, known):
    """Which input each output of a function is without Dropout; None if it does anything else, or has none."""
    now = {name: place for place, name in enumerate(body.input)}
    drops = False
    for node in body.node:
        places = known.get(key_of(node))
        if places is not None or is_dropout(node):
            drops = True
        elif node.domain not in ONNX_DOMAINS or node.op_type not in ("Constant", "Identity"):
            return None
        if node.op_type != "Constant":
            made = zip(node.output, places if places is not None else [0])
            now.update({output: now.get(node.input[place]) for output, place in made})
    found = [now.get(name) for name in body.output]
    return found if drops and None not in found else None


def named_dropouts_elsewhere(model, gone=()):
    """Operators called Dropout in somebody else's domain: (scope, serialized node). `gone`: functions that
    do not count."""
    return sorted(
        (s.label, n.domain, n.name)
        for s in scopes(model)
        for n in s.body.node
        if n.op_type == "Dropout" and n.domain not in ONNX_DOMAINS and key_of(n) not in gone
    )


def output_names(body):
    return [o if isinstance(o, str) else o.name for o in body.output]


def uses(scope, name):
    """Is a value read in this scope, in one inside it, or is it one of their outputs?"""
    return any(
        name in node.input for s in within(scope) for node in s.body.node
    ) or any(name in output_names(s.body) for s in within(scope))


def mask_used(scope, node):
    return len(node.output) > 1 and node.output[1] != "" and uses(scope, node.output[1])


def constant(node):
    """The value of a Constant node as an array, or None."""
    for a in node.attribute:
        if a.ref_attr_name:
            return None
        if a.name == "value":
            return numpy_helper.to_array(a.t)
        if a.name == "value_float":
            return np.array(a.f, np.float32)
        if a.name == "value_floats":
            return np.array(a.floats, np.float32)
        if a.name in ("value_int", "value_ints"):
            return np.array(a.i if a.name == "value_int" else a.ints, np.int64)
    return None


def value(scope, name):
    """The constant behind a name, looked for outwards; None when it is not one."""
    while scope is not None:
        for tensor in getattr(scope.body, "initializer", []):
            if tensor.name == name:
                return numpy_helper.to_array(tensor)
        for node in scope.body.node:
            if name in node.output:
                return constant(node) if node.op_type == "Constant" else None
        scope = scope.outer
    return None


def rate(scope, node):
    """The ratio of a Dropout, or None when it is only known at run time."""
    if scope.opset < 12:
        found = [a.f for a in node.attribute if a.name == "ratio" and not a.ref_attr_name]
        return found[0] if found else 0.5
    if len(node.input) < 2 or node.input[1] == "":
        return 0.5
    known = value(scope, node.input[1])
    return None if known is None or known.size != 1 else float(known.reshape(-1)[0])
