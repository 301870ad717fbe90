"""What goes wrong is an exception with its file and place, and nothing is written."""

import os
import pickle
from pathlib import Path

import pytest

import dropout_onnx as do
from dropout_onnx import _native

NAME = "torch_course_preserve_op17.onnx"


def test_a_missing_file():
    with pytest.raises(do.FileError) as found:
        do.audit("missing.onnx")
    assert (found.value.file, found.value.place) == ("missing.onnx", None)
    assert str(found.value) == "missing.onnx: cannot open: No such file or directory"


def test_an_audit_of_a_file_that_cannot_be_read_has_no_verdict(models):
    clean, active = "torch_course_eval_op17.onnx", NAME
    Path("lfs.onnx").write_text("version https://git-lfs.github.com/spec/v1\n")

    def verdict(*names):
        return do.audit(*names, errors="report").verdict

    assert do.audit("lfs.onnx", errors="report").models[0].error is not None
    assert (verdict("lfs.onnx"), verdict(clean, "lfs.onnx"), verdict(clean)) == (None, None, "clean")
    assert (verdict("lfs.onnx", active), verdict(clean, active)) == ("active", "active")


def test_an_audit_of_nothing_is_refused():
    with pytest.raises(do.UsageError, match="no model to audit"):
        do.audit()
    with pytest.raises(ValueError):
        do.audit(*[], errors="report")


def test_an_audit_of_an_unsound_model_is_not_clean(models):
    import onnx

    model = onnx.load("torch_course_eval_op17.onnx")
    assert do.audit(model).verdict == "clean"
    model.graph.node[0].input[0] = "nowhere"
    audit = do.audit(model)
    assert audit.verdict == "unknown"
    assert ("unsound-model", "error") in {(f.rule, f.level) for f in audit.findings}


def test_bytes_that_are_no_model(models):
    with pytest.raises(do.ModelError) as found:
        do.strip(b"\xff\xff\xff")
    assert found.value.file is None and found.value.place is not None
    Path("broken.onnx").write_bytes(Path(NAME).read_bytes()[:-100])
    with pytest.raises(do.ModelError) as found:
        do.strip("broken.onnx")
    assert found.value.file == "broken.onnx"
    assert found.value.place.startswith("byte ")
    assert "broken.stripped.onnx" not in os.listdir()


def test_a_place_in_the_model(models):
    import onnx

    model = onnx.load(NAME)
    node = next(node for node in model.graph.node if node.op_type == "Dropout")
    node.input[0] = "nowhere"
    onnx.save(model, "undefined.onnx")
    with pytest.raises(do.ModelError) as found:
        do.strip("undefined.onnx")
    assert found.value.file == "undefined.onnx"
    assert "nowhere" in str(found.value)


def test_bad_arguments(models):
    before = sorted(os.listdir())
    for call in [
        lambda: do.set(NAME, rate=1.5),
        lambda: do.set(NAME),
        lambda: do.insert(NAME, rate=0.1, preset="heads"),
        lambda: do.strip(NAME, kind="dropuot"),
        lambda: do.strip(NAME, convention="modern"),
        lambda: do.strip(NAME, verify="some"),
        lambda: do.strip(NAME, dim={"batsch": 3}),
        lambda: do.strip(NAME, rtol=-1.0),
        lambda: do.strip(NAME, out="no/such/folder.onnx"),
        lambda: do.strip(NAME, out=NAME),
        lambda: do.fold(NAME, only="droput"),
        lambda: do.fold(NAME, at="nothing"),
        lambda: do.audit(NAME, select="no-such-rule"),
        lambda: do.show(NAME, format="pdf"),
        lambda: do.sample(NAME, runs=1),
        lambda: do.verify(NAME, NAME, input=["x"]),
    ]:
        with pytest.raises(do.UsageError) as found:
            call()
        assert isinstance(found.value, ValueError)
        assert str(found.value)
    assert sorted(os.listdir()) == before


def test_one_broken_model_among_many(models, document):
    Path("broken.onnx").write_bytes(b"broken")
    names = [NAME, "broken.onnx", "missing.onnx"]
    with pytest.raises(do.DropoutOnnxError):
        do.audit(*names)
    found = do.audit(*names, errors="report")
    assert found.to_dict() == document("audit", *names, status=2)
    good, broken, missing = found.models
    assert good.error is None and broken.error and missing.error
    assert "broken.onnx" in repr(found)


def test_a_result_that_differs_is_not_written(models):
    """A set whose dropout acts at another rate than asked for cannot be made to happen; a fold whose
    tolerance is too narrow can."""
    import numpy as np
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    rng = np.random.default_rng(0)
    weight = numpy_helper.from_array(rng.standard_normal((64, 64)).astype(np.float32), "w")
    scale = numpy_helper.from_array(np.float32(0.7), "s")
    nodes = [helper.make_node("Mul", ["x", "s"], ["h"]), helper.make_node("MatMul", ["h", "w"], ["y"])]
    value = lambda name: helper.make_tensor_value_info(name, TensorProto.FLOAT, [4, 64])
    graph = helper.make_graph(nodes, "g", [value("x")], [value("y")], [weight, scale])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=7)
    onnx.save(model, "scaled.onnx")
    with pytest.raises(do.DifferentError) as found:
        do.fold("scaled.onnx", rtol=1e-12)
    assert found.value.file == "scaled.onnx"
    assert found.value.report.verification.run.result == "different"
    assert found.value.report.model is None
    assert isinstance(found.value, do.VerificationError)
    assert not Path("scaled.folded.onnx").exists()
    assert do.fold("scaled.onnx").folded == 1


def test_what_cannot_be_verified_is_not_written(models):
    import onnx

    model = onnx.load(NAME)
    model.opset_import.add(domain="nobody", version=1)
    next(node for node in model.graph.node if node.op_type == "Relu").domain = "nobody"
    onnx.save(model, "unknown.onnx")
    with pytest.raises(do.VerificationError, match="cannot be verified"):
        do.strip("unknown.onnx", verify="run")
    assert not Path("unknown.stripped.onnx").exists()


def test_errors_go_through_pickle():
    with pytest.raises(do.FileError) as found:
        do.audit("missing.onnx")
    again = pickle.loads(pickle.dumps(found.value))
    assert type(again) is do.FileError
    assert (str(again), again.file) == (str(found.value), "missing.onnx")


def test_a_panic_is_an_error(capfd):
    with pytest.raises(do.InternalError, match="internal error: asked for"):
        _native._panic()
    assert do.__version__, "and the module is as it was"
