"""Models with random masks: what `strip` left of them, and whether it computes what it should.

    masks    what is random in the result: nothing where TRUTH.tsv says that only dropout was; a
             VAE's sampling, Gaussian noise, flips, RReLU exactly as they were. Two runs agree
    loads    onnx.checker accepts the result and ONNX Runtime loads and runs it, also where they
             refused the original because of its random operators
    dead     nothing is left of the masks: no node, initializer, loop state or function that was
             of use in the original and is of none now
    meaning  outputs as of the original in its inference meaning, found by judges/meaning.py, which
             does not know where a mask begins or ends: for both files, and with a real engine
             running the result. Every model that evaluator can run; at each value of a bool switch.
             Where a Bernoulli draws, its two readings (the specification's and ONNX Runtime's,
             which jax2onnx writes for) are both taken for right, each for the whole model
    twin     outputs as of the inference export of the same network, for the models that have one:
             same weights, checked here, in another file (TWINS), whoever exported it

Scale constants are float32: rtol 1e-4, atol 1e-5 (half precision: 8e-3, 1e-3).
"""

import fnmatch
import json
import re
from collections import Counter

import numpy as np
import onnx
from onnx import numpy_helper

from . import runtime, scopes
from .inference import inference_meaning
from .meaning import Meaning
from .runtime import CannotRun

RTOL, ATOL = 1e-4, 1e-5
KEPT_KINDS = ("GaussianNoise", "NOT dropout", "RReLU")  # by strip's default
# Models with random operators TRUTH.tsv has no source for: flips and contrast.
AUGMENTED = ("augment",)

# (models, the inference export of the same network): patterns, in the folder of the models.
TWINS = [
    ("*/course_*", "keras2_tf28/course_func_infer_op11.onnx"),
    ("*/mc_func_*", "keras3_jax/mc_kexport_op20.onnx"),
    ("*/mc_keras_*", "keras3_jax/mc_kexport_op20.onnx"),
    ("*/mc_saved_*", "keras3_jax/mc_kexport_op20.onnx"),
    ("*/mc_static_*", "keras2_tf28/mc_seed_func_infer_op13.onnx"),
    ("*/gru_func_*", "keras3_tf/gru_func_infer_op18.onnx"),
    ("*/lstm_func_*", "keras2_tf28/lstm_func_train_op11.onnx"),
    ("*/mha_func_*", "keras3_jax/mha_kexport.onnx"),
    ("keras2_tf215/cnn_func_*", "keras2_tf215/cnn_func_infer_op11.onnx"),
    ("torch*/hand_bernoulli_*", "torch112_ts/fdrop_always_EVAL_op11.onnx"),
    ("torch*/hand_empty_bernoulli_*", "torch112_ts/fdrop_always_EVAL_op11.onnx"),
    ("torch*/hand_floor_*", "torch112_ts/fdrop_always_EVAL_op11.onnx"),
    ("torch*/hand_rand*", "torch112_ts/fdrop_always_EVAL_op11.onnx"),
    ("torch*/inplace_*", "torch24_dynamo/inplace_eval_dynamo_export.onnx"),
    ("keras_course_random_mask_op13.onnx", "keras_course_infer_op15.onnx"),
]


# -- what is random


def is_random(node):
    stateless = node.op_type.startswith("StatelessRandom")
    return node.domain in scopes.ONNX_DOMAINS and (stateless or node.op_type in runtime.RANDOM)


def random_nodes(model):
    """Of every scope, functions included: (operator, first output) of each."""
    found = Counter()
    for scope in scopes.scopes(model):
        found.update((n.op_type, n.output[0]) for n in scope.body.node if is_random(n))
    return found


def expected_left(row):
    """How many random operators strip leaves, by a row of TRUTH.tsv."""
    total = sum(json.loads(row["random_forms"] or "{}").values())
    # layer|kind|rate|active, separated by `;`, which a kind may hold too
    sources = re.split(r";(?=(?:[^|;]*\|){3})", row["source_dropouts(layer|kind|rate|active_as_called)"])
    kinds = [source.split("|")[1:4:2] for source in sources if source]
    name = (row.get("file") or row["fixture"]).split("/")[-1]
    others = any(word in name for word in AUGMENTED) or any(k.startswith(KEPT_KINDS) for k, _ in kinds)
    if not others:
        return 0
    # One random operator each (no LSTM is among these), less those written as a Dropout.
    removed = sum(active == "True" and not k.startswith(KEPT_KINDS) for k, active in kinds)
    operators = sum(json.loads(row["Dropout_forms"] or "{}").values())
    return total - max(0, removed - operators)


