#!/usr/bin/env python3
"""Runs action.yml on this machine, as far as GitHub's runner is not needed for it.

    .ci/action.py target/debug/dropout-onnx

Its steps are read from action.yml and run with bash, their variables filled in from inputs and from
outputs of earlier steps, in a workspace whose names have blanks, quotes and shell syntax. What is
asserted: exit status, annotations, summary, SARIF, outputs, and that no input is run as a script.

Not tried here: steps with `uses:` (actions/cache), and what GitHub makes of annotations. cargo is a
stand-in that writes its arguments down and installs the program that was built before.
"""

import atexit
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
from dataclasses import dataclass
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parent.parent
ACTION = yaml.safe_load((ROOT / "action.yml").read_text())
PROGRAM = Path(sys.argv[1]).resolve()
RELEASES = Path(tempfile.mkdtemp(prefix="dropout onnx releases "))
atexit.register(shutil.rmtree, RELEASES)
VERSION = subprocess.run(
    [PROGRAM, "--version"], capture_output=True, text=True, check=True
).stdout.split()[1]


@dataclass
class Ran:
    status: int
    log: str
    summary: str
    outputs: dict[str, str]
    workspace: Path
    calls: list[str]


class Runner:
    """A job with this one action: what GitHub documents of composite actions, and no more."""

    def __init__(self, scratch: Path, inputs: dict[str, str], on_path: str | None, ref: str):
        self.ref = ref
        self.inputs = {name: str(of.get("default", "")) for name, of in ACTION["inputs"].items()}
        unknown = set(inputs) - set(self.inputs)
        assert not unknown, f"action.yml has no input {unknown}"
        self.inputs |= inputs
        self.outputs: dict[str, dict[str, str]] = {}
        self.workspace = scratch / "work space"
        self.temp = scratch / "runner's temp"
        self.bin = scratch / "bin"
        for folder in (self.workspace / "some models", self.temp, self.bin):
            folder.mkdir(parents=True)
        self.calls = scratch / "calls"
        self.calls.touch()
        self.summary = scratch / "summary"
        self.program("cargo", stand_in(self.calls))
        if on_path is not None:
            self.program("dropout-onnx", on_path)

    def program(self, name: str, script: str):
        path = self.bin / name
        path.write_text(script)
        path.chmod(0o755)

    def evaluate(self, expression: str) -> str:
        """`inputs.x`, `steps.x.outputs.y`, and `a || b` of these."""
        for part in expression.split("||"):
            match part.strip().split("."):
                case ["inputs", name]:
                    value = self.inputs[name]
                case ["github", "action_ref"]:
                    value = self.ref
                case ["steps", step, "outputs", name]:
                    value = self.outputs.get(step, {}).get(name, "")
                case other:
                    raise ValueError(f"an expression that is not known here: {other}")
            if value:
                return value
        return ""

    def fill(self, text: str) -> str:
        return re.sub(r"\$\{\{(.*?)\}\}", lambda found: self.evaluate(found[1]), str(text))

    def wanted(self, step: dict) -> bool:
        if "if" not in step:
            return True
        left, right = step["if"].split("==")
        assert right.strip() == "''", step["if"]
        return self.evaluate(left) == ""

    def run(self) -> Ran:
        status, log = 0, ""
        for step in ACTION["runs"]["steps"]:
            if status != 0 or not self.wanted(step) or "uses" in step:
                continue
            assert "${{" not in step["run"], f"an expression in a script: {step['run']}"
            output = self.temp / "output"
            output.write_text("")
            environment = {name: self.fill(text) for name, text in step.get("env", {}).items()}
            environment |= {
                "PATH": f"{self.bin}:{os.environ['PATH']}",
                "HOME": os.environ.get("HOME", "/"),
                "GITHUB_ACTION_PATH": str(ROOT),
                "GITHUB_WORKSPACE": str(self.workspace),
                "GITHUB_OUTPUT": str(output),
                "GITHUB_STEP_SUMMARY": str(self.summary),
                "RUNNER_TEMP": str(self.temp),
                "RELEASES": RELEASES.as_uri(),
                "RUNNER_OS": "Linux",
                "RUNNER_ARCH": "X64",
            }
            # as GitHub runs `shell: bash`
            shell = ["bash", "--noprofile", "--norc", "-e", "-o", "pipefail", "-c", step["run"]]
            ran = subprocess.run(
                shell,
                env=environment,
                cwd=self.workspace,
                capture_output=True,
                text=True,
                timeout=100,
            )
            status, log = ran.returncode, log + ran.stdout + ran.stderr
            lines = output.read_text().splitlines()
            self.outputs[step["id"]] = dict(line.split("=", 1) for line in lines)
        outputs = {name: self.fill(of["value"]) for name, of in ACTION["outputs"].items()}
        summary = self.summary.read_text() if self.summary.exists() else ""
        calls = self.calls.read_text().splitlines()
        return Ran(status, log, summary, outputs, self.workspace, calls)


