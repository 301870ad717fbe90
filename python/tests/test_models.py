"""All kinds of models, and results of the same kind."""

import os
from pathlib import Path

import onnx
import pytest

import dropout_onnx as do

STEM = "torch_course_preserve_op17"
NAME = f"{STEM}.onnx"


def rewrites(model, **more):
    yield "stripped", do.strip(model, **more)
    yield "folded", do.fold(model, **more)
    yield "dropout", do.insert(model, rate=0.1, after="Gemm", **more)
    yield "set", do.set(model, rate=0.25, **more)


def test_bytes_give_bytes(models):
    data = (models / NAME).read_bytes()
    before = sorted(os.listdir())
    for suffix, report in rewrites(data):
        assert type(report.model) is bytes, suffix
        assert (report.input, report.output) == ("-", "standard output")
        onnx.checker.check_model(onnx.load_from_string(report.model))
    assert sorted(os.listdir()) == before


def test_a_path_gives_a_file_next_to_it(models):
    data = (models / NAME).read_bytes()
    in_memory = {suffix: report.model for suffix, report in rewrites(data)}
    for suffix, report in rewrites(NAME):
        # there is nothing to fold, so that nothing is written
        assert report.model == (NAME if suffix == "folded" else f"{STEM}.{suffix}.onnx")
        assert Path(report.model).read_bytes() == in_memory[suffix]
    for suffix, report in rewrites(models / NAME, force=True):
        assert isinstance(report.model, Path)
        assert report.model == models / (NAME if suffix == "folded" else f"{STEM}.{suffix}.onnx")
        assert report.model.read_bytes() == in_memory[suffix]


def test_a_proto_gives_a_proto(models):
    proto = onnx.load(NAME)
    twin = proto.SerializeToString()
    for suffix, report in rewrites(proto):
        assert type(report.model) is onnx.ModelProto, suffix
        onnx.checker.check_model(report.model)
        again = do.verify(proto, report.model) if suffix != "set" else None
        assert again is None or again.equal
    assert proto.SerializeToString() == twin, "the model that was given is left as it is"
    stripped = do.strip(proto).model
    assert not [node for node in stripped.graph.node if node.op_type == "Dropout"]
    assert [node for node in proto.graph.node if node.op_type == "Dropout"]


class Named(os.PathLike):
    def __init__(self, path):
        self.path = path

    def __fspath__(self):
        return self.path


def test_any_path_like(models):
    report = do.strip(Named(NAME))
    assert report.model == Path("torch_course_preserve_op17.stripped.onnx")
    assert report.model.exists()


def test_out_is_a_file_whatever_is_given(models):
    for index, model in enumerate([NAME, Path(NAME), Path(NAME).read_bytes(), onnx.load(NAME)]):
        out = f"{index}.onnx"
        report = do.strip(model, out=out)
        assert report.model == report.output == out
        assert not do.audit(out).sites
    with pytest.raises(do.UsageError, match="0.onnx: already exists"):
        do.strip(NAME, out="0.onnx")
    assert do.strip(NAME, out=Path("0.onnx"), force=True).model == Path("0.onnx")


def test_nothing_is_written_by_a_dry_run_and_in_place_replaces(models):
    before = Path(NAME).read_bytes()
    report = do.strip(NAME, dry_run=True)
    assert (report.model, report.output, report.verification) == (None, None, None)
    assert not Path("torch_course_preserve_op17.stripped.onnx").exists()
    assert do.strip(NAME, in_place=True).model == NAME
    after = Path(NAME).read_bytes()
    assert after != before and not do.audit(NAME).sites
    # twin: there is nothing to do any more
    assert do.strip(NAME, in_place=True).removed.dropouts == 0
    assert Path(NAME).read_bytes() == after


def test_files_that_are_not_models():
    with pytest.raises(TypeError, match="not int"):
        do.audit(3)
    with pytest.raises(TypeError, match="GraphProto"):
        do.audit(onnx.GraphProto())


def test_weights_in_other_files(models):
    proto = onnx.load(NAME)
    onnx.save(proto, "big.onnx", save_as_external_data=True, size_threshold=0, location="big.bin")
    report = do.strip("big.onnx")
    assert report.model == "big.stripped.onnx"
    assert do.verify("big.onnx", report.model).equal
    (models / "other").mkdir()
    with pytest.raises(do.UsageError, match="external-data"):
        do.strip("big.onnx", out="other/clean.onnx")
    do.strip("big.onnx", out="other/clean.onnx", external_data="copy")
    assert (models / "other" / "big.bin").read_bytes() == (models / "big.bin").read_bytes()
    # in memory there is no folder to look in, and the report says so
    report = do.strip(Path("big.onnx").read_bytes())
    assert report.verification.structure.result == "same"
    assert (report.verification.run.result, "folder" in report.verification.run.why) == ("unrunnable", True)
    with pytest.raises(do.VerificationError, match="folder"):
        do.strip(Path("big.onnx").read_bytes(), verify="run")
