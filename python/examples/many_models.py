"""Audits a registry of models with Dask, and writes one table: a row per model.

    python many_models.py s3://bucket/models audits.parquet
    python many_models.py models/ audits.parquet

Needs `dask`, `pyarrow`, and for a bucket `dropout-onnx[remote]` with the package of its store, such as `s3fs`. The
address and the credentials of a store are in the configuration of fsspec. Of a model in a bucket only the graph is
read.

As it is, all cores of this machine work. On a cluster of Dask, whose workers see the models, the same lines
run there:

    from dask.distributed import Client
    Client("tcp://scheduler:8786")

Why Dask: the work is one call a model, which needs neither tables (Spark, and its Java) nor shared
objects (Ray). `dask.bag` maps a function of Python over anything, is pure Python, and is the same code
on one machine and on many.
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any

import dask.bag
import fsspec.core

import dropout_onnx as do


def models(registry: str | os.PathLike[str]) -> list[str]:
    """The paths or URLs of all models in a folder or bucket."""
    store, root = fsspec.core.url_to_fs(os.fspath(registry))
    found = [path for path in store.find(root) if path.lower().endswith(".onnx")]
    if "://" not in os.fspath(registry):
        return sorted(os.path.relpath(path) for path in found)
    return sorted(store.unstrip_protocol(path) for path in found)


def row(path: str) -> dict[str, Any]:
    """The audit of one model; one that cannot be read is a row with an error, and does not stop the rest."""
    return do.audit(path, errors="report").models[0].to_dict()


def audits(registry: str | os.PathLike[str]) -> Any:
    """A bag with a row for every model."""
    # threads would do as well: the GIL is released
    bag = dask.bag.from_sequence(models(registry), partition_size=16)  # type: ignore[no-untyped-call]
    return bag.map(row)


def columns(row: dict[str, Any]) -> dict[str, Any]:
    """A row of the table: verdict, number of dropouts, rules, and the document of the audit."""
    rules = sorted({finding["rule"] for finding in row["findings"]})
    return {
        "path": row["path"],
        "verdict": row["verdict"],
        "error": row["error"],
        "sites": len(row["sites"]),
        "rules": rules,
        "audit": json.dumps(row),
    }


def main(registry: str, out: str) -> None:
    import pyarrow
    import pyarrow.parquet

    rows = audits(registry).map(columns).compute()
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), out)
    still = [row["path"] for row in rows if row["verdict"] == "active"]
    print(f"{len(rows)} models, {len(still)} still active:", *still, sep="\n  ")


if __name__ == "__main__":
    main(*sys.argv[1:])
