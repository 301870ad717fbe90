"""The reports: frozen dataclasses, each with the JSON document of the command line."""

from __future__ import annotations

import copy
import json
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any, Generic, Mapping, Sequence, TypeVar

from . import _html

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

R = TypeVar("R", bound="Record")


@dataclass(frozen=True)
class Record:
    """A part of a document."""

    _document: Mapping[str, Any] = field(repr=False, compare=False, hash=False)

    @classmethod
    def _read(cls: type[R], document: Mapping[str, Any], **more: Any) -> R:
        """Created from a part of a document; keys that are unknown to this version are kept."""
        values: dict[str, Any] = {"_document": document, **more}
        for part in fields(cls):
            if part.name not in values:
                value = document.get(part.name.rstrip("_"))  # `is_`: a word of Python
                make = part.metadata.get("make")
                if make is not None and value is not None:
                    value = make(value)
                elif isinstance(value, list):
                    value = tuple(value)
                values[part.name] = value
        return cls(**values)

    @classmethod
    def _parse(cls: type[R], document: str, **more: Any) -> R:
        """Created from a document."""
        return cls._read(json.loads(document), **more)

    def to_dict(self) -> dict[str, Any]:
        """A copy of the corresponding part of the JSON document of the command line."""
        return copy.deepcopy(dict(self._document))


def _each(kind: type[Record]) -> dict[str, Any]:
    """Metadata of a field with several records."""
    return {"part": kind, "make": lambda values: tuple(kind._read(value) for value in values)}


def _one(kind: type[Record]) -> dict[str, Any]:
    """Metadata of a field with one record."""
    return {"part": kind, "make": kind._read}


@dataclass(frozen=True)
class Report(Record):
    """A whole document."""

    schema: str
    """The version of the document."""
    tool: str
    """The program that wrote it, with its version."""

    def _repr_html_(self) -> str:
        return _html.pre(repr(self))


@dataclass(frozen=True)
class Site(Record):
    """A dropout in a model."""

    id: int
    """Its index in the model, from 0."""
    form: str
    """Its form in the graph: operator, random_mask, frozen_mask, scale."""
    kind: str
    """dropout, alpha_dropout, gaussian_dropout, gaussian_noise."""
    mode: str
    """Its mode: inert, frozen, runtime, active."""
    rate: float | None
    """The probability to drop, or the standard deviation of noise."""
    rate_origin: str
    """The origin of the rate."""
    scaling: str
    """How kept elements are scaled: inverted, classic, count, other."""
    inference_scale: float
    """The factor that inference multiplies by."""
    noise_shape: tuple[str, ...] | None
    """The shape of the mask, if it differs from that of the data."""
    seed: int | None
    """The seed in the file."""
    mask: str
    """How the mask is used."""
    scope: str
    """Its scope: graph, graph/node.attribute, function:domain::name."""
    layer: str | None
    """The layer of the framework it comes from, if known."""
    nodes: tuple[str, ...]
    """Its nodes; a node without a name is listed by its first output."""
    calls: tuple[str, ...] | None
    """The calls of functions that set it, the innermost first, where other calls set it differently."""
    input: str | None
    """The value it is applied to."""
    output: str | None
    """Its result."""
    fingerprint: str | None
    """Its identity across versions of the model."""

    def __repr__(self) -> str:
        return f"<Site {self.id}: {' '.join(_site(self))}>"


def _site(site: Site) -> list[str]:
    """The cells of a site in a table."""
    rate = "?" if site.rate is None else f"{site.rate:g}"
    place = site.layer or (site.nodes[0] if site.nodes else "")
    return [site.mode, f"{site.kind} {rate}", site.form, site.scope, place]


_SITE = ["mode", "kind and rate", "form", "scope", "layer or node"]


@dataclass(frozen=True)
class Allowed(Record):
    """Why a finding is allowed."""

    reason: str
    """The reason in the configuration."""
    expires: str | None
    """The last day on which it is allowed: `2026-12-31`."""


