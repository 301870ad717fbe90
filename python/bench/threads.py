"""Eight audits at once, and one after the other.

    python python/bench/threads.py

The model is a chain of 20 000 nodes with 2 000 random masks, made here; needs onnx.
"""

import os
import time
from concurrent.futures import ThreadPoolExecutor

from onnx import TensorProto, helper, numpy_helper
import numpy as np

import dropout_onnx as do

MASKS, PLAIN = 2000, 5


def model():
    constants = {"p": 0.3, "scale": 1 / 0.7}
    initializers = [numpy_helper.from_array(np.float32(v), k) for k, v in constants.items()]
    nodes, data = [], "x"
    for mask in range(MASKS):
        for plain in range(PLAIN):
            nodes.append(helper.make_node("Relu", [data], [f"r{mask}_{plain}"]))
            data = f"r{mask}_{plain}"
        name = [f"{part}{mask}" for part in ("u", "k", "c", "m", "d")]
        nodes += [
            helper.make_node("RandomUniformLike", [data], [name[0]], dtype=TensorProto.FLOAT),
            helper.make_node("GreaterOrEqual", [name[0], "p"], [name[1]]),
            helper.make_node("Cast", [name[1]], [name[2]], to=TensorProto.FLOAT),
            helper.make_node("Mul", [name[2], "scale"], [name[3]]),
            helper.make_node("Mul", [data, name[3]], [name[4]]),
        ]
        data = name[4]
    value = [helper.make_tensor_value_info(n, TensorProto.FLOAT, ["n", 8]) for n in ("x", data)]
    graph = helper.make_graph(nodes, "chain", value[:1], value[1:], initializers)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 15)]).SerializeToString()


def main():
    data = model()
    assert len(do.audit(data).sites) == MASKS
    before = time.perf_counter()
    for _ in range(8):
        do.audit(data)
    alone = time.perf_counter() - before
    before = time.perf_counter()
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: do.audit(data), range(8)))
    at_once = time.perf_counter() - before
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    print(f"8 audits one after the other: {alone:.2f} s")
    print(f"8 audits at once on {cores} cores: {at_once:.2f} s, {alone / at_once:.2f} times as fast")


if __name__ == "__main__":
    main()
