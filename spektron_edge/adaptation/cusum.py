"""A sum that grows while values lie higher among the source's than they should (CUSUM of ranks).

Only the rank of a value among the source's N values counts, as a normal score. Without drift the
N + 1 gaps between them are hit with probabilities that are Dirichlet(1, ..., 1) over source sets,
whatever the distribution: the run length to a false alarm follows from N alone, and holds for
source sets of that size on average. Page, Biometrika 41 (1954) 100; run lengths by Markov chain:
Brook and Evans, Biometrika 59 (1972) 539.
"""

from __future__ import annotations

from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
# Scores below it lower the sum. What lies in the upper sixth of the source raises it.
REFERENCE = 1.0
# Sums are multiples of it, so that the chain below is exact.
LATTICE = 1 / 8
_MOST_STATES = 400
_SOURCE_SETS = 1000


@dataclass(frozen=True, eq=False)
class Ranks:
    """The source's values (N,), rising; threshold: of the sum, above which a drift is told."""

    values: Array
    threshold: float

    def step(self, value: float) -> float:
        """What a new value adds to the sum. NaN counts as above all."""
        n = self.values.size
        rank = n if np.isnan(value) else int(np.searchsorted(self.values, value))
        return float(_steps(n)[rank])


def threshold(n: int, false_alarms: float, seed: int = 0) -> float:
    """Of the sum, for n source values: the smallest with at most so many false alarms a value.

    Averaged over source sets. Raises ValueError where n is too small to tell (below 10).
    """
    if n < 10:
        raise ValueError(f"{n} values of the source are too few to know what is usual")
    sets = np.random.default_rng(seed).dirichlet(np.ones(n + 1), _SOURCE_SETS)
    low, high = 0, _MOST_STATES
    while high - low > 1:
        middle = (low + high) // 2
        rate = float(np.mean([1 / run_length(gaps, middle * LATTICE) for gaps in sets]))
        low, high = (middle, high) if rate > false_alarms else (low, middle)
    return high * LATTICE


def run_length(gaps: Array, most: float) -> float:
    """Values until the sum is above `most`, on average; gaps: (n + 1,) probability of each rank."""
    states = round(most / LATTICE) + 1
    steps = np.rint(_steps(gaps.size - 1) / LATTICE).astype(np.int64)
    at = np.arange(states)
    after = np.maximum(at[:, None] + steps, 0)
    stay = after < states
    moves = np.zeros((states, states))
    np.add.at(
        moves,
        (np.broadcast_to(at[:, None], after.shape)[stay], after[stay]),
        np.broadcast_to(gaps, after.shape)[stay],
    )
    lengths = np.linalg.solve(np.eye(states) - moves, np.ones(states))
    # Beyond what double precision can tell from never.
    return float(lengths[0]) if 0 < lengths[0] < 1e15 else 1e15


_SCORES: dict[int, Array] = {}


def _steps(n: int) -> Array:
    """(n + 1,): normal score of each rank less REFERENCE, on the lattice."""
    if n not in _SCORES:
        normal = NormalDist()
        scores = np.array([normal.inv_cdf((j + 0.5) / (n + 1)) for j in range(n + 1)])
        _SCORES[n] = np.rint((scores - REFERENCE) / LATTICE) * LATTICE
    return _SCORES[n]
