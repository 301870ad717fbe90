"""Running models with ONNX Runtime (no optimisations), or onnx.reference where it cannot."""

import zlib

import numpy as np
import onnxruntime as ort
from onnx import ModelProto, TensorProto, helper
from onnx.reference import ReferenceEvaluator

from . import scopes

ort.set_default_logger_severity(4)

RANDOM = {
    "Bernoulli",
    "Multinomial",
    "RandomNormal",
    "RandomNormalLike",
    "RandomUniform",
    "RandomUniformLike",
}


class CannotRun(Exception):
    """Neither engine runs the model; the text says why."""


def free_inputs(graph):
    given = {t.name for t in graph.initializer} | {t.values.name for t in graph.sparse_initializer}
    return [i for i in graph.input if i.name not in given]


def inputs(model, seed, dim=3, name=""):
    """Seeded random inputs. Bool scalars (runtime switches) alternate with the seed."""
    random = np.random.Generator(np.random.PCG64([seed, zlib.crc32(name.encode())]))
    symbols, feed = {}, {}
    for info in free_inputs(model.graph):
        tensor = info.type.tensor_type
        if not info.type.HasField("tensor_type"):
            raise CannotRun(f"input {info.name} is not a tensor")
        shape = [
            d.dim_value if d.HasField("dim_value") else symbols.setdefault(d.dim_param, dim)
            for d in tensor.shape.dim
        ]
        kind = helper.tensor_dtype_to_np_dtype(tensor.elem_type)
        if tensor.elem_type == TensorProto.BOOL:
            array = np.array(seed % 2 == 0) if not shape else random.random(shape) < 0.5
        elif tensor.elem_type == TensorProto.STRING:
            array = np.full(shape, "a", dtype=object)
        elif np.issubdtype(kind, np.integer):
            array = random.integers(0, 2, size=shape).astype(kind)
        elif not shape:
            array = np.array(0.75, kind)  # a rate or a keep probability, when it is one number
        else:
            array = random.standard_normal(shape).astype(kind)
        feed[info.name] = np.asarray(array)
    return feed


def seeded(model):
    """A copy whose other random operators draw the same numbers wherever the node stands.

    Without a seed, ONNX Runtime seeds by the node's index, which stripping moves.
    """
    result = ModelProto()
    result.CopyFrom(model)
    for scope in scopes.scopes(result):
        for node in scope.body.node:
            if node.op_type in RANDOM and not any(a.name == "seed" for a in node.attribute):
                seed = float(zlib.crc32(node.output[0].encode()) % 1000)
                node.attribute.append(helper.make_attribute("seed", seed))
    return result


def onnxruntime_session(model):
    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 4
    return ort.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )


def onnxruntime_loads(model):
    try:
        onnxruntime_session(model)
    except Exception as error:
        return str(error).splitlines()[0]
    return None


def with_onnxruntime(model, feed):
    return onnxruntime_session(model).run(None, feed)


def with_numbered_casts(model):
    """Cast-1 says `to` by name ("FLOAT"); onnx.reference only knows the numbers of later versions."""
    result = ModelProto()
    result.CopyFrom(model)
    for scope in scopes.scopes(result):
        for node in scope.body.node:
            for a in node.attribute:
                if node.op_type == "Cast" and a.name == "to" and a.s:
                    a.CopyFrom(helper.make_attribute("to", TensorProto.DataType.Value(a.s.decode())))
    return result


def with_reference(model, feed):
    model = with_numbered_casts(model)
    with np.errstate(all="ignore"):
        return ReferenceEvaluator(model).run(None, feed)


ENGINES = {"onnxruntime": with_onnxruntime, "reference": with_reference}


def first_that_runs(model, seed, name=""):
    """(engine, dim, feed, outputs) of the first engine and symbolic dimension that work."""
    why = []
    for engine, run in ENGINES.items():
        for dim in (3, 1, 2, 8):
            try:
                feed = inputs(model, seed, dim, name)
                return engine, dim, feed, run(model, feed)
            except CannotRun:
                raise
            except Exception as error:
                text = str(error).strip() or type(error).__name__
                why.append(f"{engine}: {text.splitlines()[0][:160]}")
    raise CannotRun("; ".join(dict.fromkeys(why)))


def bits(array):
    array = np.asarray(array)
    content = array.tolist() if array.dtype == object else array.tobytes()
    return array.dtype, array.shape, content


def same_bits(before, after):
    return len(before) == len(after) and all(
        bits(a) == bits(b) for a, b in zip(before, after, strict=True)
    )


def differing(before, after):
    """Which outputs differ, and by how much at most."""
    found = []
    for index, (a, b) in enumerate(zip(before, after)):
        a, b = np.asarray(a), np.asarray(b)
        if bits(a) == bits(b):
            continue
        if a.shape != b.shape or a.dtype != b.dtype:
            found.append(f"output {index}: {a.dtype}{a.shape} became {b.dtype}{b.shape}")
        else:
            worst = np.max(np.abs(a.astype(np.float64) - b.astype(np.float64)))
            found.append(f"output {index}: differs by up to {worst:g}")
    if len(before) != len(after):
        found.append(f"{len(before)} outputs became {len(after)}")
    return "; ".join(found)
