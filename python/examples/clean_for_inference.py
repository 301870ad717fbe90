"""A model that was exported while training, made fit for inference, if it needs it.

    python clean_for_inference.py model.onnx clean.onnx
"""

from __future__ import annotations

import sys

import dropout_onnx as do


def clean(model: str, out: str) -> do.StripReport[str] | None:
    """Strips a model if dropout is still active."""
    audit = do.audit(model)
    if audit.verdict in ("clean", "inert"):
        return None
    report = do.strip(model, out=out, force=True)
    verification = report.verification
    assert verification is not None and verification.structure is not None
    return report


if __name__ == "__main__":
    try:
        print(clean(*sys.argv[1:]) or "nothing to do")
    except do.DropoutOnnxError as error:
        sys.exit(f"{type(error).__name__}: {error}")
