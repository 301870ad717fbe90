"""Reports of `audit` on a whole folder, in the formats programs read.

    json     docs/audit.schema.json describes it, and is a schema; one entry a model, none failed
    jsonl    the same entries, one a line
    sarif    valid by the schema of OASIS (2.1.0 with errata 01: SHA-256 below, whoever keeps it);
             every result has a described rule, a relative path that exists, the level and as many
             results as the JSON has; fingerprints differ from others of the same file, and are those
             of the same models in another place
    github   one annotation per model, rule and message, escaped
    junit    XML whose counts are right; a failure a finding
    concise  a line a finding

A format the program does not have yet is left out, and said.
"""

import hashlib
import json
import re
import shutil
import tempfile
from collections import Counter
from pathlib import Path
from urllib.parse import unquote
from xml.etree import ElementTree

from jsonschema.validators import validator_for

from .checks import Report

ROOT = Path(__file__).resolve().parents[2]
AUDIT_SCHEMA = ROOT / "docs" / "audit.schema.json"
SARIF_SCHEMA = ROOT / "tests" / "data" / "sarif-schema-2.1.0.json"
# docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json, as in
# github.com/oasis-tcs/sarif-spec, sarif-2.1/schema.
SARIF_SHA256 = "c3b4bb2d6093897483348925aaa73af03b3e3f4bd4ca38cef26dcb4212a2682e"


def against_schema(document, schema):
    validator = validator_for(schema)
    validator.check_schema(schema)
    for error in validator(schema).iter_errors(document):
        place = "/".join(map(str, error.absolute_path)) or "the document"
        yield f"{place}: {error.message[:160]}"


def strict(schema):
    """The schema, with every object closed: what it does not describe is an error."""
    if isinstance(schema, dict):
        closed = {k: strict(v) for k, v in schema.items()}
        if "properties" in schema and "additionalProperties" not in schema:
            closed["additionalProperties"] = False
        return closed
    return [strict(s) for s in schema] if isinstance(schema, list) else schema


def findings(document):
    """(path, rule, level, message) of all."""
    return Counter(
        (m["path"], f["rule"], f["level"], f["message"]) for m in document["models"] for f in m["findings"]
    )


def json_problems(said, files):
    document = json.loads(said.out)
    if AUDIT_SCHEMA.exists():
        yield from against_schema(document, strict(json.loads(AUDIT_SCHEMA.read_text())))
    named = Counter(Path(m["path"]).name for m in document["models"])
    if named != Counter(f.name for f in files):
        yield f"{len(document['models'])} models for {len(files)} files"
    for model in document["models"]:
        if model["error"] is not None:
            yield f"{model['path']}: {model['error']}"
        for finding in model["findings"]:
            if finding["site"] is not None and finding["site"] not in {s["id"] for s in model["sites"]}:
                yield f"{model['path']}: a finding of site {finding['site']}, which there is not"


def jsonl_problems(said, document):
    models = [json.loads(line) for line in said.out.splitlines()]
    if {model.pop("tool", None) for model in models} != {document["tool"]}:
        yield "lines without the program"
    same = len(models) == len(document["models"])
    if not same or {m["path"]: m for m in models} != {m["path"]: m for m in document["models"]}:
        yield "not the models of the JSON document"


def sarif_results(said):
    (run,) = json.loads(said.out)["runs"]
    return run, run["results"]


def sarif_problems(said, document, base):
    if SARIF_SCHEMA.exists():
        data = SARIF_SCHEMA.read_bytes()
        if hashlib.sha256(data).hexdigest() != SARIF_SHA256:
            yield f"{SARIF_SCHEMA.name} is not the schema of OASIS"
        yield from against_schema(json.loads(said.out), json.loads(data))
    run, results = sarif_results(said)
    rules = [rule["id"] for rule in run["tool"]["driver"].get("rules", [])]
    if len(rules) != len(set(rules)):
        yield "a rule is described twice"
    seen = Counter()
    for result in results:
        at = result.get("ruleIndex")
        if result["ruleId"] not in rules or (at is not None and rules[at] != result["ruleId"]):
            yield f"{result['ruleId']} is not described, or not where ruleIndex says"
        for location in result.get("locations", []):
            uri = location["physicalLocation"]["artifactLocation"]["uri"]
            if re.match(r"[A-Za-z][A-Za-z0-9+.-]*:|/", uri) or not (base / unquote(uri)).exists():
                yield f"{uri} is no relative path of a file"
            text = result["message"]["text"].replace("{{", "{").replace("}}", "}")  # §3.11.5
            seen[unquote(uri), result["ruleId"], result.get("level", "warning"), text] += 1
    if seen != findings(document):
        yield f"{sum(seen.values())} results, not the {sum(findings(document).values())} findings of the JSON"
    marks = fingerprints(results)
    if any(not mark for mark in marks) or len(set(marks)) != len(marks):
        yield "results without fingerprints, or with the same in one file"


