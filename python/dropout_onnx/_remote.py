"""Models that are read by ranges: objects of a store, through fsspec, and open files.

Credentials and options of a store are those of fsspec: environment variables, configuration files.
"""

from __future__ import annotations

import importlib
import io
import pathlib
import threading
from dataclasses import dataclass
from typing import Any, BinaryIO, Callable

from ._errors import FileError, UsageError


@dataclass(frozen=True)
class Ranges:
    """A model by ranges, for the native module."""

    name: str
    size: int
    read: Callable[[int, int], bytes]
    """The bytes of a range."""
    check: Callable[[], None]
    """Raises if what was read is no longer there."""
    beside: Callable[[pathlib.PurePath], Ranges] | None
    """A file of external data, by its path relative to the model."""


def of_url(url: str) -> Ranges:
    """An object of a store. Each range is a request."""
    try:
        core = importlib.import_module("fsspec.core")  # which has no types
    except ImportError as error:
        raise UsageError(
            f"{url}: needs fsspec: pip install 'dropout-onnx[remote]'", file=url
        ) from error
    try:
        store, path = core.url_to_fs(url)
    except (ImportError, ValueError) as error:  # the package of a protocol, or an unknown one
        raise UsageError(f"{url}: {error}", file=url) from error

    return _of_object(store, path, url)


VERSION = ["ETag", "etag", "LastModified", "Last-Modified", "last_modified", "mtime", "updated", "ino"]
VERSION += ["generation", "Content-MD5", "content_md5", "md5Hash"]
"""What stores call the version of an object."""


def _of_object(store: Any, path: str, url: str) -> Ranges:
    def state() -> tuple[int, object]:
        store.invalidate_cache()
        about = store.info(path)
        if about.get("type") == "directory" or about.get("size") is None:
            raise FileError(f"{url}: is not a file with a known size", file=url)
        return int(about["size"]), [str(about.get(key)) for key in VERSION]

    try:
        before = state()
    except OSError as error:
        raise FileError(f"{url}: cannot open: {error or type(error).__name__}", file=url) from error

    def read(start: int, end: int) -> bytes:
        data: bytes = store.cat_file(path, start=start, end=end)
        return data

    def check() -> None:
        if state() != before:
            raise OSError("it changed while it was read; run this again")

    def beside(relative: pathlib.PurePath) -> Ranges:
        name = relative.as_posix()
        folder, folder_url = (place.rpartition("/")[0] for place in (path, url))
        return _of_object(store, f"{folder}/{name}", f"{folder_url}/{name}")

    return Ranges(url, before[0], read, check, beside)


def of_file(file: BinaryIO) -> Ranges:
    """An open file that can be sought in; its position afterwards is not defined."""
    if isinstance(file, io.TextIOBase):
        raise TypeError("a model is an open file in binary mode, not in text mode")
    lock = threading.Lock()
    name = getattr(file, "name", None)

    def size() -> int:
        return file.seek(0, io.SEEK_END)

    def read(start: int, end: int) -> bytes:
        with lock:
            file.seek(start)
            parts: list[bytes] = []
            while start < end:
                part = file.read(end - start)
                if not part:
                    break
                parts.append(part)
                start += len(part)
            return b"".join(parts)

    before = size()

    def check() -> None:
        with lock:
            if size() != before:
                raise OSError("it changed while it was read; run this again")

    return Ranges(name if isinstance(name, str) else "-", before, read, check, None)