def sources(model):
    """What every name is computed from, whatever the scope: through calls and into subgraphs too."""
    found = {}

    def add(names, others):
        for name in names:
            found.setdefault(name, set()).update(o for o in others if o)

    functions = {(f.domain, f.name, f.overload): f for f in model.functions}
    for scope in scopes.scopes(model):
        for node in scope.body.node:
            function = functions.get((node.domain, node.op_type, node.overload))
            if function is not None:
                for name, given in zip(function.input, node.input):
                    add([name], [given])
                for name, result in zip(node.output, function.output):
                    add([name], [result])
            elif node.op_type == "Loop":
                body, inner, results = loop_states(node)
                add([i.name for i in body.input[:2]], node.input[:2])
                for name, given, result in zip(inner, node.input[2:], results):
                    add([name], [given, result])
                last = [o.name for o in body.output][1:]
                for name, result in zip(node.output, last):
                    add([name], [result, *node.input[:2]])
            elif node.op_type == "If":
                for _, branch in scopes.subgraphs(node):
                    for name, result in zip(node.output, branch.output):
                        add([name], [result.name, node.input[0]])
            else:
                add([o for o in node.output if o], names_read(node))
    return found


def closure(names, edges):
    found, todo = set(), list(names)
    while todo:
        name = todo.pop()
        if name not in found:
            found.add(name)
            todo += edges.get(name, ())
    return found


def reached(names, edges):
    """Everything computed from these names, themselves included."""
    backwards = {}
    for name, others in edges.items():
        for other in others:
            backwards.setdefault(other, set()).add(name)
    return closure(names, backwards)


def called(model):
    """The (domain, name, overload) of every node."""
    return {(n.domain, n.op_type, n.overload) for s in scopes.scopes(model) for n in s.body.node}


def random_problems(before, after, row):
    was, now = random_nodes(before), random_nodes(after)
    for operator, output in (now - was).elements():
        yield f"{operator} {output!r} came from nowhere"
    if row is not None:
        wanted, left = expected_left(row), sum(now.values())
        if wanted != left:
            yield f"{left} random operators are left, not {wanted}: {sorted(now)[:4]}"


def unsteady(before, after, name):
    """Does the result give other outputs when it is run again?"""
    if random_nodes(after) or loading(before, after, name)[1]:
        return []
    try:
        engine, _, feed, first = runtime.first_that_runs(after, 0, name)
    except CannotRun as error:
        return [f"nothing runs the result: {error}"]
    if not runtime.same_bits(first, runtime.ENGINES[engine](after, feed)):
        return [f"two runs by {engine} differ"]
    return []


# -- does it load


def refusals(model):
    """Why onnx.checker, with and without inference of shapes, and ONNX Runtime refuse it."""
    found = {}
    for full in (False, True):
        try:
            onnx.checker.check_model(model, full_check=full)
        except Exception as error:
            lines = str(error).strip().splitlines() or [type(error).__name__]
            found[f"onnx.checker(full_check={full})"] = lines[0]
    reason = runtime.onnxruntime_loads(model)
    if reason:
        found["ONNX Runtime"] = reason
    return found


def loading(before, after, name):
    """(problems, skip reason). A refusal stands if its reason is an operator that is not random
    and was in the original."""
    if random_nodes(after):
        return [], "random by other operators"
    others = {n.op_type for s in scopes.scopes(before) for n in s.body.node if not is_random(n)}
    problems, excused = [], []
    for who, why in refusals(after).items():
        culprit = next((o for o in sorted(others) if f"for {o} " in why or f"{o}(" in why), None)
        if culprit and not any(operator in why for operator, _ in random_nodes(before)):
            excused.append(f"{culprit}: {who}: {why[:90]}")
        else:
            problems.append(f"{who} refuses the result: {why[:160]}")
    if not problems and not excused:
        engine = runtime.first_that_runs(after, 0, name)[0]
        if engine != "onnxruntime":
            problems.append("ONNX Runtime loads the result and cannot run it")
    return problems, f"invalid for another reason: {excused[0]}" if excused else None


# -- what is left over


