"""A stand-in for dropout-onnx, in Python, and broken variants of it: do the checks notice?

`Good` strips, verifies and audits rightly enough to pass; every other class here does one thing
wrong, and names the check that must fail.
"""

import json
from pathlib import Path
from xml.etree.ElementTree import Element, SubElement, tostring

import onnx

from . import cuts, documents, masks, runtime, scopes
from .inference import inference_meaning, mask_type, ones, replace_nodes
from .mutants import changed_weight, dropped_relu
from .tool import Said


FORMATS = ("json", "jsonl", "sarif", "github", "junit", "concise")
SITE = (
    "id form kind mode rate rate_origin scaling inference_scale noise_shape seed mask scope layer "
    "nodes input output"
).split()


class Guarded:
    """As the program would: a stand-in's own exception is exit 2 and a message."""

    def __init__(self, tool):
        self.tool = tool

    def __getattr__(self, command):
        def run(*arguments):
            try:
                return getattr(self.tool, command)(*arguments)
            except Exception as error:
                return Said(2, "", f"{type(error).__name__}: {error}\n")

        return run


def rename(scope, old, new):
    """Every read of a value, in this scope and inside it, and every inner output."""
    for inner in scopes.within(scope):
        for node in inner.body.node:
            for index, name in enumerate(node.input):
                if name == old:
                    node.input[index] = new
        if inner.body is not scope.body:
            for output in inner.body.output:
                if output.name == old:
                    output.name = new


def strip_scope(scope):
    outputs = scopes.output_names(scope.body)
    for node in [n for n in scope.body.node if scopes.is_dropout(n)]:
        x, y = node.input[0], node.output[0]
        new = []
        if scopes.mask_used(scope, node):
            new += ones(node, node.output[1], mask_type(scope), scope.opset)
        at = list(scope.body.node).index(node)
        optional = list(node.input[1:])
        scope.body.node.remove(node)
        if y not in outputs:
            rename(scope, y, x)
        else:
            producer = [n for n in scope.body.node if x in n.output]
            if producer and x not in outputs:
                rename(scope, x, y)
                producer[0].output[list(producer[0].output).index(x)] = y
                for fresh in new:
                    for index, name in enumerate(fresh.input):
                        fresh.input[index] = y if name == x else name
            else:
                new.insert(0, onnx.helper.make_node("Identity", [x], [y]))
        for offset, fresh in enumerate(new):
            scope.body.node.insert(at + offset, fresh)
        for name in optional:
            drop_unused(scope, name)


def drop_unused(scope, name):
    if not name or scopes.uses(scope, name):
        return
    for node in list(scope.body.node):
        if node.op_type == "Constant" and name in node.output:
            scope.body.node.remove(node)
    inputs = {getattr(i, "name", i) for i in scope.body.input}
    for tensor in list(getattr(scope.body, "initializer", [])):
        if tensor.name == name and name not in inputs:
            scope.body.initializer.remove(tensor)


def drop_dead_names(body):
    if not hasattr(body, "initializer"):
        return
    alive = {o for n in body.node for o in n.output} | {t.name for t in body.initializer}
    alive |= {i.name for i in body.input}
    for info in list(body.value_info):
        if info.name not in alive:
            body.value_info.remove(info)


def stripped(model):
    result = onnx.ModelProto()
    result.CopyFrom(model)
    if scopes.dropouts(result):
        for scope in list(scopes.scopes(result)):
            if any(scopes.is_dropout(n) for n in scope.body.node):
                strip_scope(scope)
    result = cuts.without_masks(result)
    for scope in scopes.scopes(result):
        if result != model:
            drop_dead_names(scope.body)
    return result


