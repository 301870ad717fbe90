"""The checks of one model. Each yields sentences: none means it holds."""

import json
import re
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import onnx

from . import masks, runtime, scopes, untouched
from .inference import inference_meaning

PASS, FAIL, SKIP = "pass", "FAIL", "skip"
RATE_TOLERANCE = 1e-6


@dataclass
class Report:
    group: str
    name: str
    results: dict = field(default_factory=dict)  # check -> (PASS | FAIL | SKIP, why)
    facts: list = field(default_factory=list)  # counted over all models

    def add(self, check, problems=(), skip=None):
        problems = list(problems)
        if problems:
            self.results[check] = (FAIL, "; ".join(problems[:3]))
        else:
            self.results[check] = (SKIP, skip) if skip else (PASS, "")


def refused_for_good(model):
    """Does onnx.checker refuse it, and not for the random operators strip takes away?"""
    why = accepted(model, True)
    return why is not None and "Random" not in why


def accepted(model, full):
    """None when onnx.checker accepts the model, else the first line of its reason."""
    try:
        onnx.checker.check_model(model, full_check=full)
    except Exception as error:
        return (str(error).strip() or type(error).__name__).splitlines()[0]
    return None


def no_dropout_left(before, after):
    for scope, node in scopes.dropouts(after):
        yield f"Dropout {node.name!r} is still in {scope.label}"
    left = {(f.domain, f.name, f.overload) for f in after.functions}
    gone = scopes.emptied(before).keys() - left
    was, now = (scopes.named_dropouts_elsewhere(m, gone) for m in (before, after))
    if was != now:
        yield f"Dropouts of other domains: {was} became {now}"


def checker_content(before, after):
    for full in (False, True):
        if accepted(before, full) is None:
            reason = accepted(after, full)
            if reason:
                yield f"onnx.checker(full_check={full}): {reason}"


def same_outputs(before, after, name, runs=2):
    """(problems, skip reason) of running both, the first in its inference meaning."""
    if runtime.onnxruntime_loads(before) is None:
        reason = runtime.onnxruntime_loads(after)
        if reason:
            return [f"ONNX Runtime loaded the original, not the result: {reason}"], None
    wanted, after = runtime.seeded(inference_meaning(before)), runtime.seeded(after)
    problems = []
    for seed in range(runs):
        try:
            engine, dim, feed, expected = runtime.first_that_runs(wanted, seed, name)
        except runtime.CannotRun as error:
            return problems, f"nothing runs the original: {error}"
        run = runtime.ENGINES[engine]
        if not runtime.same_bits(expected, run(wanted, feed)):
            return problems, "random by other operators"
        try:
            got = run(after, feed)
        except Exception as error:
            problems.append(f"{engine} ran the original, not the result: {str(error)[:160]}")
            continue
        if not runtime.same_bits(expected, got):
            problems.append(
                f"{engine}, seed {seed}, dim {dim}: {runtime.differing(expected, got)}"
            )
    return problems, None


def rates_in_truth(row):
    """The rates of a TRUTH.tsv row's Dropout_forms; None where the row cannot say."""
    rates = []
    for form, count in json.loads(row["Dropout_forms"] or "{}").items():
        found = re.search(r"ratio(?: input)?=([0-9.eE+-]+)", form)
        if found:
            rates += [float(found[1])] * count
        elif form.startswith("NO ratio"):
            rates += [0.5] * count
        else:
            return None
    return rates


def same_rates(got, wanted):
    pairs = zip(sorted(got), sorted(wanted))
    return len(got) == len(wanted) and all(abs(a - b) <= RATE_TOLERANCE for a, b in pairs)


def closest(got, wanted):
    """One of `got` for each of `wanted`: those nearest to it."""
    left = list(got)
    return [left.pop(min(range(len(left)), key=lambda i: abs(left[i] - w))) for w in wanted]


