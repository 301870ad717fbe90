#!/usr/bin/env python3
"""Prints which engine runs which model, and the reason where one does not.

    .ci/engines.py target/debug/dropout-onnx fixtures ../shared/models ../shared/cases
    .ci/engines.py BINARY FOLDER --all                 one line for each model
    .ci/engines.py --self-test                         show that a model that neither runs is reported

BINARY is built with the feature `ort`. Each model is compared with a copy of itself by a run, once with
`--engine tract` and once with `--engine ort`. In a FOLDER before `--may-fail`, each model has to be run by one
of them at least; the folders after it contain models on purpose that nothing can run. Python's standard
library is enough.
"""

import argparse
import json
import re
import subprocess
import sys
import tempfile
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ENGINES = ("tract", "ort")


def run_by(binary, model, engine):
    """`yes`, or the reason why not."""
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        for other in model.parent.iterdir():
            if other.is_file() and other.suffix != ".onnx":
                (folder / other.name).write_bytes(other.read_bytes())
        content = model.read_bytes()
        (folder / "a.onnx").write_bytes(content)
        (folder / "b.onnx").write_bytes(content + b"\x32\x01x")  # another doc_string
        command = [binary, "verify", "a.onnx", "b.onnx", "--verify", "run", "--runs", "1", "--engine", engine]
        limits = ["--timeout", "20", "--memory-limit", "2GiB", "--format", "json"]
        done = subprocess.run([*command, *limits], cwd=folder, capture_output=True, text=True)
    try:
        run = json.loads(done.stdout)["verification"]["run"]
    except (ValueError, KeyError):
        return "error: " + (done.stderr.strip().splitlines() or ["no report"])[0]
    if run is None:
        return "no run"
    return "yes" if run["result"] == "equal" else run["why"] or run["result"]


def kind(why):
    """A reason without what is of one model only."""
    why = re.sub(r" \((node|\d+ nodes)[^)]*\)", "", why)
    return re.sub(r'"[^"]*"|#\d+', "…", why)[:110]


def table(found, everything):
    counts = Counter()
    reasons = Counter()
    for model, by in found:
        ran = [engine for engine in ENGINES if by[engine] == "yes"]
        counts["both" if len(ran) == 2 else ran[0] + " only" if ran else "neither"] += 1
        for engine in ENGINES:
            if by[engine] != "yes":
                reasons[engine, kind(by[engine])] += 1
        if everything or not ran:
            print(f"  {model}: " + "; ".join(f"{engine}: {by[engine]}" for engine in ENGINES))
    print("  " + ", ".join(f"{name} {counts[name]}" for name in ("both", "tract only", "ort only", "neither")))
    for (engine, why), count in sorted(reasons.items(), key=lambda entry: (entry[0][0], -entry[1])):
        print(f"  {count:4}  {engine}: {why}")
    return counts["neither"]


def survey(binary, folder, everything):
    models = sorted(folder.rglob("*.onnx"))
    with ThreadPoolExecutor(2) as pool:
        jobs = [(model, engine) for model in models for engine in ENGINES]
        results = list(pool.map(lambda job: run_by(binary, *job), jobs))
    print(f"{folder}: {len(models)} models")
    rows = zip(models, zip(results[::2], results[1::2]))
    found = [(model.relative_to(folder), dict(zip(ENGINES, by))) for model, by in rows]
    return table(found, everything)


def self_test():
    ran = {"tract": "tract has no operator Loop (node a)", "ort": "yes"}
    not_run = {"tract": "tract has no operator X (2 nodes, one is b)", "ort": "ONNX Runtime was not found"}
    assert table([("a", ran)], False) == 0
    assert table([("a", ran), ("b", not_run)], False) == 1
    assert kind(not_run["tract"]) == "tract has no operator X"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("binary", nargs="?")
    parser.add_argument("folders", nargs="*", type=Path)
    parser.add_argument("--may-fail", nargs="*", type=Path, default=[])
    parser.add_argument("--all", action="store_true")
    parser.add_argument("--self-test", action="store_true")
    arguments = parser.parse_args()
    if arguments.self_test:
        return self_test()
    binary = str(Path(arguments.binary).resolve())
    neither = sum(survey(binary, folder, arguments.all) for folder in arguments.folders)
    for folder in arguments.may_fail:
        survey(binary, folder, arguments.all)
    if neither:
        print(f"{neither} models are run by no engine")
    return 1 if neither else 0


if __name__ == "__main__":
    sys.exit(main())