class Good:
    """Nothing wrong: every check must pass."""

    caught_by = None

    def edit(self, before, after):
        return after

    def strip(self, before, out):
        data = Path(before).read_bytes()
        model = onnx.ModelProto.FromString(data)
        result = self.edit(model, stripped(model))
        unchanged = not scopes.dropouts(model) and result == model
        Path(out).write_bytes(data if unchanged else result.SerializeToString())
        return Said(0, "stripped\n", "")

    def verify(self, before, after):
        a, b = (onnx.load(p) for p in (before, after))
        if a == b:
            return Said(0, "equal\n", "")
        if masks.random_nodes(a) != masks.random_nodes(b):
            problems, skip = masks.meaning_problems(a, b, "verify")
            return Said(1 if problems else 2 if skip else 0, "", "; ".join(problems) or str(skip))
        wanted, got = inference_meaning(a), inference_meaning(b)
        for seed in range(2):
            try:
                engine, _, feed, expected = runtime.first_that_runs(wanted, seed)
                same = runtime.same_bits(expected, runtime.ENGINES[engine](got, feed))
            except runtime.CannotRun as error:
                return Said(2, "", f"cannot run: {error}\n")
            if not same and runtime.same_bits(expected, runtime.ENGINES[engine](wanted, feed)):
                return Said(1, "outputs differ\n", "")
        return Said(0, "equal\n", "")

    def sites(self, path):
        model = onnx.load(path)
        return [
            {"form": "operator", "rate": scopes.rate(s, n), "scope": s.label, "nodes": [n.name]}
            for s, n in scopes.dropouts(model)
        ]

    def entry(self, path, base):
        """Of one model, with a finding for every Dropout."""
        sites = []
        for at, site in enumerate(self.sites(path)):
            site = {**dict.fromkeys(SITE), **site, "id": at, "kind": "dropout", "mode": "inert"}
            known = {"rate_origin": "constant", "scaling": "inverted", "inference_scale": 1.0}
            sites.append({**site, **known, "mask": "none", "input": "x", "output": "y"})
        found = [
            {
                "rule": "a-rule",
                "level": "warning",
                "site": s["id"],
                "message": f"{s['id']}: 100 %",
                "fingerprint": f"{s['id']:016x}",
            }
            for s in sites
        ]
        known = {"ir_version": None, "opset": {}, "producer": {"name": "judge", "version": "1"}}
        return {
            "path": str(path.relative_to(base)),
            "bytes": path.stat().st_size,
            **known,
            "verdict": "inert" if sites else "clean",
            "sites": sites,
            "findings": found,
            "error": None,
        }

    def report(self, form, folder):
        models = [self.entry(path, folder.parent) for path in sorted(folder.rglob("*.onnx"))]
        document = {"schema": "dropout-onnx/audit/1", "models": models}
        return Said(0, getattr(self, form)(document), "")

    def json(self, document):
        return json.dumps(document)

    def jsonl(self, document):
        return "\n".join(json.dumps(m) for m in document["models"])

    def results(self, document):
        for model in document["models"]:
            uri = {"uri": model["path"]}
            for f in model["findings"]:
                yield {
                    "ruleId": f["rule"],
                    "level": f["level"],
                    "message": {"text": f["message"]},
                    "locations": [{"physicalLocation": {"artifactLocation": uri}}],
                    "partialFingerprints": {"judge/v1": f"{model['path']} {f['site']}"},
                }

    def sarif(self, document):
        driver = {"name": "judge", "rules": [{"id": "a-rule"}]}
        run = {"tool": {"driver": driver}, "results": list(self.results(document))}
        return json.dumps({"version": "2.1.0", "runs": [run]})

    def lines(self, document, line):
        return "\n".join(line(m["path"], f) for m in document["models"] for f in m["findings"])

    def concise(self, document):
        return self.lines(document, lambda path, f: f"{path}: {f['level']} {f['rule']}: {f['message']}")

    def github(self, document):
        def line(path, f):
            return f"::{f['level']} file={path}::" + f["message"].replace("%", "%25")

        return self.lines(document, line)

    def junit(self, document):
        suites = Element("testsuites")
        for model in document["models"]:
            suite = SubElement(suites, "testsuite", name=model["path"])
            for f in model["findings"]:
                SubElement(SubElement(suite, "testcase", name=f["message"]), "failure")
            suite.set("tests", str(len(suite)))
        return tostring(suites, encoding="unicode")

    def audit(self, path):
        models = [{"path": str(path), "sites": self.sites(path), "error": None}]
        return Said(0, json.dumps({"schema": "dropout-onnx/audit/1", "models": models}), "")


class LeavesDropout(Good):
    caught_by = "no-dropout"

    def edit(self, before, after):
        return before


