"""Samples of the target's own with references, none of which the source has seen.

Source and target each keep their own mean of spectra and references, so that neither a difference
of the instruments' mean spectra nor one of the populations' means has to be explained; slopes are
found from both, target samples counting more. That is random-intercept regression (Gelman and
Hill, Data Analysis Using Regression, 2007, ch. 12) with the candidates of `unpaired.py`.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from .averaging import Average, average, capped, width_for
from .evaluation import RELATIVE, Evaluated
from .features import Features
from .penalised_ridge import Path, Rows, solve
from .problem import Problem
from .unpaired import matched

Array = NDArray[np.float64]
LEAST_LABELLED = 5
# Of a target sample against one of the source.
_WEIGHTS = (1.0, 10.0, 100.0)
_FOLDS = 10


def choose_labelled(problem: Problem, labels: Array) -> Average:
    """Near-best candidates by errors on target samples left out; labels (u, m), NaN where unknown.

    `moved` is zero: `target_error` (k, m) of the k labelled samples says all that it would.
    """
    known = np.isfinite(labels).all(axis=1)
    y = labels[known]
    candidates, score = [], []
    for recipe, features in matched(problem):
        target = features.target(problem.unpaired[known])
        for weight in _WEIGHTS:
            error = np.empty((RELATIVE.size, *y.shape))
            for held in np.array_split(np.arange(len(y)), min(len(y), _FOLDS)):
                kept = np.setdiff1d(np.arange(len(y)), held)
                path = _fit(features, target[kept], y[kept], weight, loo=False)
                error[:, held] = y[held] - path.predict(target[held])
            path = _fit(features, target, y, weight, loo=True)
            named = replace(recipe, label_weight=weight)
            nothing = np.zeros_like(error)
            candidates.append(Evaluated(named, features, path, path.left_out, nothing, error))
            score.append(_score(path, error))
    return average("own means, joint slopes", candidates, score, width_for(len(y)))


def _score(path: Path, error: Array) -> Array:
    """(g, m): errors on few target samples, steadied by those on the source, which are many."""
    k = error.shape[1]
    on_source = np.mean(path.left_out**2, axis=1)
    score: Array = (k * capped(error**2) + LEAST_LABELLED * on_source) / (k + LEAST_LABELLED)
    return score


def _fit(features: Features, target: Array, y: Array, weight: float, *, loo: bool) -> Path:
    """Solutions whose intercept is the target's: target (k, r) with references y (k, m)."""
    rows = features.rows
    centred = Rows(
        rows.source - rows.source.mean(axis=0),
        rows.y - rows.y.mean(axis=0),
        target - target.mean(axis=0),
        y - y.mean(axis=0),
        rows.penalty,
    )
    path = solve(centred, RELATIVE, weight, loo=loo)
    shift = np.einsum("r,grm->gm", target.mean(axis=0), path.coefficients)
    return replace(path, intercept=y.mean(axis=0) - shift)
