"""The commands as functions.

Reports are imported where they are created, because dataclasses are slow to import.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Iterable, Literal, Mapping, TypeVar, overload

from . import _native
from ._command import command, onnx_runtime
from ._errors import DifferentError, UsageError
from ._models import Feed, Labels, M, Model, P, Path, Progress, back, feed, given, words
from ._models import labels as true_classes
if TYPE_CHECKING:
    from typing_extensions import Unpack

    from . import _options
    from ._reports import (
        AuditReport,
        DiffReport,
        FoldReport,
        InsertReport,
        InsertSitesReport,
        ReplayReport,
        Rewrite,
        SampleReport,
        SetReport,
        ShowReport,
        StripReport,
        VerifyReport,
    )

_KINDS = ("dropout", "alpha_dropout", "gaussian_dropout")

W = TypeVar("W", bound="Rewrite[Any]")


def audit(
    *models: Model,
    select: str | Iterable[str] = (),
    allow: str | Iterable[str] = (),
    deny: str | Iterable[str] = (),
    read_weights: bool = False,
    source: Path | None = None,
    errors: Literal["raise", "report"] = "raise",
    progress: Progress | None = None,
) -> AuditReport:
    """Lists the dropout in models, and whether it is still active.

    Args:
        models: One or more models.
        select: Run only these rules; also `all`, `errors`, `warnings`, `notes`.
        allow: Disable these rules.
        deny: Report these rules as errors.
        read_weights: Read weights to look for zeros that a folded dropout left.
        source: The Keras model (`.keras`) that the model was exported from: `source` of its audit is what
            became of each dropout in it. Takes one model.
        errors: What to do with a model that cannot be audited: `raise`, or `report` it as the
            `error` of its entry, like the command.
        progress: Called with the step, the number of models done, and the total.

    Raises:
        UsageError: There are no models.
        DropoutOnnxError: A model cannot be read, or a rule is unknown.

    Examples:
        >>> import dropout_onnx as do
        >>> report = do.audit("model.onnx")
        >>> report.verdict, [site.rate for site in report.sites]
        ('active', [0.5, 0.5])
        >>> [model.verdict for model in do.audit("clean.onnx", "no.onnx", errors="report").models]
        ['clean', None]
    """
    if not models:
        raise UsageError("no model to audit: an audit of nothing has no verdict")
    if errors not in ("raise", "report"):
        raise ValueError(f"errors={errors!r}: expected 'raise' or 'report'")
    if source is not None and len(models) > 1:
        raise UsageError("source takes one model, which was exported from it")
    document = _native.audit(
        [given(model) for model in models],
        words(select),
        words(allow),
        words(deny),
        read_weights,
        source,
        errors == "raise",
        progress,
    )
    from ._reports import AuditReport

    return AuditReport._parse(document)


@overload
def strip(model: M, *, out: None = None, **options: Unpack[_options.Strip]) -> StripReport[M]: ...
@overload
def strip(model: Model, *, out: P, **options: Unpack[_options.Strip]) -> StripReport[P]: ...
def strip(
    model: Any,
    *,
    out: Path | None = None,
    in_place: bool = False,
    force: bool = False,
    dry_run: bool = False,
    external_data: Literal["copy", "link"] | None = None,
    sync: bool = True,
    only: str | Iterable[str] = (),
    kind: str | Iterable[str] = _KINDS,
    convention: Literal["inverted", "classic", "identity"] = "inverted",
    batchnorm: bool = False,
    prune_inputs: bool = False,
    fold: bool = False,
    allow_unmeasured: bool = False,
    where: str | Iterable[str] = (),
    strict: bool = False,
    verify: Literal["all", "structure", "run", "none"] = "all",
    runs: int = 3,
    seed: int = 0,
    dim: Mapping[str, int] | None = None,
    input: Feed = None,
    rtol: float | None = None,
    atol: float | None = None,
    evidence: Path | None = None,
    timeout: int | None = None,
    memory_limit: int | str | None = None,
    engine: Literal["auto", "tract", "ort"] = "auto",
    progress: Progress | None = None,
) -> StripReport[Any]:
    """Removes dropout for inference, and verifies that nothing else changed.

    The result is `model` of the report, of the same kind as the argument. For a path, it is a file
    next to it, `model.stripped.onnx`, or the path itself if there was nothing to strip.

    Args:
        model: The model.
        out: File to write.
        in_place: Replace the file with the result.
        force: Overwrite an existing file.
        dry_run: Write nothing.
        external_data: If `out` is in a different folder: `copy` or `link` external-data files too.
        sync: Wait until written files are on the disk (fsync); `False` for scratch.
        only: Remove only dropout of these modes: inert, frozen, runtime, active.
        kind: Kinds to remove: dropout, alpha_dropout, gaussian_dropout, gaussian_noise,
            frozen_mask, or all.
        convention: What dropout means at inference where the file does not declare it. Dropout
            operators are the identity (inverted, identity) or a product by 1-p (classic). A mask that
            does not scale what it keeps is a product by 1-p (inverted, classic) or the identity
            (identity: DropEdge, SpecAugment, token dropout).
        batchnorm: Let BatchNormalization that uses batch statistics use the running statistics.
        prune_inputs: Remove inputs that only dropout used.
        fold: Fold the scales that remain into the weights around them.
        allow_unmeasured: Accept masks that cannot be measured: structure and runs decide.
        where: Only dropout matching all pairs, such as `layer=encoder.*,mode=active`; several are
            alternatives.
        strict: Remove nothing if one of the selected dropouts cannot be removed. Without it, such a
            dropout is kept, with `action` `refuse` in the plan.
        verify: Compare the structure of both models, run both with tract, or do all or none.
        runs: Number of runs with random inputs.
        seed: Seed of the random inputs.
        dim: Sizes of symbolic dimensions, by name.
        input: Shapes or data of inputs.
        rtol: Relative tolerance; exact by default.
        atol: Absolute tolerance; exact by default.
        evidence: File for the evidence of the verification, which `replay` repeats.
        timeout: Time limit in seconds for loading a model, and for each run of it; by default 30, and
            4 for every MiB of the model, up to 300.
        memory_limit: Memory limit for running a model, in bytes or as `"8GiB"`; by default 2 GiB, and
            4 times the size of the model, but at most three quarters of the machine's.
        engine: The engine that runs models: `tract`, `ort` (ONNX Runtime, of the package
            `onnxruntime`), or `auto`: tract, and ONNX Runtime for what it cannot run.
        progress: Called with the step, the number of parts done, and the total.

    Raises:
        DifferentError: The result differs from the original.
        VerificationError: The result could not be verified.
        DropoutOnnxError: Any other error. Nothing is written.

    Examples:
        >>> report = do.strip("model.onnx")
        >>> print(report.model, report.removed.dropouts, report.verification.run.result)
        model.stripped.onnx 2 equal
    """
    done = _native.strip(
        _files(model, out, in_place, force, dry_run, external_data, evidence, sync),
        _how(verify, runs, seed, dim, input, rtol, atol, timeout, memory_limit, engine),
        words(only),
        words(kind),
        convention,
        batchnorm,
        prune_inputs,
        fold,
        allow_unmeasured,
        words(where),
        strict,
        progress,
    )
    from ._reports import StripReport

    return _rewritten(StripReport, model, out, done)


@overload
def fold(model: M, *, out: None = None, **options: Unpack[_options.Fold]) -> FoldReport[M]: ...
@overload
def fold(model: Model, *, out: P, **options: Unpack[_options.Fold]) -> FoldReport[P]: ...
def fold(
    model: Any,
    *,
    out: Path | None = None,
    in_place: bool = False,
    force: bool = False,
    dry_run: bool = False,
    external_data: Literal["copy", "link"] | None = None,
    sync: bool = True,
    only: Literal["dropout"] | None = None,
    at: str | Iterable[str] = (),
    verify: Literal["all", "structure", "run", "none"] = "all",
    runs: int = 3,
    seed: int = 0,
    dim: Mapping[str, int] | None = None,
    input: Feed = None,
    rtol: float | None = None,
    atol: float | None = None,
    evidence: Path | None = None,
    timeout: int | None = None,
    memory_limit: int | str | None = None,
    engine: Literal["auto", "tract", "ort"] = "auto",
    progress: Progress | None = None,
) -> FoldReport[Any]:
    """Folds constant factors, such as the scale of classic dropout, into the weights around them.

    Args:
        only: `dropout`: fold only factors that dropout left.
        at: Fold only the factors with these outputs or node names.

    The other arguments, the result and the errors are those of `strip`; a file is called
    `model.folded.onnx`.

    Examples:
        >>> classic = do.strip(open("model.onnx", "rb").read(), convention="classic").model
        >>> do.fold(classic).folded
        2
    """
    done = _native.fold(
        _files(model, out, in_place, force, dry_run, external_data, evidence, sync),
        _how(verify, runs, seed, dim, input, rtol, atol, timeout, memory_limit, engine),
        only,
        words(at),
        progress,
    )
    from ._reports import FoldReport

    return _rewritten(FoldReport, model, out, done)


@overload
def insert(model: M, *, out: None = None, **options: Unpack[_options.Insert]) -> InsertReport[M]: ...
@overload
def insert(model: Model, *, out: P, **options: Unpack[_options.Insert]) -> InsertReport[P]: ...
def insert(
    model: Any,
    *,
    out: Path | None = None,
    in_place: bool = False,
    force: bool = False,
    dry_run: bool = False,
    external_data: Literal["copy", "link"] | None = None,
    sync: bool = True,
    rate: float | None = None,
    mode: str = "inert",
    mask_seed: int | None = None,
    shared_axes: Iterable[int] | None = None,
    mask_output: bool = False,
    after: str | Iterable[str] = (),
    name: str | Iterable[str] = (),
    layer: str | Iterable[str] = (),
    preset: str | Iterable[str] = (),
    at: str | Iterable[str] = (),
    plan: Path | None = None,
    like: Model | None = None,
    from_: Path | None = None,
    verify: Literal["all", "structure", "run", "none"] = "all",
    runs: int = 3,
    seed: int = 0,
    dim: Mapping[str, int] | None = None,
    input: Feed = None,
    rtol: float | None = None,
    atol: float | None = None,
    evidence: Path | None = None,
    timeout: int | None = None,
    memory_limit: int | str | None = None,
    engine: Literal["auto", "tract", "ort"] = "auto",
    progress: Progress | None = None,
) -> InsertReport[Any]:
    """Inserts dropout, for fine-tuning or Monte Carlo dropout.

    Append a rate to a selector to override `rate`: `after="Relu=0.2"`.

    Args:
        rate: Probability to drop, for selectors without a rate.
        mode: Mode of the dropout: inert, active, or runtime[:NAME], which adds an optional input.
        mask_seed: Seed of the first dropout; the others get consecutive seeds.
        shared_axes: Share masks along these axes, for example [2, 3] for whole channels of images.
        mask_output: Give each Dropout its mask as a second output, which nothing uses: ONNX Runtime's
            training needs it.
        after: Outputs of nodes with these operators.
        name: Values with a matching name, and outputs of nodes with one.
        layer: Outputs of layers whose path matches.
        preset: Positions of a kind: head, conv, attention, residual, embedding, ffn, drop-path.
        at: The values with these names.
        plan: Read selectors from a TOML file.
        like: Where this model of the same architecture has dropout, with its rates, whatever the
            weights. What has no place is in `unplaced` of the report.
        from_: Where this Keras model (`.keras`), which the model was exported from, has dropout.
        seed: Seed of the random inputs of the verification.

    The other arguments, the result and the errors are those of `strip`; a file is called
    `model.dropout.onnx`.

    Examples:
        >>> report = do.insert("clean.onnx", preset="head", rate=0.3, mode="active")
        >>> print(report.model, report.inserted)
        clean.dropout.onnx 2
    """
    done = _native.insert(
        _files(model, out, in_place, force, dry_run, external_data, evidence, sync),
        _how(verify, runs, seed, dim, input, rtol, atol, timeout, memory_limit, engine),
        _choices(
            rate,
            mode,
            mask_seed,
            shared_axes,
            mask_output,
            after,
            name,
            layer,
            preset,
            at,
            plan,
            like,
            from_,
        ),
        progress,
    )
    from ._reports import InsertReport

    return _rewritten(InsertReport, model, out, done)


def insert_sites(
    model: Model,
    *,
    rate: float | None = None,
    after: str | Iterable[str] = (),
    name: str | Iterable[str] = (),
    layer: str | Iterable[str] = (),
    preset: str | Iterable[str] = (),
    at: str | Iterable[str] = (),
    plan: Path | None = None,
) -> InsertSitesReport:
    """Lists the positions that `insert` would select, with shapes and usual rates (`insert --sites`).

    The arguments are those of `insert`; without any, the usual positions are listed: those where
    networks that are built like this one have dropout.

    Examples:
        >>> [(site.preset, site.rate) for site in do.insert_sites("clean.onnx", preset="head").sites]
        [('head', 0.5), ('head', 0.5)]
    """
    choices = _choices(
        rate, "inert", None, None, False, after, name, layer, preset, at, plan, None
    )
    document = _native.insert_sites(given(model), choices)
    from ._reports import InsertSitesReport

    return InsertSitesReport._parse(document)


@overload
def set(model: M, *, out: None = None, **options: Unpack[_options.Set]) -> SetReport[M]: ...
@overload
def set(model: Model, *, out: P, **options: Unpack[_options.Set]) -> SetReport[P]: ...
def set(
    model: Any,
    *,
    out: Path | None = None,
    in_place: bool = False,
    force: bool = False,
    dry_run: bool = False,
    external_data: Literal["copy", "link"] | None = None,
    sync: bool = True,
    rate: float | None = None,
    mode: str | None = None,
    mask_seed: int | Literal["none"] | None = None,
    where: str | Iterable[str] = (),
    verify: Literal["all", "structure", "run", "none"] = "all",
    runs: int = 3,
    seed: int = 0,
    dim: Mapping[str, int] | None = None,
    input: Feed = None,
    rtol: float | None = None,
    atol: float | None = None,
    evidence: Path | None = None,
    timeout: int | None = None,
    memory_limit: int | str | None = None,
    engine: Literal["auto", "tract", "ort"] = "auto",
    progress: Progress | None = None,
) -> SetReport[Any]:
    """Changes the rate, mode or seed of existing dropout.

    Args:
        rate: New probability to drop.
        mode: New mode: inert, active, or runtime[:NAME], which adds an optional input.
        mask_seed: New seed of the first dropout, the others get consecutive seeds; or `none`.
        where: Only dropout matching all pairs, such as `layer=encoder.*,mode=active`; several
            selectors are alternatives.
        seed: Seed of the random inputs of the verification.

    The other arguments, the result and the errors are those of `strip`; a file is called
    `model.set.onnx`.

    Examples:
        >>> do.set("model.onnx", rate=0.1, where="layer=2").changed
        1
    """
    done = _native.set(
        _files(model, out, in_place, force, dry_run, external_data, evidence, sync),
        _how(verify, runs, seed, dim, input, rtol, atol, timeout, memory_limit, engine),
        rate,
        mode,
        None if mask_seed is None else str(mask_seed),
        words(where),
        progress,
    )
    from ._reports import SetReport

    return _rewritten(SetReport, model, out, done)


def verify(
    before: Model,
    after: Model,
    *,
    outputs: Literal["by-name", "by-position"] = "by-name",
    verify: Literal["all", "structure", "run"] = "all",
    runs: int = 3,
    seed: int = 0,
    dim: Mapping[str, int] | None = None,
    input: Feed = None,
    rtol: float | None = None,
    atol: float | None = None,
    evidence: Path | None = None,
    timeout: int | None = None,
    memory_limit: int | str | None = None,
    engine: Literal["auto", "tract", "ort"] = "auto",
    progress: Progress | None = None,
) -> VerifyReport:
    """Compares two models by structure, and by running both with tract on the same inputs.

    Dropout is treated as in inference in both models. The arguments are those of `strip`, and `outputs`:
    compare outputs of the same name, or at the same position.

    Equal outputs do not show equal models if the runs do not reach a constant, a row, a side or a branch
    that differs: the verdict is then `not_shown`, unless `verify="run"` only compares outputs.

    Raises:
        DropoutOnnxError: A model cannot be read, or the options do not fit it.

    Examples:
        >>> do.verify("model.onnx", "clean.onnx").verdict
        'equal'
    """
    how = _how(verify, runs, seed, dim, input, rtol, atol, timeout, memory_limit, engine)
    document = _native.verify(given(before), given(after), outputs, how, evidence, progress)
    from ._reports import VerifyReport

    return VerifyReport._parse(document)


def replay(
    evidence: Path,
    before: Model | None = None,
    after: Model | None = None,
    *,
    input: Feed = None,
    timeout: int | None = None,
    memory_limit: int | str | None = None,
    engine: str = "auto",
    progress: Progress | None = None,
) -> ReplayReport:
    """Shows again what a document is evidence of (`verify --replay`).

    The verdict is `equal` if it is still shown, and `different` if a model is not that of the evidence or
    something else is found.

    Args:
        evidence: The document, written by `evidence=` of the other functions.
        before: The original; the file that the document names by default.
        after: The result; the file that the document names by default.
        input: Shapes or data of inputs, in place of those of the document. Arrays have to be passed
            again.
        timeout: Time limit in seconds, as in `strip`.
        memory_limit: Memory limit, as in `strip`.
        engine: What may run the models, as in `strip`.
        progress: Called with the step, the number of parts done, and the total.

    Raises:
        DropoutOnnxError: A file cannot be read, or the document is no evidence.

    Examples:
        >>> report = do.strip("model.onnx", evidence="evidence.json")
        >>> do.replay("evidence.json").verdict
        'equal'
    """
    models = [None if model is None else given(model) for model in (before, after)]
    limits = _limits(timeout, memory_limit, engine)
    document = _native.replay(evidence, models[0], models[1], feed(input), limits, progress)
    from ._reports import ReplayReport

    return ReplayReport._parse(document)


def sample(
    model: Model,
    *,
    runs: int = 100,
    seed: int = 0,
    mask_seed: int | None = None,
    rates: Iterable[float] = (),
    classes: str | Iterable[str] = (),
    labels: Labels = None,
    per_site: bool = False,
    dim: Mapping[str, int] | None = None,
    input: Feed = None,
    timeout: int | None = None,
    memory_limit: int | str | None = None,
    engine: Literal["auto", "tract", "ort"] = "auto",
    progress: Progress | None = None,
) -> SampleReport:
    """Runs a model many times with dropout on, and reports mean and spread of its outputs as arrays.

    This is Monte Carlo dropout (Gal & Ghahramani 2016). Dropout is made active in a copy in memory.

    Args:
        model: The model.
        runs: Number of runs, at each rate.
        seed: Seed of the random inputs.
        mask_seed: Seed of the masks; by default that of the inputs.
        rates: Set all dropout to each of these rates in turn.
        classes: How to read outputs as a classifier's: `OUTPUT=HOW` or `OUTPUT=HOW@AXIS`, like
            `--classes`.
        labels: True classes of the rows of a classifier's output, as an array or a `.npy` file, for its
            accuracy; of several classifiers a mapping from their names.
        per_site: Also run each dropout alone; with at most one of `rates`.
        dim: Sizes of symbolic dimensions, by name.
        input: Shapes or data of inputs.
        timeout: Time limit in seconds for loading the model, and for each run of it; by default 30, and
            4 for every MiB of the model, up to 300.
        memory_limit: Memory limit for running it, in bytes or as `"8GiB"`; by default 2 GiB, and 4 times
            the size of the model, but at most three quarters of the machine's.
        engine: The engine that runs the model, as for `strip`.
        progress: Called with the step, the number of runs done, and the total.

    Raises:
        DropoutOnnxError: The model has no dropout, or cannot be run.

    Examples:
        >>> report = do.sample("model.onnx", runs=20, seed=7, dim={"batch": 4})
        >>> report.outputs[0].std.shape
        (4, 10)
    """
    text, figures, per_site_figures, svg = _native.sample(
        given(model),
        runs,
        seed,
        mask_seed,
        list(rates),
        words(classes),
        true_classes(labels),
        per_site,
        dict(dim or {}),
        feed(input),
        _limits(timeout, memory_limit, engine),
        progress,
    )
    from ._reports import SampleReport

    return SampleReport._with_figures(text, figures, per_site_figures, svg)


def show(
    model: Model,
    *,
    format: Literal["text", "json", "dot", "svg"] = "text",
    anonymous: bool = False,
    no_hash: bool = False,
    strict: bool = False,
) -> ShowReport:
    """Returns a model as stable text, for snapshots and for reading, or as a picture.

    Args:
        model: The model.
        format: text, json, dot (Graphviz) or svg (the graph around each dropout).
        anonymous: Omit the names of values, nodes and graphs.
        no_hash: Omit the hashes of weights, and do not read them.
        strict: With `anonymous` and `no_hash`, keep details that do not affect the result: the
            producer's version, declared types of intermediate values, attributes at their defaults.

    Examples:
        >>> do.show("model.onnx").text.splitlines()[0]
        'dropout-onnx show 1'
    """
    text, document = _native.show(given(model), format, anonymous, no_hash, strict)
    from ._reports import ShowReport

    return ShowReport._parse(document, format=format, text=text)


def diff(before: Model, after: Model, *, progress: Progress | None = None) -> DiffReport:
    """Lists the changes between two models, by name: nodes, weights, inputs and outputs.

    Args:
        before: Original model.
        after: Changed model.
        progress: Called with the step, the number of parts done, and the total.

    Examples:
        >>> do.diff("model.onnx", "clean.onnx").verdict
        'same_structure'
    """
    document, text, markdown = _native.diff(given(before), given(after), progress)
    from ._reports import DiffReport

    return DiffReport._parse(document, text=text, markdown=markdown)


def _files(
    model: Any,
    out: Path | None,
    in_place: bool,
    force: bool,
    dry_run: bool,
    external_data: str | None,
    evidence: Path | None,
    sync: bool,
) -> _options.Files:
    return {
        "model": given(model),
        "out": out,
        "in_place": in_place,
        "force": force,
        "dry_run": dry_run,
        "external_data": external_data,
        "evidence": evidence,
        "sync": sync,
    }


def _how(
    verify: str,
    runs: int,
    seed: int,
    dim: Mapping[str, int] | None,
    input: Feed,
    rtol: float | None,
    atol: float | None,
    timeout: int | None,
    memory_limit: int | str | None,
    engine: str,
) -> _options.How:
    return {
        "verify": verify,
        "runs": runs,
        "seed": seed,
        "dim": dict(dim or {}),
        "input": feed(input),
        "rtol": rtol,
        "atol": atol,
        "limits": _limits(timeout, memory_limit, engine),
    }


def _limits(timeout: int | None, memory_limit: int | str | None, engine: str) -> _options.Limits:
    return {
        "program": command(),
        "timeout": timeout,
        "memory_limit": memory_limit,
        "engine": engine,
        "library": onnx_runtime(),
    }


def _choices(
    rate: float | None,
    mode: str,
    seed: int | None,
    shared_axes: Iterable[int] | None,
    mask_output: bool,
    after: str | Iterable[str],
    name: str | Iterable[str],
    layer: str | Iterable[str],
    preset: str | Iterable[str],
    at: str | Iterable[str],
    plan: Path | None,
    like: Model | None,
    from_: Path | None = None,
) -> _options.Choices:
    return {
        "rate": rate,
        "mode": mode,
        "seed": seed,
        "shared_axes": None if shared_axes is None else list(shared_axes),
        "mask_output": mask_output,
        "after": words(after),
        "name": words(name),
        "layer": words(layer),
        "preset": words(preset),
        "at": words(at),
        "plan": plan,
        "like": None if like is None else given(like),
        "from_": from_,
    }


def _rewritten(kind: type[W], model: Any, out: Path | None, done: _options.Rewritten) -> W:
    written = done["written"]
    result = model if written == "untouched" else None
    if written == "yes":
        result = back(model, out, done["path"], done["data"])
    report = kind._parse(done["document"], model=result)
    if written == "different":
        name = None if report.input == "-" else report.input
        why = f"the result is not the original, so nothing was written: {report.verification!r}"
        error = DifferentError(f"{name}: {why}" if name else why, file=name)
        error.report = report
        raise error
    return report