class ForgetsInnerScopes(Good):
    """Only the main graph is stripped."""

    caught_by = "no-dropout"
    needs = "torch_scripted_if_op13"

    def edit(self, before, after):
        result = onnx.ModelProto()
        result.CopyFrom(before)
        for scope in scopes.scopes(result):
            if scope.label == "graph":
                strip_scope(scope)
        return result


class TakesForeignDropout(Good):
    """A custom-domain operator called Dropout is somebody else's."""

    caught_by = "no-dropout"
    needs = "torch112_nested_functions_op15"

    def edit(self, before, after):
        for body in [after.graph, *after.functions]:
            for node in body.node:
                if node.op_type == "Dropout":
                    node.op_type, node.domain = "Identity", ""
        return after


class DanglingInput(Good):
    caught_by = "checker"

    def edit(self, before, after):
        result = onnx.ModelProto()
        result.CopyFrom(before)
        for scope in reversed(list(scopes.scopes(result))):
            kept = [n for n in scope.body.node if not scopes.is_dropout(n)]
            replace_nodes(scope.body, kept)
        return result


class RenamesInput(Good):
    caught_by = "untouched"

    def edit(self, before, after):
        for node in after.graph.node:
            for index, name in enumerate(node.input):
                if name == after.graph.input[0].name:
                    node.input[index] = "renamed"
        after.graph.input[0].name = "renamed"
        return after


class LosesMetadata(Good):
    caught_by = "untouched"

    def edit(self, before, after):
        after.producer_name = ""
        return after


class RemovesAnotherNode(Good):
    caught_by = "untouched"

    def edit(self, before, after):
        return dropped_relu(before, after)


class RewiresReader(Good):
    """All nodes are there; one reads the wrong value."""

    caught_by = "untouched"

    def edit(self, before, after):
        relu = next(n for n in after.graph.node if n.op_type == "Relu")
        reader = next(n for n in after.graph.node if relu.output[0] in n.input)
        at = list(reader.input).index(relu.output[0])
        reader.input[at] = relu.input[0]
        return after


class ChangesWeight(Good):
    caught_by = "outputs"

    def edit(self, before, after):
        return changed_weight(before, after)


class ChangesWeightBytes(ChangesWeight):
    caught_by = "untouched"


class LosesConstant(Good):
    """Rightly stripped, but another node's attribute is not what it was."""

    caught_by = "untouched"

    def edit(self, before, after):
        after.graph.node[0].attribute.append(onnx.helper.make_attribute("judge", 1))
        return after


class NeverTheSame(Good):
    caught_by = "idempotent"
    calls = 0

    def edit(self, before, after):
        NeverTheSame.calls += 1
        after.doc_string = f"stripped {NeverTheSame.calls}"
        return after


class Panics(Good):
    caught_by = "exit"

    def strip(self, before, out):
        return Said(101, "", "thread 'main' panicked at src/wire.rs:1:1\n")


class WritesOnFailure(Good):
    caught_by = "exit"

    def strip(self, before, out):
        super().strip(before, out)
        return Said(2, "", "could not\n")


class RefusesValidModels(Good):
    caught_by = "exit"

    def strip(self, before, out):
        return Said(2, "", "could not\n")


class TouchesOriginal(Good):
    caught_by = "exit"

    def strip(self, before, out):
        said = super().strip(before, out)
        Path(before).write_bytes(Path(before).read_bytes() + b"\x00")
        return said


class VerifySaysDifferent(Good):
    caught_by = "verify"

    def verify(self, before, after):
        return Said(1, "outputs differ\n", "")


class VerifySaysEqual(Good):
    """Passes every check of a right result; the mutants find it out."""

    caught_by = "mutant"

    def verify(self, before, after):
        return Said(0, "equal\n", "")


class AuditMissesOne(Good):
    caught_by = "audit"

    def sites(self, path):
        return super().sites(path)[1:]


class AuditKeepProbability(Good):
    """Reports what is kept in place of what is dropped."""

    caught_by = "audit"

    def sites(self, path):
        return [{**s, "rate": s["rate"] + 0.01} for s in super().sites(path)]


