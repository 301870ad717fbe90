#!/usr/bin/env python3
"""Judges `dropout-onnx insert` with ONNX Runtime.

    .ci/inserted.py target/debug/dropout-onnx [FOLDER]

A switch (`--mode runtime`) is put into fixtures and made networks, spatial masks into a made one.
Then, with ONNX Runtime's optimisations off:

    checker   onnx.checker accepts the result
    off       without the switch, and with it false, the outputs are those of the original, to the bit
    on        with it true, every site drops its fraction (binomial, five standard deviations), and
              scales what it keeps by 1/(1-p)
    spatial   whole channels drop, also at ONNX Runtime's default optimisations
    inverse   `strip` gives back the original, but for the switch
    models    dropout in every fixture, and in every model below FOLDER, once what dropout it has was
              stripped: at each preset that knows a position, and behind all values; inert and, where
              the opset has one, with a switch: as off and on above, where the model runs at all

Every check is also shown to fail: on a rate that is not the one that was asked for, on a result whose
weight was changed, and on elements that do not share their draw.
"""

import itertools
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
from onnx import TensorProto, helper, numpy_helper

FIXTURES = Path(__file__).resolve().parent.parent / "fixtures"
RATE = 0.3
RUNS = 3
PRESETS = ["head", "conv", "attention", "residual", "embedding", "ffn"]
FIXTURE = "torch_course_eval_op17"
ort.set_default_logger_severity(4)


def tool(binary, *arguments):
    done = subprocess.run([binary, *map(str, arguments)], capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{arguments}: exit {done.returncode}: {done.stdout}{done.stderr}")


def session(model, optimised=False):
    options = ort.SessionOptions()
    level = ort.GraphOptimizationLevel
    options.graph_optimization_level = level.ORT_ENABLE_ALL if optimised else level.ORT_DISABLE_ALL
    options.intra_op_num_threads = 1
    providers = ["CPUExecutionProvider"]
    return ort.InferenceSession(model.SerializeToString(), options, providers=providers)


def exposed(model):
    """The model with what goes into each dropout, and what comes out of it, among its outputs."""
    result = onnx.ModelProto()
    result.CopyFrom(model)
    sites = [n for n in result.graph.node if n.output[0].endswith("/dropout")]
    known = {o.name for o in result.graph.output}
    for name in (name for n in sites for name in (n.input[0], n.output[0])):
        if name not in known:
            known.add(name)
            result.graph.output.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, None))
    return result, [(n.input[0], n.output[0]) for n in sites]


def fraction_problem(dropped, draws, rate):
    room = 5 * np.sqrt(draws * rate * (1 - rate)) + 1
    if draws < 500:
        return f"only {draws} draws were seen"
    if abs(dropped - draws * rate) > room:
        return f"{dropped / draws:.3f} of {draws} dropped, and the rate is {rate}"
    return None


def site_problem(x, y, rate):
    """What is wrong with what dropout made of x."""
    seen = x != 0
    x, y = x[seen], y[seen]
    kept = y != 0
    if not np.allclose(y[kept], x[kept] / (1 - rate), rtol=1e-5):
        return f"what is kept is not scaled by 1/(1-{rate})"
    return fraction_problem(int((~kept).sum()), x.size, rate)


def channels_problem(x, y, rate):
    """As site_problem, where whole channels share a draw."""
    dropped = y == 0
    whole = dropped.reshape(*dropped.shape[:2], -1)
    if not np.array_equal(whole.all(2), whole.any(2)):
        return "a part of a channel dropped"
    return fraction_problem(int(whole.all(2).sum()), whole.shape[0] * whole.shape[1], rate)


def switched_problems(original, inserted, feed, rate):
    try:
        onnx.checker.check_model(inserted, full_check=True)
    except Exception as error:
        yield f"onnx.checker: {str(error).splitlines()[0]}"
        return
    expected = session(original).run(None, feed)
    names = [o.name for o in original.graph.output]
    with_sites, sites = exposed(inserted)
    if not sites:
        yield "no dropout was inserted"
    run = session(with_sites)
    for what in ({}, {"train": np.array(False)}):
        found = run.run(names, {**feed, **what})
        if any(a.tobytes() != b.tobytes() for a, b in zip(expected, found, strict=True)):
            yield f"outputs differ with {what or 'no switch'}"
    for data, output in sites:
        x, y = run.run([data, output], {**feed, "train": np.array(True)})
        problem = site_problem(x, y, rate)
        if problem:
            yield f"{output}: {problem}"