def stand_in(calls: Path) -> str:
    """A cargo that installs the program that is there."""
    return f"""#!/bin/bash
printf '%s\\n' "$*" >>'{calls}'
while [[ $# -gt 0 && $1 != --root ]]; do shift; done
[[ $# -gt 0 ]] || exit 0
mkdir -p "$2/bin" && ln -s '{PROGRAM}' "$2/bin/dropout-onnx"
"""


HERE = f'#!/bin/sh\nexec "{PROGRAM}" "$@"\n'
OLD = "#!/bin/sh\necho dropout-onnx 0.0.1\n"
EVIL = "$(touch ran) `touch ran`; touch ran; 'one' \"two\" & | > ran"


def act(
    on_path: str | None = HERE, files: dict[str, str] | None = None, ref: str = "main", **inputs: str
) -> Ran:
    scratch = Path(tempfile.mkdtemp(prefix="dropout onnx action "))
    try:
        runner = Runner(scratch, {k.replace("_", "-"): v for k, v in inputs.items()}, on_path, ref)
        for name, stem in (files or {}).items():
            path = runner.workspace / name
            path.parent.mkdir(parents=True, exist_ok=True)
            if "\n" in stem:
                path.write_text(stem)
            elif stem:
                shutil.copy(ROOT / "fixtures" / f"{stem}.onnx", path)
            else:
                path.write_bytes(b"\xff" * 9)
        ran = runner.run()
        left = [str(p) for p in scratch.rglob("ran")]
        assert not left, f"an input was run as a script: {left}"
        assert "${{" not in json.dumps(ran.outputs)
        sarif = ran.outputs["sarif-file"]
        if sarif:
            ran.outputs["sarif"] = (runner.workspace / sarif).read_text()
        return ran
    finally:
        shutil.rmtree(scratch)


ACTIVE, CLEAN, MASK = "torch_course_preserve_op17", "torch_course_eval_op17", "torch_mask_output_op13"
LOST = "keras_mc_lost_ratio_op12"


def outputs(ran: Ran, status: int, verdict: str, errors: int, warnings: int, notes: int):
    found = {name: ran.outputs[name] for name in "status verdict errors warnings notes".split()}
    numbers = {"errors": str(errors), "warnings": str(warnings), "notes": str(notes)}
    assert found == {"status": str(status), "verdict": verdict} | numbers, (found, ran.log)


