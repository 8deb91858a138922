"""Which target spectra a transferred calibration is good for: Hotelling T2 and the Q residual.

The source's spectra, moved to where the target would have read them, give the principal components;
both limits (99 %) are those of a scaled chi-square with the mean and variance of what spectra that
the model had not seen came to (Box, Ann. Math. Stat. 25 (1954) 290; its quantile by Wilson and
Hilferty, Proc. Natl. Acad. Sci. 17 (1931) 684). Where the target's own spectra lie further out
than the source's, the limits are theirs.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from spektron_edge.prediction.diagnostics import ApplicabilityModel
from spektron_edge.spectra.preprocessing import savgol_kernel

from .alignment import Alignment, AlignmentMethod, AsMeasured
from .filters import Filter, filters_for
from .problem import Problem
from .smooth import SCALE, Smooth

Array = NDArray[np.float64]
_EXPLAINED = 0.99
_FOLDS = 10
_Z99 = 2.326


def domain(problem: Problem, trust: Array) -> ApplicabilityModel:
    """Fitted on source spectra and what is there of the target's; trust: (n,) 0 for a bad pair."""
    filter_ = filters_for(problem.axis.size)[1]
    if problem.pairs:
        used = trust > 0
        source, target = problem.pairs_source[used], problem.pairs_target[used]
        alignment = _alignment(source, target, filter_)
        moved = filter_.apply(alignment.source(problem.source))
        # Spectra are assessed as they come, so a target that is the finer one is not blurred here.
        own = filter_.apply(target)
        difference = own - filter_.apply(alignment.source(source))
        shift = difference.mean(axis=0)
        # Each pair seen as one that the shift was not made from.
        own = own + (difference - shift) / max(len(own) - 1, 1)
    else:
        alignment = AsMeasured()
        moved, own = filter_.apply(problem.source), filter_.apply(problem.unpaired)
        shift = own.mean(axis=0) - moved.mean(axis=0)
    moved = moved + shift
    count = _components(moved, len(moved) // 3)
    seen = [_distances(moved, k, count) for k in range(min(_FOLDS, len(moved)))]
    t2, q = np.concatenate([s[0] for s in seen]), np.concatenate([s[1] for s in seen])
    mean, loadings, spread = _pca(moved, count)
    own_t2, own_q = _assess(own, mean, loadings, spread)
    kernel = savgol_kernel(filter_.window, 2, filter_.derivative)
    return ApplicabilityModel(kernel, mean, loadings, spread, _limit(t2, own_t2), _limit(q, own_q))


def _alignment(source: Array, target: Array, filter_: Filter) -> Alignment:
    """The one that leaves least of pairs that it was not fitted on."""
    methods: tuple[AlignmentMethod, ...] = (AsMeasured(), SCALE, Smooth())
    methods = tuple(m for m in methods if m.least < len(source)) or (AsMeasured(),)
    if len(methods) == 1:
        return methods[0].fit(source, target)
    return min(methods, key=lambda m: _left(m, source, target, filter_)).fit(source, target)


def _left(method: AlignmentMethod, source: Array, target: Array, filter_: Filter) -> float:
    total = 0.0
    for i in range(len(source)):
        others = np.delete(np.arange(len(source)), i)
        fitted = method.fit(source[others], target[others])
        rest = filter_.apply(target) - filter_.apply(fitted.source(source))
        total += float(np.sum((rest[i] - rest[others].mean(axis=0)) ** 2))
    return total


def _components(x: Array, most: int) -> int:
    """Fewest that explain 99 % of the variance of (N, p)."""
    values = np.linalg.svd(x - x.mean(axis=0), compute_uv=False) ** 2
    share = np.cumsum(values) / max(float(values.sum()), 1e-300)
    return int(np.clip(np.searchsorted(share, _EXPLAINED) + 1, 1, max(most, 1)))


def _pca(x: Array, count: int) -> tuple[Array, Array, Array]:
    mean = x.mean(axis=0)
    _, values, rows = np.linalg.svd(x - mean, full_matrices=False)
    kept = values[:count] > 1e-12 * max(float(values[0]), 1e-300)
    return mean, rows[:count][kept], values[:count][kept] / np.sqrt(len(x) - 1)


def _distances(x: Array, fold: int, count: int) -> tuple[Array, Array]:
    """T2 and Q of every tenth spectrum under a model of the others."""
    held = np.arange(len(x)) % _FOLDS == fold
    return _assess(x[held], *_pca(x[~held], count))


def _assess(x: Array, mean: Array, loadings: Array, spread: Array) -> tuple[Array, Array]:
    centred = x - mean
    scores = centred @ loadings.T
    rest = centred - scores @ loadings
    return np.sum((scores / spread) ** 2, axis=1), np.sum(rest**2, axis=1)


def _limit(seen: Array, own: Array) -> float:
    """99 % quantile of g chi2(h); own: the target's, which may lie further out on the whole."""
    mean, variance = float(seen.mean()), float(seen.var(ddof=1))
    if mean <= 0:
        return float(np.max(own, initial=0.0))
    further = max(float(own.mean()) / mean, 1.0) if own.size else 1.0
    # A chi-square of less than one degree of freedom is no sum of squares: a few outliers are seen.
    freedom = max(2 * mean**2 / max(variance, 1e-300), 1.0)
    part = 2 / (9 * freedom)
    return further * mean * float((1 - part + _Z99 * np.sqrt(part)) ** 3)
