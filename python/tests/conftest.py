"""The wheel's command beside the Python that runs the tests, and the fixtures of the library."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FIXTURES = ROOT / "fixtures"
ALL = sorted(path.name for path in FIXTURES.glob("*.onnx"))


@pytest.fixture(scope="session")
def command():
    name = "dropout-onnx.exe" if os.name == "nt" else "dropout-onnx"
    path = Path(sys.executable).parent / name
    assert path.is_file(), f"the wheel brought no command: {path}"
    with path.open("rb") as file:
        assert file.read(2) != b"#!", "the command is the native program, not a script"

    def run(*arguments, status=0, **more):
        arguments = [str(path), *map(str, arguments)]
        done = subprocess.run(arguments, capture_output=True, **more)
        assert done.returncode == status, (arguments, done.stdout, done.stderr)
        return done

    return run


@pytest.fixture(scope="session")
def document(command):
    """What the command reports as JSON."""

    def run(*arguments, status=0):
        return json.loads(command(*arguments, "--format", "json", status=status).stdout)

    return run


@pytest.fixture()
def models(tmp_path, monkeypatch):
    """A folder with copies of the fixtures, which is the current one."""
    for name in ALL:
        shutil.copy(FIXTURES / name, tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path
