"""Reports: frozen, readable, and as documents."""

import dataclasses
import json

import pytest
from conftest import FIXTURES

import dropout_onnx as do

NAME = str(FIXTURES / "torch_course_preserve_op17.onnx")


def reports(tmp_path):
    yield do.audit(NAME)
    yield do.strip(NAME, out=tmp_path / "a.onnx")
    yield do.fold(NAME, out=tmp_path / "b.onnx")
    yield do.insert(NAME, out=tmp_path / "c.onnx", rate=0.1, at="y", verify="structure")
    yield do.insert_sites(NAME, preset="head")
    yield do.set(NAME, out=tmp_path / "d.onnx", rate=0.1)
    yield do.verify(NAME, NAME)
    yield do.sample(NAME, runs=2)
    yield do.show(NAME)
    yield do.diff(NAME, tmp_path / "a.onnx")


def test_all_are_frozen_dataclasses_with_their_document(tmp_path):
    for report in reports(tmp_path):
        name = type(report).__name__
        assert dataclasses.is_dataclass(report), name
        field = dataclasses.fields(report)[1].name
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(report, field, None)
        document = report.to_dict()
        json.dumps(document)
        before = json.dumps(document)
        document.clear()
        assert json.dumps(report.to_dict()) == before, f"{name}: the document is a copy"


def test_all_read_well(tmp_path):
    for report in reports(tmp_path):
        name = type(report).__name__
        text = repr(report)
        assert 10 < len(text) < 20_000 and "_document" not in text, (name, text)
        assert "object at 0x" not in text and not text.startswith(name + "("), (name, text)
        html = report._repr_html_()
        assert html.startswith("<") and html.count("<table>") == html.count("</table>"), name


def test_the_report_of_an_audit():
    audit = do.audit(NAME)
    assert audit.verdict == "active"
    assert [site.rate for site in audit.sites] == [0.5, 0.5]
    site = audit.sites[0]
    assert (site.form, site.kind, site.mode) == ("operator", "dropout", "active")
    assert (site.nodes, site.layer) == (("/2/Dropout",), audit.models[0].to_dict()["sites"][0]["layer"])
    assert "active-dropout" in {finding.rule for finding in audit.findings}
    assert repr(audit).splitlines()[0].endswith("torch_course_preserve_op17.onnx: active, 2 dropout layers")
    assert audit == do.audit(NAME)
    assert audit != do.audit(NAME, select="mask-used")


def test_notebooks_align_left_and_colour_verdicts():
    audit = do.audit(NAME)._repr_html_()
    cells = audit.count("<td") + audit.count("<th>") + audit.count("<th ")
    assert cells == audit.count('style="text-align:left') > 10
    red, green = "background:#b42318", "background:#1a7f37"
    assert f'<span style="{red}' in audit and green not in audit
    clean = do.audit(str(FIXTURES / "torch_course_eval_op17.onnx"))._repr_html_()
    assert green in clean and red not in clean
    missing = do.audit("missing.onnx", errors="report")._repr_html_()
    assert red in missing and missing.count("missing.onnx") == 1


def test_a_column_without_text_is_left_out():
    from dropout_onnx._html import table

    assert table(["a", "b"], [["x", ""], ["y", ""]]).count("<th") == 2  # <thead>, and one column
    assert table(["a", "b"], [["x", ""], ["", "y"]]).count("<th") == 3
    assert table([], [["x", "y"]]).count("<th") == 1


def test_an_unreadable_model_has_no_verdict():
    report = do.audit("missing.onnx", NAME, errors="report")
    assert [model.verdict for model in report.models] == [None, "active"]
    assert do.audit("missing.onnx", errors="report").verdict is None


def test_import_star_does_not_hide_what_python_has():
    import builtins

    scope = {}
    exec("from dropout_onnx import *", scope)
    assert "strip" in scope and "AuditReport" in scope
    hidden = {name for name in scope if hasattr(builtins, name)} - {"__builtins__"}
    assert {name for name in hidden if not name.startswith("__")} == set()
    assert do.set is not set


def test_html_is_escaped():
    import onnx

    model = onnx.load(NAME)
    for node in model.graph.node:
        node.name = f"<script>{node.name}"
    html = do.audit(model)._repr_html_()
    assert "&lt;script&gt;" in html and "<script>" not in html


def test_the_report_of_strip(tmp_path):
    report = do.strip(NAME, out=tmp_path / "out.onnx")
    assert report.removed.dropouts == 2
    assert [step.action for step in report.plan] == ["remove", "remove"]
    assert report.verification.structure.result == "same"
    assert report.verification.run.result == "equal"
    assert report.bytes.after < report.bytes.before
    assert report.diff.verdict == "same_structure" or report.diff.changes
    lines = repr(report).splitlines()
    assert lines[0] == "removed   2 of 2 dropout layers"
    assert lines[-1].startswith("written   ")


def keys(schema, whole):
    """The keys of a part of a document, each with its part."""
    while "$ref" in schema or "anyOf" in schema:
        if "$ref" in schema:
            schema = whole["$defs"][schema["$ref"].rpartition("/")[2]]
        else:
            schema = next(kind for kind in schema["anyOf"] if kind.get("type") != "null")
    if "items" in schema:
        return keys(schema["items"], whole)
    kinds = [schema, *schema.get("oneOf", [])]
    return {key: part for kind in kinds for key, part in kind.get("properties", {}).items()}


def unread(record, schema, whole, place):
    """Keys of a part of a document that its record has no field for."""
    read = {field.name.rstrip("_"): field for field in dataclasses.fields(record)}
    for key, part in keys(schema, whole).items():
        if key not in read:
            yield f"{place}.{key}"
        elif "part" in read[key].metadata:
            yield from unread(read[key].metadata["part"], part, whole, f"{place}.{key}")


def test_every_key_of_a_document_is_a_field():
    documents = {
        **{"audit": do.AuditReport, "strip": do.StripReport, "fold": do.FoldReport, "set": do.SetReport},
        **{"insert": do.InsertReport, "insert-sites": do.InsertSitesReport, "diff": do.DiffReport},
        **{"verify": do.VerifyReport, "replay": do.ReplayReport, "sample": do.SampleReport},
    }
    missing = []
    for name, report in documents.items():
        schema = json.loads((FIXTURES.parent / "docs" / f"{name}.schema.json").read_text())
        missing += unread(report, schema, schema, name)
    # a report in Python has the plot, and no file of it
    assert missing == ["sample.plot"]


def test_what_verification_measured_is_typed(tmp_path):
    name = str(FIXTURES / "keras_course_random_mask_op13.onnx")
    found = do.strip(name, out=tmp_path / "out.onnx").verification
    assert [(mask.result, mask.rate, mask.kept) for mask in found.measured.sites] == [("as_assumed", 0.5, 2.0)] * 2
    assert repr(found).endswith("measured 2 of 2 masks")
    assert found.reached is None and found.acting is None
    name = str(FIXTURES / "torch_course_eval_op17.onnx")
    found = do.insert(name, out=tmp_path / "more.onnx", after="Relu=0.25", mode="active").verification
    assert [(site.result, site.rate) for site in found.acting.sites] == [("as_said", 0.25)] * 2
    assert all(0 < site.dropped < site.draws for site in found.acting.sites)
    assert found.measured is None and repr(found).endswith("sampled 2 of 2 sites")


def test_what_this_version_does_not_know_stays_in_the_document():
    from dropout_onnx._reports import Producer

    producer = Producer._read({"name": "a", "version": "1", "more": [1]})
    assert (producer.name, producer.to_dict()["more"]) == ("a", [1])