class AuditSaysNothing(Good):
    caught_by = "audit"

    def audit(self, path):
        return Said(0, "", "")


class JsonWithMore(Good):
    """A field the schema does not tell of."""

    caught_by = "formats"
    schema = documents.AUDIT_SCHEMA

    def entry(self, path, base):
        return {**super().entry(path, base), "more": 1}


class JsonForgetsAModel(Good):
    caught_by = "formats"

    def json(self, document):
        return super().json({**document, "models": document["models"][1:]})


class JsonLinesDiffer(Good):
    caught_by = "formats"

    def jsonl(self, document):
        return super().jsonl({**document, "models": document["models"][1:]})


class SarifWithoutVersion(Good):
    caught_by = "formats"
    schema = documents.SARIF_SCHEMA

    def sarif(self, document):
        return super().sarif(document).replace('"version": "2.1.0", ', "")


class SarifLevelUnknown(Good):
    caught_by = "formats"
    schema = documents.SARIF_SCHEMA

    def results(self, document):
        return [{**r, "level": "serious"} for r in super().results(document)]


class SarifRuleUnknown(Good):
    caught_by = "formats"

    def results(self, document):
        return [{**r, "ruleId": "b-rule"} for r in super().results(document)]


class SarifPathAbsolute(Good):
    caught_by = "formats"

    def results(self, document):
        text = json.dumps(list(super().results(document)))
        return json.loads(text.replace('"uri": "', '"uri": "file:///'))


class SarifForgetsAResult(Good):
    caught_by = "formats"

    def results(self, document):
        return list(super().results(document))[1:]


class SarifFingerprintsAlike(Good):
    caught_by = "formats"

    def results(self, document):
        return [{**r, "partialFingerprints": {"judge/v1": "1"}} for r in super().results(document)]


class SarifFingerprintsOfThePlace(Good):
    """They tell where the folder lies."""

    caught_by = "formats"
    calls = 0

    def results(self, document):
        SarifFingerprintsOfThePlace.calls += 1
        for r in super().results(document):
            mark = r["partialFingerprints"]["judge/v1"] + str(self.calls)
            yield {**r, "partialFingerprints": {"judge/v1": mark}}


class GithubNotEscaped(Good):
    caught_by = "formats"

    def github(self, document):
        return super().github(document).replace("%25", "%")


class JunitMiscounts(Good):
    caught_by = "formats"

    def junit(self, document):
        return super().junit(document).replace('tests="2"', 'tests="3"')


class JunitNoXml(Good):
    caught_by = "formats"

    def junit(self, document):
        return super().junit(document)[:-1]


class ConciseForgetsALine(Good):
    caught_by = "formats"

    def concise(self, document):
        return "\n".join(super().concise(document).splitlines()[1:])


class LeavesMasks(Good):
    """Operators only."""

    caught_by = "masks"
    needs = "keras_course_random_mask_op13"

    def edit(self, before, after):
        return before


class TakesSampling(Good):
    """The noise of a VAE goes too: the mean, and so the meaning, stays."""

    caught_by = "masks"
    needs = "masked_sampling_of_a_vae"

    def edit(self, before, after):
        after.graph.node[-1].CopyFrom(onnx.helper.make_node("Identity", ["mean"], ["y"]))
        return cuts.swept(after, before)


class TakesFlip(Good):
    """One half of a random flip is a masked x, and no dropout."""

    caught_by = "meaning"
    needs = "masked_random_flip"

    def edit(self, before, after):
        after.graph.node[-1].CopyFrom(onnx.helper.make_node("Identity", ["x"], ["y"]))
        return cuts.swept(after, before)


class DanglesInKeras3(Good):
    """Not loadable before, and not after, for another reason."""

    caught_by = "loads"
    needs = "masked_keras3"

    def edit(self, before, after):
        after.graph.node[0].input[0] = "nobody"
        return after


class LeavesShapes(Good):
    """The mask is gone, what told its shape is not."""

    caught_by = "dead"
    needs = "keras_course_random_mask_op13"

    def edit(self, before, after):
        shape = next(n for n in before.graph.node if n.op_type == "Shape")
        if not any(shape.output[0] in n.output for n in after.graph.node):
            after.graph.node.append(shape)
        return after


