"""Models in a store: an S3-compatible server (moto), and a server of files by HTTP, both with faults.

Needs .ci/store_requirements.txt besides the packages of the other tests.
"""

import functools
import http.server
import json
import subprocess
import sys
import threading

import dask
import numpy as np
import onnx
import pytest
from conftest import ALL, FIXTURES, ROOT
from onnx import TensorProto, helper, numpy_helper

import dropout_onnx as do

fsspec = pytest.importorskip("fsspec")
pytest.importorskip("s3fs")
moto = pytest.importorskip("moto.server")
werkzeug = pytest.importorskip("werkzeug.serving")

NAME = "torch_course_preserve_op17.onnx"
DATA = (FIXTURES / NAME).read_bytes()


class Faulty:
    """The application of a server: counts what is read by ranges, and can be made to fail."""

    def __init__(self, application):
        self.application = application
        self.reset()

    def reset(self):
        self.ranges = []
        self.faults = []
        """What becomes of the next reads: `status(...)` and the like, or None."""

    def __call__(self, environ, start_response):
        if environ["REQUEST_METHOD"] != "GET" or "HTTP_RANGE" not in environ:
            return self.application(environ, start_response)
        fault = self.faults.pop(0) if self.faults else None
        if callable(fault):
            fault()
        if isinstance(fault, str):
            body = f"<Error><Code>{fault.split()[-1]}</Code></Error>".encode()
            start_response(fault, [("Content-Type", "text/xml"), ("Content-Length", str(len(body)))])
            return [body]
        head = []
        body = b"".join(self.application(environ, lambda *about: head.append(about)))
        status, headers = head[0][:2]
        self.ranges.append((environ["HTTP_RANGE"], len(body)))
        if isinstance(fault, int):  # so many bytes are missing at the end
            body = body[:-fault]
            # and nothing says so
            said = ("content-length", "x-amz-checksum")
            headers = [(k, v) for k, v in headers if not k.lower().startswith(said)]
            headers.append(("Content-Length", str(len(body))))
        start_response(status, headers)
        return [body]

    def asked(self):
        return sum(size for _, size in self.ranges)


@pytest.fixture(scope="session")
def server():
    application = Faulty(moto.DomainDispatcherApplication(moto.create_backend_app))
    server = werkzeug.make_server("127.0.0.1", 0, application, threaded=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield application, f"http://127.0.0.1:{server.server_port}"
    server.shutdown()


@pytest.fixture
def store(server, monkeypatch):
    """The application and an empty bucket. Where the store is and who reads it is fsspec's configuration."""
    application, url = server
    options = {"endpoint_url": url, "key": "key", "secret": "secret"}
    options["config_kwargs"] = {"retries": {"max_attempts": 2}}
    monkeypatch.setitem(fsspec.config.conf, "s3", options)
    bucket = fsspec.filesystem("s3")
    if bucket.exists("registry"):
        bucket.rm("registry", recursive=True)
    bucket.invalidate_cache()
    bucket.mkdir("registry")
    bucket.retries = 2
    application.reset()
    return application, bucket


def put(bucket, name, data):
    bucket.pipe_file(f"registry/{name}", data)
    return f"s3://registry/{name}"


def same_but_path(said, wanted):
    return [{**model, "path": None} for model in (said.to_dict()["models"] + wanted.to_dict()["models"])]


def test_an_object_is_audited_like_the_file(store):
    _, bucket = store
    url = put(bucket, "a/model.onnx", DATA)
    said, wanted = same_but_path(do.audit(url), do.audit(FIXTURES / NAME))
    assert said == wanted
    assert str(do.show(url)) == str(do.show(FIXTURES / NAME))


def dense(layers, where=None, size=1 << 20):
    """A model with active dropout and `layers` weights of 4 * size bytes, in a file next to it if `where`."""
    value = lambda name: helper.make_tensor_value_info(name, TensorProto.FLOAT, [size])
    weights = []
    for i in range(layers):
        weight = numpy_helper.from_array(np.full(1 if where else size, i, np.float32), f"w{i}")
        if where:
            weight.dims[:] = [size]
            weight.ClearField("raw_data")
            weight.data_location = TensorProto.EXTERNAL
            entries = [("location", where), ("offset", str(i * 4 * size)), ("length", str(4 * size))]
            for key, text in entries:
                weight.external_data.add(key=key, value=text)
        weights.append(weight)
    weights.append(numpy_helper.from_array(np.array(0.5, np.float32), "ratio"))
    weights.append(numpy_helper.from_array(np.array(True), "on"))
    nodes = [helper.make_node("Dropout", ["x", "ratio", "on"], ["h"])]
    for i in range(layers):
        nodes.append(helper.make_node("Add", [f"a{i - 1}" if i else "h", f"w{i}"], [f"a{i}"]))
    graph = helper.make_graph(nodes, "g", [value("x")], [value(f"a{layers - 1}")], weights)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])


