"""Where labels of transfer samples help: fits with labelled target spectra, blended by evidence.

Ten held-out errors choose badly among a hundred fits, and the chosen one looks better than it is.
So the choice is made anew without each labelled sample, and the error that it then shows there is
what counts (nested cross-validation: Varma and Simon, BMC Bioinformatics 7 (2006) 91).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from .averaging import Average, average, blend, capped, label_scores, scores, weights_for
from .evaluation import Evaluated, Recipe, evaluate
from .photometer import photometer
from .problem import Problem

Array = NDArray[np.float64]
# Labels of fewer transfer samples cost more in variance than they tell.
LEAST_LABELS = 8
_LABEL_WEIGHTS = (30.0, 1000.0)
_LABEL_WIDTH = 0.3
# Odds against labels before they are seen, per squared number of source samples for each of them,
# and how much of the likelihood is believed.
_ODDS, _BELIEF = 3.0, 0.75
# Odds against a property that two channels tell better than everything else does.
_RARE = 100.0


def with_labels(
    problem: Problem, evaluated: Sequence[Evaluated], mixed: Average, trust: Array
) -> Average:
    """`mixed`, the average without labels, or its blends with fits that use them.

    evaluated: the candidates behind `mixed`; trust: (n,) weight of each pair. Nothing changes with
    fewer than `LEAST_LABELS` labelled pairs.
    """
    pairs = trust > 0
    known = pairs & np.isfinite(problem.labels).all(axis=1)
    if int(np.isfinite(problem.labels).all(axis=1).sum()) < LEAST_LABELS:
        return mixed
    recipes = [
        replace(recipe, label_weight=weight)
        for recipe in _best(evaluated, mixed, pairs)
        for weight in _LABEL_WEIGHTS
    ]
    fitted = evaluate(problem, recipes, trust)
    labelled = average("labels", fitted, [label_scores(e, pairs) for e in fitted], _LABEL_WIDTH)
    labelled = replace(labelled, target_error=_held_out(fitted, known))
    odds = max(1.0, _ODDS * (len(problem.source) / int(known.sum())) ** 2)
    # Source spectra are of no use only where they tell less of the reference than target spectra
    # do, so labels have to be better than what the source reaches on itself as well.
    on_source = np.mean(mixed.source_error**2, axis=0)
    rows = capped(labelled.target_error[known] ** 2)
    best = np.minimum(capped(mixed.target_error[known] ** 2), on_source)
    # A constant meets labels that hardly vary, and later samples vary.
    share = np.where(problem.flat, 0.0, _share(best, rows, known, odds))
    mixed = _joined(mixed, labelled, share)
    sparse = photometer(problem, trust)
    # Two channels that are wrong are very wrong now and then, which must not be cut off.
    two = np.mean(sparse.target_error[known] ** 2, axis=0)
    best = np.minimum(capped(mixed.target_error[known] ** 2), best)
    share = np.where(problem.flat, 0.0, _share(best, two, known, _RARE * odds))
    return _joined(mixed, sparse, share)


def _best(evaluated: Sequence[Evaluated], mixed: Average, pairs: NDArray[np.bool_]) -> list[Recipe]:
    """Up to three recipes of the best alignment, without SNV."""
    ranked = sorted(
        evaluated,
        key=lambda e: float(np.sum(scores(e, pairs).min(axis=0) / np.maximum(mixed.risk, 1e-300))),
    )
    alignment = ranked[0].recipe.alignment.name
    best = [e.recipe for e in ranked if e.recipe.alignment.name == alignment]
    return [recipe for recipe in best if not recipe.filter.snv][:3]


def _held_out(fitted: Sequence[Evaluated], known: NDArray[np.bool_]) -> Array:
    """(n, m) errors on labelled target spectra of averages chosen without them; NaN elsewhere."""
    errors = np.stack([e.target_error for e in fitted])
    found = np.full(errors.shape[2:], np.nan)
    for i in np.flatnonzero(np.isfinite(errors).all(axis=(0, 1, 3))):
        others = known & (np.arange(len(known)) != i)
        weights = weights_for([label_scores(e, others) for e in fitted], _LABEL_WIDTH)
        found[i] = np.einsum("cgm,cgm->m", weights, errors[:, :, i])
    return found


def _share(plain: Array, with_labels: Array, known: NDArray[np.bool_], odds: float) -> Array:
    """(m,) share of a fit with labels, by mean squared errors (m,) and odds against it.

    With Gaussian errors a model's likelihood goes with its residual sum of squares to the power of
    -n/2; `_BELIEF` of it is believed, since n residuals of one fit are not n independent ones.
    """
    ratio = np.maximum(plain, 1e-300) / np.maximum(with_labels, 1e-300)
    log_odds = 0.5 * _BELIEF * int(known.sum()) * np.log(ratio) - np.log(odds)
    share = 1 / (1 + np.exp(-np.clip(log_odds, -50, 50)))
    kept: Array = np.where(share < 0.02, 0.0, share)
    return kept


def _joined(mixed: Average, other: Average, share: Array) -> Average:
    if not share.any():
        return mixed
    return blend("average with labels", (mixed, other), np.stack([1 - share, share]))
