"""The library. Use the functions of `dropout_onnx`, which call these."""

from typing import Optional, Sequence

from ._models import Fed, Native, Path, Progress
from ._options import Choices, Files, How, Limits, Rewritten

__all__ = [
    "__version__",
    "_panic",
    "audit",
    "diff",
    "fold",
    "insert",
    "insert_sites",
    "replay",
    "sample",
    "set",
    "show",
    "strip",
    "verify",
]
__version__: str

def audit(
    models: list[Native],
    select: list[str],
    allow: list[str],
    deny: list[str],
    read_weights: bool,
    source: Optional[Path],
    raises: bool,
    progress: Optional[Progress],
) -> str: ...
def strip(
    files: Files,
    verify: How,
    only: list[str],
    kind: list[str],
    convention: str,
    batchnorm: bool,
    prune_inputs: bool,
    fold: bool,
    allow_unmeasured: bool,
    where: list[str],
    strict: bool,
    progress: Optional[Progress],
) -> Rewritten: ...
def fold(
    files: Files, verify: How, only: Optional[str], at: list[str], progress: Optional[Progress]
) -> Rewritten: ...
def insert(
    files: Files, verify: How, choices: Choices, progress: Optional[Progress]
) -> Rewritten: ...
def insert_sites(model: Native, choices: Choices) -> str: ...
def set(
    files: Files,
    verify: How,
    rate: Optional[float],
    mode: Optional[str],
    seed: Optional[str],
    where: list[str],
    progress: Optional[Progress],
) -> Rewritten: ...
def verify(
    before: Native,
    after: Native,
    outputs: str,
    how: How,
    evidence: Optional[Path],
    progress: Optional[Progress],
) -> str: ...
def replay(
    evidence: Path,
    before: Optional[Native],
    after: Optional[Native],
    input: Sequence[Fed],
    limits: Limits,
    progress: Optional[Progress],
) -> str: ...
def sample(
    model: Native,
    runs: int,
    seed: int,
    mask_seed: Optional[int],
    rates: list[float],
    classes: list[str],
    labels: Sequence[Fed],
    per_site: bool,
    dim: dict[str, int],
    input: Sequence[Fed],
    limits: Limits,
    progress: Optional[Progress],
) -> tuple[
    str, list[list[dict[str, bytes]]], list[list[dict[str, bytes]]], Optional[str]
]: ...
def show(
    model: Native, format: str, anonymous: bool, no_hash: bool, strict: bool
) -> tuple[str, str]: ...
def diff(
    before: Native, after: Native, progress: Optional[Progress]
) -> tuple[str, str, str]: ...
def _panic() -> None: ...
