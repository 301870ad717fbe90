"""The same documents and the same bytes as the command line, on every fixture."""

from pathlib import Path

import onnx
import pytest
from conftest import ALL

import dropout_onnx as do


@pytest.mark.parametrize("name", ALL)
def test_audit(models, document, name):
    said = document("audit", name, "--exit-zero")
    assert do.audit(name).to_dict() == said
    (entry,) = said["models"]
    assert do.audit(name).models[0].to_dict() == entry
    # in memory it has no name, and is otherwise the same
    assert do.audit(Path(name).read_bytes()).models[0].to_dict() == {**entry, "path": "-"}


def test_audit_of_many_by_rules(models, document):
    said = document("audit", *ALL, "--exit-zero", "--deny", "notes", "--allow", "shared-seed")
    found = do.audit(*ALL, deny="notes", allow=["shared-seed"])
    assert found.to_dict() == said
    assert found.to_dict() != do.audit(*ALL).to_dict()
    assert [model.path for model in found.models] == ALL
    assert found.verdict == "active"


@pytest.mark.parametrize("name", ALL)
def test_strip(models, document, name):
    said = document("strip", name, "by_command.onnx")
    report = do.strip(name, out="by_python.onnx")
    assert report.to_dict() == {**said, "output": "by_python.onnx"}
    assert Path("by_python.onnx").read_bytes() == Path("by_command.onnx").read_bytes()
    in_memory = do.strip(Path(name).read_bytes())
    assert in_memory.model == Path("by_command.onnx").read_bytes()


def both(models, document, function, name, options, keywords):
    """A rewrite by both, in files of the same name: documents and bytes."""
    command = function.__name__
    said = document(command, name, "out.onnx", *options)
    first = Path("out.onnx").read_bytes()
    report = function(name, out="out.onnx", force=True, **keywords)
    assert report.to_dict() == said
    assert Path("out.onnx").read_bytes() == first
    return report


def test_fold(models, document):
    name = "paddle_downscale_op7.onnx"
    report = both(models, document, do.fold, name, [], {})
    assert report.folded == 1
    options = ["--only", "dropout", "--verify", "structure"]
    keywords = {"only": "dropout", "verify": "structure"}
    Path("out.onnx").unlink()
    both(models, document, do.fold, name, options, keywords)


def test_strip_options(models, document):
    name = "torch_course_preserve_op17.onnx"
    options = ["--convention", "classic", "--fold", "--dim", "batch=3", "--runs", "2", "--seed", "9"]
    keywords = dict(convention="classic", fold=True, dim={"batch": 3}, runs=2, seed=9)
    report = both(models, document, do.strip, name, options, keywords)
    assert report.verification.run.chosen_dims == {}
    Path("out.onnx").unlink()
    both(models, document, do.strip, name, ["--only", "inert,frozen"], {"only": ["inert", "frozen"]})
    Path("out.onnx").unlink()
    options, keywords = ["--batchnorm", "--prune-inputs"], dict(batchnorm=True, prune_inputs=True)
    both(models, document, do.strip, name, options, keywords)
    Path("out.onnx").unlink()
    Path("plan.toml").write_text('[[strip]]\nmode = "active"\nconvention = "identity"\n')
    for options, keywords in [
        (["--convention", "identity"], {"convention": "identity"}),
        (["--plan", "plan.toml", "--convention", "classic"], {"plan": "plan.toml", "convention": "classic"}),
    ]:
        both(models, document, do.strip, name, options, keywords)
        Path("out.onnx").unlink()
    name = "keras_kinds_op13.onnx"
    assert both(models, document, do.strip, name, ["--kind", "all"], {"kind": "all"}).removed.dropouts == 4


def test_insert(models, document):
    name = "torch_course_eval_op17.onnx"
    options = ["--after", "Relu=0.2", "--mode", "runtime:training", "--mask-seed", "3"]
    keywords = dict(after="Relu=0.2", mode="runtime:training", mask_seed=3)
    report = both(models, document, do.insert, name, options, keywords)
    assert (report.inserted, report.switch, report.added_input) == (2, "training", True)
    Path("out.onnx").unlink()
    options, keywords = ["--preset", "head", "--mask-output"], dict(preset="head", mask_output=True)
    both(models, document, do.insert, name, options, keywords)
    Path("out.onnx").unlink()
    trained = "torch_course_training_op9.onnx"
    both(models, document, do.insert, name, ["--like", trained], {"like": trained})
    Path("out.onnx").unlink()
    Path("plan.toml").write_text('rate = 0.3\n[[insert]]\npreset = "head"\n')
    both(models, document, do.insert, name, ["--plan", "plan.toml"], {"plan": "plan.toml"})
    sites = do.insert_sites(name, preset="head")
    assert sites.to_dict() == document("insert", name, "--sites", "--preset", "head")
    assert sites.sites[0].preset == "head"


