"""Arrays in and out."""

import numpy as np
import onnx
import onnxruntime
import pytest
from conftest import FIXTURES

import dropout_onnx as do

NAME = str(FIXTURES / "torch_course_preserve_op17.onnx")


def test_sampling_gives_arrays_in_the_shape_of_the_output():
    x = np.random.default_rng(0).standard_normal((3, 20)).astype(np.float32)
    report = do.sample(NAME, runs=50, seed=7, input={"x": x})
    assert report.random_inputs == ()
    output = report["y"]
    assert output is report.outputs[0] is report.samplings[0]["y"]
    for figures in (output.mean, output.std, output.deterministic):
        assert isinstance(figures, np.ndarray)
        assert (figures.shape, figures.dtype) == ((3, 10), np.float64)
    classes = output.classes
    assert classes.mean.shape == (3, 10)
    assert classes.entropy.shape == classes.top.shape == classes.agreement.shape == (3,)
    (document,) = report.to_dict()["samplings"][0]["outputs"]
    assert output.mean.ravel().tolist() == document["mean"]
    assert classes.top.tolist() == document["classes"]["top"]
    with pytest.raises(KeyError):
        report["z"]


def test_the_deterministic_output_is_that_of_onnx_runtime():
    x = np.random.default_rng(1).standard_normal((4, 20)).astype(np.float32)
    clean = do.strip(onnx.load(NAME)).model
    session = onnxruntime.InferenceSession(clean.SerializeToString())
    (y,) = session.run(None, {"x": x})
    output = do.sample(NAME, runs=2, input={"x": x})["y"]
    np.testing.assert_allclose(output.deterministic, y, rtol=1e-5, atol=1e-6)
    # the twin: other data, other outputs
    other = do.sample(NAME, runs=2, input={"x": x + 1})["y"]
    assert np.abs(other.deterministic - y).max() > 1e-3


@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.float16])
def test_floats_of_any_size_are_fed(dtype):
    x = np.linspace(-1, 1, 40).reshape(2, 20).astype(dtype)
    output = do.sample(NAME, runs=2, input={"x": x})["y"]
    exact = do.sample(NAME, runs=2, input={"x": x.astype(np.float32)})["y"]
    assert (output.mean == exact.mean).all()
    fortran = do.sample(NAME, runs=2, input={"x": np.asfortranarray(x)})["y"]
    assert (fortran.mean == exact.mean).all()
    strided = do.sample(NAME, runs=2, input={"x": np.repeat(x, 2, axis=1)[:, ::2]})["y"]
    assert (strided.mean == exact.mean).all()
    as_list = do.sample(NAME, runs=2, input={"x": x.tolist()})["y"]
    assert as_list.mean.shape == exact.mean.shape


def test_ways_to_feed(tmp_path):
    x = np.random.default_rng(0).standard_normal((3, 20)).astype(np.float32)
    np.save(tmp_path / "x.npy", x)
    np.savez(tmp_path / "all.npz", x=x)
    wanted = do.sample(NAME, runs=3, input={"x": x}).to_dict()
    for given in [{"x": tmp_path / "x.npy"}, [f"all={tmp_path / 'all.npz'}"], f"x={tmp_path / 'x.npy'}"]:
        assert do.sample(NAME, runs=3, input=given).to_dict() == wanted
    shaped = do.verify(NAME, NAME, input={"x": (5, 20)})
    assert shaped.verification.run.shapes == {"x": [5, 20]}


def test_data_that_does_not_fit():
    for given, why in [
        ({"x": np.zeros((2, 20), np.int64)}, "is float"),
        ({"x": np.array([["a"] * 20])}, "not numbers"),
        ({"z": np.zeros((2, 20))}, "no input z"),
        ({"x": np.zeros((2, 21), np.float32)}, "21"),
    ]:
        with pytest.raises(do.UsageError, match=why):
            do.verify(NAME, NAME, input=given)


def test_labels_give_the_accuracy(tmp_path):
    x = np.random.default_rng(0).standard_normal((4, 20)).astype(np.float32)
    plain = do.sample(NAME, runs=20, input={"x": x})["y"].classes
    assert plain.accuracy is None
    labels = plain.top.copy()
    labels[0] = (labels[0] + 1) % 10
    np.save(tmp_path / "labels.npy", labels)
    for given in (labels, labels.tolist(), {"y": labels}, tmp_path / "labels.npy"):
        classes = do.sample(NAME, runs=20, input={"x": x}, labels=given)["y"].classes
        assert classes.accuracy == 0.75
        assert classes.deterministic_accuracy == (classes.deterministic_top == labels).mean()
    with pytest.raises(do.UsageError, match="not the number of one of its 10 classes"):
        do.sample(NAME, runs=2, input={"x": x}, labels=[0, 1, 2, 10])
    with pytest.raises(do.UsageError, match="supply it with --input"):
        do.sample(NAME, runs=2, labels=[0, 1])


def test_each_dropout_alone():
    x = np.random.default_rng(0).standard_normal((2, 20)).astype(np.float32)
    report = do.sample(NAME, runs=30, input={"x": x}, per_site=True)
    alone = [at["y"].std for at in report.per_site]
    assert [std.shape for std in alone] == [(2, 10)] * 2
    assert all(std.mean() < report["y"].std.mean() for std in alone)
    assert report.svg and do.sample(NAME, runs=2, input={"x": x}).svg is None


def test_rates_give_a_sampling_each_and_a_plot():
    report = do.sample(NAME, runs=20, rates=[0.1, 0.5])
    assert [at.rate for at in report.samplings] == [0.1, 0.5]
    low, high = (at["y"].spread for at in report.samplings)
    assert 0 < low < high
    assert report.svg.startswith("<svg") and report.svg in report._repr_html_()
    assert do.sample(NAME, runs=2).svg is None
