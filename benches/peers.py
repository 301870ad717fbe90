#!/usr/bin/env python3
"""Results of other tools on models with dropout, compared with dropout-onnx.

    python3 -m venv .venv-peers && .venv-peers/bin/pip install -r benches/peers_requirements.txt
    .venv-peers/bin/python benches/peers.py target/release/dropout-onnx ../shared/models fixtures

Every tool gets every model in a process of its own, by its documented way to make a model smaller
for inference. What a tool left is counted by .ci/judges, which know none of them. A TRUTH.tsv in a
folder has the share of a model's randomness that is dropout. Nothing here fails: it prints tables.

    errors     the tool raised, crashed, or wrote nothing within five minutes
    operators  models that had Dropout operators: how many have none left, in any scope
    masks      models with random operators that are only dropout: how many have none left
    same       models without dropout: how many come back byte for byte
    interface  models whose inputs and outputs kept names, order and types
    outputs    models whose randomness, if any, is only dropout: how many compute what the original
               computes when dropout takes its inference meaning, by the judge's evaluator and by
               ONNX Runtime (else onnx.reference). What still draws does not. Models the judge
               cannot evaluate are not counted.
"""

import argparse
import csv
import resource
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / ".ci"))


def with_onnxoptimizer(before, after):
    import onnx
    import onnxoptimizer

    # All passes that only eliminate; `eliminate_nop_dropout` is one of them.
    passes = [p for p in onnxoptimizer.get_available_passes() if p.startswith("eliminate")]
    onnx.save(onnxoptimizer.optimize(onnx.load(before), passes), after)


def with_onnxsim(before, after):
    import onnx
    import onnxsim

    model, same = onnxsim.simplify(before)
    if not same:
        raise ValueError("onnxsim's own check failed")
    onnx.save(model, after)


def with_onnxslim(before, after):
    import onnxslim

    onnxslim.slim(before, after)


def with_onnxruntime(before, after):
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    options.optimized_model_filepath = after
    onnxruntime.InferenceSession(before, options, providers=["CPUExecutionProvider"])


def with_onnxscript(before, after):
    import onnx
    import onnxscript.optimizer

    onnx.save(onnxscript.optimizer.optimize(onnx.load(before)), after)


PEERS = {
    "onnxoptimizer": with_onnxoptimizer,
    "onnxsim": with_onnxsim,
    "onnxslim": with_onnxslim,
    "onnxruntime": with_onnxruntime,
    "onnxscript": with_onnxscript,
}


def command(tool, binary, before, after):
    if tool == "dropout-onnx":
        return [binary, "strip", str(before), str(after), "--force"]
    return [sys.executable, __file__, "--alone", tool, str(before), str(after)]


def run(tool, binary, before, after):
    """Why it failed, or None."""
    after.unlink(missing_ok=True)
    try:
        done = subprocess.run(
            command(tool, binary, before, after), capture_output=True, timeout=300, stdin=subprocess.DEVNULL
        )
    except subprocess.TimeoutExpired:
        return "no answer in 300 s"
    if done.returncode == 0 and after.exists():
        return None
    said = done.stderr.decode(errors="replace").strip().splitlines()
    return f"status {done.returncode}: {said[-1][:160] if said else 'no output'}"


def interface(model):
    return [(kind, v.name, v.type.SerializeToString())
            for kind, values in (("in", model.graph.input), ("out", model.graph.output)) for v in values]


def has_dropout(model, row):
    from judges import masks, scopes

    return bool(scopes.dropouts(model) or masks.random_nodes(model) or row.get("frozen_mask_inits"))


def computes(before, result, name):
    """(problems, why it cannot be judged)"""
    from judges import masks

    if result is None or masks.random_nodes(result):
        return ["it is still random, or not there"], None
    try:
        return masks.meaning_problems(before, result, name)
    except Exception as error:
        return [f"{type(error).__name__}: {error}"], None


def compare(tool, binary, models, folder):
    import onnx

    from judges import masks, scopes

    out_of, good, failures = Counter(), Counter(), []

    def count(column, holds):
        out_of[column] += 1
        good[column] += bool(holds)

    for path, row in models:
        after = folder / "after.onnx"
        why = run(tool, binary, path, after)
        out_of["models"] += 1
        if why:
            failures.append(f"{path.parent.name}/{path.name}: {why}")
        before = onnx.load(path)
        result = onnx.load(after) if not why else None
        operators, draws = scopes.dropouts(before), masks.random_nodes(before)
        only_dropout = not draws or (row and masks.expected_left(row) == 0)
        if operators:
            count("operators", result and not scopes.dropouts(result))
        if draws and only_dropout:
            count("masks", result and not masks.random_nodes(result))
        if not has_dropout(before, row):
            count("same", result and after.read_bytes() == path.read_bytes())
        count("interface", result and interface(before) == interface(result))
        if only_dropout:
            problems, skipped = computes(before, result, path.name)
            if not skipped:
                count("outputs", not problems)
                if result and not masks.random_nodes(result):
                    failures += [f"{path.parent.name}/{path.name}: outputs: {p[:160]}" for p in problems[:1]]
    return out_of, good, failures


def rows(folder):
    table = folder / "TRUTH.tsv"
    if not table.exists():
        return {}
    csv.field_size_limit(1 << 24)
    with table.open() as lines:
        found = list(csv.DictReader(lines, delimiter="\t"))
    return {(r.get("file") or r.get("fixture") + ".onnx"): r for r in found}


def table(arguments):
    models = []
    for folder in map(Path, arguments.paths):
        truth = rows(folder)
        for path in sorted(folder.rglob("*.onnx")):
            models.append((path, truth.get(str(path.relative_to(folder)), {})))
    columns = ["operators", "masks", "same", "interface", "outputs"]
    print(f"{len(models)} models\n\n| tool | errors | {' | '.join(columns)} |\n|---|{'---|' * (len(columns) + 1)}")
    details = []
    with tempfile.TemporaryDirectory() as folder:
        for tool in arguments.tools:
            out_of, good, failures = compare(tool, arguments.binary, models, Path(folder))
            errors = sum(": status" in f or "no answer" in f for f in failures)
            cells = [f"{good[c]} of {out_of[c]}" for c in columns]
            print(f"| {tool} | {errors} | {' | '.join(cells)} |", flush=True)
            details += [f"{tool}: {failure}" for failure in failures]
    if arguments.verbose:
        print("", *details, sep="\n")


def main():
    if sys.argv[1:2] == ["--alone"]:
        tool, before, after = sys.argv[2:]
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        PEERS[tool](before, after)
        return
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("binary")
    parser.add_argument("paths", nargs="+", help="folders of models")
    parser.add_argument("--tools", nargs="+", default=["dropout-onnx", *PEERS])
    parser.add_argument("-v", "--verbose", action="store_true", help="and what failed")
    arguments = parser.parse_args()
    arguments.binary = str(Path(arguments.binary).resolve())
    table(arguments)


if __name__ == "__main__":
    main()
