"""Seeds, splits and the arithmetic of paired differences that every benchmark shares.

Settings are developed on one set of seeds and quoted on another, at least 20 splits each time.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Rows = NDArray[np.int64]
DEVELOPED = tuple(range(10))
QUOTED = tuple(range(1000, 1020))
CORN_SAMPLES, CORN_TEST = 80, 20
TABLETS, TABLETS_TEST = 642, 212


@dataclass(frozen=True, eq=False)
class Split:
    """Disjoint rows of one data set; nothing may be chosen by `test`."""

    seed: int
    train: Rows
    test: Rows


def corn_split(seed: int) -> Split:
    """60 samples to train on and 20 to test, of the 80."""
    order = np.random.default_rng([seed, 0]).permutation(CORN_SAMPLES)
    return Split(seed, np.sort(order[CORN_TEST:]), np.sort(order[:CORN_TEST]))


def tablet_split(seed: int, train: int = 400) -> Split:
    """`train` tablets to train on and 212 to test, of the pooled 642.

    Raises ValueError when there are not so many left to train on.
    """
    if not 0 < train <= TABLETS - TABLETS_TEST:
        raise ValueError(f"1 to {TABLETS - TABLETS_TEST} tablets can be trained on, not {train}")
    order = np.random.default_rng([seed, 1]).permutation(TABLETS)
    test, rest = np.split(order, [TABLETS_TEST])
    return Split(seed, np.sort(rest[:train]), np.sort(test))


def quoted(splits: int | None) -> tuple[int, ...]:
    """The first `splits` quoted seeds, or all. Raises ValueError for a number out of range."""
    count = len(QUOTED) if splits is None else splits
    if not 1 <= count <= len(QUOTED):
        raise ValueError(f"there are {len(QUOTED)} quoted splits, not {splits}")
    return QUOTED[:count]


@dataclass(frozen=True)
class Spread:
    """Summary over splits; standard_error is nan for a single one."""

    median: float
    low: float
    high: float
    mean: float
    standard_error: float


def spread(values: Array) -> Spread:
    """Median, quartiles, mean and standard error of the mean of (splits,) values."""
    low, median, high = np.percentile(values, (25, 50, 75))
    error = np.std(values, ddof=1) / np.sqrt(values.size) if values.size > 1 else np.nan
    return Spread(float(median), float(low), float(high), float(np.mean(values)), float(error))


def paired(a: Array, b: Array) -> Spread:
    """Summary of a - b over the same splits. Raises ValueError for different shapes."""
    if a.shape != b.shape:
        raise ValueError(f"splits do not pair: {a.shape} and {b.shape}")
    return spread(a - b)
