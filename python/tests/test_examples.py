"""The examples, and the code in the READMEs and the book."""

import doctest
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import dask
import pytest
from conftest import ALL, FIXTURES, ROOT

import dropout_onnx as do

EXAMPLES = ROOT / "python" / "examples"
sys.path.insert(0, str(EXAMPLES))


def test_many_models_with_dask_one_row_each(models, command):
    import many_models

    (models / "broken.onnx").write_bytes(b"broken")
    said = command("audit", "--format", "jsonl", ".", status=2).stdout.decode()
    wanted = {row["path"]: row for row in map(json.loads, said.splitlines())}
    # the version is that of the module, in Python
    assert {row.pop("tool") for row in wanted.values()} == {f"dropout-onnx {do.__version__}"}
    assert len(wanted) == len(ALL) + 1 and wanted["broken.onnx"]["error"]
    for scheduler in ["sync", "threads"]:
        with dask.config.set(scheduler=scheduler):
            rows = many_models.audits(".").compute()
        assert {row["path"]: row for row in rows} == wanted


def test_clean_for_inference(models):
    import clean_for_inference

    report = clean_for_inference.clean("torch_course_preserve_op17.onnx", "out.onnx")
    assert report.model == "out.onnx" and Path("out.onnx").exists()
    assert clean_for_inference.clean("out.onnx", "again.onnx") is None
    script = [sys.executable, EXAMPLES / "clean_for_inference.py", "no.onnx", "out.onnx"]
    done = subprocess.run(script, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (
        1,
        "FileError: no.onnx: cannot open: No such file or directory\n",
    )


@pytest.mark.parametrize("readme", ["README.md", "docs/python.md", "python/README.md"])
def test_the_code_in_the_readme(models, readme):
    text = (ROOT / readme).read_text(encoding="utf-8")
    blocks = re.findall(r"^```python\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    assert blocks, f"{readme} has no Python"
    os.rename("torch_course_preserve_op17.onnx", "model.onnx")
    scope = {"__name__": readme}
    for block in blocks:
        exec(compile(checked(block), readme, "exec"), scope)


def public():
    """The functions of the package; `set` is one although `import *` leaves it out."""
    names = [name for name in [*do.__all__, "set"] if name[0].islower()]
    return {name: getattr(do, name) for name in names}


@pytest.mark.parametrize("name", ["", *public()])
def test_the_examples_in_docstrings(models, name):
    os.rename("torch_course_preserve_op17.onnx", "model.onnx")
    os.rename("torch_course_eval_op17.onnx", "clean.onnx")
    if not name:
        Path("clean.onnx").unlink()  # the module's example writes it
    about = public()[name] if name else do
    examples = doctest.DocTestFinder(recurse=False).find(about, name or "module", globs={"do": do})
    assert sum(len(each.examples) for each in examples) > 0, "no example"
    runner = doctest.DocTestRunner(optionflags=doctest.REPORT_ONLY_FIRST_FAILURE)
    said = []
    for each in examples:
        runner.run(each, out=said.append)
    assert runner.failures == 0, "".join(said)


def test_a_wrong_example_fails():
    wrong = doctest.DocTestParser().get_doctest(">>> 1 + 1\n3\n", {}, "wrong", None, 0)
    runner = doctest.DocTestRunner()
    runner.run(wrong, out=lambda text: None)
    assert runner.failures == 1


def checked(block):
    """`expression  # 'value'` is an assertion."""
    lines = []
    for line in block.splitlines():
        shown = re.fullmatch(r"(\S.*?)  +# (['\"\d\[(].*|True|False|None)", line)
        if shown:
            expression, value = shown.groups()
            line = f"assert ({expression}) == {value}, ({expression})"
        lines.append(line)
    return "\n".join(lines)


def test_a_wrong_value_in_a_readme_fails():
    assert checked("1 + 1  # 2").startswith("assert (1 + 1) == 2")
    with pytest.raises(AssertionError):
        exec(checked("x = 1\nx + 1  # 3"))
    exec(checked("x = 1\nx + 1  # 2"))
