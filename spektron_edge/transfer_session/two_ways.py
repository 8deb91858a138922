"""Pairs that differ in two ways: cups that were measured on two instruments, or before and after a
change of one. Told by the differences of second derivatives, which then fall into two groups."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
LEAST_PAIRS = 6
_LEAST_GROUP = 2
# Of the scatter of all differences: what is left within two groups; and how many standard
# deviations of the groups their means lie apart. One instrument: above the first, or below the
# second (decision 21).
_WITHIN, _APART = 0.36, 5.0


def two_groups(differences: Array) -> list[int]:
    """differences: (n, C) of pairs; rows of the smaller of two clear groups, empty where there is
    one group, or too few pairs to say."""
    n = len(differences)
    if n < LEAST_PAIRS:
        return []
    centred = differences - differences.mean(axis=0)
    left, size, _ = np.linalg.svd(centred, full_matrices=False)
    order = np.argsort(left[:, 0])
    scores = left[order, 0] * size[0]
    total = float(np.sum(size**2))
    found: list[int] = []
    best = _WITHIN
    for cut in range(_LEAST_GROUP, n - _LEAST_GROUP + 1):
        groups = order[:cut], order[cut:]
        within = sum(_scatter(centred[group]) for group in groups) / max(total, 1e-300)
        spread = np.sqrt((_scatter(scores[:cut]) + _scatter(scores[cut:])) / (n - 2))
        apart = float(scores[cut:].mean() - scores[:cut].mean())
        if within < best and apart > _APART * spread:
            best, found = within, sorted(min(groups, key=len).tolist())
    return found


def _scatter(x: Array) -> float:
    return float(np.sum((x - x.mean(axis=0)) ** 2))
