#!/usr/bin/env python3
"""Judges dropout-onnx from outside, on whole folders of models.

    .ci/judge.py target/debug/dropout-onnx fixtures [../shared/models ...]
    .ci/judge.py target/debug/dropout-onnx --synthetic    also every topology, made here
    .ci/judge.py --self-test                              show that every check can fail

Every model is stripped with full verification into a temporary folder. Then:

    exit        status 0, or 2 with a message for a model onnx.checker refuses; no panic;
                nothing left behind, the original as it was
    no-dropout  no Dropout of the default domain in any scope; other domains' untouched
    checker     onnx.checker accepts what it accepted before, with and without full_check
    untouched   everything but the Dropouts and what only they read is the same bytes, and
                everybody reads what they read before
    outputs     ONNX Runtime (optimisations off; else onnx.reference) gives bit-equal outputs
                for the result and for the original put into inference meaning by Python
    idempotent  a second strip, or a strip of a model without dropout, gives the same bytes
    verify      `verify BEFORE AFTER` exits 0
    audit       as many operator sites, with the same rates, as Python and TRUTH.tsv count
    mutant      `verify` rejects recorded wrong results: exit 1 and a message (2 will do where a
                subgraph may keep tract from running), and accepts a right one

And of models with random operators (judges/masks.py tells more):

    masks       nothing random is left where TRUTH.tsv says that only dropout was; all of it else
    loads       onnx.checker and ONNX Runtime take the result, also where they refused the original
    dead        no node, initializer, loop state or function is left that is of no use any more
    meaning     outputs close to the original's inference meaning, by an evaluator of the judge's own
    twin        outputs close to those of the inference export of the same network and weights

And of whole folders (judges/documents.py):

    formats     the reports of `audit` in JSON, JSON Lines, SARIF and others are valid by their
                schemas and tell the same

A TRUTH.tsv in the folder is used when it is there. Needs .ci/requirements.txt.
"""

import argparse
import csv
import sys
import tempfile
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import onnx

from judges import checks, documents, recorded, runtime, scopes, synthetic, synthetic_masks
from judges.checks import FAIL, PASS, SKIP, Report
from judges.tool import Tool

FIXTURES = Path(__file__).resolve().parent.parent / "fixtures"
CHECKS = (
    "exit no-dropout checker untouched outputs idempotent verify audit mutant "
    "masks loads dead meaning twin formats"
).split()


def truth(folder):
    """{file: row} of a folder's TRUTH.tsv, if it has one."""
    table = folder / "TRUTH.tsv"
    if not table.exists():
        return {}
    with table.open(newline="") as lines:
        rows = list(csv.DictReader(lines, delimiter="\t"))
    return {row.get("file") or row["fixture"]: row for row in rows}


def models(folder, only):
    """(path, group, name, row): grouped by exporter: by folder, else by first word."""
    rows = truth(folder)
    for path in sorted(folder.rglob("*.onnx")):
        name = str(path.relative_to(folder))
        row = rows.get(name)
        if only in name:
            group = path.parent.name if path.parent != folder else name.split("_")[0]
            yield path, group, name, row


def judge_one(tool, job, with_audit):
    path, group, name, row = job
    with tempfile.TemporaryDirectory() as folder:
        try:
            return checks.judge(tool, path, group, name, row, Path(folder), with_audit)
        except Exception as error:
            report = Report(group, name)
            report.add("exit", [f"the judge itself failed: {type(error).__name__}: {error}"])
            return report


def judge_mutants(tool, record):
    """Recorded results for one fixture: a right one, which `verify` must accept, and wrong ones."""
    report = Report("mutants", record["model"])
    original = FIXTURES / f"{record['model']}.onnx"
    # Tract may lack what runs a subgraph; then "cannot tell" (exit 2) is an honest answer too.
    has_subgraph = any(scope.outer for scope in scopes.scopes(onnx.load(original)))
    problems = []
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "after.onnx"

        def verify(pieces):
            path.write_bytes(recorded.joined(pieces, original.read_bytes()))
            return tool.verify(original, path)

        said = verify(record["right"])
        if said.code != 0:
            problems.append(f"a right strip: exit {said.code}: {said.last_line}")
        for name, pieces in record["wrong"].items():
            said = verify(pieces)
            rejected = said.code == 1 or (said.code == 2 and has_subgraph)
            if said.crashed or not rejected or not said.text:
                problems.append(f"{name}: exit {said.code}: {said.last_line}")
    report.add("mutant", problems)
    return report


def synthetic_models(folder, only):
    synthetic.write(folder)
    synthetic_masks.write(folder)
    return [(path, "synthetic", name, row) for path, _, name, row in models(folder, only)]


def table(reports):
    """One line a group: passed, failed and skipped of each check."""
    groups = {}
    for report in reports:
        row = groups.setdefault(report.group, [0, Counter()])
        row[0] += 1
        row[1].update((check, result) for check, (result, _) in report.results.items())
    width = max(map(len, groups), default=0)
    print(f"{'':{width}} models  " + "".join(f"{check:>11}" for check in CHECKS))
    for group, (number, counts) in sorted(groups.items()):
        line = f"{group:{width}} {number:6}  "
        for check in CHECKS:
            passed, failed, skipped = (counts[check, r] for r in (PASS, FAIL, SKIP))
            cell = f"{passed}" + (f" -{skipped}" if skipped else "") + (f" !{failed}" if failed else "")
            line += f"{cell if passed + failed + skipped else '.':>11}"
        print(line)
    print("passed -skipped !failed")