def audit_problems(said, model, row):
    if said.code not in (0, 1):
        yield f"audit exits {said.code}: {said.last_line}"
        return
    try:
        document = json.loads(said.out)
        entry = document["models"][0]
        sites = [s for s in entry["sites"] if s["form"] == "operator"]
    except (ValueError, KeyError, IndexError, TypeError) as error:
        yield f"audit wrote no audit document: {type(error).__name__} {error}"
        return
    if entry.get("error"):
        yield f"audit reports an error: {entry['error']}"
    found = scopes.dropouts(model)
    if len(sites) != len(found):
        yield f"audit has {len(sites)} operator sites, the model {len(found)} Dropouts"
        return
    rates = Counter(s["rate"] for s in sites if s["rate"] is not None)
    own = [scopes.rate(scope, node) for scope, node in found]
    known = [r for r in own if r is not None]
    # what a function is given, the tool may find out from its calls; the judge does not look there
    given = sum(r is None and scope.label.startswith("function") for r, (scope, _) in zip(own, found))
    rates = sorted(rates.elements())
    if len(rates) > len(known) and len(rates) <= len(known) + given:
        rates = closest(rates, known)
    if not same_rates(rates, known):
        yield f"audit has the rates {sorted(rates)}, the model {sorted(known)}"
    truth = rates_in_truth(row) if row else None
    if truth is not None and not same_rates(known, truth):
        yield f"the judge itself read the rates {sorted(known)}, TRUTH.tsv has {sorted(truth)}"
    nodes = Counter(node.name for _, node in found if node.name)
    named = Counter(n for s in sites for n in s["nodes"] if n in nodes)
    if any(named[name] < count for name, count in nodes.items()):
        yield f"audit names the nodes {sorted(named)}, the model {sorted(nodes)}"


def judge(tool, path, group, name, row, folder, with_audit=True):
    """All checks of one model; the results go to `folder`."""
    report = Report(group, name)
    data = path.read_bytes()
    before = onnx.ModelProto.FromString(data)
    out, twice = folder / "stripped.onnx", folder / "twice.onnx"

    said = tool.strip(path, out)
    refusable = said.code == 2 and refused_for_good(before) and said.text
    problems = []
    if said.crashed:
        problems.append(f"crashed ({said.code}): {said.last_line}")
    elif said.code != 0 and not refusable:
        problems.append(f"strip exits {said.code}: {said.last_line}")
    if said.code == 0 and not out.exists():
        problems.append("strip exits 0 and wrote nothing")
    if said.code != 0 and out.exists():
        problems.append(f"strip exits {said.code} and wrote a file")
    if path.read_bytes() != data:
        problems.append("strip changed the original")
    leftovers = {p.name for p in folder.iterdir()} - {out.name}
    if leftovers:
        problems.append(f"strip left {sorted(leftovers)} behind")
    report.add("exit", problems, skip=f"refused: {said.last_line}" if refusable else None)
    if said.code != 0 or not out.exists():
        return report

    result = out.read_bytes()
    try:
        after = onnx.ModelProto.FromString(result)
    except Exception as error:
        report.add("exit", [f"the result is no model: {error}"])
        return report
    report.add("no-dropout", no_dropout_left(before, after))
    report.add("checker", checker_content(before, after))
    report.add("untouched", untouched.problems(data, result))
    same_random = masks.random_nodes(before) == masks.random_nodes(after)
    if result == data:
        report.add("outputs", skip="identical bytes")
    elif not same_random:
        report.add("outputs", skip="random masks went: see meaning")
    else:
        report.add("outputs", *same_outputs(before, after, name))

    said = tool.strip(out, twice)
    again = []
    if said.code != 0 or not twice.exists():
        again.append(f"a second strip exits {said.code}: {said.last_line}")
    elif twice.read_bytes() != result:
        again.append("a second strip changes the file")
    if not scopes.dropouts(before) and same_random and result != data:
        again.append("nothing was stripped, yet other bytes")
    report.add("idempotent", again)
    root = path.parents[len(Path(name).parts) - 1]
    masks.add_to(report, before, after, name, row, root)

    said = tool.verify(path, out)
    report.add("verify", [] if said.code == 0 else [f"verify exits {said.code}: {said.last_line}"])
    if with_audit:
        report.add("audit", audit_problems(tool.audit(path), before, row))
    return report
