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
    mutant      `verify` tells broken rewrites made by Python: exit 1 and a message (2 will do
                where a subgraph may keep tract from running), and a right one made by Python

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

from judges import checks, documents, fake, masks, mutants, runtime, scopes, synthetic, synthetic_masks
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


def judge_mutants(tool, stem):
    """Mutants of one fixture: controls that must be equal, broken ones that must not."""
    report = Report("mutants", stem)
    before = onnx.load(FIXTURES / f"{stem}.onnx")
    right = fake.stripped(before)
    # Tract may lack what runs a subgraph; then "cannot tell" (exit 2) is an honest answer too.
    has_subgraph = any(scope.outer for scope in scopes.scopes(before))
    if masks.random_nodes(before):
        feed, expected = masks.meaning_that_runs(before, 0, stem)[0]
        same = masks.close
    else:
        _, _, feed, expected = runtime.first_that_runs(checks.inference_meaning(before), 0, stem)
        same = runtime.same_bits
    problems, made = [], 0
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "after.onnx"

        def verify(model):
            onnx.save(model, path)
            return tool.verify(FIXTURES / f"{stem}.onnx", path)

        said = verify(right)
        if said.code != 0:
            problems.append(f"a right strip made by Python: exit {said.code}: {said.last_line}")
        for mutant in mutants.ALL:
            model = mutant(before, right)
            if model is None:
                continue
            outputs = runtime.with_onnxruntime(model, feed)
            if same(expected, outputs):
                continue  # it computes the same: nothing to tell
            made += 1
            said = verify(model)
            told = said.code == 1 or (said.code == 2 and has_subgraph)
            if said.crashed or not told or not said.text:
                problems.append(f"{mutant.__name__}: exit {said.code}: {said.last_line}")
    print(f"{stem}: {made} mutants")
    if made < 3:
        problems.append(f"only {made} mutants could be made")
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
        reports += pool.map(
            lambda stem: judge_mutants(tool, stem), [s for s in mutants.FIXTURES if only in s]
        )
    if not only:
        formats = tool.formats()
        reports += [report for folder in folders for report in documents.judge(tool, folder, formats)]
    if not work:
        print("no model found", file=sys.stderr)
        return 1
    return 1 if summary(reports, verbose) else 0


def self_test():
    """The good stand-in passes everything; each broken one fails the check it is made for."""
    good = fake.Guarded(fake.Good())
    with tempfile.TemporaryDirectory() as made:
        jobs = [*models(FIXTURES, ""), *synthetic_models(Path(made), "")]
        jobs = [job for job in jobs if job[0].stem not in synthetic_masks.BEYOND_THE_STAND_IN]
        reports = [judge_one(good, job, True) for job in jobs]
    reports += [judge_mutants(good, stem) for stem in mutants.FIXTURES]
    reports += documents.judge(good, FIXTURES, fake.FORMATS)
    wrong = summary(reports, verbose=False)

    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryDirectory() as made_again:
        synthetic_masks.write(Path(made_again))
        for broken in fake.BROKEN:
            schema = getattr(broken, "schema", None)
            if schema and not schema.exists():
                print(f"left out {broken.__name__}: {schema.name} is not here")
                continue
            stem = getattr(broken, "needs", "torch_course_preserve_op17")
            home = Path(made_again) if stem.startswith("masked_") else FIXTURES
            name = f"{stem}.onnx"
            path, row = Path(folder) / name, truth(home)[name]
            path.write_bytes((home / name).read_bytes())
            for twin in ("keras_course_infer_op15.onnx",):
                (Path(folder) / twin).write_bytes((FIXTURES / twin).read_bytes())
            tool = fake.Guarded(broken())
            if broken.caught_by == "formats":
                reports = documents.judge(tool, FIXTURES, fake.FORMATS)
                report = Report("self-test", "formats")
                for one in reports:
                    if one.results["formats"][0] == FAIL:
                        report.results = one.results
            elif broken.caught_by == "mutant":
                report = judge_mutants(tool, stem)
            else:
                report = judge_one(tool, (path, "self-test", name, row), True)
            failed = {c: why for c, (result, why) in report.results.items() if result == FAIL}
            noticed = broken.caught_by in failed
            others = ", ".join(c for c in failed if c != broken.caught_by)
            print(
                f"{'noticed' if noticed else 'MISSED '} {broken.__name__} by {broken.caught_by}: "
                f"{failed.get(broken.caught_by, 'nothing')[:110]}" + (f" (and {others})" if others else "")
            )
            wrong += not noticed
    print(f"self-test: {len(fake.BROKEN)} broken tools, {wrong} problems")
    return 1 if wrong else 0


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