def summary(reports, verbose):
    table(reports)
    reasons = Counter()
    for report in reports:
        for check, (result, why) in report.results.items():
            if result == SKIP:
                reasons[check, why] += 1
                if verbose or check == "exit":
                    print(f"skip {report.group}/{report.name} {check}: {why}")
            elif result == FAIL:
                print(f"FAIL {report.group}/{report.name} {check}: {why}")
    for (check, why), count in sorted(reasons.items()):
        print(f"skipped {count} × {check}: {why}")
    for fact, count in Counter(f for r in reports for f in r.facts).items():
        print(f"{count:5} {fact}")
    total = Counter(result for r in reports for result, _ in r.results.values())
    print(f"{total[PASS]} passed, {total[FAIL]} failed")
    return total[FAIL]


def run_all(tool, work, folders, only, jobs, verbose):
    print(f"{len(work)} models; onnx {onnx.__version__}, onnxruntime {runtime.ort.__version__}")
    with ThreadPoolExecutor(jobs) as pool:
        reports = list(pool.map(lambda job: judge_one(tool, job, True), work))
        records = [r for r in recorded.lines("verify.jsonl") if only in r["model"]]
        reports += pool.map(lambda record: judge_mutants(tool, record), records)
    if not only:
        formats = tool.formats()
        reports += [report for folder in folders for report in documents.judge(tool, folder, formats)]
    if not work:
        print("no model found", file=sys.stderr)
        return 1
    return 1 if summary(reports, verbose) else 0


def judge_recorded(right, answers, folder):
    """The report on recorded answers about a model: right ones, but for `answers`."""
    name = f"{right['model']}.onnx"
    if "before" in right:
        original, row = bytes.fromhex(right["before"]), right["row"]
    else:
        original, row = (FIXTURES / name).read_bytes(), truth(FIXTURES)[name]
    (folder / name).write_bytes(original)
    for twin in ("keras_course_infer_op15.onnx",):
        (folder / twin).write_bytes((FIXTURES / twin).read_bytes())
    tool = recorded.Strip(original, right, answers)
    return judge_one(tool, (folder / name, "recorded", name, row), True)


def self_test():
    """Every check accepts the recorded right answers, and rejects the wrong ones recorded for it."""
    wrong, rejected = 0, Counter()

    def expect(name, check, reports):
        nonlocal wrong
        failed = {c: why for r in reports for c, (result, why) in r.results.items() if result == FAIL}
        right = check in failed if check else not failed
        wrong += not right
        rejected[check] += 1
        shown = "; ".join(f"{c}: {why[:110]}" for c, why in failed.items() if c == check or not right)
        print(f"{'ok    ' if right else 'MISSED'} {name}{': ' if shown else ''}{shown}")

    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        right = {}
        for record in recorded.lines("strip.jsonl"):
            right = record if record["name"] == "right" else right
            answers = {k: v for k, v in record.items() if k not in ("name", "check")}
            name = f"{record['model']}, {record['name']}"
            expect(name, record.get("check"), [judge_recorded(right, answers, folder)])
        models = folder / "models"
        models.mkdir()
        recorded.reported(models, FIXTURES)
        expect("reports", None, documents.judge(recorded.Reports(), models, recorded.FORMATS))
        for name, form, answers in recorded.wrong_reports():
            reports = documents.judge(answers, models, recorded.FORMATS)
            expect(name, "formats", [r for r in reports if r.name.startswith(f"{form} ")])
    for record in recorded.lines("verify.jsonl"):
        equal = recorded.Strip(b"", {}, {})
        expect(f"{record['model']}, everything equal", "mutant", [judge_mutants(equal, record)])
    unseen = set(CHECKS) - set(rejected)
    print(f"{sum(rejected.values())} recorded answers, {wrong} problems; checks without a wrong answer: {unseen}")
    return 1 if wrong or unseen else 0


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("binary", nargs="?", type=Path)
    parser.add_argument("folders", nargs="*", type=Path)
    parser.add_argument("--self-test", action="store_true")
    parser.add_argument("--synthetic", action="store_true", help="judge the made models too")
    parser.add_argument("--only", default="", help="models whose name contains this")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--seconds", type=int, default=300, help="limit for one call of the tool")
    parser.add_argument("-v", "--verbose", action="store_true", help="name every skip")
    given = parser.parse_args()
    if given.self_test:
        return self_test()
    if not given.binary or not (given.folders or given.synthetic):
        parser.error("the binary and a folder of models (or --synthetic) are needed")
    if not given.binary.is_file():
        parser.error(f"{given.binary} is not a file")
    tool = Tool(given.binary.resolve(), given.seconds)
    work = [job for f in given.folders for job in models(f.resolve(), given.only)]
    with tempfile.TemporaryDirectory() as made:
        if given.synthetic:
            work += synthetic_models(Path(made), given.only)
        folders = [f.resolve() for f in given.folders]
        return run_all(tool, work, folders, given.only, given.jobs, given.verbose)


if __name__ == "__main__":
    sys.exit(main())
