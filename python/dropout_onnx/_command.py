"""The command that came with this package: models run in a process of it."""

from __future__ import annotations

import os
from functools import lru_cache


@lru_cache(maxsize=1)
def command() -> str | None:
    """The path of the package's own `dropout-onnx`; None where the package has none, as in a
    development build: models then run in this process."""
    from importlib import metadata

    name = "dropout-onnx.exe" if os.name == "nt" else "dropout-onnx"
    try:
        files = metadata.files("dropout-onnx") or []
    except metadata.PackageNotFoundError:
        return None
    paths = (os.fspath(file.locate()) for file in files if file.name == name)
    return next((path for path in paths if os.path.isfile(path)), None)


@lru_cache(maxsize=1)
def onnx_runtime() -> str | None:
    """The folder with the library of the package `onnxruntime`, if that is installed. It is not imported."""
    from importlib.util import find_spec

    spec = find_spec("onnxruntime")
    if spec is None or spec.origin is None:
        return None
    return os.path.join(os.path.dirname(spec.origin), "capi")
