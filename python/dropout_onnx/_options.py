"""For type checkers: the options of the rewrites except for `model` and `out`, and what the native module
takes and gives."""

from __future__ import annotations

from typing import TYPE_CHECKING, Iterable, Literal, Mapping, Sequence, TypedDict, Union

if TYPE_CHECKING:
    from ._models import Fed, Feed, Model, Native, Path, Progress

Verify = Literal["all", "structure", "run", "none"]
Engine = Literal["auto", "tract", "ort"]
Words = Union[str, "Iterable[str]"]


class _Rewrite(TypedDict, total=False):
    in_place: bool
    force: bool
    dry_run: bool
    external_data: Literal["copy", "link"] | None
    sync: bool
    verify: Verify
    runs: int
    dim: Mapping[str, int] | None
    input: Feed
    rtol: float | None
    atol: float | None
    evidence: Path | None
    timeout: int | None
    memory_limit: int | str | None
    engine: Engine
    progress: Progress | None


class Strip(_Rewrite, total=False):
    """Of `strip`."""

    only: Words
    kind: Words
    convention: Literal["inverted", "classic", "identity"]
    batchnorm: bool
    prune_inputs: bool
    fold: bool
    allow_unmeasured: bool
    where: Words
    plan: Path | None
    strict: bool
    seed: int


class Fold(_Rewrite, total=False):
    """Of `fold`."""

    only: Literal["dropout"] | None
    at: Words
    seed: int


class Insert(_Rewrite, total=False):
    """Of `insert`."""

    rate: float | None
    mode: str
    mask_seed: int | None
    shared_axes: Iterable[int] | None
    mask_output: bool
    after: Words
    name: Words
    layer: Words
    preset: Words
    at: Words
    plan: Path | None
    like: Model | None
    from_: Path | None
    seed: int


class Set(_Rewrite, total=False):
    """Of `set`."""

    rate: float | None
    mode: str | None
    mask_seed: int | Literal["none"] | None
    where: Words
    seed: int


class Files(TypedDict):
    """Where a rewrite reads from and writes to."""

    model: Native
    out: Path | None
    in_place: bool
    force: bool
    dry_run: bool
    external_data: str | None
    evidence: Path | None
    sync: bool


class Limits(TypedDict):
    """How models are run, and the limits of the process that runs them."""

    program: str | None
    timeout: int | None
    memory_limit: int | str | None
    engine: str
    library: str | None


class How(TypedDict):
    """How a result is verified."""

    verify: str
    runs: int
    seed: int
    dim: dict[str, int]
    input: Sequence[Fed]
    rtol: float | None
    atol: float | None
    limits: Limits


class Choices(TypedDict):
    """What to insert, and where."""

    rate: float | None
    mode: str
    seed: int | None
    shared_axes: list[int] | None
    mask_output: bool
    after: list[str]
    name: list[str]
    layer: list[str]
    preset: list[str]
    at: list[str]
    plan: Path | None
    like: Native | None
    from_: Path | None


class Rewritten(TypedDict):
    """What a rewrite came to."""

    document: str
    written: str
    path: str | None
    data: bytes | None
