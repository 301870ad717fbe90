"""What each command does to one model, as rows of text."""

import hashlib
import json
import resource
import subprocess
import tempfile
from collections import Counter
from pathlib import Path

COLUMNS = "file command exit verdict sites findings written error".split()
# Processor time, so that a busy machine records the same; what takes longer is in one of the lists below.
SECONDS = 60
MEMORY = 12 << 30
# Models about time and memory: what they cost is not recorded here, and a debug build takes minutes.
LARGE = ("adversarial/wide_sum_16000", "reports/long", "structure/calls_", "structure/types_")
# Models that an engine does not run in a few seconds.
NOT_RUN = {
    "adversarial/conv_huge_padding.onnx": "does not end",
    "adversarial/doubling_concat.onnx": "takes all memory",
    "peers/k0_hang_dropout_ln_axis.onnx": "does not end",
    "peers_data/k7_conv_unet_5.onnx": "takes long",
    "peers_data/k8_fold_picodet_xs_cut.onnx": "takes long",
}


def limited():
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))


class Said:
    """How one call of the tool ended, and what it wrote."""

    def __init__(self, binary, folder, *arguments):
        done = subprocess.run(
            [str(binary), *map(str, arguments)],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            cwd=folder,
            preexec_fn=limited,
        )
        self.code, self.out = done.returncode, done.stdout
        self.err = done.stderr.decode(errors="replace")

    @property
    def exit(self):
        return str(self.code) if self.code in (0, 1, 2) else f"crash {self.code}"

    @property
    def document(self):
        try:
            document = json.loads(self.out)
        except ValueError:
            return {}
        return document if isinstance(document, dict) else {}

    def error(self, *places):
        """The first line of the error, without the temporary folder."""
        lines = [line for line in self.err.splitlines() if line.startswith("error")] or [""]
        if self.exit.startswith("crash"):
            lines = ["crashed"]
        for place in places:
            lines[0] = lines[0].replace(str(place), "OUT")
        return " ".join(lines[0].removeprefix("error: ").split())[:200]


def digest(content):
    return hashlib.sha256(content).hexdigest()[:12]


def number(value):
    return "?" if value is None else f"{value:g}"


def site(one):
    """`random_mask dropout active p=0.5 inverted ×1 [N,1,1,C] course/dropout`, in short."""
    words = [one.get("form"), one.get("kind"), one.get("mode"), f"p={number(one.get('rate'))}"]
    words += [one.get("scaling"), f"×{number(one.get('inference_scale'))}"]
    if one.get("noise_shape"):
        words.append(json.dumps(one["noise_shape"], separators=(",", ":")))
    words.append(f"layer={one['layer']}" if one.get("layer") else None)
    return " ".join(str(word) for word in words if word)


def counted(items):
    """`a ×3; b`, in the order in which they first appear."""
    return "; ".join(item + (f" ({n} times)" if n > 1 else "") for item, n in Counter(items).items())


def actions(document):
    plan = document.get("plan") or document.get("factors") or []
    return counted(
        step.get("action", "?") + (f": {step['why']}" if step.get("why") else "") for step in plan
    )


def evidence(document):
    """The verdict of each kind of evidence: `structure same, run equal`."""
    parts = document.get("verification") or {}
    found = [f"{kind} {part.get('result')}" for kind, part in parts.items() if isinstance(part, dict)]
    verdict = [document["verdict"]] if document.get("verdict") else []
    return ", ".join(verdict + found)


def audit(call, name):
    said = call("audit", "--no-config", "--format", "json", name)
    model = (said.document.get("models") or [{}])[0]
    findings = counted(f"{f.get('level')} {f.get('rule')}" for f in model.get("findings") or [])
    sites = counted(map(site, model.get("sites") or []))
    error = " ".join(str(model.get("error") or "").split())[:200] or said.error()
    yield said.exit, model.get("verdict") or "", sites, findings, "", error


def rewrite(command, *options):
    def rows(call, name):
        with tempfile.TemporaryDirectory() as made:
            out = Path(made) / "out.onnx"
            how = ["--verify", "structure", "--format", "json", "--external-data", "copy"]
            said = call(command, name, out, *how, *options)
            written = digest(out.read_bytes()) if out.exists() else ""
            yield (
                said.exit,
                evidence(said.document),
                actions(said.document),
                "",
                written,
                said.error(out, made),
            )

    return rows


def free_sites(call, name):
    """What one call of `insert --sites` ended as, and how many positions each preset has."""
    said = call("insert", name, "--sites", "--format", "json")
    free = [one for one in said.document.get("sites") or [] if not one.get("left")]
    return said, sorted(Counter(str(one.get("preset")) for one in free).items())


def sites_to_insert(call, name):
    said, presets = free_sites(call, name)
    listed = digest(said.out) if said.code == 0 else ""
    yield said.exit, "", ", ".join(f"{preset} {n}" for preset, n in presets), "", listed, said.error()


def insert(call, name):
    """Dropout at every position of every preset."""
    _, presets = free_sites(call, name)
    if presets:
        options = ["--rate", "0.1", *(f"--preset={preset}" for preset, _ in presets)]
        yield from rewrite("insert", *options)(call, name)


def show(call, name):
    said = call("show", name)
    yield said.exit, "", "", "", digest(said.out) if said.code == 0 else "", said.error()


def verify(call, name):
    said = call("verify", name, name, "--verify", "structure", "--format", "json")
    yield said.exit, evidence(said.document), "", "", "", said.error()


def run(call, name):
    """The model and its stripped form, by running both."""
    if name in NOT_RUN:
        yield "", "", "", "", "", f"not run: {NOT_RUN[name]}"
        return
    with tempfile.TemporaryDirectory() as made:
        out = Path(made) / "out.onnx"
        call("strip", name, out, "--verify", "none", "--external-data", "copy")
        if not out.exists():
            yield "", "", "", "", "", "not run: strip wrote nothing"
            return
        with out.open("ab") as file:
            file.write(b"\x28\x01")  # a model_version: identical bytes are not run
        how = ["--verify", "run", "--runs", "1", "--memory-limit", "2GiB", "--format", "json"]
        said = call("verify", name, out, *how)
        part = (said.document.get("verification") or {}).get("run") or {}
        why = " ".join(str(part.get("why") or "").replace(str(out), "OUT").split())[:200]
        yield said.exit, evidence(said.document), "", "", "", why or said.error(out, made)


COMMANDS = {
    "audit": audit,
    "strip": rewrite("strip"),
    "strip --kind all": rewrite("strip", "--kind", "all"),
    "strip classic, fold": rewrite("strip", "--convention", "classic", "--fold"),
    "fold": rewrite("fold"),
    "set --rate": rewrite("set", "--rate", "0.25"),
    "insert --sites": sites_to_insert,
    "insert": insert,
    "show": show,
    "verify": verify,
    "run": run,
}


def rows_of(binary, folder, name):
    def call(*arguments):
        return Said(binary, folder, *arguments)

    if name.startswith(LARGE):
        return [(name, "", "", "", "", "", "", "left out: a model about time and memory")]
    return [
        (name, title, *(" ".join(cell.split()) for cell in cells))
        for title, rows in COMMANDS.items()
        for cells in rows(call, name)
    ]
