#!/usr/bin/env python3
"""Judges `dropout-onnx sample` with ONNX Runtime.

    .ci/sampled.py target/debug/dropout-onnx

ONNX Runtime runs fixtures many times on the same input, with its optimisations off; what single runs
gave is kept, and figured with numpy. Of every element of every output, means and variances must agree
within five standard errors, and of classifiers the predictive entropy and the share of the top class
too. What is inert in a file is switched on here with `onnx`, and rates are written there: `sample` does
that by itself.

Where there is a Dropout, every run is a session of its own, with a random seed in every Dropout: left to
itself, ONNX Runtime's seeds a linear congruential engine with 1, 2, 3, … run by run, whose first
numbers then hardly differ, and the first element is dropped in every one of a thousand runs (1.32).
Random operators go on from run to run; but their seeds go, as nodes of one seed draw the same.

Every check is also shown to fail: on figures at another rate, and on a file whose dropout is inert.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
from onnx import TensorProto, helper

FIXTURES = Path(__file__).resolve().parent.parent / "fixtures"
RUNS = 3000
ort.set_default_logger_severity(4)
ort.set_seed(1)

# fixture, rate that is set, rate of the twin, options
CASES = [
    ("torch_course_preserve_op17", None, 0.2, []),
    ("torch_course_preserve_op17", 0.2, 0.5, []),
    ("torch_mask_output_op13", None, 0.1, ["--classes", "y=logits"]),
    ("torch_attention_inert_op17", None, 0.4, []),
    ("keras_course_random_mask_op13", None, 0.1, []),
    ("keras_kinds_op13", None, 0.5, []),
]


def figures(binary, model, feed, folder, *options):
    """What `sample` says: arrays by name, less the axis of rates."""
    given = []
    for name, array in feed.items():
        file = folder / f"{len(given)}.npy"
        np.save(file, array)
        given += ["--input", f"{name}={file}"]
    out = folder / "figures.npz"
    line = ["sample", model, "--runs", RUNS, "--seed", 7, *given, "-o", out, "--force", *options]
    done = subprocess.run([binary, *map(str, line)], capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{line}: exit {done.returncode}: {done.stdout}{done.stderr}")
    arrays = dict(np.load(out))
    if "rates" in arrays:
        own = ("rates", "runs", "seed", "mask_seed")
        arrays = {name: array if name in own else array[0] for name, array in arrays.items()}
    return arrays


def unseeded(model):
    result = onnx.ModelProto()
    result.CopyFrom(model)
    for node in result.graph.node:
        for attribute in [a for a in node.attribute if a.name == "seed"]:
            node.attribute.remove(attribute)
    return result


def training(model, rate):
    """The model with every Dropout on, at this rate if one is given."""
    on = onnx.ModelProto()
    on.CopyFrom(model)
    on.graph.initializer.append(helper.make_tensor("judge/on", TensorProto.BOOL, [], [True]))
    if rate is not None:
        on.graph.initializer.append(helper.make_tensor("judge/p", TensorProto.FLOAT, [], [rate]))
    for node in on.graph.node:
        if node.op_type == "Dropout":
            inputs = [*node.input, "", ""][:3]
            inputs[1] = inputs[1] if rate is None else "judge/p"
            inputs[2] = "judge/on"
            del node.input[:]
            node.input.extend(inputs)
    return on


def session(model):
    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.intra_op_num_threads = 1
    providers = ["CPUExecutionProvider"]
    return ort.InferenceSession(model.SerializeToString(), options, providers=providers)


def runs(model, feed, random):
    """Every output of every run, stacked."""
    model = unseeded(model)
    dropouts = [node for node in model.graph.node if node.op_type == "Dropout"]
    for node in dropouts:
        node.attribute.append(helper.make_attribute("seed", 0))
    outputs, running = [], session(model)
    for _ in range(RUNS):
        for node in dropouts:
            node.attribute[-1].i = int(random.integers(1, 2**31))
        running = session(model) if dropouts else running
        outputs.append(running.run(None, feed))
    names = (o.name for o in model.graph.output)
    return {name: np.stack(all_).astype(np.float64) for name, all_ in zip(names, zip(*outputs))}


def softmax(x):
    powers = np.exp(x - x.max(-1, keepdims=True))
    return powers / powers.sum(-1, keepdims=True)


def problems(found, stacks):
    """What of the figures is not what the runs show."""
    if not stacks:
        yield "no outputs"
    for name, stack in stacks.items():
        mean, variance = stack.mean(0), stack.var(0, ddof=1)
        fourth = ((stack - mean) ** 4).mean(0)
        both = 2 / RUNS
        off = np.abs(found[f"{name}.mean"] - mean) / (5 * np.sqrt(variance * both) + 1e-6)
        if off.max() > 1:
            yield f"{name}: a mean is {5 * off.max():.1f} standard errors off"
        room = 5 * np.sqrt(np.maximum(fourth - variance**2, 0) * both) + 1e-9
        off = np.abs(found[f"{name}.std"] ** 2 - variance) / room
        if off.max() > 1:
            yield f"{name}: a variance is {5 * off.max():.1f} standard errors off"
        if f"{name}.top" not in found:
            continue
        logits = np.abs(stack.sum(-1) - 1).max() > 1e-3
        average = (softmax(stack) if logits else stack).mean(0)
        entropy = -(average * np.log(average)).sum(-1)
        if np.abs(entropy - found[f"{name}.entropy"]).max() > 0.02:
            yield f"{name}: the entropy is {found[f'{name}.entropy']}, not {entropy}"
        top = found[f"{name}.top"].astype(int)
        share = (stack.argmax(-1) == top).mean(0)
        room = 5 * np.sqrt(share * (1 - share) * both) + 1 / RUNS
        if (np.abs(share - found[f"{name}.agreement"]) > room).any():
            yield f"{name}: the agreement is {found[f'{name}.agreement']}, not {share}"


def judge(binary, folder):
    random = np.random.default_rng(1)
    for stem, rate, another, options in CASES:
        file = FIXTURES / f"{stem}.onnx"
        model = onnx.load(file)
        own = {i.name for i in model.graph.initializer}
        feed = {}
        for value in (i for i in model.graph.input if i.name not in own):
            shape = [dim.dim_value or 2 for dim in value.type.tensor_type.shape.dim]
            feed[value.name] = random.standard_normal(shape).astype(np.float32)
        stacks = runs(training(model, rate), feed, random)
        rates = [] if rate is None else ["--rates", rate]
        what = stem if rate is None else f"{stem} at {rate}"
        found = figures(binary, file, feed, folder, *options, *rates)
        if stem.startswith(("torch_course", "keras_course", "torch_mask")):
            classes = any(name.endswith(".entropy") for name in found)
            yield f"{what}: is a classifier", [] if classes else ["no entropy"]
        yield what, list(problems(found, stacks))
        other = figures(binary, file, feed, folder, *options, "--rates", another)
        yield f"twin: {what}, as if at {another}", list(problems(other, stacks))
        if "inert" in stem:
            yield f"twin: {what}, as the file is", list(problems(found, runs(model, feed, random)))


def main():
    binary = str(Path(sys.argv[1]).resolve())
    failed = 0
    with tempfile.TemporaryDirectory() as folder:
        for what, found in judge(binary, Path(folder)):
            right = bool(found) == what.startswith("twin")
            failed += not right
            print(f"{'pass' if right else 'FAIL'}  {what}: {'; '.join(found[:2]) or 'no problem'}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