def test_a_keras_source(models, document):
    from conftest import FIXTURES

    keras = FIXTURES.parent / "tests" / "keras"
    exported, source = str(keras / "mlp_mc.onnx"), keras / "mlp.keras"
    said = document("audit", exported, "--source", str(source), status=1)
    report = do.audit(exported, source=source)
    assert report.to_dict() == said
    states = [(dropout.layer, dropout.state) for dropout in report.models[0].source]
    assert states[:3] == [("drop1", "active"), ("block/drop2", "active"), ("gd", "missing")]
    assert do.audit(exported).models[0].source is None
    with pytest.raises(do.UsageError, match="one model"):
        do.audit(exported, exported, source=source)
    Path("mlp.onnx").write_bytes((keras / "mlp.onnx").read_bytes())
    report = both(models, document, do.insert, "mlp.onnx", ["--from", str(source)], dict(from_=source))
    assert (report.inserted, len(report.unplaced)) == (3, 3)


def test_set(models, document):
    name = "torch_course_preserve_op17.onnx"
    options = ["--rate", "0.1", "--mask-seed", "none", "--mode", "inert", "--where", "form=operator"]
    keywords = dict(rate=0.1, mask_seed="none", mode="inert", where="form=operator")
    report = both(models, document, do.set, name, options, keywords)
    assert report.changed == 2
    Path("out.onnx").unlink()
    options = ["--mode", "active", "--mask-seed", "7", "--seed", "5"]
    both(models, document, do.set, name, options, dict(mode="active", mask_seed=7, seed=5))


def test_sample(models, document):
    name = "torch_course_preserve_op17.onnx"
    options = ["--runs", "10", "--seed", "7", "--mask-seed", "3", "--rates", "0.1,0.5"]
    said = document("sample", name, *options)
    report = do.sample(name, runs=10, seed=7, mask_seed=3, rates=[0.1, 0.5])
    plot = said.pop("plot")
    assert {**report.to_dict(), "plot": None} == {**said, "plot": None}
    assert report.svg == Path(plot).read_text()
    said = document("sample", name, "--runs", "3", "--classes", "y=none")
    assert do.sample(name, runs=3, classes="y=none").to_dict() == said
    said = document("sample", name, "--runs", "3", "--per-site", "--force")
    report = do.sample(name, runs=3, per_site=True)
    plot = said.pop("plot")
    assert {**report.to_dict(), "plot": None} == {**said, "plot": None}
    assert report.svg == Path(plot).read_text()
    assert len(report.per_site) == len(report.sites) == 2


def test_verify(models, document):
    before, after = "torch_course_preserve_op17.onnx", "torch_course_eval_op17.onnx"
    assert do.verify(before, before).to_dict() == document("verify", before, before)
    said = document("verify", before, after, "--rtol", "1e-3", status=0)
    report = do.verify(before, after, rtol=1e-3)
    assert report.to_dict() == said and report.equal
    other = "torch_mlp_training_op7.onnx"
    report = do.verify(before, other)
    assert report.to_dict() == document("verify", before, other, status=1)
    assert (report.verdict, report.equal) == ("different", False)
    model = onnx.load(models / before)
    model.opset_import.add(domain="nobody", version=1)
    next(node for node in model.graph.node if node.op_type == "Relu").domain = "nobody"
    onnx.save(model, models / "unknown.onnx")
    (models / "other.onnx").write_bytes((models / "unknown.onnx").read_bytes() + b"\x28\x01")  # model_version
    report = do.verify("unknown.onnx", "other.onnx", verify="run")
    assert report.verdict == "not_shown"


def test_evidence(models, document):
    name = "keras_course_random_mask_op13.onnx"
    document("strip", name, "command.onnx", "--evidence", "command.json")
    do.strip(name, out="python.onnx", evidence="python.json")
    one, other = (Path(f"{by}.json").read_text() for by in ("command", "python"))
    assert other == one.replace("command.onnx", "python.onnx")
    said = document("verify", "--replay", "python.json")
    report = do.replay("python.json")
    assert report.to_dict() == said and report.equal
    Path("python.json").write_text(other.replace('"rate": 0.5', '"rate": 0.4', 1))
    report = do.replay(Path("python.json"))
    assert report.to_dict() == document("verify", "--replay", "python.json", status=1)
    assert report.verdict == "different" and report.verification is not None
    report = do.replay("command.json", name, name)
    assert report.verdict == "different" and report.verification is None
    assert "AFTER is not the model of the evidence" in report.why


