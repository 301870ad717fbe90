"""Audit, strip, insert and verify dropout in ONNX models.

A model is a path, bytes, or an `onnx.ModelProto`. The functions are the commands of `dropout-onnx`;
their options are its options, and their reports have its JSON documents (`to_dict()`).

>>> import dropout_onnx as do
>>> do.audit("model.onnx").verdict
'active'
>>> do.strip("model.onnx", out="clean.onnx").removed.dropouts
2
"""

from typing import TYPE_CHECKING

from ._api import (
    audit,
    diff,
    fold,
    insert,
    insert_sites,
    replay,
    sample,
    set as set,
    show,
    strip,
    verify,
)
from ._errors import (
    DifferentError,
    DropoutOnnxError,
    FileError,
    InternalError,
    ModelError,
    UnsupportedError,
    UsageError,
    VerificationError,
)
from ._native import __version__
if TYPE_CHECKING:
    from ._reports import (
        AuditReport,
        DiffReport,
        FoldReport,
        InsertReport,
        InsertSitesReport,
        ModelAudit,
        ReplayReport,
        SampleReport,
        SetReport,
        ShowReport,
        Site,
        StripReport,
        VerifyReport,
    )


def __getattr__(name: str) -> object:
    """The classes of reports, imported on first use because they are slow to import."""
    if name in __all__:
        from . import _reports

        return getattr(_reports, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


# `set` is not in the list: `from dropout_onnx import *` would hide Python's own.
__all__ = [
    "AuditReport",
    "DiffReport",
    "DifferentError",
    "DropoutOnnxError",
    "FileError",
    "FoldReport",
    "InsertReport",
    "InsertSitesReport",
    "InternalError",
    "ModelAudit",
    "ModelError",
    "ReplayReport",
    "SampleReport",
    "SetReport",
    "ShowReport",
    "Site",
    "StripReport",
    "UnsupportedError",
    "UsageError",
    "VerificationError",
    "VerifyReport",
    "__version__",
    "audit",
    "diff",
    "fold",
    "insert",
    "insert_sites",
    "replay",
    "sample",
    "show",
    "strip",
    "verify",
]