def models_that_act_fail():
    files = {"some models/a b.onnx": ACTIVE, "c.onnx": CLEAN, "some models/mask.onnx": MASK}
    ran = act(files=files, sarif_file="the results.sarif")
    assert ran.status == 1, ran.log
    outputs(ran, 1, "active", 3, 1, 0)
    lines = [line for line in ran.log.splitlines() if line.startswith("::error ")]
    place = "file=some models/a b.onnx,title=active-dropout::Dropout `/2/Dropout` and 1 more"
    assert len(lines) == 2 and lines[0].startswith(f"::error {place}"), ran.log
    assert "### Dropout: 3 models: 2 active, 1 clean; 3 errors, 1 warning" in ran.summary
    assert "| some models/a b.onnx | active | 2 | 2 | 0 | 0 |" in ran.summary
    results = json.loads(ran.outputs["sarif"])["runs"][0]["results"]
    assert len(results) == 4
    place = results[0]["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]
    assert place == "some%20models/a%20b.onnx", place
    assert ran.calls == []


def models_that_do_not_act_pass():
    ran = act(files={"some models/c.onnx": CLEAN, "lost.onnx": LOST})
    assert ran.status == 0, ran.log
    # inert dropout that inference does not need is worth a note each
    outputs(ran, 0, "inert", 0, 2, int(ran.outputs["notes"]))
    assert ran.log.count("::warning ") == 1 and "::error" not in ran.log
    assert ran.outputs["sarif-file"] == ""
    assert act(files={"lost.onnx": LOST}, deny="lost-rate").status == 1
    assert act(files={"lost.onnx": LOST}, deny="all", allow="warnings,notes").status == 0
    only = act(files={"mask.onnx": MASK}, select="mask-used")
    outputs(only, 0, "active", 0, 1, 0)


def told_but_not_failed():
    ran = act(files={"a.onnx": ACTIVE}, fail="false")
    assert ran.status == 0
    outputs(ran, 1, "active", 2, 0, 0)
    bad = act(files={"bad.onnx": "", "a.onnx": ACTIVE}, fail="false")
    assert bad.status == 2
    outputs(bad, 2, "active", 2, 0, 0)


def what_a_configuration_allows_is_no_error():
    allow = "[[allow]]\nlayer = '2'\nreason = 'on purpose'\n"
    files = {"some models/a.onnx": ACTIVE, "some models/dropout-onnx.toml": allow}
    ran = act(files=files)
    outputs(ran, 1, "active", 1, 0, 0)
    assert ran.log.count("::error ") == 1, ran.log
    outputs(act(files=files, args="--no-config"), 1, "active", 2, 0, 0)


def paths_are_lines():
    files = {"one/a b.onnx": CLEAN, "one/-x.onnx": ACTIVE, "two.onnx": ACTIVE, "three.onnx": ACTIVE}
    ran = act(files=files, paths="one/a b.onnx\n\ntwo.onnx\n", summary="false")
    outputs(ran, 1, "active", 2, 0, 0)
    assert ran.summary == ""
    # annotations and SARIF count from the root of the repository
    inside = act(files=files, paths="-x.onnx\na b.onnx", working_directory="one", sarif_file="r.sarif")
    outputs(inside, 1, "active", 2, 0, 0)
    assert "::error file=one/-x.onnx,title=" in inside.log, inside.log
    assert inside.outputs["sarif-file"] == "one/r.sarif"
    arguments = act(files=files, args="--glob\nt*.onnx\n--allow\nactive-dropout")
    outputs(arguments, 0, "active", 0, 0, 0)


def tables_in_the_log_are_no_commands():
    ran = act(files={"::set-output name=x::y.onnx": ACTIVE}, annotations="false")
    assert ran.status == 1
    lines = ran.log.splitlines()
    stop = next(i for i, line in enumerate(lines) if line.startswith("::stop-commands::"))
    table = next(i for i, line in enumerate(lines) if line.startswith("::set-output"))
    end = lines.index(f"::{lines[stop].split('::')[2]}::")
    assert stop < table < end, ran.log


def inputs_are_no_scripts():
    for name in ACTION["inputs"]:
        files = {"a.onnx": CLEAN, f"{EVIL.replace('/', '')}.onnx": ACTIVE}
        ran = act(files=files, **{name.replace("-", "_"): EVIL})
        if name in ("paths", "working-directory", "args"):
            # no such file, or no such argument
            assert ran.status == 2, (name, ran)
        assert "syntax error" not in ran.log and "command not found" not in ran.log, ran.log
    named = act(files={f"{EVIL}.onnx": ACTIVE}, paths=f"{EVIL}.onnx", sarif_file=EVIL)
    assert named.status == 1 and named.outputs["sarif-file"] == EVIL, named.log


def what_cannot_be_done_is_told():
    files = {"a.onnx": ACTIVE}
    for inputs, words in (
        ({"deny": "actve-dropout"}, "actve-dropout"),
        ({"paths": "\n"}, "the input paths names no model"),
        ({"fail": "no"}, "the input fail is `no`, and may be true or false"),
        ({"sarif_file": "none/such.sarif"}, "cannot write the input sarif-file none/such.sarif"),
        ({"sarif_file": "a\nb"}, "the input sarif-file is one path"),
        ({"args": "--onyl"}, "--onyl"),
    ):
        ran = act(files=files, **inputs)
        assert ran.status == 2, (inputs, ran)
        errors = [line for line in ran.log.splitlines() if line.startswith("::error title=dropout-onnx::")]
        assert len(errors) == 1 and words in errors[0], (inputs, ran.log)
    missing = act(files=files, paths="b.onnx")
    assert missing.status == 2 and "::error file=b.onnx,title=cannot audit::" in missing.log
    outputs(missing, 2, "", 0, 0, 0)


def built_where_it_is_not_here():
    clean = {"c.onnx": CLEAN}
    for on_path in (None, OLD):
        ran = act(on_path, clean)
        assert ran.status == 0, ran.log
        assert len(ran.calls) == 1, ran.calls
        assert re.fullmatch(
            rf"install --locked --root .*/runner's temp/dropout-onnx --path {re.escape(str(ROOT))}",
            ran.calls[0],
        ), ran.calls
    assert act(HERE, clean, version=VERSION).calls == []


def a_release_is_downloaded():
    clean = {"c.onnx": CLEAN}
    folder = RELEASES / "v9.8.7"
    folder.mkdir()
    name = "dropout-onnx-x86_64-unknown-linux-gnu.tgz"
    with tarfile.open(folder / name, "w:gz") as archive:
        archive.add(PROGRAM, "dropout-onnx")
    digest = hashlib.sha256((folder / name).read_bytes()).hexdigest()
    (folder / f"{name}.sha256").write_text(f"{digest}  {name}\n")
    for inputs in ({"ref": "v9.8.7"}, {"version": "9.8.7"}):
        ran = act(None, clean, **inputs)
        assert (ran.status, ran.calls) == (0, []), ran
        assert "dropout-onnx 9.8.7: downloaded" in ran.log
    # the twins: no release of that ref, and one that was changed
    assert len(act(None, clean, ref="main").calls) == 1
    (folder / f"{name}.sha256").write_text(f"{'0' * 64}  {name}\n")
    ran = act(None, clean, ref="v9.8.7")
    assert (ran.status, ran.calls) == (2, []), ran
    assert f"the checksum of {name} is wrong" in ran.log
    shutil.rmtree(folder)


def built_if_there_is_no_release():
    clean = {"c.onnx": CLEAN}
    assert len(act(None, clean, ref="v9.8.7").calls) == 1
    (released,) = act(HERE, clean, version="9.8.7").calls
    assert released.endswith("/dropout-onnx --version =9.8.7 dropout-onnx"), released


def the_documentation_is_right():
    page = (ROOT / "docs/ci.md").read_text()
    blocks = [yaml.safe_load(text) for text in re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)]
    (workflow,) = (block for block in blocks if "jobs" in block)
    own = [s for s in workflow["jobs"]["audit"]["steps"] if "/dropout-onnx@" in s.get("uses", "")]
    assert len(own) == 1 and set(own[0]["with"]) <= set(ACTION["inputs"]), own
    assert own[0]["uses"].endswith(f"@v{VERSION}"), own
    named = set(re.findall(rf"steps\.{own[0]['id']}\.outputs\.([\w-]+)", page))
    assert named and named <= set(ACTION["outputs"]), named
    rows = re.findall(r"^\| (`.*?) \|", page, re.MULTILINE)
    told = [name for row in rows for name in re.findall(r"`([\w-]+)`", row)]
    assert sorted(told) == sorted([*ACTION["inputs"], *ACTION["outputs"]]), told
    with tempfile.TemporaryDirectory() as folder:
        for name, text in (("workflow.yml", workflow), ("broken.yml", workflow | {"jobs": []})):
            path = Path(folder) / name
            # YAML 1.1 takes `on` for true
            text = {"on" if key is True else key: value for key, value in text.items()}
            path.write_text(yaml.safe_dump(text))
            check = [sys.executable, "-m", "check_jsonschema", str(path)]
            check += ["--builtin-schema", "vendor.github-workflows"]
            ran = subprocess.run(check, capture_output=True, text=True)
            assert (ran.returncode == 0) == (name == "workflow.yml"), ran.stdout
    hooks = {hook["id"] for hook in yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text())}
    repositories = [repo for block in blocks for repo in block.get("repos", [])]
    (published,) = (repo for repo in repositories if repo["repo"] != "local")
    assert {hook["id"] for hook in published["hooks"]} == hooks
    assert published["rev"] == f"v{VERSION}"


CASES = [
    the_documentation_is_right,
    models_that_act_fail,
    models_that_do_not_act_pass,
    told_but_not_failed,
    what_a_configuration_allows_is_no_error,
    paths_are_lines,
    tables_in_the_log_are_no_commands,
    inputs_are_no_scripts,
    what_cannot_be_done_is_told,
    built_where_it_is_not_here,
    a_release_is_downloaded,
    built_if_there_is_no_release,
]


def main():
    for case in CASES:
        case()
        print(f"passed  {case.__name__.replace('_', ' ')}")
    # The twins: a script that swallows the status, and one that takes an input for a script.
    audit = ACTION["runs"]["steps"][-1]
    script = audit["run"]
    for broken, case in (
        (f"{script} || true", models_that_act_fail),
        (f'eval "echo $DENY"; {script}', inputs_are_no_scripts),
    ):
        audit["run"] = broken
        try:
            case()
        except AssertionError:
            print(f"failed, as it has to: {case.__name__.replace('_', ' ')} with {broken!r}")
        else:
            sys.exit(f"{case.__name__} does not see {broken!r}")
        audit["run"] = script


if __name__ == "__main__":
    main()
