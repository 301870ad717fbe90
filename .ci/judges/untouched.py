"""What strip may not touch, compared as bytes; and how it may rewire what it leaves.

Allowed: Dropouts go, and calls of functions that do nothing else; constants that only they read go;
whoever read a Dropout's output reads its input; an Identity, or whatever fills a mask somebody uses, may come. All else stays as it stood,
in its order.

Where random operators went too: whoever read a value that depends on one of them may read another
value instead, always the same one, of those it was computed from, or that times a constant; whatever
only such values were computed from may go, Loop states and functions included. That it is the right
value is for other checks to say (judges/masks.py).
"""

from collections import Counter
from dataclasses import dataclass, field

from onnx import FunctionProto, GraphProto, ModelProto

from . import masks, scopes
from .wire import (
    GRAPH_INITIALIZER,
    GRAPH_INPUT,
    GRAPH_NODE,
    GRAPH_OUTPUT,
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
            for name in masks.names_read(node):
                found.setdefault(name, []).append(index)
        return found


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


@dataclass
class Region:
    """What the random operators that went had to do with, by name, whatever the scope."""

    random: set = field(default_factory=set)  # depends on them
    sources: dict = field(default_factory=dict)  # name: what it is computed from
    left: set = field(default_factory=set)  # made in the result
    emptied: dict = field(default_factory=dict)  # functions of which nothing is left, as scopes.emptied

    @classmethod
    def of(cls, before, after):
        gone = masks.random_nodes(before) - masks.random_nodes(after)
        emptied = scopes.emptied(before)
        if not gone:
            return cls(emptied=emptied)
        sources = masks.sources(before)
        made = {o for s in scopes.scopes(after) for n in s.body.node for o in n.output if o}
        return cls(masks.reached({output for _, output in gone}, sources), sources, made, emptied)

    def __bool__(self):
        return bool(self.random)

    def may_go(self, names):
        """Is all of it random, or something random values were computed from?"""
        return bool(self) and all(n in self.needed for n in names if n)

    @property
    def needed(self):
        if not hasattr(self, "_needed"):
            self._needed = masks.closure(self.random, self.sources)
        return self._needed

    def computed_from(self, name, others):
        return bool(others & masks.closure({name}, self.sources))


NOTHING_OUTSIDE = ({}, {})


def kept_states(old, new):
    """Of a Loop's states, the places of those that are left: (inputs, outputs) of the old node."""
    every = range(len(old.input)), range(len(old.output))
    if old.op_type != "Loop" or old.domain not in scopes.ONNX_DOMAINS or len(old.input) == len(new.input):
        return every
    (_, was, _), (_, now, _) = masks.loop_states(old), masks.loop_states(new)
    kept = [i for i, name in enumerate(was) if name in now]
    return [0, 1, *(2 + i for i in kept)], [*kept, *range(len(was), len(old.output))]


NOTHING_DROPPED = (set(), set())


def dropped_states(old, new):
    """The places of the inputs and outputs a Loop's body loses with its states."""
    places, _ = kept_states(old, new)
    lost = set(range(len(old.input))) - set(places)
    return lost, {place - 1 for place in lost}


def fixed_fields(data, without, dropped):
    """`verbatim`, less the inputs and outputs at some places."""
    found, at = [], {GRAPH_INPUT: 0, GRAPH_OUTPUT: 0}
    for number, _, raw in fields(data):
        if number in without:
            continue
        if number in at:
            at[number] += 1
            if at[number] - 1 in dropped[number == GRAPH_OUTPUT]:
                continue
        found.append(raw)
    return found


def scope_problems(label, before, after, outer, fixed, region, dropped=NOTHING_DROPPED):
    """Problems of one scope. `outer`: of the scopes around it, how names are now spelled and
    which name an added Identity passes on as which."""
    pairs = pair(before, after)
    outputs = [name for at, name in enumerate(before.outputs) if at not in dropped[1]]
    survivors = set(pairs.values())
    if sorted(pairs.values()) != [pairs[i] for i in sorted(pairs)]:
        yield f"{label}: nodes changed their order"

    through = {
        n.output[0]: n.input[0] for n in before.nodes if scopes.is_dropout(n) and n.output[0]
    }
    calls = set()  # of functions of which nothing is left
    for index, node in enumerate(before.nodes):
        places = region.emptied.get(scopes.key_of(node))
        if places is not None and index not in survivors:
            calls.add(index)
            through.update({o: node.input[place] for o, place in zip(node.output, places) if o})
    respelled, passes = dict(outer[0]), dict(outer[1])
    for late, early in pairs.items():
        _, places = kept_states(before.nodes[early], after.nodes[late])
        for place, new in zip(places, after.nodes[late].output):
            respelled[before.nodes[early].output[place]] = new
        if len(places) != len(after.nodes[late].output):
            yield f"{label}: {before.nodes[early].name} has another number of outputs"
    filled = {
        n.output[1] for n in before.nodes if scopes.is_dropout(n) and len(n.output) > 1
    } - {""}
    reads = before.reads()
    masked = any(m in reads or m in outputs for m in filled)

    def now(name):
        seen = set()
        while name in through and name not in seen:
            seen.add(name)
            name = through[name]
        return respelled.get(name, name)

    for name in through:
        respelled.setdefault(name, now(name))

    added = [i for i in range(len(after.nodes)) if i not in pairs]
    constants = {after.nodes[i].output[0] for i in added if after.nodes[i].op_type == "Constant"}
    constants |= {t.name for t in getattr(after.body, "initializer", [])}
    early_names = set(before.made) | {t.name for t in getattr(before.body, "initializer", [])}
    for index in added:
        node = after.nodes[index]
        if node.op_type == "Identity":
            passes[node.output[0]] = node.input[0]
        elif region and node.op_type == "Mul" and any(n in constants for n in node.input):
            (passes[node.output[0]],) = [n for n in node.input if n not in constants] or [""]

    def through_added(name):
        while name in passes:
            name = passes[name]
        return name

    for index in added:
        node = after.nodes[index]
        scales = region and (node.output[0] in passes or node.op_type == "Constant")
        if node.op_type != "Identity" and not masked and not scales:
            yield f"{label}: {node.op_type} {node.name!r} came from nowhere"
        if scopes.is_dropout(node):
            yield f"{label}: a new Dropout"
    spelled_before = {}
    for old, new in respelled.items():
        spelled_before.setdefault(new, set()).add(old)

    def from_old(name, got):
        return region.computed_from(name, {got} | spelled_before.get(got, set()))

    def cut(name, got):
        """Does reading `got` in place of a value that is gone make sense? It does for a random one;
        and for data scaled on its way to the mask, if that is all that was done to it."""
        maker = before.nodes[before.made[name]] if name in before.made else None
        scaled = maker and maker.op_type in ("Mul", "Div") and name in region.needed
        scaled = scaled and ({got} | spelled_before.get(got, set())) & set(maker.input)
        if not (name in region.random or scaled) or not from_old(name, got):
            return False
        return cuts.setdefault(name, got) == got

    def scales_instead(old, new):
        """x * mask became x * constant, in the same node."""
        if not region or old.op_type != "Mul" or not set(old.output) & region.random:
            return False
        mine = [n for n in new.input if n in constants and n not in early_names]
        rest = [through_added(n) for n in new.input if n not in mine]
        return len(mine) == len(rest) == 1 and from_old(old.output[0], rest[0])

    cuts = {}
    for name in before.made:
        survives = before.made[name] in survivors
        if name in region.random and not survives and name in after.made:
            respelled[name] = through_added(name)  # another value took the name of a graph's output
            if not cut(name, respelled[name]) and after.made[name] in pairs:
                twin = before.nodes[pairs[after.made[name]]].output
                if not region.computed_from(name, set(twin)):
                    yield f"{label}: {name!r} is now another value"
    for late, early in pairs.items():
        old, new = before.nodes[early], after.nodes[late]
        places, _ = kept_states(old, new)
        wanted = [now(old.input[place]) for place in places]
        got = [through_added(n) for n in new.input]
        if scales_instead(old, new):
            wanted = got
        elif len(wanted) == len(got):
            for at, place in enumerate(places):
                name = old.input[place]
                # a function that no longer does anything with a mask is no longer given it
                spared = got[at] == "" and name in region.random
                if wanted[at] != got[at] and name not in region.left and (spared or cut(name, got[at])):
                    wanted[at] = got[at]
        if len(wanted) != len(got) or any(
            w != g and old.input[place] not in filled for place, w, g in zip(places, wanted, got)
        ):
            yield f"{label}: {old.name or old.op_type} reads {got}, not {wanted}"
        inner = list(zip(raw_subgraphs(before.raw_nodes[early]), raw_subgraphs(after.raw_nodes[late])))
        for number, (a, b) in enumerate(inner):
            name = f"{label}/{old.name}[{number}]"
            yield from graph_problems(name, a, b, region, (respelled, passes), dropped_states(old, new))
    late_reads = after.reads()
    for index, node in enumerate(before.nodes):
        if index in survivors or index in calls or scopes.is_dropout(node):
            continue
        readers = [r for o in node.output for r in reads.get(o, [])]
        used = readers or any(o in before.outputs for o in node.output)
        if used and region.may_go(node.output):
            # who is left and read it reads something else, or that would have been told above
            if any(o in late_reads for o in node.output if o not in after.made):
                yield f"{label}: {node.op_type} {node.name!r} is gone and is still read"
            if any(o in outputs and o not in after.made for o in node.output):
                yield f"{label}: the output {list(node.output)} lost its producer"
            continue
        if not readers or any(r in survivors for r in readers):
            yield f"{label}: {node.op_type} {node.name!r} is gone and was not only a Dropout's"
        if any(o in outputs for o in node.output):
            yield f"{label}: the output {list(node.output)} lost its producer"
    for name in outputs:
        if name not in filled and through_added(name) != now(name):
            yield f"{label}: output {name} is now {through_added(name)}, not {now(name)}"

    if fixed_fields(before.data, fixed, dropped) != fixed_fields(after.data, fixed, NOTHING_DROPPED):
        yield f"{label}: inputs, outputs, names or metadata are not the same bytes"


def graph_problems(label, before_data, after_data, region, outer=NOTHING_OUTSIDE, dropped=NOTHING_DROPPED):
    before = Side(GraphProto.FromString(before_data), before_data, GRAPH_NODE)
    after = Side(GraphProto.FromString(after_data), after_data, GRAPH_NODE)
    fixed = {GRAPH_NODE, GRAPH_INITIALIZER, GRAPH_SPARSE, GRAPH_VALUE_INFO, GRAPH_QUANTIZATION}
    yield from scope_problems(label, before, after, outer, fixed, region, dropped)
    yield from tensor_problems(label, before, after, region)
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


def tensor_problems(label, before, after, region):
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
        scales = region and all(after.nodes[i].op_type == "Mul" for i in after.reads().get(name, []))
        if not masked and not scales:
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
    before, after = ModelProto.FromString(before_data), ModelProto.FromString(after_data)
    region = Region.of(before, after)
    graphs = (only(data, MODEL_GRAPH) for data in (before_data, after_data))
    yield from graph_problems("graph", *graphs, region)

    early, late = (functions(data) for data in (before_data, after_data))
    for key in early.keys() | late.keys():
        label = f"function:{key[0]}::{key[1]}"
        if key not in early:
            yield f"{label} came from nowhere"
        elif key not in late:
            may_go = region or key in region.emptied
            if not may_go or key in masks.called(after) or key not in masks.called(before):
                yield f"{label} is gone"
        else:
            fixed = {FUNCTION_NODE, FUNCTION_VALUE_INFO}
            yield from scope_problems(label, early[key], late[key], NOTHING_OUTSIDE, fixed, region)
    if [key for key in early if key in late] != list(late):
        yield "model: functions changed their order"
    training = [
        [p for n, p, _ in fields(data) if n == MODEL_TRAINING] for data in (before_data, after_data)
    ]
    if len(training[0]) != len(training[1]):
        yield "model: training_info came or went"
    for early, late in zip(*training):
        for number, part in ((1, "initialization"), (2, "algorithm")):
            a, b = only(early, number), only(late, number)
            if a is not None and b is not None:
                yield from graph_problems(f"training_info.{part}", a, b, region)
            elif a is not b:
                yield f"training_info.{part} came or went"


def functions(data):
    """{(domain, name, overload): Side}, in the file's order."""
    found = {}
    for number, payload, _ in fields(data):
        if number == MODEL_FUNCTIONS:
            body = FunctionProto.FromString(payload)
            found[body.domain, body.name, body.overload] = Side(body, payload, FUNCTION_NODE)
    return found
