"""Models and inputs as the native module takes them, and results as the caller gave them."""

from __future__ import annotations

import io
import os
from typing import TYPE_CHECKING, Any, BinaryIO, Callable, Iterable, Mapping, Sequence, TypeVar, Union

from ._errors import UsageError

if TYPE_CHECKING:
    import pathlib

    import onnx
    from numpy.typing import ArrayLike

    from ._remote import Ranges

    Shape = tuple[int, ...]

Path = Union[str, "os.PathLike[str]"]
"""A file."""

Model = Union[str, "os.PathLike[str]", bytes, "onnx.ModelProto", "BinaryIO"]
"""A model: a path, a URL (`s3://bucket/model.onnx`), bytes, an open file, or an `onnx.ModelProto`."""

M = TypeVar("M", str, "pathlib.Path", "os.PathLike[str]", bytes, "onnx.ModelProto")
"""The kind of a model, which is also that of the result."""

P = TypeVar("P", bound=Path)
"""The file of a result."""

Feed = Union[Mapping[str, "Union[ArrayLike, Shape, Path]"], Sequence[str], None]
"""Shapes or data of inputs. By name: an array, a file (`.npy`, `.npz`, `.pb`), or a tuple of sizes for
random numbers in that shape. Or a list of values of `--input`: `"x:1,3,224,224"`, `"all=data.npz"`,
the folder of an ONNX test data set."""

Labels = Union["ArrayLike", "Path", Mapping[str, "Union[ArrayLike, Path]"], None]
"""The classes of the rows of an output, as an array or a file; by the output's name, if there are several."""

Progress = Callable[[str, int, int], object]
"""Called with the step, the number of parts done, and the total. An exception ends the call, and
nothing is written."""

Native = Union[str, bytes, "Ranges"]
"""A model for the native module: its path, its bytes, or ranges of it."""

Fed = Union[str, "tuple[str, bytes]", "tuple[str, list[int]]"]
"""The data of an input for the native module."""


def given(model: Any) -> Native:
    """The path, the bytes or the ranges of a model."""
    if isinstance(model, str) and "://" in model:
        from . import _remote

        return _remote.of_url(model)
    if isinstance(model, (bytes, bytearray, memoryview)):
        return bytes(model)
    if isinstance(model, (str, os.PathLike)):
        return os.fsdecode(model)
    if is_proto(model):
        try:
            data: bytes = model.SerializeToString()
        except ValueError as error:  # more than protobuf's 2 GiB
            raise UsageError(f"the ModelProto cannot be serialised: {error}") from error
        return data
    if hasattr(model, "read") and hasattr(model, "seek"):
        from . import _remote

        return _remote.of_file(model)
    kind = type(model).__name__
    raise TypeError(f"a model is a path, bytes, an open file or an onnx.ModelProto, not {kind}")


def is_proto(model: object) -> bool:
    """True for an onnx.ModelProto, whichever protobuf it uses; onnx is not imported."""
    descriptor = getattr(model, "DESCRIPTOR", None)
    return getattr(descriptor, "full_name", None) == "onnx.ModelProto"


def back(model: Any, out: Path | None, path: str | None, data: bytes | None) -> Any:
    """A result of the same kind as `model`, or `out`."""
    if out is not None:
        return out
    if data is None:
        if path is None or isinstance(model, str):
            return path
        return type(model)(path) if hasattr(model, "joinpath") else _pathlib(path)
    return type(model).FromString(data) if is_proto(model) else data


def _pathlib(path: str) -> os.PathLike[str]:
    import pathlib

    return pathlib.Path(path)


def words(value: str | Iterable[str]) -> list[str]:
    """An option that can be repeated."""
    return [value] if isinstance(value, str) else list(value)


def feed(inputs: Feed) -> list[Fed]:
    """Shapes or data of inputs for the native module."""
    if inputs is None:
        return []
    if not isinstance(inputs, Mapping):
        return list(words(inputs))
    return [_fed(name, value) for name, value in inputs.items()]


def labels(given: Any) -> list[Fed]:
    """True classes of outputs for the native module; of the only classifier without a name."""
    if given is None:
        return []
    if isinstance(given, (str, os.PathLike)):
        return [os.fsdecode(given)]
    each = given.items() if isinstance(given, Mapping) else [("", given)]
    return [
        _fed(name, value) if isinstance(value, (str, os.PathLike)) else (name, _npy(name, value))
        for name, value in each
    ]


def _fed(name: str, value: Any) -> Fed:
    if isinstance(value, (str, os.PathLike)):
        return f"{name}={os.fsdecode(value)}"
    if isinstance(value, tuple) and all(isinstance(size, int) for size in value):
        return name, list(value)
    return name, _npy(name, value)


def _npy(name: str, value: ArrayLike) -> bytes:
    import numpy as np

    array = np.asarray(value)
    if array.dtype.kind not in "biuf":
        if array.dtype.kind != "V":
            raise UsageError(f"input {name}: its elements are {array.dtype}, not numbers or bool")
        array = array.astype(np.float32)  # bfloat16 and the like, which float32 holds
    elif array.dtype == np.float16:
        array = array.astype(np.float32)  # exact, and cast back to what the model takes
    file = io.BytesIO()
    np.save(file, np.ascontiguousarray(array).reshape(array.shape), allow_pickle=False)
    return file.getvalue()