@dataclass(frozen=True)
class Finding(Record):
    """A finding of a rule."""

    rule: str
    level: str
    """error, warning, note."""
    site: int | None
    """The site concerned."""
    message: str
    fingerprint: str | None
    """Its identity across versions of the model."""
    allowed: Allowed | None = field(metadata=_one(Allowed))
    """Why it is allowed, if a configuration allows it."""
    baseline: str | None
    """Whether the baseline records it, if there is one: new, unchanged."""


@dataclass(frozen=True)
class Remark(Record):
    """A remark about a configuration or a baseline."""

    name: str
    level: str
    path: str
    line: int | None
    message: str


@dataclass(frozen=True)
class Producer(Record):
    """The program that wrote a model."""

    name: str
    version: str


@dataclass(frozen=True)
class SourceDropout(Record):
    """A dropout of the model that a file was exported from, and what became of it."""

    layer: str
    layer_class: str
    argument: str
    rate: float
    state: str
    """active, runtime, frozen, inert, missing or unknown."""
    exported_rate: float | None
    sites: tuple[int, ...]
    """The ids of its sites in the file."""


@dataclass(frozen=True)
class ModelAudit(Record):
    """The audit of one model."""

    path: str
    """The path as it was passed; `-` for a model in memory."""
    bytes: int | None
    ir_version: int | None
    opset: Mapping[str, int]
    producer: Producer = field(metadata=_one(Producer))
    nodes: int | None
    """The number of its nodes, with those of subgraphs and functions."""
    configuration: str | None
    """The configuration file in force; None without one."""
    rules: Mapping[str, str | None] | None
    """The rules whose level is not the default, with the level in force; None if the rule is disabled."""
    verdict: str | None
    """clean, inert, frozen, runtime, unknown (the search was incomplete: it may be active), active.
    None if there is an error."""
    sites: tuple[Site, ...] = field(metadata=_each(Site))
    findings: tuple[Finding, ...] = field(metadata=_each(Finding))
    source: tuple[SourceDropout, ...] | None = field(metadata=_each(SourceDropout))
    """The dropout of the saved model that the file was exported from; None if that was not given."""
    error: str | None
    """Why the file cannot be audited."""

    def _head(self) -> str:
        number = len(self.sites)
        count = "no dropout" if number == 0 else f"{number} dropout layer{'' if number == 1 else 's'}"
        if self.error is not None:
            return self.error if self.path in self.error else f"{self.path}: {self.error}"
        return f"{self.path}: {self.verdict}, {count}"

    def __repr__(self) -> str:
        lines = [f"  {' '.join(_site(site))}" for site in self.sites]
        lines += [f"  {f.level} {f.rule}: {f.message}" for f in self.findings]
        return "\n".join([self._head(), *lines])

    def _repr_html_(self) -> str:
        findings = [[f.level, f.rule, f.message] for f in self.findings]
        return (
            _html.title(self._head(), self.verdict or "error")
            + _html.table(_SITE, [_site(site) for site in self.sites])
            + _html.table(["level", "rule", "found"], findings)
        )


@dataclass(frozen=True)
class AuditReport(Report):
    """The audit of any number of models."""

    models: tuple[ModelAudit, ...] = field(metadata=_each(ModelAudit))
    """In the order of the arguments."""
    remarks: tuple[Remark, ...] = field(metadata=_each(Remark))

    @property
    def verdict(self) -> str | None:
        """The worst of all models: clean, inert, frozen, runtime, training, random, unknown, active.

        None if a model could not be audited, unless another one is active.
        """
        order = ["clean", "inert", "frozen", "runtime", "training", "random", "unknown", None, "active"]
        return max((model.verdict for model in self.models), key=order.index, default=None)

    @property
    def sites(self) -> tuple[Site, ...]:
        """The dropouts of all models."""
        return tuple(site for model in self.models for site in model.sites)

    @property
    def findings(self) -> tuple[Finding, ...]:
        """The findings in all models."""
        return tuple(finding for model in self.models for finding in model.findings)

    def __repr__(self) -> str:
        return "\n".join(repr(model) for model in self.models)

    def _repr_html_(self) -> str:
        return "".join(model._repr_html_() for model in self.models)