def fingerprints(results):
    """(the file, what tells a result from others in it); () where there is none."""
    found = []
    for result in results:
        marks = result.get("partialFingerprints") or result.get("fingerprints")
        files = json.dumps([at["physicalLocation"]["artifactLocation"] for at in result.get("locations", [])])
        found.append((files, *sorted(marks.items())) if marks else ())
    return found


def github_problems(said, document):
    """Percent, CR and LF are escaped everywhere, colon and comma in properties too."""
    lines = [line for line in said.out.splitlines() if line]
    pair = r"[a-zA-Z]+=[^,:\r\n]*"
    words = Counter({"error": 0, "warning": 0, "notice": 0})
    for line in lines:
        found = re.fullmatch(rf"::(error|warning|notice)( {pair}(,{pair})*)?::(.+)", line)
        if not found or re.search(r"%(?!25|0D|0A|3A|2C)", line):
            yield f"no annotation: {line[:100]}"
        else:
            words[found[1]] += 1
    levels = Counter({"error": 0, "warning": 0, "notice": 0})
    alike = {(path, rule, level, message.split("`: ")[-1]) for path, rule, level, message in findings(document)}
    for _, _, level, _ in alike:
        levels["notice" if level == "note" else level] += 1
    if words != levels:
        yield f"{dict(words)} annotations, {dict(levels)} findings"


def junit_problems(said, document):
    suites = ElementTree.fromstring(said.out)
    everything = [suites, *suites.iter("testsuite")]
    for suite in everything:
        for name, tag in (("tests", "testcase"), ("failures", "failure"), ("errors", "error")):
            wanted = sum(1 for _ in suite.iter(tag))
            if name in suite.attrib and int(suite.get(name)) != wanted:
                yield f"{suite.get('name')}: {name}={suite.get(name)}, there are {wanted}"
    named = Counter(suite.get("name") for suite in suites.iter("testsuite"))
    if named != Counter(m["path"] for m in document["models"]):
        yield "not a suite a model"
    told = sum(1 for case in suites.iter("testcase") if list(case))
    wanted = sum(count for (_, _, level, _), count in findings(document).items() if level != "note")
    if not wanted <= told <= sum(findings(document).values()):
        yield f"{told} tests failed or were left out, {wanted} findings are above notes"
    for suite in suites.iter("testsuite"):
        names = Counter(case.get("name") for case in suite.iter("testcase"))
        if any(count > 1 for count in names.values()):
            yield f"{suite.get('name')}: two tests of one name"


def concise_problems(said, document):
    wanted = Counter(f"{p}: {level} {rule}: {m}" for p, rule, level, m in findings(document).elements())
    if Counter(line for line in said.out.splitlines() if line) != wanted:
        yield "not a line a finding"


def moved(tool, folder, marks):
    """The fingerprints, when the same folder lies elsewhere."""
    with tempfile.TemporaryDirectory() as elsewhere:
        copy = Path(elsewhere) / folder.name
        shutil.copytree(folder, copy, ignore=lambda _, names: [n for n in names if n.startswith(".")])
        _, results = sarif_results(tool.report("sarif", copy))
    if sorted(fingerprints(results)) != sorted(marks):
        yield "other fingerprints when the folder lies elsewhere"


def judge(tool, folder, formats):
    """A Report a format; `formats` are those the program has."""
    files = sorted(folder.rglob("*.onnx"))
    document = None
    for name in ("json", "jsonl", "sarif", "github", "junit", "concise"):
        report = Report("formats", f"{name} of {folder.name}")
        if name not in formats:
            report.add("formats", skip=f"no format {name} yet")
            yield report
            continue
        try:
            said = tool.report(name, folder)
            if said.code != 0 or said.crashed:
                report.add("formats", [f"exit {said.code}: {said.last_line}"])
            elif name == "json":
                document = json.loads(said.out)
                report.add("formats", json_problems(said, files))
            elif name == "jsonl":
                report.add("formats", jsonl_problems(said, document))
            elif name == "sarif":
                problems = list(sarif_problems(said, document, folder.parent))
                problems += moved(tool, folder, fingerprints(sarif_results(said)[1]))
                report.add("formats", problems)
            else:
                problems = {"github": github_problems, "junit": junit_problems, "concise": concise_problems}
                report.add("formats", problems[name](said, document))
        except Exception as error:
            report.add("formats", [f"no such document: {type(error).__name__}: {error}"])
        yield report
