"""Checked by mypy, not run: what the types of the package promise."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from typing_extensions import assert_type

import dropout_onnx as do


def kinds(path: str, data: bytes, other: Path, proto: onnx.ModelProto) -> None:
    assert_type(do.strip(path).model, "str | None")
    assert_type(do.set(data, out=path, rate=0.5).model, "str | None")
    assert_type(do.insert(data, out=other, after="Relu", rate=0.1).model, "Path | None")
    assert_type(do.fold(data).model, "bytes | None")
    assert_type(do.strip(other).model, "Path | None")
    assert_type(do.fold(proto).model, "onnx.ModelProto | None")
    do.strip(other, out="out.onnx", kind=["dropout"], input={"x": np.zeros(3), "y": (1, 2)})
    do.strip("x", verify="som")  # type: ignore[call-overload]
    do.audit(3)  # type: ignore[arg-type]
    do.strip(path).model = "x"  # type: ignore[misc]
    assert_type(do.audit(path, data).sites[0].rate, "float | None")
    assert_type(do.audit(path).verdict, "str | None")
