"""A control sample over time: Shewhart's chart of individuals with the Western Electric rules, and
an exponentially weighted moving average for shifts that are small and stay. No value enters the
average with more than 3 sigma: a gross one breaks the first rule by itself, and would hold the
average beyond its limit for months of weekly measurements after it was mended.

Western Electric, Statistical Quality Control Handbook (1956); Roberts, Technometrics 1 (1959) 239.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

# Mean of the range of two values of a normal distribution, in standard deviations.
_RANGE_OF_TWO = 2 / math.sqrt(math.pi)
WEIGHT = 0.2
WIDTH = 3.0
# So many measurements say what is usual, where nobody has given target and standard deviation.
BASELINE = 10
RULES = (
    "1: one beyond 3 sigma",
    "2: two of three beyond 2 sigma on the same side",
    "3: four of five beyond 1 sigma on the same side",
    "4: eight in a row on the same side",
    "EWMA: the moving average beyond its limit",
)
_RUNS = ((1, 1, 3.0), (2, 3, 2.0), (4, 5, 1.0), (8, 8, 0.0))


@dataclass(frozen=True)
class Chart:
    """values, ewma, limits (half width of the EWMA's): one for each measurement; broken: for each,
    the rules that it broke."""

    centre: float
    sigma: float
    values: tuple[float, ...]
    ewma: tuple[float, ...]
    limits: tuple[float, ...]
    broken: tuple[tuple[str, ...], ...]


def usual(values: Sequence[float]) -> tuple[float, float]:
    """Centre and standard deviation of consecutive values, by their mean and mean moving range.

    Raises ValueError for fewer than BASELINE, or where they do not scatter at all.
    """
    if len(values) < BASELINE:
        raise ValueError(f"{len(values)} of {BASELINE} measurements that say what is usual")
    sigma = float(np.mean(np.abs(np.diff(values)))) / _RANGE_OF_TWO
    centre = float(np.mean(values))
    if not sigma > 1e-12 * abs(centre):
        raise ValueError("the measurements that say what is usual do not scatter")
    return centre, sigma


def chart(values: Sequence[float], centre: float, sigma: float) -> Chart:
    """Judge each value in the light of those before it. Raises ValueError for no sigma above 0, or
    what is no number."""
    if not (sigma > 0 and all(map(math.isfinite, (*values, centre, sigma)))):
        raise ValueError("a chart needs numbers, and a standard deviation above 0")
    scores = [(value - centre) / sigma for value in values]
    average, averages, limits, broken = 0.0, [], [], []
    for i, score in enumerate(scores):
        average = WEIGHT * max(-WIDTH, min(WIDTH, score)) + (1 - WEIGHT) * average
        limit = WIDTH * math.sqrt(WEIGHT / (2 - WEIGHT) * (1 - (1 - WEIGHT) ** (2 * (i + 1))))
        averages.append(centre + sigma * average)
        limits.append(sigma * limit)
        told = [
            rule
            for rule, (wanted, of, beyond) in zip(RULES[:4], _RUNS, strict=True)
            if _runs(scores[max(0, i + 1 - of) : i + 1], wanted, beyond)
        ]
        if abs(average) > limit:
            told.append(RULES[4])
        broken.append(tuple(told))
    return Chart(centre, sigma, tuple(values), tuple(averages), tuple(limits), tuple(broken))


def _runs(last: Sequence[float], wanted: int, beyond: float) -> bool:
    """Whether so many lie beyond on one side, the newest among them."""
    side = math.copysign(1.0, last[-1])
    return side * last[-1] > beyond and sum(side * score > beyond for score in last) >= wanted