class LeavesConstants(Good):
    caught_by = "dead"
    needs = "keras_course_random_mask_op13"

    def edit(self, before, after):
        gone = {t.name for t in before.graph.initializer} - {t.name for t in after.graph.initializer}
        after.graph.initializer.extend(t for t in before.graph.initializer if t.name in sorted(gone)[:1])
        return after


class LeavesState(Good):
    """The Loop carries ones where it carried a mask."""

    caught_by = "dead"
    needs = "masked_drawn_once_and_carried"

    def edit(self, before, after):
        result = onnx.ModelProto()
        result.CopyFrom(after)
        old = next(n for n in before.graph.node if n.op_type == "Loop")
        new = next(n for n in result.graph.node if n.op_type == "Loop")
        if len(new.input) < len(old.input):
            body, was = new.attribute[0].g, old.attribute[0].g
            new.input.append(before.graph.input[0].name)
            new.output.append(old.output[1])
            body.input.append(was.input[3])
            body.output.append(was.output[2])
            body.node.append(onnx.helper.make_node("Identity", [was.input[3].name], [was.output[2].name]))
        return result


class LeavesFunction(Good):
    caught_by = "dead"
    needs = "masked_drawn_in_a_function"

    def edit(self, before, after):
        del after.functions[:]
        after.functions.extend(before.functions)
        return after


class KeepsTheScale(Good):
    """x / (1 - rate) where x was meant."""

    caught_by = "meaning"
    needs = "keras_course_random_mask_op13"

    def edit(self, before, after):
        return cuts.without_masks(before, 2.0)


class KeepsTheScaleOfTwins(KeepsTheScale):
    caught_by = "twin"


class ForgetsTheScale(Good):
    """A mask that was never scaled has the mean (1 - rate) x."""

    caught_by = "meaning"
    needs = "masked_classic"

    def edit(self, before, after):
        return cuts.without_masks(before, 1 / 0.75)


class CutsAlphaByItsMean(Good):
    """The mean of alpha dropout is not its inference form."""

    caught_by = "meaning"
    needs = "masked_alpha"

    def edit(self, before, after):
        return cuts.without_masks(before, 0.97)


class LosesANodeBesideTheMask(Good):
    """Allowed to go is what random values were made from, not what was dead before."""

    caught_by = "untouched"
    needs = "masked_beside_dead_nodes"

    def edit(self, before, after):
        for node in [n for n in after.graph.node if n.op_type == "Exp"]:
            after.graph.node.remove(node)
        return after


class ReadsTooFarBack(Good):
    """The reader of the masked value reads what comes before the data."""

    caught_by = "meaning"
    needs = "masked_keras"

    def edit(self, before, after):
        after.graph.node[-1].input[0] = "x"
        return after


BROKEN = [
    LeavesDropout,
    ForgetsInnerScopes,
    TakesForeignDropout,
    DanglingInput,
    RenamesInput,
    LosesMetadata,
    RemovesAnotherNode,
    RewiresReader,
    ChangesWeight,
    ChangesWeightBytes,
    LosesConstant,
    NeverTheSame,
    Panics,
    WritesOnFailure,
    RefusesValidModels,
    TouchesOriginal,
    VerifySaysDifferent,
    VerifySaysEqual,
    AuditMissesOne,
    AuditKeepProbability,
    AuditSaysNothing,
    JsonWithMore,
    JsonForgetsAModel,
    JsonLinesDiffer,
    SarifWithoutVersion,
    SarifLevelUnknown,
    SarifRuleUnknown,
    SarifPathAbsolute,
    SarifForgetsAResult,
    SarifFingerprintsAlike,
    SarifFingerprintsOfThePlace,
    GithubNotEscaped,
    JunitMiscounts,
    JunitNoXml,
    ConciseForgetsALine,
    LeavesMasks,
    TakesSampling,
    TakesFlip,
    DanglesInKeras3,
    LeavesShapes,
    LeavesConstants,
    LeavesState,
    LeavesFunction,
    KeepsTheScale,
    KeepsTheScaleOfTwins,
    ForgetsTheScale,
    CutsAlphaByItsMean,
    LosesANodeBesideTheMask,
    ReadsTooFarBack,
]