def convolution():
    """Two convolutions with activations, pooling and a dense layer, with weights of a seed."""
    random = np.random.default_rng(0)
    weights = {"s": (16, 3, 3, 3), "k": (16, 16, 3, 3), "w": (16, 10)}
    initializers = [
        numpy_helper.from_array((0.1 * random.standard_normal(shape)).astype(np.float32), name)
        for name, shape in weights.items()
    ]
    nodes = [
        helper.make_node("Conv", ["x", "s"], ["a"]),
        helper.make_node("Sigmoid", ["a"], ["b"]),
        helper.make_node("Conv", ["b", "k"], ["c"]),
        helper.make_node("Sigmoid", ["c"], ["h"]),
        helper.make_node("GlobalAveragePool", ["h"], ["p"]),
        helper.make_node("Flatten", ["p"], ["f"]),
        helper.make_node("MatMul", ["f", "w"], ["y"]),
    ]
    inputs = [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 3, 8, 8])]
    outputs = [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 10])]
    graph = helper.make_graph(nodes, "conv", inputs, outputs, initializers)
    opsets = [helper.make_opsetid("", 17)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=8)


def judge(binary, folder):
    random = np.random.default_rng(1)
    original = onnx.load(FIXTURES / f"{FIXTURE}.onnx")
    feed = {"x": random.standard_normal((64, 20)).astype(np.float32)}
    before, after = FIXTURES / f"{FIXTURE}.onnx", folder / "switched.onnx"
    tool(binary, "insert", before, after, "--rate", RATE, "--preset", "head", "--mode", "runtime:train")
    inserted = onnx.load(after)
    yield "switch", list(switched_problems(original, inserted, feed, RATE))
    yield "twin: another rate", list(switched_problems(original, inserted, feed, 0.5))
    changed = onnx.ModelProto()
    changed.CopyFrom(inserted)
    weight = changed.graph.initializer[0]
    array = numpy_helper.to_array(weight).copy()
    array.flat[0] += 1
    weight.CopyFrom(numpy_helper.from_array(array, weight.name))
    yield "twin: another weight", list(switched_problems(original, changed, feed, RATE))
    tool(binary, "strip", after, folder / "stripped.onnx")
    stripped = onnx.load(folder / "stripped.onnx")
    idle = [stripped.graph.input.pop(), stripped.graph.initializer.pop()]
    same = stripped.SerializeToString() == original.SerializeToString()
    problems = [] if same and all(i.name == "train" for i in idle) else ["not the original"]
    yield "inverse", problems

    network = convolution()
    onnx.save(network, folder / "conv.onnx")
    feed = {"x": random.standard_normal((64, 3, 8, 8)).astype(np.float32)}
    chosen = ["--rate", RATE, "--preset", "conv", "--mode", "active", "--mask-seed", 3]
    for what, axes in [("spatial", ["--shared-axes", "2,3"]), ("twin: not shared", [])]:
        after = folder / f"{what.split(':')[0]}.onnx"
        tool(binary, "insert", folder / "conv.onnx", after, *chosen, *axes)
        model, sites = exposed(onnx.load(after))
        problems = []
        for optimised in (False, True):
            for x, y in (session(model, optimised).run(list(site), feed) for site in sites):
                problem = channels_problem(x, y, RATE)
                problems += [problem] if problem else []
        yield what, problems


ELEMENTS = {
    TensorProto.FLOAT: np.float32,
    TensorProto.DOUBLE: np.float64,
    TensorProto.FLOAT16: np.float16,
    TensorProto.INT64: np.int64,
    TensorProto.INT32: np.int32,
    TensorProto.BOOL: np.bool_,
}


def random_feed(model):
    """Random data for all inputs that have no default."""
    random = np.random.default_rng(2)
    given = {tensor.name for tensor in model.graph.initializer}
    feed = {}
    for item in (item for item in model.graph.input if item.name not in given):
        tensor = item.type.tensor_type
        shape = [dim.dim_value or 16 for dim in tensor.shape.dim]
        element = ELEMENTS[tensor.elem_type]
        if np.issubdtype(element, np.integer) or element is np.bool_:
            feed[item.name] = random.integers(0, 2, shape).astype(element)
        else:
            feed[item.name] = np.asarray(random.standard_normal(shape)).astype(element)
    return feed


