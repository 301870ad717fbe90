"""A model of PyTorch exported with dropout on: found, stripped, and run by ONNX Runtime."""

import io

import numpy as np
import onnxruntime
import pytest

import dropout_onnx as do

torch = pytest.importorskip("torch")


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(20)
    nn = torch.nn
    return nn.Sequential(
        nn.Linear(20, 64),
        nn.ReLU(),
        nn.Dropout(0.5),
        nn.Linear(64, 64),
        nn.ReLU(),
        nn.Dropout(0.25),
        nn.Linear(64, 10),
        nn.Softmax(dim=-1),
    )


def export(network, training):
    file = io.BytesIO()
    more = {"dynamo": False} if torch.__version__ >= "2.5" else {}
    torch.onnx.export(
        network,
        (torch.zeros(2, 20),),
        file,
        input_names=["x"],
        output_names=["y"],
        dynamic_axes={"x": {0: "batch"}, "y": {0: "batch"}},
        opset_version=13,
        training=training,
        do_constant_folding=training == torch.onnx.TrainingMode.EVAL,
        **more,
    )
    return file.getvalue()


def run(model, x):
    options = onnxruntime.SessionOptions()
    # at its default it removes dropout that acts
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    (y,) = onnxruntime.InferenceSession(model, options).run(None, {"x": x})
    return y


def test_exported_for_training_found_stripped_and_compared(network):
    model = export(network, torch.onnx.TrainingMode.TRAINING)
    audit = do.audit(model)
    assert audit.verdict == "active"
    assert [site.rate for site in audit.sites] == [0.5, 0.25]

    report = do.strip(model)
    assert report.removed.dropouts == 2
    assert do.audit(report.model).verdict == "clean"
    x = np.random.default_rng(0).standard_normal((8, 20)).astype(np.float32)
    with torch.no_grad():
        y = network.eval()(torch.from_numpy(x)).numpy()
    np.testing.assert_allclose(run(report.model, x), y, rtol=1e-5, atol=1e-6)
    # the twin: what was exported drops
    assert np.abs(run(model, x) - y).max() > 1e-3

    twin = export(network, torch.onnx.TrainingMode.EVAL)
    assert do.audit(twin).verdict == "clean"
    np.testing.assert_allclose(run(twin, x), y, rtol=1e-5, atol=1e-6)


def test_sampled_as_torch_does(network):
    model = export(network.train(), torch.onnx.TrainingMode.PRESERVE)
    x = np.random.default_rng(1).standard_normal((4, 20)).astype(np.float32)
    runs = 400
    output = do.sample(model, runs=runs, input={"x": x})["y"]
    with torch.no_grad():
        all_runs = np.stack([network(torch.from_numpy(x)).numpy() for _ in range(runs)])
    # two samples of the same distribution: means within five of their standard errors
    error = np.hypot(output.std, all_runs.std(axis=0, ddof=1)) / runs**0.5
    assert (np.abs(output.mean - all_runs.mean(axis=0)) < 5 * error + 1e-6).all()
    assert (np.abs(output.mean - output.deterministic) > 1e-5).any()
