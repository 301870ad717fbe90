#!/usr/bin/env python3
"""Runs .pre-commit-hooks.yaml with pre-commit, on a scratch repository of models.

    .ci/hooks.py target/debug/dropout-onnx

The manifest and pyproject.toml are the real ones, in a repository of their own, and so is what pre-commit does with
them: `language: python` installs the released wheel with pip, and `language: rust` runs `cargo install`, in
environments that it makes. Only the wheel and cargo are stand-ins, with the program that was built before: a release
build takes minutes. .ci/release_dry_run.sh runs the hooks with the wheel itself.
"""

import atexit
import os
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
import zipfile
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parent.parent
PROGRAM = Path(sys.argv[1]).resolve()
MANIFEST = ROOT / ".pre-commit-hooks.yaml"
ACTIVE, CLEAN, INERT = "torch_course_preserve_op17", "torch_course_eval_op17", "keras_course_train_op8"


# The wheel of setuptools, which builds the package of the hooks.
BACKEND = Path(tempfile.mkdtemp(prefix="backend"))


class Scratch:
    def __init__(self, folder: Path, manifest: str):
        self.hooks, self.models, self.bin = (folder / name for name in ("hooks", "models", "bin"))
        self.calls = folder / "calls"
        self.calls.touch()
        self.environment = os.environ | {
            "HOME": str(folder),
            "PRE_COMMIT_HOME": str(folder / "cache"),
            "PATH": f"{self.bin}:{os.environ['PATH']}",
            "GIT_CONFIG_GLOBAL": str(folder / "gitconfig"),
            "GIT_CONFIG_NOSYSTEM": "1",
            "PIP_FIND_LINKS": (folder / "wheels").as_uri(),
            "PIP_NO_INDEX": "1",
        }
        self.environment.pop("PRE_COMMIT_FROM_REF", None)
        (folder / "gitconfig").write_text(
            "[user]\nname = nobody\nemail = nobody@example.org\n[init]\ndefaultBranch = main\n"
        )
        self.bin.mkdir()
        cargo = self.bin / "cargo"
        cargo.write_text(
            f"#!/bin/bash\nprintf '%s\\n' \"$*\" >>'{self.calls}'\n"
            "while [[ $# -gt 0 && $1 != --root ]]; do shift; done\n"
            "[[ $# -gt 0 ]] || exit 0\n"
            f"mkdir -p \"$2/bin\" && ln -s '{PROGRAM}' \"$2/bin/dropout-onnx\"\n"
        )
        cargo.chmod(0o755)
        self.release(folder / "wheels")
        self.hooks.mkdir()
        (self.hooks / MANIFEST.name).write_text(manifest)
        for name in ("Cargo.toml", "Cargo.lock", "pyproject.toml"):
            shutil.copy(ROOT / name, self.hooks)
        self.commit(self.hooks)
        self.models.mkdir()

    def release(self, folder: Path):
        """The wheel of this version, with a script for the program."""
        version = tomllib.loads((ROOT / "Cargo.toml").read_text())["package"]["version"]
        name = f"dropout_onnx-{version}"
        info = f"{name}.dist-info"
        files = {
            f"{info}/METADATA": f"Metadata-Version: 2.1\nName: dropout-onnx\nVersion: {version}\n",
            f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: hooks\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
            f"{name}.data/scripts/dropout-onnx": f"#!/bin/sh\nexec '{PROGRAM}' \"$@\"\n",
        }
        files[f"{info}/RECORD"] = "".join(f"{file},,\n" for file in [*files, f"{info}/RECORD"])
        shutil.copytree(BACKEND, folder)
        with zipfile.ZipFile(folder / f"{name}-py3-none-any.whl", "w") as wheel:
            for file, text in files.items():
                entry = zipfile.ZipInfo(file)
                entry.external_attr = 0o100755 << 16
                wheel.writestr(entry, text)

    def git(self, folder: Path, *arguments: str) -> str:
        command = ["git", *arguments]
        ran = subprocess.run(
            command, cwd=folder, env=self.environment, capture_output=True, text=True, check=True
        )
        return ran.stdout.strip()

    def commit(self, folder: Path):
        self.git(folder, "init", "--quiet")
        self.git(folder, "add", "--all")
        self.git(folder, "commit", "--quiet", "--message", "all")

    def installs(self) -> list[str]:
        calls = self.calls.read_text().splitlines()
        return [call for call in calls if call.startswith("install ")]

    def environments(self) -> int:
        """The number of environments with the wheel."""
        return len(list((self.models.parent / "cache").glob("repo*/py_env*/bin/dropout-onnx")))

    def run(self, models: dict[str, str], *hooks: str, **more):
        """Runs hooks on these files and no others; `more` is in their configuration."""
        shutil.rmtree(self.models)
        self.models.mkdir()
        for name, stem in models.items():
            path = self.models / name
            path.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / "fixtures" / f"{stem}.onnx", path)
        repository = {
            "repo": str(self.hooks),
            "rev": self.git(self.hooks, "rev-parse", "HEAD"),
            "hooks": [{"id": hook} | more for hook in hooks],
        }
        (self.models / ".pre-commit-config.yaml").write_text(yaml.safe_dump({"repos": [repository]}))
        self.git(self.models, "init", "--quiet")
        self.git(self.models, "add", "--all")
        return subprocess.run(
            [sys.executable, "-m", "pre_commit", "run", "--all-files", "--color", "never", "--verbose"],
            cwd=self.models,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=100,
        )