def names_read(node):
    yield from (name for name in node.input if name)
    for _, graph in scopes.subgraphs(node):
        yield from names_read_inside(graph)


def names_read_inside(graph):
    yield from (o.name for o in graph.output)
    for node in graph.node:
        yield from names_read(node)


def loop_states(node):
    body = next(graph for _, graph in scopes.subgraphs(node))
    count = len(node.input) - 2
    inner = [i.name for i in body.input][2 : 2 + count]
    return body, inner, [o.name for o in body.output][1 : 1 + count]


def ancestors(nodes, wanted):
    """The names a set of names is computed from, by these nodes."""
    made = {o: n for n in nodes for o in n.output if o}
    found, todo = set(), list(wanted)
    while todo:
        name = todo.pop()
        if name in found:
            continue
        found.add(name)
        if name in made:
            todo += names_read(made[name])
    return found


def idle_states(node, read_outside):
    """Names in the body of Loop states that reach nothing but themselves and each other."""
    body, inner, results = loop_states(node)
    last = {i.name for i in body.output[1 + len(inner) :]} | {body.output[0].name}
    useful = {i for i, o in enumerate(node.output[: len(inner)]) if o and o in read_outside}
    while True:
        needed = ancestors(body.node, last | {results[i] for i in useful})
        more = {i for i, name in enumerate(inner) if name in needed} - useful
        if not more:
            return [inner[i] for i in range(len(inner)) if i not in useful]
        useful |= more


def useless(model):
    """Labels of everything that reaches no output: the same thing has the same label after strip."""
    found = set()
    for scope in scopes.scopes(model):
        body = scope.body
        needed = ancestors(body.node, scopes.output_names(body))
        for node in body.node:
            real = [o for o in node.output if o]
            if not any(o in needed for o in real):
                found.add(f"node {node.op_type} {real[:1]}")
            if node.op_type == "Loop" and node.domain in scopes.ONNX_DOMAINS:
                found.update(f"loop state {name!r}" for name in idle_states(node, needed))
        read = set(scopes.output_names(body)).union(*(names_read(n) for n in body.node))
        found.update(
            f"initializer {t.name!r}" for t in getattr(body, "initializer", []) if t.name not in read
        )
    for function in model.functions:
        if (function.domain, function.name, function.overload) not in called(model):
            found.add(f"function {function.domain}::{function.name}, never called")
    return found


def dead_problems(before, after):
    inputs = {f"initializer {i.name!r}" for i in after.graph.input}  # listed as inputs: they stay
    left = sorted(useless(after) - useless(before) - inputs)
    if left:
        yield f"{len(left)} left over: " + ", ".join(left[:4])


# -- what it computes


def feeds(model, seed, dim, name):
    """Seeded inputs; and once more for each value of a switch that has a default."""
    feed = runtime.inputs(model, seed, dim, name)
    yield feed
    defaults = {t.name: numpy_helper.to_array(t) for t in model.graph.initializer}
    listed = [i.name for i in model.graph.input if i.name in defaults]
    if len(listed) == len(defaults):
        return  # an exporter of weights as inputs, no switches
    for name in listed:
        if defaults[name].dtype == bool and defaults[name].ndim == 0:
            for value in (True, False):
                yield feed | {name: np.array(value)}
        elif defaults[name].dtype.kind == "f" and defaults[name].ndim == 0:
            for value in (0.4, 0.9):
                yield feed | {name: np.array(value, defaults[name].dtype)}


def meaning_that_runs(model, seed, name, **reading):
    """[(feed, outputs in the inference meaning)] for the first symbolic dimension that works."""
    why = []
    for dim in (3, 1, 2, 8):
        try:
            return [(f, Meaning(model, **reading).run(f)) for f in feeds(model, seed, dim, name)]
        except Exception as error:
            why.append(str(error))
    raise CannotRun("; ".join(dict.fromkeys(why)))


def tolerances(kind):
    """Relative and absolute; half precision has but eleven bits."""
    if kind == np.float16:
        return 8 * np.finfo(kind).eps, np.finfo(kind).eps
    return RTOL, ATOL


def close(expected, got):
    return len(expected) == len(got) and all(
        np.asarray(a).shape == np.asarray(b).shape
        and np.asarray(a).dtype == np.asarray(b).dtype
        and np.allclose(a, b, *tolerances(np.asarray(a).dtype), equal_nan=True)
        for a, b in zip(expected, got)
    )