def test_few_requests_for_little_of_a_large_object(store):
    application, bucket = store
    data = dense(8).SerializeToString()  # each range costs moto all of it
    url = put(bucket, "large.onnx", data)
    assert do.audit(url).verdict == "active"
    assert len(data) > 32 << 20
    assert application.asked() <= 2 << 20, application.ranges
    assert len(application.ranges) <= 20, application.ranges
    application.reset()
    do.show(url)  # the twin: hashes read the weights
    assert application.asked() > 32 << 20


def test_external_data_next_to_an_object(store, tmp_path):
    """As Hugging Face's exporters name it."""
    application, bucket = store
    model = dense(2, where="model.onnx_data", size=1 << 16)
    weights = np.arange(2 << 16, dtype=np.float32).tobytes()
    onnx.save(model, tmp_path / "model.onnx")
    (tmp_path / "model.onnx_data").write_bytes(weights)
    url = put(bucket, "bert/onnx/model.onnx", model.SerializeToString())
    missing = str(do.show(url))
    assert "missing" in missing
    put(bucket, "bert/onnx/model.onnx_data", weights)
    application.reset()
    assert do.audit(url).verdict == "active"
    assert application.asked() < len(weights), "an audit does not read weights"
    assert str(do.show(url)) == str(do.show(tmp_path / "model.onnx"))
    application.faults = [None, lambda: put(bucket, "bert/onnx/model.onnx_data", weights[::-1])]
    with pytest.raises(do.FileError, match="changed while it was read"):
        do.show(url)
    do.show(url)  # the twin


def test_a_store_that_is_busy_is_asked_again(store):
    application, bucket = store
    url = put(bucket, "model.onnx", DATA)
    application.faults = ["503 SlowDown"]
    assert do.audit(url).verdict == "active"
    assert application.faults == [], "the twin: it was busy"
    application.faults = ["503 SlowDown"] * 100
    with pytest.raises(do.FileError, match="SlowDown") as raised:
        do.audit(url)
    assert raised.value.file == url


@pytest.mark.parametrize("missing", [1, 100, len(DATA) - 1])
def test_a_range_that_is_cut_off_is_an_error(store, missing):
    application, bucket = store
    url = put(bucket, "model.onnx", DATA)
    application.faults = [missing]
    with pytest.raises(do.FileError, match=f"returned {len(DATA) - missing} bytes"):
        do.audit(url)
    assert do.audit(url).verdict == "active"


def test_an_object_that_changes_between_reads_is_an_error(store):
    """Whichever read it is: bytes of two objects are never one model."""
    application, bucket = store
    before = dense(3, size=1 << 18).SerializeToString()
    after = before.replace(b"Dropout", b"dropOut")  # of the same length
    url = put(bucket, "model.onnx", before)
    assert do.audit(url).verdict == "active"
    reads = len(application.ranges)
    assert reads > 2
    for number in range(reads):
        put(bucket, "model.onnx", before)
        application.reset()
        application.faults = [None] * number + [lambda: put(bucket, "model.onnx", after)]
        with pytest.raises(do.FileError, match="changed while it was read"):
            do.audit(url)
    assert do.audit(url).verdict != "active", "the twin: it is another model now"


