"""What can go wrong, as exceptions."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ._reports import Report


class DropoutOnnxError(Exception):
    """What went wrong, where and why; the base of all errors of this package.

    Attributes:
        file: The file it is about, or None.
        place: The scope, the node or the byte it is about, or None.
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
    """The system refused: no such file, no permission, a full disk."""


class ModelError(DropoutOnnxError, ValueError):
    """The bytes are no usable ONNX model."""


class UsageError(DropoutOnnxError, ValueError):
    """What was asked for makes no sense, or would do harm."""


class UnsupportedError(DropoutOnnxError):
    """What was asked for cannot be expressed, or is not built."""


class VerificationError(DropoutOnnxError):
    """The result was not shown to be right; nothing was written."""


class DifferentError(VerificationError):
    """The result was shown to be another model; nothing was written.

    Attributes:
        report: What was found.
    """

    report: Report | None = None


class InternalError(DropoutOnnxError):
    """A mistake in this package. Please report it."""