@dataclass(frozen=True)
class Sizes(Record):
    """The sizes of two models in bytes."""

    before: int
    after: int


@dataclass(frozen=True)
class Step(Record):
    """The plan for a dropout or for a place to insert one."""

    action: str
    """remove, insert, set, fold; or keep, leave, refuse."""
    why: str | None
    """The reason for leaving it unchanged."""


@dataclass(frozen=True)
class Structure(Record):
    """The result of comparing the structure."""

    result: str
    """same, different."""
    kind: str | None
    """What differs: operators, interface, attributes, constant, branch, unknown."""
    outputs: int | None
    """The number of outputs compared."""
    but_for: str | None
    """The changes of the rewrite, which do not count."""
    place: str | None
    why: str | None


@dataclass(frozen=True)
class Run(Record):
    """The result of running both models."""

    result: str
    """equal, different, unrunnable."""
    why: str | None
    engine: str
    runs: int
    seed: int
    shapes: Mapping[str, list[int]]
    """The shape of each input."""
    chosen_dims: Mapping[str, int]
    """The assumed sizes of symbolic dimensions."""
    outputs: tuple[str, ...]
    elements: int
    tolerance: str
    reference: tuple[str, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Mask(Record):
    """What was measured of one mask, on the original's own nodes."""

    place: str
    result: str
    """as_assumed, unlike, unmeasured."""
    rate: float | None
    """The probability to drop; of noise the standard deviation."""
    within: float | None
    """How far the rate may be from that; 0 if it was found exactly."""
    kept: float | None
    """The factor that kept elements are multiplied by."""
    shared: bool | None
    """True if elements share draws."""
    constant: bool | None
    """True if nothing is drawn: the mask is a constant."""
    why: str | None


@dataclass(frozen=True)
class Measured(Record):
    """What the original's own nodes were measured to do."""

    sites: tuple[Mask, ...] = field(metadata=_each(Mask))
    """One for each mask that was removed or changed."""


@dataclass(frozen=True)
class Reached(Record):
    """A place where two models differ."""

    place: str
    unreached: str | None
    """Why the runs do not reach it; None if they do."""


@dataclass(frozen=True)
class Observed(Record):
    """What was observed at one active dropout."""

    output: str
    rate: float
    """The requested probability to drop."""
    draws: int
    """The number of independent draws that were observed."""
    dropped: int
    """The number of them that dropped."""
    result: str
    """as_said, unlike, unseen."""
    why: str | None


@dataclass(frozen=True)
class Acting(Record):
    """The observed effect of dropout that was inserted or changed."""

    seed: int
    runs: int
    sites: tuple[Observed, ...] = field(metadata=_each(Observed))


@dataclass(frozen=True)
class Verification(Record):
    """The results of each check; None if it was disabled, or there was nothing for it to check."""

    structure: Structure | None = field(metadata=_one(Structure))
    run: Run | None = field(metadata=_one(Run))
    identical: bool | None
    """True if both models are the same bytes: neither is run then."""
    measured: Measured | None = field(metadata=_one(Measured))
    """The masks that were removed or changed."""
    reached: tuple[Reached, ...] | None = field(metadata=_each(Reached))
    """The places where the models differ, and whether the runs reach them."""
    acting: Acting | None = field(metadata=_one(Acting))
    """Dropout that was made active."""

    def __repr__(self) -> str:
        if self.identical:
            return "identical bytes"
        said = []
        if self.structure is not None:
            where = " ".join(filter(None, [self.structure.place, self.structure.why]))
            said.append(f"structure {self.structure.result}{where and f': {where}'}")
        if self.run is not None:
            why = f": {self.run.why}" if self.run.why else ""
            said.append(f"run {self.run.result}{why} ({self.run.runs} runs, {self.run.engine})")
        if self.measured is not None:
            sites = self.measured.sites
            good = sum(site.result == "as_assumed" for site in sites)
            said.append(f"measured {good} of {len(sites)} masks")
        if self.acting is not None:
            as_said = sum(site.result == "as_said" for site in self.acting.sites)
            said.append(f"sampled {as_said} of {len(self.acting.sites)} sites")
        return "; ".join(said) or "not verified"


@dataclass(frozen=True)
class Delta(Record):
    """By how much the elements of two tensors differ."""

    elements: int
    """The number of elements."""
    differing: int
    """The number of elements that differ."""
    max_abs: float | str | None
    """The largest difference, as text where JSON has no number for it; None if there are only NaNs."""
    at: tuple[int, ...] | None
    """The index of the largest difference."""
    nan: int
    """The number of elements that are NaN on one side only."""


@dataclass(frozen=True)
class Change(Record):
    """A difference between two models."""

    scope: str
    part: str
    """model, opset, metadata, graph, function, input, output, initializer, value, node, training."""
    name: str
    change: str
    """added, removed, rewired, changed, renamed, moved."""
    what: str | None
    before: str | None
    after: str | None
    past: tuple[str, ...] | None
    """Removed nodes through which it was reached before."""
    through: tuple[str, ...] | None
    """Added nodes through which it is reached after."""
    values: Delta | None = field(metadata=_one(Delta))
    """By how much the elements differ."""


@dataclass(frozen=True)
class Difference(Record):
    """The differences between two models."""

    schema: str
    verdict: str
    """identical_bytes, same_model, same_structure, different."""
    parts: str | None
    """Where the structures first diverge."""
    changes: tuple[Change, ...] = field(metadata=_each(Change))


M = TypeVar("M")
"""The kind of a model, which is also that of the result."""


@dataclass(frozen=True)
class Rewrite(Report, Generic[M]):
    """The report of a rewrite."""

    model: M | None = field(compare=False, repr=False)
    """The result: of the same kind as the argument, or the path `out`. None after a dry run."""
    input: str
    output: str | None
    """The path of the result; None if it was not written."""
    bytes: Sizes = field(metadata=_one(Sizes))
    verification: Verification | None = field(metadata=_one(Verification))
    diff: Difference = field(metadata=_one(Difference))
    """The changes, by name."""

    def _lines(self) -> list[tuple[str, str]]:
        return []

    def _table(self) -> tuple[list[str], list[list[str]]]:
        return [], []

    def _rows(self) -> list[tuple[str, str]]:
        size = f"{self.bytes.before} -> {self.bytes.after} bytes"
        said = repr(self.verification) if self.verification else "not at all"
        written = self.output or "nothing"
        return [*self._lines(), ("verified", said), ("size", size), ("written", written)]

    def __repr__(self) -> str:
        lines = [f"{label:<8}  {text}" for label, text in self._rows()]
        rows = [f"          {' '.join(row)}" for row in self._table()[1]]
        return "\n".join([lines[0], *rows, *lines[1:]])

    def _repr_html_(self) -> str:
        head = _html.table([], [list(row) for row in self._rows()])
        return head + _html.table(*self._table())


def _steps(sites: tuple[Site, ...], plan: tuple[Step, ...]) -> list[list[str]]:
    return [[*_site(site), step.why or step.action] for site, step in zip(sites, plan)]


@dataclass(frozen=True)
class Removed(Record):
    """What was removed: dropout layers, and the nodes and initializers left unused."""

    dropouts: int
    nodes: tuple[str, ...]
    initializers: tuple[str, ...]
    functions: tuple[str, ...]
    loop_states: int
    inputs: tuple[str, ...]
    """Inputs of the model."""


@dataclass(frozen=True)
class Factor(Step):
    """The plan for a constant factor: fold, keep."""

    node: str
    value: str
    factor: str | None
    """The factor as text; None if its values are unknown."""
    elements: int
    into: tuple[str, ...]
    """Nodes whose weights or attributes it is multiplied into."""
    through: tuple[str, ...]
    """Nodes that it passes on the way."""


@dataclass(frozen=True)
class Weight(Record):
    """A weight that was scaled."""

    name: str
    of: str | None
    """The weight that it is a copy of."""
    bytes: int


@dataclass(frozen=True)
class Lost(Record):
    """A weight with elements that became so small that digits are lost."""

    name: str
    elements: int


@dataclass(frozen=True)
class ScaledAttribute(Record):
    """An attribute that was scaled."""

    node: str
    name: str
    is_: float
    """Its new value."""


@dataclass(frozen=True)
class Identity(Record):
    """A value that an Identity was left for."""

    value: str
    why: str


@dataclass(frozen=True, repr=False)
class _Folded:
    """The changes of a fold."""

    factors: tuple[Factor, ...] = field(metadata=_each(Factor))
    """The constant factors that were found."""
    folded: int
    """The number of factors that were folded."""
    weights: tuple[Weight, ...] = field(metadata=_each(Weight))
    """Weights that were scaled."""
    copies: tuple[Weight, ...] = field(metadata=_each(Weight))
    """Weights that were copied first, because they have other readers."""
    embedded: tuple[str, ...]
    """Weights that are no longer external data."""
    lost: tuple[Lost, ...] = field(metadata=_each(Lost))
    attributes: tuple[ScaledAttribute, ...] = field(metadata=_each(ScaledAttribute))
    identities: tuple[Identity, ...] = field(metadata=_each(Identity))
    removed: tuple[str, ...]
    """Initializers left unused."""
    idle_inputs: tuple[str, ...]
    """Inputs that are no longer used."""


@dataclass(frozen=True)
class Fold(_Folded, Record):
    """The fold after a strip."""


@dataclass(frozen=True, repr=False)
class FoldReport(_Folded, Rewrite[M]):
    """The report of fold."""

    def _lines(self) -> list[tuple[str, str]]:
        return [("folded", f"{self.folded} of {len(self.factors)} constant factors")]


@dataclass(frozen=True)
class Scale(Record):
    """A factor that inference needs."""

    value: str
    scale: float


@dataclass(frozen=True)
class Left(Record):
    """The number of parts of the result that still act."""

    dropouts: int
    frozen_masks: int
    random_operators: int
    unloadable_operators: int
    batchnorm: int


@dataclass(frozen=True)
class BatchNorm(Record):
    """A BatchNormalization that used batch statistics."""

    node: str
    action: str
    """infer, refuse."""
    why: str | None
    untrained: bool
    """True if its running mean is 0 and its variance 1: never trained, or lost by the exporter."""


@dataclass(frozen=True)
class Assumed(Record):
    """A mask that does not scale what it keeps."""

    value: str
    """What comes out of it."""
    scale: float
    """1-p, by which classic dropout multiplies at inference."""
    convention: str
    """What it was taken to mean."""


@dataclass(frozen=True, repr=False)
class StripReport(Rewrite[M]):
    """The report of strip."""

    sites: tuple[Site, ...] = field(metadata=_each(Site))
    """The dropouts that were found."""
    plan: tuple[Step, ...] = field(metadata=_each(Step))
    """The plan for each dropout."""
    removed: Removed = field(metadata=_one(Removed))
    masks: tuple[str, ...]
    """Masks in use, which are replaced by all true."""
    idle_inputs: tuple[str, ...]
    """Inputs that are no longer used."""
    convention: str
    """What dropout was taken to mean at inference."""
    assumed: tuple[Assumed, ...] = field(metadata=_each(Assumed))
    """Masks for which the convention matters."""
    batchnorm: tuple[BatchNorm, ...] = field(metadata=_each(BatchNorm))
    """What was done to each BatchNormalization that used batch statistics, if `batchnorm` was given."""
    scales: tuple[Scale, ...] = field(metadata=_each(Scale))
    """Factors that inference needs, which were inserted."""
    identities: tuple[Identity, ...] = field(metadata=_each(Identity))
    left: Left = field(metadata=_one(Left))
    fold: Fold | None = field(metadata=_one(Fold))
    """The fold that followed, if it was asked for."""

    def _lines(self) -> list[tuple[str, str]]:
        return [("removed", f"{self.removed.dropouts} of {len(self.sites)} dropout layers")]

    def _table(self) -> tuple[list[str], list[list[str]]]:
        return [*_SITE, "plan"], _steps(self.sites, self.plan)


@dataclass(frozen=True)
class Place(Step):
    """A place where dropout was inserted, or would be."""

    place: str
    data: str
    output: str
    rate: float
    seed: int | None
    shared_axes: tuple[int, ...] | None


@dataclass(frozen=True)
class Unplaced(Record):
    """A dropout of the model `like` that has no place in this one."""

    dropout: str
    """Its layer, or its node."""
    why: str


@dataclass(frozen=True, repr=False)
class InsertReport(Rewrite[M]):
    """The report of insert."""

    mode: str
    plan: tuple[Place, ...] = field(metadata=_each(Place))
    unplaced: tuple[Unplaced, ...] = field(metadata=_each(Unplaced))
    """Dropout of the model `like` that has no place in this one."""
    inserted: int
    switch: str | None
    """The input of the model that switches dropout, if one does."""
    added_input: bool
    """True if that input was added."""

    def _lines(self) -> list[tuple[str, str]]:
        return [("inserted", f"{self.inserted} dropout layers, {self.mode}")]

    def _table(self) -> tuple[list[str], list[list[str]]]:
        rows = [[f"{s.rate:g}", s.place, s.output, s.why or s.action] for s in self.plan]
        return ["rate", "place", "output", "plan"], rows


@dataclass(frozen=True)
class InsertSite(Record):
    """A place where dropout could be inserted."""

    value: str
    scope: str
    operator: str | None
    layer: str | None
    element: str | None
    shape: tuple[str, ...] | None
    preset: str | None
    """The preset that selects it."""
    rate: float
    left: str | None
    """The reason for not inserting dropout there."""
    shared_axes: tuple[int, ...] | None
    """The axes along which the mask would be shared."""


@dataclass(frozen=True)
class InsertSitesReport(Report):
    """The places where dropout could be inserted."""

    input: str
    sites: tuple[InsertSite, ...] = field(metadata=_each(InsertSite))

    def _rows(self) -> list[list[str]]:
        return [
            [s.preset or "-", f"{s.rate:g}", s.operator or "-", s.value, s.left or ""]
            for s in self.sites
        ]

    def __repr__(self) -> str:
        head = f"{self.input}: {len(self.sites)} places for dropout"
        return "\n".join([head, *(f"  {' '.join(row)}".rstrip() for row in self._rows())])

    def _repr_html_(self) -> str:
        head = ["preset", "rate", "operator", "value", "why not"]
        return _html.title(repr(self).splitlines()[0]) + _html.table(head, self._rows())


@dataclass(frozen=True, repr=False)
class SetReport(Rewrite[M]):
    """The report of set."""

    rate: float | None
    mode: str | None
    sites: tuple[Site, ...] = field(metadata=_each(Site))
    """The dropouts before the change."""
    plan: tuple[Step, ...] = field(metadata=_each(Step))
    changed: int
    switch: str | None
    """The input of the model that switches dropout, if one does."""
    added_input: bool
    """True if that input was added."""
    idle_inputs: tuple[str, ...]

    def _lines(self) -> list[tuple[str, str]]:
        return [("set", f"{self.changed} of {len(self.sites)} dropout layers")]

    def _table(self) -> tuple[list[str], list[list[str]]]:
        return [*_SITE, "plan"], _steps(self.sites, self.plan)


@dataclass(frozen=True)
class VerifyReport(Report):
    """What two models are to each other."""

    before: str
    after: str
    assumed: str | None
    """What the comparison assumes of dropout that is still active."""
    verdict: str
    """equal, different, not_shown."""
    why: str | None
    """Why the verdict is not equal."""
    verification: Verification = field(metadata=_one(Verification))

    @property
    def equal(self) -> bool:
        """True if both were shown to compute the same."""
        return self.verdict == "equal"

    def __repr__(self) -> str:
        return f"{self.verdict}: {self.verification!r}"

    def _repr_html_(self) -> str:
        return _html.title(f"{self.before}, {self.after}", self.verdict) + _html.pre(
            repr(self.verification)
        )


@dataclass(frozen=True)
class ReplayReport(Report):
    """What came of evidence that was shown again."""

    evidence: str
    before: str
    after: str
    verdict: str
    """equal, different, not_shown."""
    why: str | None
    """Why the verdict is not equal."""
    notes: tuple[str, ...]
    verification: Verification | None = field(metadata=_one(Verification))
    """What was found now; None if these are other models."""

    @property
    def equal(self) -> bool:
        """True if it is still shown."""
        return self.verdict == "equal"

    def __repr__(self) -> str:
        return self.verdict if self.why is None else f"{self.verdict}: {self.why}"


@dataclass(frozen=True)
class DiffReport(Report):
    """The report of diff."""

    before: str
    after: str
    verdict: str
    """identical_bytes, same_model, same_structure, different."""
    parts: str | None
    """Where the structures first diverge."""
    changes: tuple[Change, ...] = field(metadata=_each(Change))
    text: str = field(repr=False)
    """The differences as text, like the output of the command."""
    markdown: str = field(repr=False)
    """The differences as a Markdown table."""

    def __repr__(self) -> str:
        return self.text

    def _repr_html_(self) -> str:
        rows = [
            [c.change, c.part, c.name, c.what or "", c.before or "", c.after or ""]
            for c in self.changes
        ]
        head = ["change", "part", "name", "what", "before", "after"]
        return _html.title("", self.verdict) + _html.table(head, rows)


@dataclass(frozen=True)
class ShowReport(Report):
    """A model as text or as a picture; `str()` returns the output of the command."""

    format: str
    text: str = field(repr=False)

    def __str__(self) -> str:
        return self.text

    def __repr__(self) -> str:
        return self.text

    def _repr_html_(self) -> str:
        return self.text if self.format == "svg" else _html.pre(self.text)


@dataclass(frozen=True, eq=False)
class Classes(Record):
    """Statistics of an output as a classifier's."""

    numbers: str
    """The kind of numbers: probabilities, logits, and so on."""
    axis: int | None
    """The axis of the classes; None for a binary classifier."""
    count: int
    shape: tuple[int, ...]
    """The shape of the rows: that of the output without the axis of the classes."""
    mean: NDArray[np.float64]
    """The mean distribution, in the shape of the output."""
    entropy: NDArray[np.float64]
    """The entropy of the mean distribution, in nats."""
    top: NDArray[np.int64]
    """The most frequent top class."""
    agreement: NDArray[np.float64]
    """The share of runs with that top class."""
    deterministic_top: NDArray[np.int64] | None
    """The top class at inference."""
    accuracy: float | None
    """With labels: the share of rows whose top class is their label."""
    deterministic_accuracy: float | None
    """The same of the top class at inference."""


@dataclass(frozen=True, eq=False)
class Output(Record):
    """One output over all runs."""

    name: str
    element_type: str
    shape: tuple[int, ...]
    spread: float
    """The mean of the standard deviations of its elements."""
    mean: NDArray[np.float64]
    """The mean, in the shape of the output."""
    std: NDArray[np.float64]
    """The sample standard deviation, in the shape of the output."""
    deterministic: NDArray[np.float64] | None
    """The output at inference; None if that could not be run."""
    not_finite: int
    """The number of elements that were NaN or infinite in a run."""
    classes: Classes | None
    """Statistics as a classifier's, if it is one."""

    def __repr__(self) -> str:
        return f"<Output {self.name}{list(self.shape)}: std {self.spread:.4g} on average>"


@dataclass(frozen=True, eq=False)
class Sampling(Record):
    """The outputs at one rate."""

    rate: float | None
    """The rate of all dropout; None for the rates of the model."""
    outputs: tuple[Output, ...]

    def __getitem__(self, name: str) -> Output:
        """The output of this name."""
        for output in self.outputs:
            if output.name == name:
                return output
        raise KeyError(name)


@dataclass(frozen=True, eq=False)
class SiteSampling(Record):
    """The outputs with only one dropout on."""

    site: int
    """Its number in the sites of the report."""
    dropout: str
    """Its layer, or its node."""
    outputs: tuple[Output, ...]

    __getitem__ = Sampling.__getitem__


@dataclass(frozen=True, eq=False)
class SampleReport(Report):
    """The report of sample."""

    input: str
    sites: tuple[Site, ...] = field(metadata=_each(Site))
    runs: int
    seed: int
    mask_seed: int
    engine: str
    shapes: Mapping[str, list[int]]
    """The shape of each input."""
    random_inputs: tuple[str, ...]
    """Inputs with random data, because none was supplied."""
    chosen_dims: Mapping[str, int]
    notes: tuple[str, ...]
    samplings: tuple[Sampling, ...]
    """One for each rate; a single one without rates."""
    per_site: tuple[SiteSampling, ...]
    """One for each dropout that ran alone."""
    svg: str | None = field(repr=False)
    """A plot: of spread against rate, or a bar for each dropout that ran alone."""

    @classmethod
    def _with_figures(
        cls,
        text: str,
        figures: Sequence[Sequence[Mapping[str, bytes]]],
        per_site: Sequence[Sequence[Mapping[str, bytes]]],
        svg: str | None,
    ) -> SampleReport:
        """Created from a document and the figures of each output of each sampling."""
        document = json.loads(text)
        samplings = tuple(
            Sampling._read(at, outputs=tuple(map(_output, at["outputs"], of)))
            for at, of in zip(document["samplings"], figures)
        )
        alone = tuple(
            SiteSampling._read(at, outputs=tuple(map(_output, at["outputs"], of)))
            for at, of in zip(document["per_site"], per_site)
        )
        return cls._read(document, samplings=samplings, per_site=alone, svg=svg)

    @property
    def outputs(self) -> tuple[Output, ...]:
        """The outputs at the first rate."""
        return self.samplings[0].outputs

    def __getitem__(self, name: str) -> Output:
        """The output of this name at the first rate."""
        return self.samplings[0][name]

    def _rows(self) -> list[list[str]]:
        return [
            [
                "own" if at.rate is None else f"{at.rate:g}",
                f"{output.name}{list(output.shape)}",
                f"{output.spread:.4g}",
            ]
            for at in self.samplings
            for output in at.outputs
        ]

    def __repr__(self) -> str:
        head = f"{len(self.sites)} dropout layers, {self.runs} runs, seed {self.seed} ({self.engine})"
        rows = [f"  rate {rate}: {name} std {std} on average" for rate, name, std in self._rows()]
        return "\n".join([head, *rows])

    def _repr_html_(self) -> str:
        return _html.table(["rate", "output", "std on average"], self._rows()) + (self.svg or "")


def _output(document: Mapping[str, Any], figures: Mapping[str, bytes]) -> Output:
    """An output with its figures, as float64."""
    import numpy as np

    shape = tuple(document["shape"])
    classes = document["classes"]
    rows = shape if classes is None else tuple(classes["shape"])

    def array(name: str, shape: tuple[int, ...]) -> Any:
        data = figures.get(name)
        return None if data is None else np.frombuffer(data, np.float64).reshape(shape)

    def whole(numbers: Any) -> Any:
        return None if numbers is None else np.array(numbers, np.int64).reshape(rows)

    if classes is not None:
        classes = Classes._read(
            classes,
            mean=array("classes.mean", shape),
            entropy=array("entropy", rows),
            agreement=array("agreement", rows),
            top=whole(classes["top"]),
            deterministic_top=whole(classes["deterministic_top"]),
        )
    names = ("mean", "std", "deterministic")
    return Output._read(document, classes=classes, **{name: array(name, shape) for name in names})
