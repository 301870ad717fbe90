"""The exceptions of this package."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ._reports import Report


class DropoutOnnxError(Exception):
    """The base of all errors of this package.

    Attributes:
        file: The file concerned, or None.
        place: The scope, node or byte concerned, or None.
    """

    file: str | None
    place: str | None

    def __init__(self, message: str, *, file: str | None = None, place: str | None = None) -> None:
        super().__init__(message)
        self.file = file
        self.place = place

    def __reduce__(self) -> tuple[object, ...]:
        # pickled by engines that work in several processes
        return (_again, (type(self), self.args, self.__dict__))


def _again(
    kind: type[DropoutOnnxError], args: tuple[str], state: dict[str, object]
) -> DropoutOnnxError:
    error = kind(*args)
    error.__dict__.update(state)
    return error


class FileError(DropoutOnnxError):
    """A file cannot be read or written: it does not exist, permission is denied, the disk is full."""


class ModelError(DropoutOnnxError, ValueError):
    """The file is not a usable ONNX model."""


class UsageError(DropoutOnnxError, ValueError):
    """An argument is invalid, or would overwrite something."""


class UnsupportedError(DropoutOnnxError):
    """The request is not supported, or cannot be expressed in the model."""


class VerificationError(DropoutOnnxError):
    """The result could not be verified; nothing was written."""


class DifferentError(VerificationError):
    """The result differs from the original; nothing was written.

    Attributes:
        report: The report of the rewrite.
    """

    report: Report | None = None


class InternalError(DropoutOnnxError):
    """A bug in this package. Please report it."""
