"""Transfer without a single pair: spectra of other samples of the same population on the target.

Population means are made equal, and what tells good candidates from bad ones is how much farther
predictions scatter on the target than on the source: if x_t = x_s + d + e with e of the instrument,
then var(x_t b) - var(x_s b) is the error var(e b) that moving adds, and it can be measured without
pairs. It takes the place of the pairs' squared differences in the score. Penalising directions in
which the target varies more is the linear form of domain-invariant regression (Nikzad-Langerodi,
Zellinger, Lughofer and Saminger-Platz, Anal. Chem. 90 (2018) 6693).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .alignment import Alignment, AlignmentMethod, AsMeasured
from .averaging import Average, average
from .evaluation import RELATIVE, Evaluated, Recipe
from .features import Features, span
from .filters import Filter, filters_for
from .penalised_ridge import Rows, solve
from .problem import Problem
from .smooth import SCALE, Smooth

Array = NDArray[np.float64]
_PENALTIES = (1e-9, 0.3)
# Sample variation counts against a difference of means so many times its share of the means' error.
_COMPOSITION = 100.0
# What a map of mean spectra has to save to be used.
_NEEDED = 0.5
# Share of the best score within which candidates count.
_WIDTH = 0.4


@dataclass(frozen=True, eq=False)
class UnpairedChoice:
    """The average, and the excess scatter (m,) as a squared error."""

    average: Average
    excess: Array


def choose_unpaired(problem: Problem) -> UnpairedChoice:
    """Candidates by filter, alignment of mean spectra and penalty; labels of pairs are not used."""
    candidates, score = [], []
    empty = np.empty((RELATIVE.size, 0, problem.y.shape[1]))
    for recipe, features in matched(problem):
        path = solve(features.rows, RELATIVE)
        on_source = path.predict(features.rows.source).var(axis=1)
        on_target = path.predict(features.target(problem.unpaired)).var(axis=1)
        more = np.maximum(on_target - on_source, 0.0)
        candidates.append(Evaluated(recipe, features, path, path.left_out, empty, empty))
        score.append(np.mean(path.left_out**2, axis=1) + more)
    mixed = average("mean match, scatter matched", candidates, score, _WIDTH)
    on_target = mixed.predictor.predict(problem.unpaired).var(axis=0)
    on_source = np.maximum(problem.y.var(axis=0) - np.mean(mixed.source_error**2, axis=0), 0.0)
    return UnpairedChoice(mixed, np.maximum(on_target - on_source, 0.0))


def matched(problem: Problem) -> Iterator[tuple[Recipe, Features]]:
    """Features in which the populations' means are equal, by filter, alignment and penalty."""
    for method in _alignments(problem):
        alignment = method.fit(
            problem.source.mean(axis=0, keepdims=True), problem.unpaired.mean(axis=0, keepdims=True)
        )
        for filter_ in filters_for(problem.axis.size)[:3]:
            for penalty in _PENALTIES:
                recipe = Recipe(method, filter_, contrast=0.0, expected=0.0, penalty=penalty)
                features = _features(problem, alignment, filter_, penalty)
                yield recipe, features


def _alignments(problem: Problem) -> tuple[AlignmentMethod, ...]:
    """As measured; or a smooth map of the mean spectra where that explains them far better."""
    s = problem.source.mean(axis=0, keepdims=True)
    t = problem.unpaired.mean(axis=0, keepdims=True)
    simple = AsMeasured()
    misfit: dict[str, float] = {}
    methods: tuple[AlignmentMethod, ...] = (simple, SCALE, Smooth())
    for method in methods:
        alignment = method.fit(s, t)
        gap = np.diff(alignment.source(s) - alignment.target(t), axis=1)
        misfit[method.name] = float(np.sum(gap**2))
    best = [m for m in methods if misfit[m.name] <= _NEEDED * misfit[simple.name]]
    return tuple(best) if best else (simple,)


def _features(problem: Problem, alignment: Alignment, filter_: Filter, penalty: float) -> Features:
    """Means made equal as far as composition does not explain their difference."""
    source = filter_.apply(alignment.source(problem.source))
    target = filter_.apply(alignment.target(problem.unpaired))
    s, t = source - source.mean(axis=0), target - target.mean(axis=0)
    shift = source.mean(axis=0) - target.mean(axis=0)
    pooled = np.concatenate(
        [s / np.sqrt(2 * max(len(s) - 1, 1)), t / np.sqrt(2 * max(len(t) - 1, 1))]
    )
    pooled *= np.sqrt(1 / len(s) + 1 / len(t))
    _, values, directions = np.linalg.svd(pooled, full_matrices=False)
    prior = _COMPOSITION * max(float(shift @ shift) / shift.size, 1e-300)
    composition = (values**2 / (values**2 + prior)) * (directions @ shift)
    shift = shift - directions.T @ composition
    step = -(-len(source) // 100)
    basis = span(np.concatenate([s[::step], t[:: -(-len(t) // 100)]]))
    z_s, z_t = s @ basis, t @ basis
    more = z_t.T @ z_t / max(len(t) - 1, 1) - z_s.T @ z_s / max(len(s) - 1, 1)
    eigen, vectors = np.linalg.eigh(more)
    keep = eigen > 0
    rows = np.sqrt(penalty * len(s) * eigen[keep])[:, None] * vectors[:, keep].T
    m = problem.y.shape[1]
    ridge_rows = Rows(
        source @ basis, problem.y, np.empty((0, basis.shape[1])), np.empty((0, m)), rows
    )
    return Features(alignment, filter_, np.ones(shift.size), shift, basis, ridge_rows)
