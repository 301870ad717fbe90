#!/usr/bin/env python3
"""Runs every command on every model at hand and compares the results with a recorded table.

    .ci/table.py target/debug/dropout-onnx             compare with .ci/table/*.tsv
    .ci/table.py target/debug/dropout-onnx --update    record the results
    .ci/table.py target/debug/dropout-onnx --only torch24 fixtures
    .ci/table.py --self-test                           show that a change is reported

One row per model and command: exit status, verdict, sites, findings, the first line of the error, and
a hash of the bytes written. A change of any of them is one line of the diff. The models are fixtures/
and, where they are there, ../shared/models and ../shared/cases; a folder that is not there is left out.

Rewrites are verified by structure alone. Models are run in one row each (`verify --verify run` of the
model and its stripped form); whether outputs are equal is recorded, never numbers. Python's standard
library is enough.
"""

import argparse
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tables.commands import COLUMNS, rows_of

ROOT = Path(__file__).resolve().parent.parent
RECORDED = ROOT / ".ci" / "table"
FOLDERS = {
    "fixtures": ROOT / "fixtures",
    "models": ROOT.parent / "shared" / "models",
    "cases": ROOT.parent / "shared" / "cases",
}


def measured(binary, folder, only, jobs):
    """The rows of a folder as lines, sorted by file; commands in their own order."""
    names = sorted(str(path.relative_to(folder)) for path in folder.rglob("*.onnx"))
    names = [name for name in names if only in name]
    with ThreadPoolExecutor(jobs) as pool:
        found = list(pool.map(lambda name: rows_of(binary, folder, name), names))
    return ["\t".join(COLUMNS)] + ["\t".join(row) for rows in found for row in rows]


def recorded(path, only):
    if not path.exists():
        return []
    header, *rows = path.read_text().splitlines()
    return [header] + [row for row in rows if only in row.split("\t", 1)[0]]


def difference(before, after):
    """Rows that differ, with - and +, by model and command."""
    old, new = ({tuple(row.split("\t")[:2]): row for row in rows} for rows in (before, after))
    keys = [*new, *(key for key in old if key not in new)]
    return [
        sign + rows[key]
        for key in sorted(keys)
        if old.get(key) != new.get(key)
        for sign, rows in (("-", old), ("+", new))
        if key in rows
    ]


def compare(binary, name, given):
    """The number of lines that differ; 0 after --update."""
    folder, path = FOLDERS[name], RECORDED / f"{name}.tsv"
    if not folder.is_dir():
        print(f"{name}: left out, {folder} is not here")
        return 0
    after = measured(binary, folder, given.only, given.jobs)
    changed = difference(recorded(path, given.only), after)
    print(*changed, sep="\n", end="\n" if changed else "")
    print(f"{name}: {len(after) - 1} rows, {len(changed)} lines differ")
    if given.update and changed:
        path.parent.mkdir(exist_ok=True)
        path.write_text("\n".join(after) + "\n")
        return 0
    return len(changed)


def self_test():
    """A model that changes, one that is new and one that is gone are lines of the difference."""
    before = ["file\tcommand", "a\taudit\t0", "b\taudit\t0", "c\taudit\t0"]
    after = ["file\tcommand", "a\taudit\t1", "b\taudit\t0", "d\taudit\t0"]
    expected = ["-a\taudit\t0", "+a\taudit\t1", "-c\taudit\t0", "+d\taudit\t0"]
    problems = [] if difference(before, after) == expected else [difference(before, after)]
    problems += difference(before, list(before))
    with tempfile.TemporaryDirectory() as made:
        model = FOLDERS["fixtures"] / "torch_course_training_op9.onnx"
        folder, fake = Path(made), Path(made) / "fake"
        (folder / model.name).write_bytes(model.read_bytes())
        outcomes = []
        for status, said in ((0, "out"), (0, "out"), (0, "other"), (1, "out"), (139, "")):
            fake.write_text(f"#!/bin/sh\necho {said}\nexit {status}\n")
            fake.chmod(0o755)
            outcomes.append(measured(fake, folder, "", 1))
    same, again, *others = outcomes
    if same != again:
        problems.append("the same tool gives two tables")
    problems += [f"not reported: {other[1]}" for other in others if other == same]
    print(*problems, f"self-test: {len(problems)} problems", sep="\n")
    return 1 if problems else 0


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("binary", nargs="?", type=Path)
    parser.add_argument("folders", nargs="*", help=f"of {', '.join(FOLDERS)} [default: all]")
    parser.add_argument("--update", action="store_true", help="record what is found")
    parser.add_argument("--only", default="", help="models whose path contains this")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--self-test", action="store_true")
    given = parser.parse_args()
    if given.self_test:
        return self_test()
    if not given.binary or not given.binary.is_file():
        parser.error("the program is needed: target/debug/dropout-onnx")
    if unknown := set(given.folders) - set(FOLDERS):
        parser.error(f"no such folder: {', '.join(sorted(unknown))}")
    if given.update and given.only:
        parser.error("--update records whole folders; leave --only out")
    binary = given.binary.resolve()
    differing = sum(compare(binary, name, given) for name in given.folders or FOLDERS)
    if differing:
        print(f"{differing} lines differ; `.ci/table.py {given.binary} --update` records them")
    return 1 if differing else 0


if __name__ == "__main__":
    sys.exit(main())
