"""What strip may not touch, compared as bytes; and how it may rewire what it leaves.

Allowed: Dropouts go; constants that only they read go; whoever read a Dropout's output reads its
input; an Identity, or whatever fills a mask somebody uses, may come. All else stays as it stood,
in its order.
"""

from collections import Counter

from onnx import GraphProto, ModelProto

from . import scopes
from .wire import (
    GRAPH_INITIALIZER,
    GRAPH_NODE,
    GRAPH_QUANTIZATION,
    GRAPH_SPARSE,
    GRAPH_VALUE_INFO,
    MODEL_FUNCTIONS,
    MODEL_GRAPH,
    MODEL_TRAINING,
    fields,
    only,
    verbatim,
)

FUNCTION_NODE, FUNCTION_VALUE_INFO = 7, 12
NODE_INPUT, NODE_OUTPUT, NODE_ATTRIBUTE = 1, 2, 5
ATTRIBUTE_GRAPH, ATTRIBUTE_GRAPHS = 6, 11


class Side:
    """One scope of one file: its parsed form and its bytes."""

    def __init__(self, body, data, node_field):
        self.body, self.data = body, data
        self.raw_nodes = [p for n, p, _ in fields(data) if n == node_field]
        self.nodes = list(body.node)
        assert len(self.nodes) == len(self.raw_nodes)
        self.outputs = scopes.output_names(body)
        self.made = {o: i for i, n in enumerate(self.nodes) for o in n.output if o}

    def raw(self, number):
        return [raw for n, _, raw in fields(self.data) if n == number]

    def reads(self):
        """How often each value is read here and further in, by which nodes of this scope."""
        found = {}
        for index, node in enumerate(self.nodes):
            for name in names_read(node):
                found.setdefault(name, []).append(index)
        return found


def names_read(node):
    yield from (name for name in node.input if name)
    for _, graph in scopes.subgraphs(node):
        yield from (o.name for o in graph.output)
        for inner in graph.node:
            yield from names_read(inner)


def attribute_without_graphs(payload):
    return b"".join(verbatim(payload, {ATTRIBUTE_GRAPH, ATTRIBUTE_GRAPHS}))


def signature(raw):
    """All of a node but its wiring and the inside of its subgraphs."""
    return [
        (number, attribute_without_graphs(payload) if number == NODE_ATTRIBUTE else whole)
        for number, payload, whole in fields(raw)
        if number not in (NODE_INPUT, NODE_OUTPUT)
    ]


def raw_subgraphs(raw):
    for number, attribute, _ in fields(raw):
        if number == NODE_ATTRIBUTE:
            for inner, payload, _ in fields(attribute):
                if inner in (ATTRIBUTE_GRAPH, ATTRIBUTE_GRAPHS):
                    yield payload


def pair(before, after):
    """Surviving nodes: {index after: index before}; by an output's name, else by signature."""
    pairs, free = {}, []
    taken = set()
    for index, node in enumerate(after.nodes):
        candidates = {before.made[o] for o in node.output if o in before.made}
        match = [
            c
            for c in candidates
            if c not in taken and signature(before.raw_nodes[c]) == signature(after.raw_nodes[index])
        ]
        if match:
            pairs[index] = match[0]
            taken.add(match[0])
        else:
            free.append(index)
    for index in free:
        for candidate, raw in enumerate(before.raw_nodes):
            if candidate not in taken and signature(raw) == signature(after.raw_nodes[index]):
                if not scopes.is_dropout(before.nodes[candidate]):
                    pairs[index] = candidate
                    taken.add(candidate)
                    break
    return pairs


NOTHING_OUTSIDE = ({}, {})


