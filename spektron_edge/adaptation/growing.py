"""A change that still grows: fouling, a lamp that warms up, a sample that dries."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from spektron_edge.said import Sayings

from .ring import Entry

_FEWEST, _MOST = 10, 40
# Of rank correlation with the order; by chance it is beyond 0.8 once in a few thousand tens.
_STEADY = 0.8
# The last third, over the first third: less is a change that stands.
_GROWTH = 1.5


def growing(entries: Sequence[Entry]) -> str:
    """Why a change since the first of these is not over; empty where it stands, or few tell."""
    runs: dict[int, Entry] = {}
    for entry in entries:
        runs.setdefault(entry.run, entry)
    if len(runs) < _FEWEST:
        return ""
    # Evenly over time: more would cost the main path milliseconds and tell nothing more.
    taken = list(runs.values())[:: -(-len(runs) // _MOST)]
    shifts = np.array([entry.gauge.residual for entry in taken])
    along = shifts @ np.linalg.svd(shifts, full_matrices=False)[2][0]
    along = along * np.sign(np.sum(along) or 1.0)
    order = np.argsort(np.argsort(along))
    steady = float(np.corrcoef(order, np.arange(len(along)))[0, 1])
    third = len(along) // 3
    first, last = float(np.mean(along[:third])), float(np.mean(along[-third:]))
    if steady < _STEADY or last < _GROWTH * max(first, 0.0):
        return ""
    return str(Sayings.STILL_GROWS.of(correlation=steady, samples=len(along)))