def run_for_real(model, feed):
    """(engine, outputs): ONNX Runtime, onnx.reference, or the judge's own evaluator."""
    engines = [*runtime.ENGINES.items(), ("the judge", lambda m, f: Meaning(m).run(f))]
    why = []
    for engine, run in engines:
        try:
            return engine, run(model, feed)
        except Exception as error:
            why.append(f"{engine}: {(str(error).strip() or type(error).__name__).splitlines()[0][:120]}")
    raise CannotRun("; ".join(why))


def meaning_problems(before, after, name, **reading):
    """(problems, skip reason)"""
    problems = []
    for seed in range(2):
        try:
            expected = meaning_that_runs(before, seed, name, **reading)
        except CannotRun as error:
            return problems, f"the judge cannot evaluate the original: {error}"
        for feed, wanted in expected:
            try:
                runs = [("the judge", Meaning(after, **reading).run(feed))]
                if not random_nodes(after):
                    runs.append(run_for_real(after, feed))
            except CannotRun as error:
                problems.append(f"the original can be evaluated, not the result: {error}")
                continue
            for engine, got in runs:
                if not close(wanted, got):
                    problems.append(f"{engine}, seed {seed}: {runtime.differing(wanted, got)}")
    draws = any(operator == "Bernoulli" for operator, _ in random_nodes(before))
    if problems and draws and not reading:
        other, _ = meaning_problems(before, after, name, bernoulli_drops=True)
        return [] if not other else problems, None
    return problems, None


def weights(model):
    """The float tensors that are no constants of the exporter, as sorted values: layouts differ."""
    found = set()
    for scope in scopes.scopes(model):
        arrays = [numpy_helper.to_array(t) for t in getattr(scope.body, "initializer", [])]
        arrays += [scopes.constant(n) for n in scope.body.node if n.op_type == "Constant"]
        for array in arrays:
            if array is not None and array.dtype.kind == "f" and len(np.unique(array)) > 2:
                found.add(np.sort(array.astype(np.float32), axis=None).tobytes())
    return found


def twin_of(folder, name):
    for pattern, twin in TWINS:
        if fnmatch.fnmatch(name, pattern) and (folder / twin).exists():
            return folder / twin
    return None


def twin_problems(before, after, twin, name):
    """(problems, skip reason): does the result compute what the inference export computes?"""
    other = inference_meaning(onnx.load(twin))
    if weights(other) != weights(before):
        return [], f"{twin.name} has other weights"
    problems, names = [], [i.name for i in runtime.free_inputs(other.graph)]
    for seed in range(2):
        expected = None
        for dim in (3, 1, 2, 8):
            try:
                feed = runtime.inputs(before, seed, dim, name)
                wanted = run_for_real(other, dict(zip(names, feed.values(), strict=True)))
                expected = wanted[1]
                break
            except (CannotRun, ValueError) as error:
                why = str(error)
        if expected is None:
            return [], f"{twin.name} does not run: {why}"
        try:
            engine, got = run_for_real(after, feed)
        except CannotRun as error:
            return [f"{twin.name} runs, the result does not: {error}"], None
        if not close(expected, got):
            problems.append(f"{engine}, seed {seed}: {runtime.differing(expected, got)} from {twin.name}")
    return problems, None


def add_to(report, before, after, name, row, folder):
    """All checks of one model, where the original is random."""
    if not random_nodes(before):
        return
    report.facts.append("models with random operators")
    report.add("masks", [*random_problems(before, after, row), *unsteady(before, after, name)])
    report.add("loads", *loading(before, after, name))
    report.add("dead", dead_problems(before, after))
    problems, skip = meaning_problems(before, after, name)
    report.add("meaning", problems, skip)
    if random_nodes(before) == random_nodes(after):
        return
    if not problems and not skip:
        report.facts.append("stripped of masks, right by the judge's own evaluation of the original")
    if not random_nodes(after):
        report.facts.append("stripped of everything random")
        if refusals(before).get("ONNX Runtime") and not refusals(after):
            report.facts.append("loaded by ONNX Runtime and accepted by onnx.checker for the first time")
        twin = twin_of(folder, name)
        if twin is not None:
            problems, skip = twin_problems(before, after, twin, name)
            report.add("twin", problems, skip)
            if not problems and not skip:
                report.facts.append("right by the inference export of the same weights")
