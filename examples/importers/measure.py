#!/usr/bin/env python3
"""Measures what importers of ONNX make of dropout that `dropout-onnx insert` wrote.

    python measure.py [--command dropout-onnx]

Dropout of rate 0.3 is inserted into a small network of opsets 11, 13 and 17, inert and active, and imported by each
of these that is installed: onnx2torch, onnx2keras, onnx2tf, ONNX Runtime, onnxruntime-training. They need environments of
their own: onnx2torch brings torch, onnx2keras and onnx2tf Keras, and onnxruntime-training takes the place of onnxruntime.
Prints a table in Markdown, a row for each import: the rate that was read, and the share of values dropped in training
and at inference.
"""

import argparse
import importlib.metadata
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

RATE = 0.3
WIDTH = 2000


def network(opset):
    """A dense layer of ones between others: dropped values are the zeros of the output."""
    weight = numpy_helper.from_array(np.ones((4, WIDTH), np.float32), "w")
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["h"], "dense"),
        helper.make_node("Relu", ["h"], ["r"], "relu"),
        helper.make_node("Tanh", ["r"], ["y"], "tanh"),
    ]
    inputs = [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 4])]
    outputs = [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", WIDTH])]
    graph = helper.make_graph(nodes, "g", inputs, outputs, [weight])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=7)


X = np.ones((1, 4), np.float32)


def dropped(y):
    return f"{float((np.asarray(y) == 0).mean()):.2f}"


def onnx2torch(path):
    import torch
    from onnx2torch import convert

    module = convert(str(path))
    made = [m for m in module.modules() if "dropout" in type(m).__name__.lower()]
    rate = getattr(made[0], "p", "an input") if made else "none"
    with torch.no_grad():
        runs = [module.train(on)(torch.from_numpy(X)).numpy() for on in (True, False)]
    return [type(made[0]).__name__ if made else "none", rate, *map(dropped, runs)]


def onnx2keras(path):
    from onnx2keras import onnx_to_keras

    model = onnx_to_keras(onnx.load(path), ["x"], verbose=False)
    made = [layer for layer in model.layers if "dropout" in type(layer).__name__.lower()]
    runs = [np.asarray(model(X, training=on)) for on in (True, False)]
    return [type(made[0]).__name__ if made else "none", made[0].rate if made else "none", *map(dropped, runs)]


def onnx2tf(path):
    import onnx2tf as importer

    with tempfile.TemporaryDirectory() as folder:
        model = importer.convert(str(path), output_folder_path=folder, non_verbose=True)
    made = [layer for layer in model.layers if "dropout" in type(layer).__name__.lower()]
    runs = [np.asarray(model(X, training=on)) for on in (True, False)]
    return [type(made[0]).__name__ if made else "none", made[0].rate if made else "none", *map(dropped, runs)]


def onnxruntime(path):
    """Inference only: the column of training is without optimization, that of inference with the default."""
    import onnxruntime as ort

    runs = []
    for level in (ort.GraphOptimizationLevel.ORT_DISABLE_ALL, ort.GraphOptimizationLevel.ORT_ENABLE_ALL):
        options = ort.SessionOptions()
        options.graph_optimization_level = level
        (y,) = ort.InferenceSession(str(path), options).run(None, {"x": X})
        runs.append(y)
    return ["Dropout", "-", *map(dropped, runs)]


def onnxruntime_training(path):
    """With --mask-output: without it, the artifacts for training cannot be made."""
    from onnxruntime.training import artifacts
    from onnxruntime.training.api import CheckpointState, Module

    with tempfile.TemporaryDirectory() as folder:
        artifacts.generate_artifacts(
            onnx.load(path), ["w"], loss=artifacts.LossType.MSELoss, artifact_directory=folder,
            additional_output_names=["y"],
        )  # fmt: skip
        state = CheckpointState.load_checkpoint(f"{folder}/checkpoint")
        module = Module(f"{folder}/training_model.onnx", state, f"{folder}/eval_model.onnx")
        runs = []
        for mode in (module.train, module.eval):
            mode()
            runs.append(module(X, np.zeros((1, WIDTH), np.float32))[-1])
    return ["Dropout", "-", *map(dropped, runs)]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--command", default=shutil.which("dropout-onnx"))
    args = parser.parse_args()
    print("| importer | opset | mode in the file | imported as | rate read | dropped in training | dropped in inference |")
    print("|---|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        for importer in (onnx2torch, onnx2keras, onnx2tf, onnxruntime, onnxruntime_training):
            package = importer.__name__.replace("_", "-")
            try:
                name = f"{package} {importlib.metadata.version(package)}"
            except importlib.metadata.PackageNotFoundError:
                print(f"{package} is not installed: left out", file=sys.stderr)
                continue
            for opset in (11, 13, 17):
                for mode in ("inert", "active") if opset > 11 else ("inert",):
                    before, after = Path(folder) / "a.onnx", Path(folder) / "b.onnx"
                    onnx.save(network(opset), before)
                    line = [args.command, "insert", before, after, "--force", "--at", f"r={RATE}", "--mode", mode]
                    if importer is onnxruntime_training:
                        line.append("--mask-output")
                    subprocess.run(list(map(str, line)), check=True, capture_output=True)
                    try:
                        cells = importer(after)
                    except Exception as error:
                        cells = [f"not imported: {type(error).__name__}: {error}".splitlines()[0][:80], "", "", ""]
                    print("|", " | ".join(map(str, [name, opset, mode, *cells])), "|")


if __name__ == "__main__":
    main()
