#!/usr/bin/env python3
"""Judges `dropout-onnx insert` with a trainer: PyTorch, by way of onnx2torch.

    .ci/trainer.py target/debug/dropout-onnx

Dropout of rate 0.3 is put into small networks of opsets 10 to 17, inert and with a switch. onnx2torch
imports them:

    modules  each dropout is there; at opset 10 and 11 it is an nn.Dropout with p 0.3
    real     from opset 12 on it is a module of onnx2torch's own (Dropout has inputs then), which is
             trained as it is, and once more with an nn.Dropout with p 0.3 in its place
    train    in .train() each drops its fraction (binomial, five standard deviations), keeps the rest
             scaled by 1/(1-p), and does otherwise the next time
    eval     in .eval() the network computes what the original does, to the bit
    step     gradients flow: a step of SGD lowers the loss

The twins, which must fail: the network without dropout, and another rate than the one asked for.
Needs .ci/trainer_requirements.txt and torch and torchvision (see .ci/run).
"""

import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import onnx
import onnx2torch
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import nn

RATE = 0.3


def network(opset):
    random = np.random.default_rng(0)
    sizes = [20, 64, 64, 4]
    nodes, initializers, data = [], [], "x"
    for layer, (rows, columns) in enumerate(zip(sizes, sizes[1:])):
        last = layer == len(sizes) - 2
        weight = random.standard_normal((rows, columns)).astype(np.float32) / rows**0.5
        bias = np.full(columns, 0.1, np.float32)
        initializers.append(numpy_helper.from_array(weight, f"w{layer}"))
        initializers.append(numpy_helper.from_array(bias, f"b{layer}"))
        made = "y" if last else f"a{layer}"
        nodes.append(helper.make_node("Gemm", [data, f"w{layer}", f"b{layer}"], [made], f"gemm{layer}"))
        if not last:
            nodes.append(helper.make_node("Relu", [made], [f"h{layer}"], f"relu{layer}"))
            data = f"h{layer}"
    inputs = [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 20])]
    outputs = [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 4])]
    graph = helper.make_graph(nodes, "mlp", inputs, outputs, initializers)
    opsets = [helper.make_opsetid("", opset)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=7)


def dropouts(module):
    return [m for m in module.modules() if "dropout" in type(m).__name__.lower()]


def seen_problem(x, y, rate):
    x, y = x[x != 0], y[x != 0]
    kept = y != 0
    if not torch.allclose(y[kept], x[kept] / (1 - rate), rtol=1e-4):
        return f"what is kept is not scaled by 1/(1-{rate})"
    dropped, draws = int((~kept).sum()), x.numel()
    if draws < 500 or abs(dropped - draws * rate) > 5 * (draws * rate * (1 - rate)) ** 0.5 + 1:
        return f"{dropped} of {draws} dropped, and the rate is {rate}"
    return None


def with_real_dropout(module):
    """A module that onnx2torch made, with nn.Dropout in place of its own, which takes its p as an input."""
    for node in module.graph.nodes:
        dynamic = node.op == "call_module" and "Dropout" in type(module.get_submodule(node.target)).__name__
        if dynamic and len(node.args) > 1:
            ratio = module
            for name in node.args[1].target.split("."):
                ratio = getattr(ratio, name)
            setattr(module, node.target, nn.Dropout(float(ratio)))
            node.args = node.args[:1]
    module.recompile()
    return module


def problems(original, inserted, real, rate):
    module = onnx2torch.convert(inserted)
    module = with_real_dropout(module) if real else module
    found = dropouts(module)
    if len(found) != 2:
        yield f"{len(found)} dropout modules, not 2"
        return
    for dropout in found if real else []:
        if not isinstance(dropout, nn.Dropout) or abs(dropout.p - rate) > 1e-6:
            yield f"{dropout} is no nn.Dropout with p {rate}"
    seen = []
    hooks = [d.register_forward_hook(lambda _, x, y: seen.append((x[0], y))) for d in found]
    torch.manual_seed(0)
    x = torch.randn(256, 20)
    module.train()
    with torch.no_grad():
        first, second = module(x), module(x)
    for x_in, y_out in seen[:2]:
        problem = seen_problem(x_in, y_out, rate)
        if problem:
            yield f"train: {problem}"
    if torch.equal(first, second):
        yield "train: the same elements dropped twice"
    for hook in hooks:
        hook.remove()
    module.eval()
    with torch.no_grad():
        if not torch.equal(module(x), onnx2torch.convert(original).eval()(x)):
            yield "eval: it does not compute what the original does"
    module.train()
    learn = torch.optim.SGD(module.parameters(), lr=0.05)
    target, losses = torch.randn(256, 4), []
    for _ in range(30):
        loss = nn.functional.mse_loss(module(x), target)
        learn.zero_grad()
        loss.backward()
        learn.step()
        losses.append(loss.item())
    if not losses[-1] < losses[0]:
        yield f"step: the loss went from {losses[0]:.3f} to {losses[-1]:.3f}"


def judge(binary, folder):
    forms = [(opset, "inert") for opset in (10, 11, 12, 13, 17)] + [(13, "runtime:train")]
    for opset, mode in forms:
        what = f"opset {opset}, {mode}"
        original = network(opset)
        before, after = folder / "before.onnx", folder / "after.onnx"
        onnx.save(original, before)
        arguments = [binary, "insert", "--force", before, after, "--rate", str(RATE)]
        arguments += ["--preset", "head", "--mode", mode]
        done = subprocess.run(arguments, capture_output=True, text=True)
        if done.returncode:
            yield what, [done.stdout + done.stderr]
            continue
        inserted = onnx.load(after)
        for real in (False, True) if opset >= 12 else (True,):
            how = f"{what}, {'nn.Dropout' if real else 'as imported'}"
            yield how, list(problems(original, inserted, real, RATE))
            yield f"twin: {how}, another rate", list(problems(original, inserted, real, 0.5))
        yield f"twin: {what}, no dropout", list(problems(original, original, True, RATE))


def main():
    binary = str(Path(sys.argv[1]).resolve())
    print(f"torch {torch.__version__}, numpy {np.__version__}, onnx {onnx.__version__}")
    failed = 0
    with tempfile.TemporaryDirectory() as folder:
        for what, found in judge(binary, Path(folder)):
            right = bool(found) == what.startswith("twin")
            failed += not right
            print(f"{'pass' if right else 'FAIL'}  {what}: {'; '.join(found[:2]) or 'no problem'}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