def is_valid(model):
    try:
        onnx.checker.check_model(model, full_check=True)
    except Exception:
        return False
    return True


def runs_alike(model, feed):
    """The outputs, if the model runs and computes the same twice."""
    try:
        run, names = session(model), [output.name for output in model.graph.output]
        first, second = run.run(names, feed), run.run(names, feed)
    except Exception:
        return None
    same = all(a.tobytes() == b.tobytes() for a, b in zip(first, second, strict=True))
    return first if same else None


def model_problems(original, inserted, switch, counts):
    if is_valid(original) and not is_valid(inserted):
        yield "onnx.checker refuses it, and not the original"
    feed = random_feed(original)
    expected = runs_alike(original, feed)
    if expected is None:
        counts["not run"] += 1
        return
    with_sites, sites = exposed(inserted)
    names = [output.name for output in original.graph.output]
    run = session(with_sites if switch else inserted)
    found = run.run(names, feed)
    counts["equal"] += 1
    if any(a.tobytes() != b.tobytes() for a, b in zip(expected, found, strict=True)):
        yield "outputs differ"
    if not switch:
        return
    feed = {**feed, switch: np.array(True)}
    watched, *again = [watch(run, sites, feed) for _ in range(RUNS)]
    counts["watched"] += len(watched)
    for output, problem in watched.items():
        if problem and all(other.get(output) for other in again):
            yield f"{output}: {problem}"


def watch(run, sites, feed):
    """What is wrong with each dropout, by its output, where enough elements are not 0 before it.

    ONNX Runtime seeds its dropouts with successive numbers, and its generator is linear: what a dropout
    drops depends a little on what the one before it dropped. So a wrong rate has to show in every run."""
    seen = iter(run.run([end for site in sites for end in site], feed))
    found = {}
    for (_, output), x, y in zip(sites, seen, seen):
        finite = np.isfinite(x)
        x, y = x[finite], y[finite]
        if np.count_nonzero(x) >= 500:
            found[output] = site_problem(x, y, RATE)
    return found


def judge_models(binary, folder, paths):
    counts = dict.fromkeys(("models", "equal", "watched", "not run"), 0)
    for path in paths:
        base, after = folder / "base.onnx", folder / "after.onnx"
        cleared = [binary, "strip", "--force", "--kind", "all", "--verify", "structure"]
        cleared += ["--external-data", "copy", path, base]
        if subprocess.run(list(map(str, cleared)), capture_output=True).returncode:
            continue
        counts["models"] += 1
        original, problems = onnx.load(base), []
        for chosen in [["--preset", preset] for preset in PRESETS] + [["--name", "*"]]:
            for mode, switch in [("inert", None), ("runtime:zz_train", "zz_train")]:
                command = [binary, "insert", "--force", base, after, "--rate", RATE, "--mode", mode]
                command += ["--verify", "structure", *chosen]
                done = subprocess.run(list(map(str, command)), capture_output=True, text=True)
                if done.returncode == 0:
                    found = model_problems(original, onnx.load(after), switch, counts)
                    problems += [f"{' '.join(chosen)}, {mode}: {problem}" for problem in found]
                elif done.returncode != 2 or "not valid" in done.stderr or "panic" in done.stderr:
                    problems.append(f"{chosen}: exit {done.returncode}: {done.stdout}")
        if problems:
            yield path.stem, problems
    enough = counts["equal"] > 40 and counts["watched"] > 20
    told = ", ".join(f"{what} {count}" for what, count in counts.items())
    yield f"models: {told}", [] if enough else ["too few to show anything"]


def main():
    binary = str(Path(sys.argv[1]).resolve())
    failed = 0
    with tempfile.TemporaryDirectory() as folder:
        paths = sorted(FIXTURES.glob("*.onnx"))
        paths += sorted(path for given in sys.argv[2:] for path in Path(given).rglob("*.onnx"))
        folder = Path(folder)
        judged = itertools.chain(judge(binary, folder), judge_models(binary, folder, paths))
        for what, problems in judged:
            right = bool(problems) == what.startswith("twin")
            failed += not right
            print(f"{'pass' if right else 'FAIL'}  {what}: {'; '.join(problems[:2]) or 'no problem'}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
