"""Models in stores and open files, read by ranges."""

import io

import numpy as np
import onnx
import pytest
from conftest import FIXTURES
from fsspec.implementations.memory import MemoryFileSystem
from fsspec.registry import register_implementation
from onnx import TensorProto, helper, numpy_helper

import dropout_onnx as do

NAME = "torch_course_preserve_op17.onnx"


class Counted(MemoryFileSystem):
    """Objects in memory that count the ranges that are read, and can be made to fail."""

    protocol = "counted"
    store = {}
    pseudo_dirs = [""]
    requests = []
    fault = None

    @classmethod
    def _strip_protocol(cls, path):
        return super()._strip_protocol(path.replace("counted://", "memory://"))

    def cat_file(self, path, start=None, end=None, **more):
        self.requests.append((start, end))
        data = super().cat_file(path, start, end, **more)
        return self.fault(data) if self.fault else data


register_implementation("counted", Counted, clobber=True)


@pytest.fixture
def store():
    Counted.store.clear()
    Counted.requests.clear()
    Counted.fault = None
    yield Counted()
    Counted.fault = None


def put(store, data, name="model.onnx"):
    with store.open(f"/bucket/{name}", "wb") as file:
        file.write(data)
    return f"counted://bucket/{name}"


def large(weights, megabytes):
    """A model with active dropout and large weights."""
    size = megabytes * (1 << 18)
    initializers = [
        numpy_helper.from_array(np.full(size, i, np.float32), f"w{i}") for i in range(weights)
    ]
    initializers += [
        numpy_helper.from_array(np.array(0.5, np.float32), "ratio"),
        numpy_helper.from_array(np.array(True), "on"),
    ]
    nodes = [helper.make_node("Dropout", ["x", "ratio", "on"], ["h"])]
    nodes += [
        helper.make_node("Add", ["h" if i == 0 else f"a{i - 1}", f"w{i}"], [f"a{i}"])
        for i in range(weights)
    ]
    value = lambda name: helper.make_tensor_value_info(name, TensorProto.FLOAT, [size])
    graph = helper.make_graph(nodes, "g", [value("x")], [value(f"a{weights - 1}")], initializers)
    opsets = [helper.make_opsetid("", 17)]
    return helper.make_model(graph, opset_imports=opsets).SerializeToString()


def test_an_object_is_audited_like_the_file(store):
    data = (FIXTURES / NAME).read_bytes()
    url = put(store, data)
    said = do.audit(url).to_dict()["models"][0]
    wanted = do.audit(str(FIXTURES / NAME)).to_dict()["models"][0]
    assert said == {**wanted, "path": url}
    assert str(do.show(url, no_hash=True)) == str(do.show(FIXTURES / NAME, no_hash=True))
    assert str(do.show(url)) == str(do.show(FIXTURES / NAME))
    assert do.insert_sites(url, preset="head").sites == do.insert_sites(data, preset="head").sites


def test_few_requests_for_little_of_a_large_model(store):
    data = large(8, 16)
    url = put(store, data)
    assert do.audit(url).verdict == "active"
    asked = sum(end - start for start, end in Counted.requests)
    assert len(data) > 100_000_000 and asked < 2_500_000, asked
    assert len(Counted.requests) <= 20, Counted.requests
    # the twin: with weights read, all of it is asked for
    Counted.requests.clear()
    do.show(url)
    assert sum(end - start for start, end in Counted.requests) > 100_000_000


def test_open_files_are_read_where_they_are():
    with open(FIXTURES / NAME, "rb") as file:
        audit = do.audit(file)
    assert (audit.verdict, audit.models[0].path) == ("active", str(FIXTURES / NAME))
    memory = io.BytesIO((FIXTURES / NAME).read_bytes())
    assert do.audit(memory, memory).verdict == "active"
    with open(FIXTURES / NAME, encoding="latin-1") as text, pytest.raises(TypeError, match="binary"):
        do.audit(text)


def test_faults_of_a_store_are_errors(store):
    def unavailable(data):
        raise OSError("503 Service Unavailable")

    url = put(store, (FIXTURES / NAME).read_bytes())
    for fault, why in [
        (unavailable, "503 Service Unavailable"),
        (lambda data: data[:-1], "the store returned"),
        (lambda data: data + b"x", "the store returned"),
    ]:
        Counted.fault = staticmethod(fault)
        with pytest.raises(do.FileError, match=why) as raised:
            do.audit(url)
        assert raised.value.file == url
        assert do.audit(url, errors="report").models[0].verdict is None
    Counted.fault = None
    assert do.audit(url).verdict == "active"


def test_an_object_that_changes_is_an_error(store):
    data = (FIXTURES / NAME).read_bytes()
    url = put(store, data)

    def change(part):
        Counted.fault = None
        put(store, data + b"\x28\x01")  # model_version
        return part

    Counted.fault = staticmethod(change)
    with pytest.raises(do.FileError, match="changed while it was read"):
        do.audit(url)
    assert do.audit(url).verdict == "active", "and is read again"


def test_urls_that_lead_nowhere(store):
    with pytest.raises(do.FileError, match="counted://bucket/none.onnx: cannot open"):
        do.audit("counted://bucket/none.onnx")
    with pytest.raises(do.UsageError, match="nonsense://a"):
        do.audit("nonsense://a")
    with pytest.raises(do.UnsupportedError, match="download it first"):
        do.strip(put(store, (FIXTURES / NAME).read_bytes()))


def test_without_fsspec_it_is_named(monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "fsspec.core", None)
    with pytest.raises(do.UsageError, match=r"pip install 'dropout-onnx\[remote\]'"):
        do.audit("s3://bucket/model.onnx")


def test_large_models_are_valid():
    onnx.checker.check_model(onnx.load_from_string(large(1, 1)))
