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


@dataclass(frozen=True, eq=False)
class Expected:
    """What to expect on the target, per property (m,).

    rmsep: predicted, against the reference method; low, high: its 90 % interval; half_width: of
    90 % intervals; basis: what the intervals rest on.
    """

    rmsep: Array
    low: Array
    high: Array
    half_width: Array
    basis: str


def expected(average: Average, trust: Array, *, paired: bool = True) -> Expected:
    """From held-out errors of the average that was chosen."""
    pairs = trust > 0
    source = average.source_error
    moved = average.moved[pairs]
    n = max(len(moved), 1)
    square = np.mean(source**2, axis=0) + capped(moved**2) * (1 + 1 / n)
    labelled = average.target_error[pairs & np.isfinite(average.target_error).all(axis=1)]
    k = len(labelled)
    if k:
        square = (_PRIOR * square + k * capped(labelled**2)) / (_PRIOR + k)
    rmsep = np.sqrt(np.maximum(square, 1e-300))
    error = _relative_error(source, moved, labelled)
    if k >= LEAST_CONFORMAL:
        return Expected(
            rmsep, rmsep * np.exp(-error), rmsep * np.exp(error), conformal(labelled), CONFORMAL
        )
    half = _combined(source, moved) * np.sqrt(1 + 2 / n)
    basis = COMBINED if paired else UNCHECKED
    return Expected(rmsep, rmsep * np.exp(-error), rmsep * np.exp(error), half, basis)


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
    else:
        half, basis = _Z90 * (1 + 1.5 / k) * rmsep, FEW
    return Expected(rmsep, rmsep * np.exp(-scatter), rmsep * np.exp(scatter), half, basis)


def conformal(errors: Array) -> Array:
    """(m,) the ceil(0.9 (k + 1))-th smallest of k absolute errors (k, m), k >= 9."""
    rank = int(np.ceil(COVERAGE * (len(errors) + 1)))
    half: Array = np.sort(np.abs(errors), axis=0)[rank - 1]
    return half


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
