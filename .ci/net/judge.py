"""Strips a generated model and says what became of it."""

from dataclasses import dataclass, field
from itertools import combinations
from pathlib import Path

import onnx

from .evaluate import Trained, close, feed
from .generate import case

RUNS = 3
RIGHT, LEFT, REFUSED, WRONG = "right", "left alone", "refused", "WRONG"


@dataclass
class Outcome:
    """`stays` has the dropouts that are still there, by number."""

    seed: int
    verdict: str
    why: str = ""
    sites: list = field(default_factory=list)
    near: list = field(default_factory=list)
    stays: tuple = ()


def outputs(model, feeds):
    trained = Trained(model)
    return [trained(given, number) for number, given in enumerate(feeds)]


def same(expected, found):
    return all(map(close, expected, found))


def forms(number):
    """Which dropouts stay: none, each one alone, each two, …, all."""
    for size in range(min(number, 6) + 1):
        yield from combinations(range(number), size)


def compared(one, result, seed):
    """The dropouts that the result still has, or None if it computes none of the forms."""
    feeds = [feed(one.model, number, one.sizes) for number in range(RUNS)]
    found = outputs(result, feeds)
    for stays in forms(len(one.sites)):
        if same(outputs(case(seed, frozenset(stays)).model, feeds), found):
            return stays
    return None


def judge(strip, seed, folder):
    """The outcome of one model; `strip` takes two paths and returns an exit status and a text."""
    one = case(seed)
    before, after = Path(folder) / f"{seed}.onnx", Path(folder) / f"{seed}.stripped.onnx"
    onnx.save(one.model, before)
    code, text = strip(before, after)
    outcome = Outcome(seed, RIGHT, "", one.sites, one.near)
    if code == 2:
        outcome.verdict, outcome.why = REFUSED, text
    elif code != 0:
        outcome.verdict = WRONG
        outcome.why = f"exit {code}: {text}"
    else:
        judge_result(outcome, one, after)
    for path in (before, after):
        if path.exists():
            path.unlink()
    return outcome


def judge_result(outcome, one, after):
    try:
        result = onnx.load(after)
        onnx.checker.check_model(result, full_check=True)
        stays = compared(one, result, outcome.seed)
    except Exception as error:
        outcome.verdict = WRONG
        outcome.why = f"the result: {type(error).__name__}: {' '.join(str(error).split())[:200]}"
        return
    if stays is None:
        outcome.verdict, outcome.why = WRONG, "the result computes another function"
    elif stays:
        outcome.verdict, outcome.stays = LEFT, stays
