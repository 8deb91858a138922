"""Candidates and what held-out pairs say of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .alignment import AlignmentMethod
from .features import Aligned, Features, features
from .filters import Filter
from .penalised_ridge import Path, Rows, solve
from .problem import Problem

Array = NDArray[np.float64]
RELATIVE = np.geomspace(1e-8, 3e-2, 17)
_FOLDS = 10


@dataclass(frozen=True)
class Recipe:
    """One way of transferring, up to the ridge penalty, all values of which are candidates.

    contrast: of channels, expected: weight of expected differences, see `features`; penalty: of the
    differences of pairs, expected ones included; label_weight: of a labelled target spectrum
    against a source spectrum, 0 where labels are not used; fleet_weight: of differences that other
    instruments showed, against those of the pairs.
    """

    alignment: AlignmentMethod
    filter: Filter
    contrast: float = 100.0
    expected: float = 0.3
    penalty: float = 1.0
    label_weight: float = 0.0
    fleet_weight: float = 0.0

    @property
    def name(self) -> str:
        """In reports."""
        labelled = f", labels x {self.label_weight:g}" if self.label_weight else ""
        fleet = f", fleet x {self.fleet_weight:g}" if self.fleet_weight else ""
        return f"{self.alignment.name}, {self.filter.name}{labelled}{fleet}"


@dataclass(frozen=True, eq=False)
class Evaluated:
    """A recipe fitted to all pairs, and its errors on what it had not seen.

    path: g solutions; source_error: (g, N, m) reference - prediction of source samples; moved:
    (g, n, m) prediction from the target spectrum less that from the source spectrum of a pair that
    the fit had not seen; target_error: (g, n, m) reference - prediction from the target spectrum of
    such a pair, NaN without a reference.
    """

    recipe: Recipe
    features: Features
    path: Path
    source_error: Array
    moved: Array
    target_error: Array


def evaluate(problem: Problem, recipes: Sequence[Recipe], trust: Array) -> list[Evaluated]:
    """Fit all recipes, and again without each pair (or tenth of the pairs).

    trust: (n,) weight of each pair; one without any is held out all the same.
    """
    n, m = problem.labels.shape
    fitted = _fit(problem, recipes, trust, loo=True)
    shape = (RELATIVE.size, n, m)
    moved = [np.zeros(shape) for _ in recipes]
    target_error = [np.zeros(shape) for _ in recipes]
    for held in np.array_split(np.arange(n), min(n, _FOLDS)):
        kept = np.setdiff1d(np.arange(n), held)
        if not trust[kept].sum() > 0:
            continue
        again = _fit(problem.keep(kept), recipes, trust[kept], loo=False)
        for k, (feature, path) in enumerate(again):
            read = path.predict(feature.target(problem.pairs_target[held]))
            moved[k][:, held] = read - path.predict(feature.source(problem.pairs_source[held]))
            target_error[k][:, held] = problem.labels[held] - read
    out = []
    twice = problem.library >= 0
    for k, (recipe, (feature, path)) in enumerate(zip(recipes, fitted, strict=True)):
        source_error = path.left_out.copy()
        if recipe.label_weight > 0:
            # A library sample that is a labelled transfer sample too would vouch for itself.
            rows = problem.library[twice]
            source_error[:, rows] = (problem.y[rows] - problem.labels[twice]) + (
                target_error[k] + moved[k]
            )[:, twice]
        out.append(Evaluated(recipe, feature, path, source_error, moved[k], target_error[k]))
    return out


def _fit(
    problem: Problem, recipes: Sequence[Recipe], trust: Array, *, loo: bool
) -> list[tuple[Features, Path]]:
    """Recipes share alignments and features."""
    alignments: dict[str, Aligned] = {}
    made: dict[tuple[str, str, float, float, float], Features] = {}
    out = []
    used = trust > 0
    for recipe in recipes:
        name = recipe.alignment.name
        if name not in alignments:
            alignment = recipe.alignment.fit(problem.pairs_source[used], problem.pairs_target[used])
            alignments[name] = Aligned.of(problem, alignment)
        key = (name, recipe.filter.name, recipe.contrast, recipe.expected, recipe.fleet_weight)
        if key not in made:
            made[key] = features(
                problem,
                alignments[name],
                recipe.filter,
                recipe.contrast,
                trust,
                expected=recipe.expected,
                fleet_weight=recipe.fleet_weight,
            )
        feature = made[key]
        rows = feature.rows
        if not recipe.label_weight:
            rows = Rows(rows.source, rows.y, rows.target[:0], rows.labels[:0], rows.penalty)
        rows = Rows(
            rows.source, rows.y, rows.target, rows.labels, np.sqrt(recipe.penalty) * rows.penalty
        )
        out.append((feature, solve(rows, RELATIVE, recipe.label_weight, loo=loo)))
    return out
