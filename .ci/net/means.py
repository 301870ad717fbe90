"""The generator's own inference forms, held against the mean over many draws.

Where layers after a dropout are linear, the mean of what training computes is what inference computes.
"""

import numpy as np

from .evaluate import Trained, feed
from .generate import case

DRAWS = 300
# whose mean is not their inference form: alpha dropout keeps mean and variance of unit-variance data,
# and what two uses of a mask enter is not linear
NOT_A_MEAN = ("alpha dropout", "one mask, two uses")


def off(seed, spoil=None):
    """How many standard errors the mean of a model is off its inference form; None if not judged."""
    one = case(seed, linear=True)
    if not one.sites or set(one.sites) & set(NOT_A_MEAN):
        return None
    given = feed(one.model, 1, one.sizes)
    trained = Trained(one.model)
    drawn = np.array([trained(given, n)[0].astype(np.float64) for n in range(DRAWS)])
    twin = case(seed, frozenset(), linear=True, spoil=spoil).model
    expected = Trained(twin)(given, 0)[0].astype(np.float64)
    error = drawn.std(axis=0) / DRAWS**0.5 + 2e-3 * np.abs(expected) + 1e-3
    return float(np.max(np.abs(drawn.mean(axis=0) - expected) / error))


def problems(models):
    """Models whose inference form is no mean, and a twin: forms without their scale are seen."""
    found, judged, seen = [], 0, 0
    for seed in range(models):
        distance = off(seed)
        if distance is None:
            continue
        judged += 1
        if distance > 6:
            found.append(f"seed {seed}: {distance:.1f} standard errors off its mean")
        seen += off(seed, spoil="scale") > 6
    print(f"means: {judged} inference forms judged; without their scales, {seen} are seen to be wrong")
    if judged < models // 4 or not seen:
        found.append("the means judge too little")
    return found
