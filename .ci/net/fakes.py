"""Tools that strip by knowing the answer, some of them wrongly: the judge must see it."""

import numpy as np
import onnx
from onnx import helper, numpy_helper

from .generate import case


def seed_of(path):
    return int(path.name.split(".")[0])


def good(before, after):
    onnx.save(case(seed_of(before)).twin.model, after)
    return 0, ""


def leaves_alone(before, after):
    after.write_bytes(before.read_bytes())
    return 0, ""


def refuses(before, after):
    return 2, "error: refused"


def finds_a_difference(before, after):
    return 1, "error: different"


def crashes(before, after):
    return -11, ""


def drops_a_scale(before, after):
    onnx.save(case(seed_of(before), frozenset(), spoil="scale").model, after)
    return 0, ""


def strips_a_near_miss(before, after):
    onnx.save(case(seed_of(before), frozenset(), spoil="near").model, after)
    return 0, ""


def scales_the_output(before, after):
    """By 5 %: more than the rounding of half precision."""
    model = case(seed_of(before)).twin.model
    output = model.graph.output[0]
    dtype = helper.tensor_dtype_to_np_dtype(output.type.tensor_type.elem_type)
    for node in model.graph.node:
        node.output[:] = ["unscaled" if name == output.name else name for name in node.output]
        node.input[:] = ["unscaled" if name == output.name else name for name in node.input]
    model.graph.initializer.append(numpy_helper.from_array(np.array([1.05], dtype), "factor"))
    version = model.opset_import[0].version
    more = {} if version >= 7 else {"broadcast": 1}
    node = helper.make_node("Mul", ["unscaled", "factor"], [output.name], name="scaled", **more)
    model.graph.node.append(node)
    onnx.save(model, after)
    return 0, ""


def loses_an_output(before, after):
    model = case(seed_of(before)).twin.model
    del model.graph.output[:]
    onnx.save(model, after)
    return 0, ""


HONEST = {good: "right", leaves_alone: "left alone", refuses: "refused"}
BROKEN = (
    finds_a_difference, crashes, drops_a_scale, strips_a_near_miss, scales_the_output, loses_an_output
)
