"""How large errors on the target will be: predicted RMSEP and 90 % intervals.

With nine labelled transfer samples or more, intervals are conformal: the half width is an order
statistic of the errors that held-out transfer samples showed, which needs no assumption but that
later samples are exchangeable with them (Vovk, Gammerman and Shafer, Algorithmic Learning in a
Random World, 2005; by leaving one out, Barber, Candes, Ramdas and Tibshirani, Ann. Stat. 49 (2021)
486). With fewer, errors on the source and what moving to the target added are taken as independent,
and the pairs as typical of later samples.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .averaging import Average, capped

Array = NDArray[np.float64]
LEAST_CONFORMAL = 9
COVERAGE = 0.9
CONFORMAL = "conformal: later samples are exchangeable with the labelled transfer samples"
COMBINED = (
    "combined: errors on the source and the transfer error of the pairs are independent, and later "
    "samples are like those"
)
UNCHECKED = (
    "combined: target and source samples are of one population; nothing was measured on both, so "
    "the transfer error is a guess"
)
CHOSEN = (
    "conformal, widened for the choice that rests on the same samples: later samples are "
    "exchangeable with the labelled target samples"
)
FEW = (
    "combined: errors of labelled target samples that were left out, taken as Gaussian and widened "
    "for their small number"
)
# Held-out labels count beside a prior worth this many, the risk from source and pairs.
_PRIOR = 10.0
# The same where nothing was measured on both: the source's errors say little of the target's.
_PRIOR_UNPAIRED = 2.0
# Candidates chosen by k errors: these are too small by one over k so many times (corn, development
# splits: predicted RMSEP 1.5 times too small at five samples, 1.26 times at ten).
_OPTIMISM = 5.0
_Z90 = 1.645
# The largest of ten Gaussian errors is so many times the next one once in 60 times.
_ALONE = 2.5


@dataclass(frozen=True, eq=False)
class Expected:
    """What to expect on the target, per property (m,).

    rmsep: predicted, against the reference method; low, high: its 90 % interval; half_width: of
    90 % intervals; basis: what the intervals rest on; widest: (m,) which row of the held-out errors
    makes the half width alone, 2.5 times the next largest: a slip, perhaps. -1 for none.
    """

    rmsep: Array
    low: Array
    high: Array
    half_width: Array
    basis: str
    widest: NDArray[np.int64]


def expected(average: Average, trust: Array, *, paired: bool = True) -> Expected:
    """From held-out errors of the average that was chosen."""
    pairs = trust > 0
    source = average.source_error
    moved = average.moved[pairs]
    n = max(len(moved), 1)
    square = np.mean(source**2, axis=0) + capped(moved**2) * (1 + 1 / n)
    known = np.flatnonzero(pairs & np.isfinite(average.target_error).all(axis=1))
    labelled = average.target_error[known]
    k = len(labelled)
    if k:
        square = (_PRIOR * square + k * capped(labelled**2)) / (_PRIOR + k)
    rmsep = np.sqrt(np.maximum(square, 1e-300))
    error = _relative_error(source, moved, labelled)
    if k >= LEAST_CONFORMAL:
        half, basis = conformal(labelled), CONFORMAL
        widest = _alone(labelled, known)
        return Expected(rmsep, rmsep * np.exp(-error), rmsep * np.exp(error), half, basis, widest)
    half = _combined(source, moved) * np.sqrt(1 + 2 / n)
    basis = COMBINED if paired else UNCHECKED
    none = np.full(rmsep.size, -1)
    return Expected(rmsep, rmsep * np.exp(-error), rmsep * np.exp(error), half, basis, none)


def expected_of_labelled(average: Average) -> Expected:
    """Where nothing was measured on both instruments: from target samples that were left out."""
    errors = average.target_error
    k = len(errors)
    on_source = np.mean(average.source_error**2, axis=0)
    # The errors that chose among the candidates are smaller than those of later samples.
    optimism = 1 + _OPTIMISM / k
    on_target = np.mean(errors**2, axis=0) * optimism
    rmsep = np.sqrt((_PRIOR_UNPAIRED * on_source + k * on_target) / (_PRIOR_UNPAIRED + k))
    scatter = _Z90 / np.sqrt(2 * k)
    if k >= LEAST_CONFORMAL:
        half, basis = conformal(errors) * np.sqrt(optimism), CHOSEN
        widest = _alone(errors, np.arange(k))
    else:
        half, basis = _Z90 * (1 + 1.5 / k) * rmsep, FEW
        widest = np.full(rmsep.size, -1)
    return Expected(rmsep, rmsep * np.exp(-scatter), rmsep * np.exp(scatter), half, basis, widest)


def conformal(errors: Array) -> Array:
    """(m,) the ceil(0.9 (k + 1))-th smallest of k absolute errors (k, m), k >= 9."""
    half: Array = np.sort(np.abs(errors), axis=0)[_rank(len(errors)) - 1]
    return half


def _rank(k: int) -> int:
    return int(np.ceil(COVERAGE * (k + 1)))


def _alone(errors: Array, rows: NDArray[np.int64]) -> NDArray[np.int64]:
    """(m,) of `rows` (k,), whose errors are (k, m), the one whose error the half width is, where
    the next smaller is far smaller; else -1."""
    size = np.abs(errors)
    place, columns = np.argsort(size, axis=0), np.arange(errors.shape[1])
    last = _rank(len(errors)) - 1
    largest, next_one = size[place[last], columns], size[place[last - 1], columns]
    return np.asarray(np.where(largest > _ALONE * next_one, rows[place[last]], -1), np.int64)


def _combined(source: Array, moved: Array) -> Array:
    """(m,) 90 % quantile of |e + d| over all pairs of a source error and a transfer error."""
    if not len(moved):
        moved = np.zeros((1, source.shape[1]))
    both = np.abs(source[:, None] + np.concatenate([moved, -moved])[None])
    half: Array = np.quantile(both.reshape(-1, source.shape[1]), COVERAGE, axis=0)
    return half


def _relative_error(source: Array, moved: Array, labelled: Array) -> Array:
    """(m,) half width of the 90 % interval of log RMSEP, from the scatter of squared errors."""

    def of(squares: Array) -> tuple[Array, Array]:
        k = len(squares)
        if not k:
            return np.zeros(source.shape[1]), np.zeros(source.shape[1])
        # Squares of Gaussian errors scatter by root two of their mean; few may show less.
        mean = squares.mean(axis=0)
        return mean, np.maximum(squares.var(axis=0), 2 * mean**2) / k

    s_mean, s_variance = of(source**2)
    m_mean, m_variance = of(moved**2)
    variance = s_variance + m_variance
    square = np.maximum(s_mean + m_mean, 1e-300)
    if len(labelled):
        l_mean, l_variance = of(labelled**2)
        share = _PRIOR / (_PRIOR + len(labelled))
        variance = share**2 * variance + (1 - share) ** 2 * l_variance
        square = np.maximum(share * square + (1 - share) * l_mean, 1e-300)
    error: Array = _Z90 * np.sqrt(variance) / (2 * square)
    return error
