#!/usr/bin/env python3
"""Judges `dropout-onnx insert` with a trainer: PyTorch, by way of onnx2torch.

    .ci/trainer.py target/debug/dropout-onnx

Dropout of rate 0.3 is put into small networks of opsets 10 to 17, inert and with a switch. onnx2torch
imports them:

    modules  each dropout is there; at opset 10 and 11 it is an nn.Dropout with p 0.3
    real     from opset 12 on it is a module of onnx2torch's own (Dropout has inputs then), which is
             trained as it is, and once more after dropout_onnx.torch.real_dropout: an nn.Dropout with
             p 0.3 (and not 0.30000001192092896), which PyTorch exports again
    train    in .train() each drops its fraction (binomial, five standard deviations), keeps the rest
             scaled by 1/(1-p), and does otherwise the next time
    eval     in .eval() the network computes what the original does, to the bit
    step     gradients flow: a step of SGD lowers the loss

The twins, which must fail: the network without dropout, and another rate than the one asked for.
Needs .ci/trainer_requirements.txt and torch and torchvision (see .ci/run).
"""

import importlib.util
import io
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


def real_dropout():
    """The package's function; the package itself is built later."""
    path = Path(__file__).parent.parent / "python" / "dropout_onnx" / "torch.py"
    spec = importlib.util.spec_from_file_location("dropout_onnx_torch", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.real_dropout


def ratios(module, training):
    """The rates of Dropout operators in what PyTorch exports, and whether it is a model at all."""
    file = io.BytesIO()
    inputs = (torch.zeros(2, 20),)
    if "train" in [node.name for node in module.graph.nodes if node.op == "placeholder"]:
        inputs += (torch.tensor(training),)
    mode = torch.onnx.TrainingMode.TRAINING if training else torch.onnx.TrainingMode.EVAL
    torch.onnx.export(module, inputs, file, training=mode, do_constant_folding=False, opset_version=13)
    model = onnx.load_from_string(file.getvalue())
    onnx.checker.check_model(model)
    made = {output: node for node in model.graph.node for output in node.output}
    ratio = lambda node: made[node.input[1]].attribute[0].t
    return [float(numpy_helper.to_array(ratio(n))) for n in model.graph.node if n.op_type == "Dropout"]


def problems(original, inserted, real, rate):
    module = onnx2torch.convert(inserted)
    if real:
        module.eval()
        module = real_dropout()(module)
        if any(m.training for m in module.modules()):
            yield "real: eval() is no longer so"
    found = dropouts(module)
    if len(found) != 2:
        yield f"{len(found)} dropout modules, not 2"
        return
    for dropout in found if real else []:
        if type(dropout) is not nn.Dropout or dropout.p != rate:
            yield f"{dropout} is no nn.Dropout with p {rate}"
    if real and (ratios(module, False) or ratios(module, True) != [float(np.float32(rate))] * 2):
        yield f"export: {ratios(module, False)} in .eval(), {ratios(module, True)} in .train()"
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


def computed_rate():
    """A model whose rate is an input: there is no p, and nothing is replaced."""
    model = network(13)
    dropout = helper.make_node("Dropout", ["h0", "ratio", ""], ["d0"], "drop")
    model.graph.node.insert(2, dropout)
    model.graph.node[3].input[0] = "d0"
    model.graph.input.append(helper.make_tensor_value_info("ratio", TensorProto.FLOAT, []))
    module = onnx2torch.convert(model)
    before = module.code
    try:
        real_dropout()(module)
    except ValueError as error:
        same = module.code == before and not any(type(m) is nn.Dropout for m in module.modules())
        return [] if same and "not a constant" in str(error) else [f"{error}"]
    return ["its rate is an input, and that is not refused"]


def judge(binary, folder):
    yield "a rate that is an input", computed_rate()
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
