"""Audits a folder of models with Dask: one row per model, with the document of the command line.

    python many_models.py models/ audits/

writes audits/*.jsonl, one line per model, like `dropout-onnx audit --format jsonl models/`; each worker
writes its part. As it is, all cores of this machine work. On a cluster of Dask, whose workers see the
folder, the same lines run there:

    from dask.distributed import Client
    Client("tcp://scheduler:8786")

Why Dask: the work is one call a model, which needs neither tables (Spark, and its Java) nor shared
objects (Ray). `dask.bag` maps a function of Python over anything, is pure Python, and is the same code
on one machine and on many.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import dask.bag

import dropout_onnx as do


def row(path: str) -> dict[str, Any]:
    """The audit of one model; one that cannot be read is a row with an error, and does not stop the rest."""
    return do.audit(path, errors="report").models[0].to_dict()


def audits(folder: str | Path) -> Any:
    """A bag with a row for every model in a folder."""
    paths = sorted(str(path) for path in Path(folder).rglob("*.onnx"))
    # threads would do as well: the GIL is released
    bag = dask.bag.from_sequence(paths, partition_size=16)  # type: ignore[no-untyped-call]
    return bag.map(row)


if __name__ == "__main__":
    models, out = sys.argv[1:]
    rows = audits(models)
    rows.map(json.dumps).to_textfiles(str(Path(out) / "*.jsonl"))
    still = rows.filter(lambda row: row["verdict"] == "active").pluck("path").compute()
    print("still active:", *still, sep="\n  ")
