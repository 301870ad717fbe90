#!/usr/bin/env python3
"""Judges `dropout-onnx strip` on generated models whose inference form is known.

    .ci/generated.py target/debug/dropout-onnx                       2,000 models
    .ci/generated.py target/debug/dropout-onnx --models 100000 --seed 7000000
    .ci/generated.py target/debug/dropout-onnx --only 1234           one model, in detail
    .ci/generated.py --self-test                                     show that the judge can fail

Model N is made from seed N alone (net/generate.py): layers, dropout in many spellings and places, and
near misses that look like dropout and are not. It is built three times: as it is in training, as it is
at inference, and, when needed, with some of its dropouts in either form. After `strip` with default
options, all of them are run by an evaluator of their own (net/evaluate.py) with the same draws.

    right       the result computes the inference form; near misses draw as before
    left alone  some dropouts are still there as they were, and everything else is right
    refused     exit status 2: counted, by reason
    WRONG       anything else: another function, exit status 1 ("different"), a crash; the model is kept

Only WRONG is a failure. Needs .ci/requirements.txt.
"""

import argparse
import re
import sys
import tempfile
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

import onnx

from judges.tool import Tool
from net import fakes, means
from net.generate import case
from net.judge import LEFT, REFUSED, RIGHT, WRONG, judge


SECONDS = 5  # for one run by the engine: a model that it does not run within that is not run


def strip(binary, before, after):
    said = Tool(binary).run("strip", before, after, "--timeout", SECONDS)
    if said.crashed and said.code in (0, 1, 2):
        return 101, said.last_line
    return said.code, said.last_line


def judge_seeds(binary, seeds):
    """A chunk of seeds, in a worker."""
    with tempfile.TemporaryDirectory() as folder:
        return [judge(partial(strip, binary), seed, folder) for seed in seeds]


def reason(text):
    """A refusal without names and numbers."""
    text = re.sub(r"^error: \S+\.onnx: ", "", text)
    return re.sub(r"\d+(\.\d+)?", "N", re.sub(r"`[^`]*`", "`…`", text))[:150]


def told(outcomes):
    """Prints what was found; the number of models that are wrong."""
    verdicts = Counter(one.verdict for one in outcomes)
    sites = Counter(spelling for one in outcomes for spelling in one.sites)
    left = Counter(one.sites[n] for one in outcomes for n in one.stays)
    refused = Counter(spelling for one in outcomes if one.verdict == REFUSED for spelling in one.sites)
    for spelling, count in sorted(sites.items()):
        print(f"{count:6} {spelling}: {left[spelling]} left alone, {refused[spelling]} in refused models")
    for name, count in sorted(Counter(name for one in outcomes for name in one.near).items()):
        print(f"{count:6} near miss: {name}")
    for why, count in Counter(reason(one.why) for one in outcomes if one.verdict == REFUSED).most_common():
        print(f"{count:6} refused: {why}")
    for one in outcomes:
        if one.verdict == WRONG:
            print(f"WRONG {one.seed}: {one.why} ({', '.join(one.sites + one.near)})")
    print(", ".join(f"{verdicts[v]} {v}" for v in (RIGHT, LEFT, REFUSED, WRONG)))
    return verdicts[WRONG]


def keep(outcomes, folder):
    """The models that are wrong, and what is right, for whoever looks into it."""
    for one in outcomes:
        if one.verdict == WRONG:
            folder.mkdir(parents=True, exist_ok=True)
            made = case(one.seed)
            onnx.save(made.model, folder / f"{one.seed}.onnx")
            onnx.save(made.twin.model, folder / f"{one.seed}.expected.onnx")


def run(given):
    began = time.monotonic()
    seeds = [int(one) for one in given.only] or range(given.seed, given.seed + given.models)
    print(f"seeds {seeds[0]} to {seeds[-1]}")
    size = 25
    chunks = [seeds[at : at + size] for at in range(0, len(seeds), size)]
    with ProcessPoolExecutor(given.jobs) as pool:
        judged = pool.map(partial(judge_seeds, given.binary.resolve()), chunks)
        outcomes = [one for chunk in judged for one in chunk]
    for one in outcomes if given.only else []:
        print(f"{one.seed}: {one.verdict} {one.why}; {', '.join(one.sites + one.near)}")
    wrong = told(outcomes)
    keep(outcomes, given.keep)
    if wrong:
        again = " ".join(str(one.seed) for one in outcomes if one.verdict == WRONG)
        print(f"the models that are wrong are in {given.keep}; again: --only {again}")
    print(f"{len(outcomes)} models in {time.monotonic() - began:.0f} s")
    return 1 if wrong else 0


def self_test(models):
    """Honest tools pass, broken ones are caught, and the generator's inference forms are means."""
    problems = means.problems(models)
    seeds = range(models)
    with tempfile.TemporaryDirectory() as folder:
        for tool, verdict in fakes.HONEST.items():
            for seed in seeds:
                found = judge(tool, seed, folder)
                # a model may have no dropout, or one that is switched off
                allowed = {verdict, RIGHT} if tool is fakes.leaves_alone else {verdict}
                if found.verdict not in allowed:
                    problems.append(f"{tool.__name__}: {seed}: {found.verdict}: {found.why}")
        for tool in fakes.BROKEN:
            caught = sum(judge(tool, seed, folder).verdict == WRONG for seed in seeds)
            print(f"{tool.__name__}: caught in {caught} of {len(seeds)} models")
            if not caught:
                problems.append(f"{tool.__name__} is not caught")
    print(*problems, f"self-test: {len(problems)} problems", sep="\n")
    return 1 if problems else 0


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("binary", nargs="?", type=Path)
    parser.add_argument("--models", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=0, help="seed of the first model")
    parser.add_argument("--only", nargs="+", default=[], metavar="SEED", help="these models")
    parser.add_argument("--keep", type=Path, default=Path("target/generated"), help="for wrong models")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--self-test", action="store_true")
    given = parser.parse_args()
    if given.self_test:
        return self_test(60)
    if not given.binary or not given.binary.is_file():
        parser.error("the program is needed: target/debug/dropout-onnx")
    return run(given)


if __name__ == "__main__":
    sys.exit(main())