def test_evidence_of_data_in_memory(models):
    import numpy as np

    before = Path("torch_course_preserve_op17.onnx").read_bytes()
    data = {"x": np.ones((2, 20), np.float32)}
    stripped = do.strip(before, input=data, evidence="memory.json").model
    with pytest.raises(do.UsageError, match="pass before and after"):
        do.replay("memory.json")
    with pytest.raises(do.UsageError, match="in memory"):
        do.replay("memory.json", before, stripped)
    assert do.replay("memory.json", before, stripped, input=data).equal
    other = {"x": np.zeros((2, 20), np.float32)}
    report = do.replay("memory.json", before, stripped, input=other)
    assert report.verdict == "different" and "runs[0].inputs.x" in report.why
    do.verify(before, stripped, evidence="verify.json")
    assert do.replay("verify.json", before, stripped).equal


def test_show(models, command, document):
    name = "keras_course_random_mask_op13.onnx"
    for format in ["text", "json", "dot", "svg"]:
        said = command("show", name, "--format", format).stdout.decode()
        assert str(do.show(name, format=format)) == said
    assert do.show(name).to_dict() == document("show", name)
    said = command("show", name, "--anonymous", "--no-hash").stdout.decode()
    assert str(do.show(name, anonymous=True, no_hash=True)) == said
    strict = command("show", name, "--anonymous", "--no-hash", "--strict").stdout.decode()
    assert str(do.show(name, anonymous=True, no_hash=True, strict=True)) == strict != said


def test_diff(models, command, document):
    before, after = "torch_course_preserve_op17.onnx", "torch_course_eval_op17.onnx"
    report = do.diff(before, after)
    assert report.to_dict() == document("diff", before, after, status=1)
    said = command("diff", before, after, "--format", "markdown", status=1)
    assert report.markdown == said.stdout.decode()
    said = command("diff", before, after, status=1).stdout.decode()
    assert report.text.splitlines()[0] == said.splitlines()[0]
    assert do.diff(before, before).verdict == "identical_bytes"


def test_the_version_is_the_command_s(command):
    said = command("--version").stdout.decode().strip()
    assert said == f"dropout-onnx {do.__version__}"


def test_options_and_defaults_are_the_command_s(command):
    """Every option of a command is a keyword, but for those about files of reports and terminals."""
    import inspect
    import re

    elsewhere = {
        "audit": {
            *("format", "output", "jobs", "exit-zero", "glob", "no-ignore", "files-from", "explain"),
            *("config", "no-config", "baseline", "write-baseline", "today"),
        },
        "strip": {"output", "output-dir", "jobs", "format", "check"},
        "fold": {"output", "output-dir", "jobs", "format"},
        "insert": {"output", "output-dir", "jobs", "format", "sites"},
        "set": {"output", "output-dir", "jobs", "format"},
        "sample": {"format", "output", "plot", "force"},
        "verify": {"format", "output", "jobs", "replay"},
        "show": {"output", "check", "update", "write-snapshots", "jobs"},
        "diff": {"format", "output"},
    }
    everywhere = {"color", "quiet", "verbose", "no-sync", "help", "version"}
    for name, left_out in elsewhere.items():
        said = command(name, "--help").stdout.decode()
        options = set(re.findall(r"^ +(?:-\w, )?--([a-z-]+)", said, re.MULTILINE))
        assert left_out <= options, (name, left_out - options)
        wanted = {option.replace("-", "_") for option in options - left_out - everywhere}
        wanted = {"from_" if key == "from" else key for key in wanted}  # a word of Python
        keywords = inspect.signature(getattr(do, name)).parameters
        has = {key for key, p in keywords.items() if p.kind is p.KEYWORD_ONLY}
        own = {"progress", "errors"} if name == "audit" else {"progress", "out"}
        if "no-sync" in options and "in-place" in options:
            own.add("sync")
        assert wanted - has == set(), name
        assert has - wanted - own == set(), name
        for entry in re.split(r"^ +(?:-\w, )?--", said, flags=re.MULTILINE)[1:]:
            option = re.match(r"[a-z-]+", entry).group()
            default = re.search(r"\[default: ([^\]]+)\]", entry)
            key = option.replace("-", "_")
            if key in has and default:
                value = keywords[key].default
                if value is None:  # a default in words: "exact"
                    assert not re.fullmatch(r"[\d.]+", default.group(1)), (name, option)
                    continue
                value = ",".join(value) if isinstance(value, tuple) else str(value)
                said_default = re.split(r"[;,] ", default.group(1))[0]  # then, what changes it
                assert value == said_default, (name, option)
