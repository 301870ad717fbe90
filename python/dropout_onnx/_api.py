"""The commands as functions.

What they report is imported where it is made: dataclasses take longer to import than all else here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Iterable, Literal, Mapping, TypeVar, overload

from . import _native
from ._command import command
from ._errors import DifferentError, UsageError
from ._models import Feed, M, Model, P, Path, Progress, back, feed, given, words
if TYPE_CHECKING:
    from typing_extensions import Unpack

    from . import _options
    from ._reports import (
        AuditReport,
        DiffReport,
        FoldReport,
        InsertReport,
        InsertSitesReport,
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
    errors: Literal["raise", "report"] = "raise",
    progress: Progress | None = None,
) -> AuditReport:
    """Lists the dropout in models, and says whether it still acts.

    Args:
        models: One model or more.
        select: Leave out all rules but these; also `all`, `errors`, `warnings`, `notes`.
        allow: Leave these rules out.
        deny: Make what these rules find an error.
        errors: Of a model that cannot be audited: `raise`, or `report` it as the `error` of its
            entry, as the command does.
        progress: Called with what is being done, how many models are done, and of how many.

    Raises:
        UsageError: No model was given.
        DropoutOnnxError: A model cannot be read, or there is no such rule.
    """
    if not models:
        raise UsageError("no model to audit: an audit of nothing has no verdict")
    if errors not in ("raise", "report"):
        raise ValueError(f"errors={errors!r}: it is 'raise' or 'report'")
    document = _native.audit(
        [given(model) for model in models],
        words(select),
        words(allow),
        words(deny),
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
    only: str | Iterable[str] = (),
    kind: str | Iterable[str] = _KINDS,
    convention: Literal["inverted", "classic"] = "inverted",
    fold: bool = False,
    verify: Literal["all", "structure", "run", "none"] = "all",
    runs: int = 3,
    seed: int = 0,
    dim: Mapping[str, int] | None = None,
    input: Feed = None,
    rtol: float | None = None,
    atol: float | None = None,
    timeout: int = 300,
    memory_limit: int | str | None = None,
    progress: Progress | None = None,
) -> StripReport[Any]:
    """Removes dropout for inference, and proves that nothing else changed.

    The result is the report's `model`: of the kind that was given. Of a path, that is a file beside
    it, `model.stripped.onnx`.

    Args:
        model: The model.
        out: Where the result goes, as a file.
        in_place: Replace the file by the result.
        force: Overwrite a file that exists.
        dry_run: Write nothing.
        external_data: When `out` is in another folder: `copy` or `link` files of weights there.
        only: Remove only sites of these modes: inert, frozen, runtime, active.
        kind: Remove these kinds: dropout, alpha_dropout, gaussian_dropout, gaussian_noise,
            frozen_mask, or all.
        convention: What Dropout operators do at inference: nothing (inverted), or scale by 1-p
            (classic).
        fold: Fold the scales that stay into the weights around them.
        verify: Compare the structure of both models, run both with tract, do all or none.
        runs: Runs with random inputs.
        seed: Seed of the random inputs.
        dim: Sizes of symbolic dimensions, by name.
        input: What inputs are fed.
        rtol: Let outputs differ by this much, relative to their size; bit for bit if not given.
        atol: Let outputs differ by this much.
        timeout: Time limit in seconds for loading a model, and for each run of it.
        memory_limit: Memory limit for running a model, in bytes or as `"8GiB"`; three quarters of the
            machine's if not given.
        progress: Called with what is being done, how many steps are done, and of how many.

    Raises:
        DifferentError: The result was shown to be another model.
        VerificationError: It was not shown to be the same.
        DropoutOnnxError: Anything else. Nothing is written then.
    """
    done = _native.strip(
        _files(model, out, in_place, force, dry_run, external_data),
        _how(verify, runs, seed, dim, input, rtol, atol, timeout, memory_limit),
        words(only),
        words(kind),
        convention,
        fold,
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
    only: Literal["dropout"] | None = None,
    at: str | Iterable[str] = (),
    verify: Literal["all", "structure", "run", "none"] = "all",
    runs: int = 3,
    seed: int = 0,
    dim: Mapping[str, int] | None = None,
    input: Feed = None,
    rtol: float | None = None,
    atol: float | None = None,
    timeout: int = 300,
    memory_limit: int | str | None = None,
    progress: Progress | None = None,
) -> FoldReport[Any]:
    """Folds constant factors, such as the scale that dropout leaves, into the weights around them.

    Args:
        only: `dropout`: fold only what dropout left.
        at: Fold only the factors that make these values, or whose nodes have these names.

    The other arguments, the result and the errors are those of `strip`; a file is called
    `model.folded.onnx`.
    """
    done = _native.fold(
        _files(model, out, in_place, force, dry_run, external_data),
        _how(verify, runs, seed, dim, input, rtol, atol, timeout, memory_limit),
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
    rate: float | None = None,
    mode: str = "inert",
    seed: int | None = None,
    shared_axes: Iterable[int] | None = None,
    after: str | Iterable[str] = (),
    name: str | Iterable[str] = (),
    layer: str | Iterable[str] = (),
    preset: str | Iterable[str] = (),
    at: str | Iterable[str] = (),
    plan: Path | None = None,
    verify: Literal["all", "structure", "run", "none"] = "all",
    runs: int = 3,
    verify_seed: int = 0,
    dim: Mapping[str, int] | None = None,
    input: Feed = None,
    rtol: float | None = None,
    atol: float | None = None,
    timeout: int = 300,
    memory_limit: int | str | None = None,
    progress: Progress | None = None,
) -> InsertReport[Any]:
    """Puts dropout in, for fine-tuning or Monte-Carlo runs.

    Selectors may have a rate of their own behind them: `after="Relu=0.2"`.

    Args:
        rate: The probability to drop, where a selector has none of its own.
        mode: Whether it acts: inert, active, or runtime[:NAME], which adds an optional input.
        seed: Seed of the first dropout; the others have those that follow.
        shared_axes: Share masks along these axes, [2, 3] for whole channels of images.
        after: Values that operators of this type make.
        name: Values, or what nodes make, whose name matches.
        layer: What layers hand on whose path matches.
        preset: Usual positions: head, conv, attention, residual, embedding.
        at: Exactly these values.
        plan: Choices from a TOML file.
        verify_seed: Seed of the random inputs of the verification.

    The other arguments, the result and the errors are those of `strip`; a file is called
    `model.dropout.onnx`.
    """
    done = _native.insert(
        _files(model, out, in_place, force, dry_run, external_data),
        _how(verify, runs, verify_seed, dim, input, rtol, atol, timeout, memory_limit),
        _choices(rate, mode, seed, shared_axes, after, name, layer, preset, at, plan),
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
    """Lists what `insert` would choose, with shapes and usual rates (`insert --sites`).

    The arguments are those of `insert`; without any, all that the presets know is listed.
    """
    choices = _choices(rate, "inert", None, None, after, name, layer, preset, at, plan)
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
    rate: float | None = None,
    mode: str | None = None,
    seed: int | Literal["none"] | None = None,
    where: str | Iterable[str] = (),
    verify: Literal["all", "structure", "run", "none"] = "all",
    runs: int = 3,
    verify_seed: int = 0,
    dim: Mapping[str, int] | None = None,
    input: Feed = None,
    rtol: float | None = None,
    atol: float | None = None,
    timeout: int = 300,
    memory_limit: int | str | None = None,
    progress: Progress | None = None,
) -> SetReport[Any]:
    """Changes the rate, the mode or the seed of dropout that is there.

    Args:
        rate: The new probability to drop.
        mode: Whether it acts: inert, active, or runtime[:NAME], which adds an optional input.
        seed: Seed of the first dropout, the others have those that follow; or `none`.
        where: Only dropout of which all of this holds: `layer=encoder.*,mode=active`. Of several,
            any.
        verify_seed: Seed of the random inputs of the verification.

    The other arguments, the result and the errors are those of `strip`; a file is called
    `model.set.onnx`.
    """
    done = _native.set(
        _files(model, out, in_place, force, dry_run, external_data),
        _how(verify, runs, verify_seed, dim, input, rtol, atol, timeout, memory_limit),
        rate,
        mode,
        None if seed is None else str(seed),
        words(where),
        progress,
    )
    from ._reports import SetReport

    return _rewritten(SetReport, model, out, done)


def verify(
    before: Model,
    after: Model,
    *,
    verify: Literal["all", "structure", "run"] = "all",
    runs: int = 3,
    seed: int = 0,
    dim: Mapping[str, int] | None = None,
    input: Feed = None,
    rtol: float | None = None,
    atol: float | None = None,
    timeout: int = 300,
    memory_limit: int | str | None = None,
    progress: Progress | None = None,
) -> VerifyReport:
    """Compares two models: by structure, and by running both with tract on the same inputs.

    Dropout is treated as in inference in both models. The arguments are those of `strip`.

    Equal outputs do not show equal models where a constant, a branch or the order of outputs differs,
    as random inputs may not reach the difference: the verdict is then `not_shown`, unless
    `verify="run"` asks for the outputs alone.

    Raises:
        DropoutOnnxError: A model cannot be read, or the options do not fit it.
    """
    how = _how(verify, runs, seed, dim, input, rtol, atol, timeout, memory_limit)
    document = _native.verify(given(before), given(after), how, progress)
    from ._reports import VerifyReport

    return VerifyReport._parse(document)


def sample(
    model: Model,
    *,
    runs: int = 100,
    seed: int = 0,
    rates: Iterable[float] = (),
    classes: str | Iterable[str] = (),
    dim: Mapping[str, int] | None = None,
    input: Feed = None,
    timeout: int = 300,
    memory_limit: int | str | None = None,
    progress: Progress | None = None,
) -> SampleReport:
    """Runs a model many times with its dropout on: mean and spread of its outputs, as arrays.

    Monte-Carlo dropout (Gal & Ghahramani 2016). All dropout acts, in a copy in memory.

    Args:
        model: The model.
        runs: Runs, at every rate.
        seed: Seed of the masks, and of inputs that are not given.
        rates: Set every dropout to these rates, one after the other.
        classes: What outputs tell of classes, where their numbers do not say: `OUTPUT=HOW` or
            `OUTPUT=HOW@AXIS`, as `--classes`.
        dim: Sizes of symbolic dimensions, by name.
        input: What inputs are fed.
        timeout: Time limit in seconds for loading the model, and for each run of it.
        memory_limit: Memory limit for running it, in bytes or as `"8GiB"`; three quarters of the
            machine's if not given.
        progress: Called with what is being done, how many runs are done, and of how many.

    Raises:
        DropoutOnnxError: There is no dropout in the model, or it cannot be run.
    """
    text, figures, svg = _native.sample(
        given(model),
        runs,
        seed,
        list(rates),
        words(classes),
        dict(dim or {}),
        feed(input),
        _limits(timeout, memory_limit),
        progress,
    )
    from ._reports import SampleReport

    return SampleReport._with_figures(text, figures, svg)


def show(
    model: Model,
    *,
    format: Literal["text", "json", "dot", "svg"] = "text",
    anonymous: bool = False,
    no_hash: bool = False,
) -> ShowReport:
    """A model as stable text, for snapshots and for reading; or as a picture.

    Args:
        model: The model.
        format: text, json, dot (Graphviz) or svg (the graph around each dropout).
        anonymous: Leave names of values, nodes and graphs away.
        no_hash: Do not read large weights.
    """
    text, document = _native.show(given(model), format, anonymous, no_hash)
    from ._reports import ShowReport

    return ShowReport._parse(document, format=format, text=text)


def diff(
    before: Model, after: Model, *, values: bool = False, progress: Progress | None = None
) -> DiffReport:
    """Says what changed between two models: nodes, weights, inputs and outputs, by name.

    Args:
        before: The model before.
        after: The model after.
        values: Say by how much numbers of weights differ.
        progress: Called with what is being done, how many steps are done, and of how many.
    """
    document, text, markdown = _native.diff(given(before), given(after), values, progress)
    from ._reports import DiffReport

    return DiffReport._parse(document, text=text, markdown=markdown)


def _files(
    model: Any,
    out: Path | None,
    in_place: bool,
    force: bool,
    dry_run: bool,
    external_data: str | None,
) -> _options.Files:
    return {
        "model": given(model),
        "out": out,
        "in_place": in_place,
        "force": force,
        "dry_run": dry_run,
        "external_data": external_data,
    }


def _how(
    verify: str,
    runs: int,
    seed: int,
    dim: Mapping[str, int] | None,
    input: Feed,
    rtol: float | None,
    atol: float | None,
    timeout: int,
    memory_limit: int | str | None,
) -> _options.How:
    return {
        "verify": verify,
        "runs": runs,
        "seed": seed,
        "dim": dict(dim or {}),
        "input": feed(input),
        "rtol": rtol,
        "atol": atol,
        "limits": _limits(timeout, memory_limit),
    }


def _limits(timeout: int, memory_limit: int | str | None) -> _options.Limits:
    return {"program": command(), "timeout": timeout, "memory_limit": memory_limit}


def _choices(
    rate: float | None,
    mode: str,
    seed: int | None,
    shared_axes: Iterable[int] | None,
    after: str | Iterable[str],
    name: str | Iterable[str],
    layer: str | Iterable[str],
    preset: str | Iterable[str],
    at: str | Iterable[str],
    plan: Path | None,
) -> _options.Choices:
    return {
        "rate": rate,
        "mode": mode,
        "seed": seed,
        "shared_axes": None if shared_axes is None else list(shared_axes),
        "after": words(after),
        "name": words(name),
        "layer": words(layer),
        "preset": words(preset),
        "at": words(at),
        "plan": plan,
    }


def _rewritten(kind: type[W], model: Any, out: Path | None, done: _options.Rewritten) -> W:
    written = done["written"]
    result = None
    if written in ("yes", "untouched"):
        result = back(model, out, done["path"], done["data"])
    report = kind._parse(done["document"], model=result)
    if written == "different":
        name = None if report.input == "-" else report.input
        why = f"the result is not the original, so nothing was written: {report.verification!r}"
        error = DifferentError(f"{name}: {why}" if name else why, file=name)
        error.report = report
        raise error
    return report
