#!/usr/bin/env python3
"""Compares element types and ranks with those of `onnx.shape_inference`.

    .ci/inferred.py BINARY             compare fixtures/ and, where they are there, ../shared/models
                                       and ../shared/cases
    .ci/inferred.py --self-test        show that a wrong type is reported

Declared types between inputs and outputs are removed first, so that both sides follow the operators.
A contradiction fails. Where onnx knows more is printed, by operator.
"""

import collections
import functools
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import onnx
from onnx import TensorProto, shape_inference

ROOT = Path(__file__).resolve().parent.parent
SHARED = ROOT.parent / "shared"
# Models of more nodes, after functions are inlined, take onnx minutes.
LARGEST = 100_000
FOLDERS = [ROOT / "fixtures", SHARED / "models", SHARED / "cases"]


def known_to_onnx(model):
    """Element type and rank of the main graph's values, as far as onnx infers them."""
    found = {}
    for info in shape_inference.infer_shapes(model, data_prop=True).graph.value_info:
        tensor = info.type.tensor_type
        if tensor.elem_type:
            rank = len(tensor.shape.dim) if tensor.HasField("shape") else None
            found[info.name] = (TensorProto.DataType.Name(tensor.elem_type).lower(), rank)
    return found


def known_to_us(binary, path):
    """The same by `insert --sites`; `None` if the model is refused."""
    command = [binary, "insert", str(path), "--sites", "--name", "*", "--format", "json"]
    run = subprocess.run(command, capture_output=True, text=True)
    if run.returncode != 0:
        return None
    sites = json.loads(run.stdout)["sites"]
    inner = [site for site in sites if site["scope"] == "graph"]
    ranks = [None if site["shape"] is None else len(site["shape"]) for site in inner]
    return {
        site["value"]: (site["element"], rank, site["operator"])
        for site, rank in zip(inner, ranks)
    }


def differences(ours, theirs):
    """What contradicts, and what only onnx knows, each with the operator."""
    wrong, less = [], []
    for name, (element, rank) in theirs.items():
        if name not in ours:
            continue
        own_element, own_rank, operator = ours[name]
        for own, other, what in [(own_element, element, "type"), (own_rank, rank, "rank")]:
            if own is None and other is not None:
                less.append(f"{what} of {operator}")
            elif None not in (own, other) and own != other:
                wrong.append(f"{name} ({operator}): {what} {own}, by onnx {other}")
    return wrong, less


def inlined_nodes(model):
    """The number of nodes after functions are inlined; onnx follows every call."""
    bodies = {(f.domain, f.name): f.node for f in model.functions}

    @functools.cache
    def count(key):
        return sum(size(node) for node in bodies[key])

    def size(node):
        key = (node.domain, node.op_type)
        graphs = [g for a in node.attribute for g in [a.g, *a.graphs]]
        inner = sum(size(n) for g in graphs for n in g.node)
        return 1 + inner + (count(key) if key in bodies else 0)

    return sum(size(node) for node in model.graph.node)


def untold(path):
    model = onnx.load(path, load_external_data=False)
    del model.graph.value_info[:]
    return model


def self_test():
    theirs = {"a": ("float", 2), "b": ("int64", None)}
    assert differences({"a": ("float", 2, "Relu"), "b": ("int64", 1, "Shape")}, theirs) == ([], [])
    assert differences({"a": ("double", 2, "Relu")}, theirs)[0]
    assert differences({"a": ("float", 3, "Relu")}, theirs)[0]
    assert differences({"a": (None, 2, "Relu")}, theirs)[1] == ["type of Relu"]


def main(binary):
    failed, compared, less = 0, 0, collections.Counter()
    paths = [path for folder in FOLDERS for path in sorted(folder.rglob("*.onnx"))]
    with tempfile.TemporaryDirectory() as folder:
        for path in paths:
            try:
                model = untold(path)
                if inlined_nodes(model) > LARGEST:
                    print(f"{path.relative_to(ROOT.parent)}: left out, onnx would not end")
                    continue
                theirs = known_to_onnx(model)
            except Exception:  # damaged on purpose, or operators that onnx refuses
                continue
            copy = Path(folder) / "model.onnx"
            onnx.save(model, copy)
            ours = known_to_us(binary, copy)
            if ours is None:
                continue
            compared += len(theirs.keys() & ours.keys())
            wrong, only_theirs = differences(ours, theirs)
            less.update(only_theirs)
            failed += len(wrong)
            for line in wrong:
                print(f"{path.relative_to(ROOT.parent)}: {line}")
    for what, count in less.most_common():
        print(f"only onnx knows the {what}: {count} values")
    print(f"{compared} values compared, {failed} contradictions")
    return int(bool(failed) or not compared)


if __name__ == "__main__":
    if sys.argv[1:] == ["--self-test"]:
        self_test()
    else:
        sys.exit(main(sys.argv[1]))