def test_many_models_in_a_bucket_become_one_table(store, tmp_path, monkeypatch):
    parquet = pytest.importorskip("pyarrow.parquet")
    monkeypatch.syspath_prepend(str(ROOT / "python" / "examples"))
    import many_models

    _, bucket = store
    wanted = {}
    for name in ALL[:20]:  # MLflow's layout
        url = put(bucket, f"mlruns/{name}/artifacts/model/model.onnx", (FIXTURES / name).read_bytes())
        wanted[url] = do.audit(FIXTURES / name).verdict
    wanted[put(bucket, "broken.ONNX", b"broken")] = None
    put(bucket, "notes.txt", b"")
    with dask.config.set(scheduler="threads"):
        many_models.main("s3://registry", str(tmp_path / "audits.parquet"))
    rows = parquet.read_table(tmp_path / "audits.parquet").to_pylist()
    assert {row["path"]: row["verdict"] for row in rows} == wanted
    for row in rows:
        assert json.loads(row["audit"])["path"] == row["path"]
        assert bool(row["error"]) == row["path"].endswith("broken.ONNX")


def test_many_models_from_the_command_line(models):
    pytest.importorskip("pyarrow")
    script = [sys.executable, ROOT / "python" / "examples" / "many_models.py", ".", "out.parquet"]
    done = subprocess.run(script, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    first, *active = done.stdout.split("\n  ")
    assert first == f"{len(ALL)} models, {len(active)} still active:"
    wanted = [model.path for model in do.audit(*ALL).models if model.verdict == "active"]
    assert sorted(active[:-1] + [active[-1].strip()]) == sorted(wanted)


def sparse(path, layers, size):
    """The same model with weights of zeros that take no room on the disk."""

    def varint(number):
        digits = []
        while number > 127:
            digits.append(number & 127 | 128)
            number >>= 7
        return bytes([*digits, number])

    def field(number, length):
        return varint(number << 3 | 2) + varint(length)

    model = dense(layers, where="nowhere", size=size)
    graph = model.graph
    weights, rest = graph.initializer[:layers], graph.initializer[layers:]
    del graph.initializer[:]
    graph.initializer.extend(rest)
    heads = []
    for weight in weights:
        weight.ClearField("external_data")
        weight.ClearField("data_location")
        head = weight.SerializeToString() + field(9, 4 * size)
        heads.append(field(5, len(head) + 4 * size) + head)
    core = graph.SerializeToString()
    total = len(core) + sum(len(head) + 4 * size for head in heads)
    model.ClearField("graph")
    with open(path, "wb") as file:
        file.write(model.SerializeToString() + field(7, total) + core)
        for head in heads:
            file.write(head)
            file.seek(4 * size, 1)
        file.truncate()
    return path.stat().st_size


class Files(http.server.SimpleHTTPRequestHandler):
    """Serves ranges of files."""

    protocol_version = "HTTP/1.1"
    asked = []

    def do_GET(self):
        start, end = self.headers["Range"].removeprefix("bytes=").split("-")
        with open(self.translate_path(self.path), "rb") as file:
            file.seek(int(start))
            data = file.read(int(end) + 1 - int(start))
        self.asked.append(len(data))
        self.send_response(206)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_):
        pass


@pytest.fixture
def files(tmp_path):
    handler = functools.partial(Files, directory=str(tmp_path))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        Files.asked.clear()
        yield tmp_path, f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.mark.parametrize("external", [False, True])
def test_an_audit_of_1600_megabytes_reads_two(files, external):
    folder, url = files
    layers, size = 8, 50_000_000
    if external:
        model = dense(layers, where="model.onnx_data", size=size)
        onnx.save(model, folder / "model.onnx")
        with open(folder / "model.onnx_data", "wb") as file:
            file.truncate(layers * size * 4)
        total = (folder / "model.onnx_data").stat().st_size
    else:
        total = sparse(folder / "model.onnx", layers, size)
    assert total >= 1_600_000_000
    assert do.audit(folder / "model.onnx").verdict == "active"
    assert do.audit(f"{url}/model.onnx").verdict == "active"
    print(f"{total:,} bytes: {sum(Files.asked):,} in {len(Files.asked)} requests")
    assert sum(Files.asked) <= 2_000_000 and len(Files.asked) <= 20