def scope_problems(label, before, after, outer, fixed):
    """Problems of one scope. `outer`: of the scopes around it, how names are now spelled and
    which name an added Identity passes on as which."""
    pairs = pair(before, after)
    survivors = set(pairs.values())
    if sorted(pairs.values()) != [pairs[i] for i in sorted(pairs)]:
        yield f"{label}: nodes changed their order"

    through = {
        n.output[0]: n.input[0] for n in before.nodes if scopes.is_dropout(n) and n.output[0]
    }
    respelled, passes = dict(outer[0]), dict(outer[1])
    for late, early in pairs.items():
        for old, new in zip(before.nodes[early].output, after.nodes[late].output):
            respelled[old] = new
        if len(before.nodes[early].output) != len(after.nodes[late].output):
            yield f"{label}: {before.nodes[early].name} has another number of outputs"
    masks = {
        n.output[1] for n in before.nodes if scopes.is_dropout(n) and len(n.output) > 1
    } - {""}
    reads = before.reads()
    masked = any(m in reads or m in before.outputs for m in masks)

    def now(name):
        seen = set()
        while name in through and name not in seen:
            seen.add(name)
            name = through[name]
        return respelled.get(name, name)

    for name in through:
        respelled.setdefault(name, now(name))

    added = [i for i in range(len(after.nodes)) if i not in pairs]
    for index in added:
        node = after.nodes[index]
        if node.op_type == "Identity":
            passes[node.output[0]] = node.input[0]

    def through_added(name):
        while name in passes:
            name = passes[name]
        return name

    for index in added:
        node = after.nodes[index]
        if node.op_type != "Identity" and not masked:
            yield f"{label}: {node.op_type} {node.name!r} came from nowhere"
        if scopes.is_dropout(node):
            yield f"{label}: a new Dropout"
    for late, early in pairs.items():
        old, new = before.nodes[early], after.nodes[late]
        wanted = [now(n) for n in old.input]
        got = [through_added(n) for n in new.input]
        if len(wanted) != len(got) or any(
            w != g and o not in masks for o, w, g in zip(old.input, wanted, got)
        ):
            yield f"{label}: {old.name or old.op_type} reads {got}, not {wanted}"
        inner = list(zip(raw_subgraphs(before.raw_nodes[early]), raw_subgraphs(after.raw_nodes[late])))
        for number, (a, b) in enumerate(inner):
            yield from graph_problems(f"{label}/{old.name}[{number}]", a, b, (respelled, passes))
    for index, node in enumerate(before.nodes):
        if index in survivors or scopes.is_dropout(node):
            continue
        readers = [r for o in node.output for r in reads.get(o, [])]
        if not readers or any(r in survivors for r in readers):
            yield f"{label}: {node.op_type} {node.name!r} is gone and was not only a Dropout's"
        if any(o in before.outputs for o in node.output):
            yield f"{label}: the output {list(node.output)} lost its producer"
    for name in before.outputs:
        if name not in masks and through_added(name) != now(name):
            yield f"{label}: output {name} is now {through_added(name)}, not {now(name)}"

    if verbatim(before.data, fixed) != verbatim(after.data, fixed):
        yield f"{label}: inputs, outputs, names or metadata are not the same bytes"


def graph_problems(label, before_data, after_data, outer=NOTHING_OUTSIDE):
    before = Side(GraphProto.FromString(before_data), before_data, GRAPH_NODE)
    after = Side(GraphProto.FromString(after_data), after_data, GRAPH_NODE)
    fixed = {GRAPH_NODE, GRAPH_INITIALIZER, GRAPH_SPARSE, GRAPH_VALUE_INFO, GRAPH_QUANTIZATION}
    yield from scope_problems(label, before, after, outer, fixed)
    yield from tensor_problems(label, before, after)
    alive = (
        set(after.made)
        | {t.name for t in after.body.initializer}
        | {i.name for i in after.body.input}
    )
    for kind, number, named in (
        ("value_info", GRAPH_VALUE_INFO, [v.name for v in before.body.value_info]),
        (
            "quantization_annotation",
            GRAPH_QUANTIZATION,
            [q.tensor_name for q in before.body.quantization_annotation],
        ),
    ):
        early, late = before.raw(number), after.raw(number)
        new = list((Counter(late) - Counter(early)).elements())
        if kind == "quantization_annotation":
            gone = list((Counter(early) - Counter(late)).elements())
            new = [raw for raw in new if not renamed(raw, gone, alive)]
        if new:
            yield f"{label}: {kind} changed or new"
        kept = Counter(late)
        for name, raw in zip(named, early):
            if kept[raw] == 0 and name in alive:
                yield f"{label}: {kind} of {name!r} is gone, the value is not"
            kept[raw] -= 1


