"""The build backend: maturin, and before it the command, which becomes one of the wheel's scripts.

The command is the native program itself: a script of Python's would start with Python, which takes
longer than most of what the command does. maturin builds a module or a program, not both; so the
program is built here and handed to maturin as data.
"""

import os
import shutil
import subprocess
from pathlib import Path

import maturin
from maturin import (  # noqa: F401
    get_requires_for_build_editable,
    get_requires_for_build_sdist,
    get_requires_for_build_wheel,
)

# the folder of pyproject.toml: below the library's, but in an sdist the same
PROJECT = Path(__file__).resolve().parent.parent
LIBRARY = PROJECT if (PROJECT / "src/bin/dropout-onnx").is_dir() else PROJECT.parent
SCRIPTS = PROJECT / "dropout_onnx.data" / "scripts"
NAME = "dropout-onnx.exe" if os.name == "nt" else "dropout-onnx"


def prepare_metadata_for_build_wheel(metadata_directory, config_settings=None):
    # maturin asks for the folder, whatever is in it
    SCRIPTS.mkdir(parents=True, exist_ok=True)
    return maturin.prepare_metadata_for_build_wheel(metadata_directory, config_settings)


def prepare_metadata_for_build_editable(metadata_directory, config_settings=None):
    SCRIPTS.mkdir(parents=True, exist_ok=True)
    return maturin.prepare_metadata_for_build_editable(metadata_directory, config_settings)


def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):
    _command()
    # half a megabyte less than at Deflate's default level
    os.environ.setdefault("MATURIN_PEP517_ARGS", "--compression-level 9")
    return maturin.build_wheel(wheel_directory, config_settings, metadata_directory)


def build_editable(wheel_directory, config_settings=None, metadata_directory=None):
    _command()
    return maturin.build_editable(wheel_directory, config_settings, metadata_directory)


def build_sdist(sdist_directory, config_settings=None):
    SCRIPTS.mkdir(parents=True, exist_ok=True)
    return maturin.build_sdist(sdist_directory, config_settings)


def _command():
    # both with the same dependencies, built once
    target = LIBRARY / os.environ.get("CARGO_TARGET_DIR", "target")
    os.environ["CARGO_TARGET_DIR"] = str(target)
    build = ["cargo", "build", "--profile", "dist", "--locked", "--features", "ort", "--bin", "dropout-onnx"]
    subprocess.run(build, cwd=LIBRARY, check=True)
    SCRIPTS.mkdir(parents=True, exist_ok=True)
    shutil.copy2(target / "dist" / NAME, SCRIPTS / NAME)
