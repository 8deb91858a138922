"""Predictions against reference values: how far two methods agree.

Differences are predicted minus reference; the bias has a paired t test, SEP is the standard
deviation of the differences (the bias is not in it), and an F test against an error that somebody
stated; the reference is regressed on the prediction by ordinary least squares. Limits of agreement
with their uncertainty after Bland and Altman, Statistical Methods in Medical Research 8 (1999) 135.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .distributions import f_quantile, t_quantile, t_two_sided

Array = NDArray[np.float64]
CONFIDENCE = 0.95
# With fewer, a line through them has no scatter about it.
LEAST_SAMPLES = 3
_AGREEMENT = 1.959963984540054


@dataclass(frozen=True)
class Estimate:
    """A value with its 95 % confidence interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Comparison:
    """All in the property's unit, but slope, t and p, which have none.

    bias: mean difference, with t and p of the hypothesis that it is 0; sep: standard deviation of
    the differences; slope, intercept: None where all predictions, or all references, are equal;
    lower, upper: limits of agreement, within which 95 % of single differences are expected.
    """

    samples: int
    bias: Estimate
    t: float
    p: float
    sep: float
    rmsep: float
    slope: Estimate | None
    intercept: Estimate | None
    lower: Estimate
    upper: Estimate


def compare(predicted: Array, reference: Array) -> Comparison:
    """Both (n,). Raises ValueError for other shapes, fewer than three, or what is no number."""
    if predicted.shape != reference.shape or predicted.ndim != 1:
        raise ValueError("each prediction needs one reference value")
    n = predicted.size
    if n < LEAST_SAMPLES:
        raise ValueError(f"{n} samples are too few: {LEAST_SAMPLES} are needed")
    if not (np.all(np.isfinite(predicted)) and np.all(np.isfinite(reference))):
        raise ValueError("a prediction or reference is no number")
    difference = predicted - reference
    bias, sep = float(np.mean(difference)), float(np.std(difference, ddof=1))
    # Rounding leaves something of differences that are all equal.
    if sep <= 1e-12 * float(np.max(np.abs([predicted, reference]), initial=0.0)):
        sep = 0.0
    t = t_quantile((1 + CONFIDENCE) / 2, n - 1)
    error = sep / math.sqrt(n)
    found = bias / error if error > 0 else math.copysign(math.inf, bias) if bias else 0.0
    # References that are all equal have a slope of 0 on anything.
    fitted = None if np.ptp(reference) == 0 else line(predicted, reference)
    slope, intercept = (None, None) if fitted is None else fitted
    # Variance of bias +- z sep.
    limit = t * sep * math.sqrt(1 / n + _AGREEMENT**2 / (2 * (n - 1)))
    lower, upper = bias - _AGREEMENT * sep, bias + _AGREEMENT * sep
    return Comparison(
        samples=n,
        bias=Estimate(bias, bias - t * error, bias + t * error),
        t=found,
        p=t_two_sided(found, n - 1),
        sep=sep,
        rmsep=float(np.sqrt(np.mean(difference**2))),
        slope=slope,
        intercept=intercept,
        lower=Estimate(lower, lower - limit, lower + limit),
        upper=Estimate(upper, upper - limit, upper + limit),
    )


def line(x: Array, y: Array) -> tuple[Estimate, Estimate] | None:
    """Slope and intercept of y on x, (n,) each, by least squares; None where all x are equal.

    Raises ValueError for fewer than three.
    """
    n = x.size
    if n < LEAST_SAMPLES:
        raise ValueError(f"{n} points are too few for a line: {LEAST_SAMPLES} are needed")
    centre = float(np.mean(x))
    spread = float(np.sum((x - centre) ** 2))
    if spread <= n * (1e-12 * float(np.max(np.abs(x)))) ** 2:
        return None
    slope = float(np.sum((x - centre) * (y - np.mean(y))) / spread)
    intercept = float(np.mean(y)) - slope * centre
    residual = y - intercept - slope * x
    scatter = math.sqrt(float(np.sum(residual**2)) / (n - 2))
    t = t_quantile((1 + CONFIDENCE) / 2, n - 2)
    by_slope = t * scatter / math.sqrt(spread)
    by_intercept = t * scatter * math.sqrt(1 / n + centre**2 / spread)
    return (
        Estimate(slope, slope - by_slope, slope + by_slope),
        Estimate(intercept, intercept - by_intercept, intercept + by_intercept),
    )


def expected_sep(stated: float, stated_samples: int, samples: int) -> float:
    """The largest SEP of so many samples that does not contradict an error that was stated from
    others, by a one-sided F test at 95 %."""
    return stated * math.sqrt(f_quantile(CONFIDENCE, samples - 1, max(stated_samples - 1, 1)))
