"""What a transfer has to beat: the source's calibration with a mean shift, or slope and bias."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .alignment import AsMeasured
from .averaging import Average, average
from .evaluation import Recipe, evaluate
from .filters import filters_for
from .linear import LinearPredictor
from .problem import Problem

Array = NDArray[np.float64]
_NONE = 1e-9


def mean_shift(problem: Problem, trust: Array) -> Average:
    """The source's own best ridge on the first derivative, mean difference of pairs removed."""
    return _native(problem, trust, "mean shift")


def slope_and_bias(problem: Problem, trust: Array) -> Average:
    """The source's own ridge, its predictions corrected by a straight line through the pairs.

    Bouveresse, Hartmann, Massart, Last and Prebble, Anal. Chem. 68 (1996) 982. The line goes
    through references where there are any, else through predictions from the source's spectra. A
    slope below zero is no correction of an instrument: then only the bias is corrected.
    """
    native = _native(problem, trust, "slope and bias")
    n, m = problem.labels.shape
    read = native.predictor.predict(problem.pairs_target)
    wanted = _native_on_source(problem, native)
    known = np.isfinite(problem.labels).all(axis=1)
    wanted[known] = problem.labels[known]
    used = trust > 0
    moved, target_error = np.empty((n, m)), np.empty((n, m))
    for i in range(n):
        kept = used & (np.arange(n) != i)
        slope, bias = _line(read[kept], wanted[kept], problem.flat)
        moved[i] = bias + slope * read[i] - wanted[i]
        target_error[i] = problem.labels[i] - (bias + slope * read[i])
    slope, bias = _line(read[used], wanted[used], problem.flat)
    # References carry the source's error already; taken twice it would be unfair to this method.
    source_error = np.where(known.all(), 0.0, 1.0) * native.source_error
    after = np.stack([slope, bias])
    predictor = LinearPredictor(native.predictor.parts, after)
    return Average(native.name, predictor, native.share, source_error, moved, target_error)


def _native(problem: Problem, trust: Array, name: str) -> Average:
    filter_ = filters_for(problem.axis.size)[1]
    recipe = Recipe(AsMeasured(), filter_, contrast=0.0, expected=0.0, penalty=_NONE)
    evaluated = evaluate(problem, (recipe,), trust)[0]
    return average(name, (evaluated,), (np.mean(evaluated.source_error**2, axis=1),), 1e-3)


def _native_on_source(problem: Problem, native: Average) -> Array:
    """(n, m) predictions from the source spectra of the pairs."""
    part = native.predictor.parts[0]
    shift = part.filter.apply(problem.pairs_source - problem.pairs_target).mean(axis=0)
    on_source = native.predictor.predict(problem.pairs_source)
    moved: Array = on_source - shift @ part.slopes
    return moved


def _line(x: Array, y: Array, flat: NDArray[np.bool_]) -> tuple[Array, Array]:
    """Slope and bias per column; slope one where x does not vary or goes the other way, and where
    y is `flat`."""
    x_mean, y_mean = x.mean(axis=0), y.mean(axis=0)
    power = np.sum((x - x_mean) ** 2, axis=0)
    cross = np.sum((x - x_mean) * (y - y_mean), axis=0)
    sloped = (power > 0) & (cross > 0) & ~flat
    slope = np.where(sloped, cross / np.where(power > 0, power, 1.0), 1.0)
    return slope, y_mean - slope * x_mean