def renamed(raw, gone, alive):
    """Is this an annotation of a value that took another's name, its parameters unchanged?"""
    (ours,) = GraphProto.FromString(raw).quantization_annotation
    for other in (GraphProto.FromString(one).quantization_annotation[0] for one in gone):
        same = ours.quant_parameter_tensor_names == other.quant_parameter_tensor_names
        if same and other.tensor_name not in alive and ours.tensor_name in alive:
            return True
    return False


def tensor_problems(label, before, after):
    early = dict(zip([t.name for t in before.body.initializer], before.raw(GRAPH_INITIALIZER)))
    late = dict(zip([t.name for t in after.body.initializer], after.raw(GRAPH_INITIALIZER)))
    if before.raw(GRAPH_SPARSE) != after.raw(GRAPH_SPARSE):
        yield f"{label}: sparse initializers changed"
    for name, raw in late.items():
        if name in early and early[name] != raw:
            yield f"{label}: the bytes of initializer {name!r} changed"
    if [n for n in early if n in late] != [n for n in late if n in early]:
        yield f"{label}: initializers changed their order"
    masked = any(
        scopes.is_dropout(n) and len(n.output) > 1 and n.output[1] for n in before.nodes
    )
    for name in late.keys() - early.keys():
        if not masked:
            yield f"{label}: initializer {name!r} came from nowhere"
    reads, inputs = before.reads(), {i.name for i in before.body.input}
    for name in early.keys() - late.keys():
        readers = [before.nodes[i] for i in reads.get(name, [])]
        if not readers or name in inputs or name in before.outputs:
            yield f"{label}: initializer {name!r} is gone and was not a Dropout's"
        elif not all(
            scopes.is_dropout(n) or name not in after.reads() for n in readers
        ):
            yield f"{label}: initializer {name!r} is gone and is still read"


def problems(before_data, after_data):
    """Everything strip changed that it had no business with, as sentences."""
    parts = {MODEL_GRAPH, MODEL_FUNCTIONS, MODEL_TRAINING}
    if verbatim(before_data, parts) != verbatim(after_data, parts):
        yield "model: opset, producer, IR version or metadata are not the same bytes"
    yield from graph_problems("graph", only(before_data, MODEL_GRAPH), only(after_data, MODEL_GRAPH))

    before, after = ModelProto.FromString(before_data), ModelProto.FromString(after_data)
    functions = [
        [p for n, p, _ in fields(data) if n == MODEL_FUNCTIONS] for data in (before_data, after_data)
    ]
    if len(functions[0]) != len(functions[1]):
        yield f"model: {len(functions[0])} functions became {len(functions[1])}"
    for a, b, early, late in zip(before.functions, after.functions, *functions):
        label = f"function:{a.domain}::{a.name}"
        fixed = {FUNCTION_NODE, FUNCTION_VALUE_INFO}
        sides = Side(a, early, FUNCTION_NODE), Side(b, late, FUNCTION_NODE)
        yield from scope_problems(label, *sides, NOTHING_OUTSIDE, fixed)
    training = [
        [p for n, p, _ in fields(data) if n == MODEL_TRAINING] for data in (before_data, after_data)
    ]
    if len(training[0]) != len(training[1]):
        yield "model: training_info came or went"
    for early, late in zip(*training):
        for number, part in ((1, "initialization"), (2, "algorithm")):
            a, b = only(early, number), only(late, number)
            if a is not None and b is not None:
                yield from graph_problems(f"training_info.{part}", a, b)
            elif a is not b:
                yield f"training_info.{part} came or went"