def check(manifest: str):
    with tempfile.TemporaryDirectory(prefix="dropout onnx hooks ") as folder:
        scratch = Scratch(Path(folder), manifest)
        audit, fix, strip = (hook["id"] for hook in yaml.safe_load(manifest))
        assert (audit, fix) == ("dropout-onnx-audit", "dropout-onnx-strip")
        assert strip == "dropout-onnx-strip-check"

        # a model that acts, among others; of a file that is no model by its name nothing is told
        models = {f"models/{i} of many.onnx": CLEAN for i in range(4)}
        ran = scratch.run(models | {"acts.onnx": ACTIVE, "acts.bin": ACTIVE, "-dash.onnx": CLEAN}, audit)
        assert ran.returncode == 1, ran
        assert "acts.onnx: active, 2 dropout layers" in ran.stdout, ran.stdout
        assert "-dash.onnx: clean" in ran.stdout and "acts.bin" not in ran.stdout, ran.stdout
        assert (scratch.environments(), scratch.installs()) == (1, [])

        ran = scratch.run(models | {"inert.onnx": INERT}, audit)
        assert ran.returncode == 0, ran.stdout
        ran = scratch.run({"inert.onnx": INERT}, audit, args=["--deny", "leftover-dropout"])
        assert ran.returncode == 1 and "leftover-dropout" in ran.stdout, ran.stdout

        # dropout to strip, though it is inert; every file is told, and none is written
        models |= {"inert.onnx": INERT, "acts.onnx": ACTIVE}
        ran = scratch.run(models, strip)
        assert ran.returncode == 1, ran
        for name in ("inert.onnx", "acts.onnx"):
            assert f"{name}: 2 dropout layers to strip" in ran.stdout, ran.stdout
        told = re.findall(r"^(\d+) models: ", ran.stdout, re.MULTILINE)
        assert sum(map(int, told)) == 6, ran.stdout
        assert "files were modified" not in ran.stdout
        assert (scratch.models / "inert.onnx").read_bytes() == (
            ROOT / "fixtures" / f"{INERT}.onnx"
        ).read_bytes()
        assert not list(scratch.models.rglob("*.stripped.onnx"))
        ran = scratch.run({f"{i}.onnx": CLEAN for i in range(5)}, audit, strip)
        assert ran.returncode == 0 and ran.stdout.count("Passed") == 2, ran.stdout
        # dropout that is stripped: pre-commit fails once, because files were modified
        ran = scratch.run(models, fix)
        assert ran.returncode == 1 and "files were modified" in ran.stdout, ran.stdout
        for name in ("inert.onnx", "acts.onnx"):
            assert f"{name}: 2 dropout layers removed" in ran.stdout, ran.stdout
        ran = scratch.run({f"{i}.onnx": CLEAN for i in range(2)}, fix)
        assert ran.returncode == 0, ran.stdout
        # one environment serves all hooks
        assert (scratch.environments(), scratch.installs()) == (1, [])
        # where there is no wheel, cargo builds the program
        ran = scratch.run({"acts.onnx": ACTIVE}, strip, language="rust")
        assert ran.returncode == 1 and "2 dropout layers to strip" in ran.stdout, ran.stdout
        assert len(scratch.installs()) == 1, scratch.installs()


def main():
    atexit.register(shutil.rmtree, BACKEND)
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, "--dest", BACKEND, "--no-deps", "setuptools>=61"], check=True)
    manifest = MANIFEST.read_text()
    check(manifest)
    print("passed  audit and strip --check as hooks of pre-commit")
    for right, wrong in (
        ("entry: dropout-onnx audit", "entry: dropout-onnx audit --exit-zero"),
        ("entry: dropout-onnx strip --check", "entry: dropout-onnx audit --exit-zero"),
        ("args: [--]", "args: []"),
        (r"files: \.onnx$", "files: ''"),
    ):
        assert right in manifest
        try:
            check(manifest.replace(right, wrong))
        except AssertionError:
            print(f"failed, as it has to, with `{wrong}`")
        else:
            sys.exit(f"nothing sees `{wrong}`")


if __name__ == "__main__":
    main()
