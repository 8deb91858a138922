"""Averages of near-best candidates, by errors on what each had not seen.

Taking the single best of many candidates by a handful of held-out pairs is mostly luck; averaging
all whose score lies near the best takes the luck out (Claeskens and Hjort, Model Selection and
Model Averaging, 2008, ch. 7). The risk on the target is that on the source, known from many
samples, and what moving to the target adds, known from the pairs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .evaluation import Evaluated, Recipe
from .linear import LinearPredictor, Part

Array = NDArray[np.float64]
# Scores of n pairs scatter by about the root of 2/n of themselves; candidates closer are not told
# apart.
_WIDTH = 2.0
# A squared error counts for at most so many medians: one bad pair must not choose the method.
_CAP = 12.0
# An alignment is needed when it leaves no more than this share of the risk.
_NEEDED = 0.8
# Names -> what they have to be better by, over the number of pairs.
_ALIGNMENTS = {
    "as measured": 0.0,
    "scale and offset": 0.3,
    "smooth correction": 2.0,
    "piecewise (PDS)": 3.0,
    "spectral space (SST)": 4.0,
    "direct (DS)": 6.0,
}
_FILTERS = {"second derivative": 4.0, "SNV first derivative": 2.0}


@dataclass(frozen=True, eq=False)
class Average:
    """A predictor with errors on what it had not seen; see `Evaluated` for the three.

    share: (c, m) weight of each recipe; source_error: (N, m); moved, target_error: (n, m).
    """

    name: str
    predictor: LinearPredictor
    share: Array
    source_error: Array
    moved: Array
    target_error: Array

    @property
    def risk(self) -> Array:
        """(m,) expected squared error on the target."""
        risk: Array = np.mean(self.source_error**2, axis=0) + capped(self.moved**2)
        return risk


def capped(squares: Array) -> Array:
    """(..., n, m) -> (..., m): mean over pairs, none counting more than some medians."""
    if squares.shape[-2] < 3:
        plain: Array = squares.mean(axis=-2)
        return plain
    limit = _CAP * np.median(squares, axis=-2, keepdims=True)
    mean: Array = np.minimum(squares, limit).mean(axis=-2)
    return mean


def scores(evaluated: Evaluated, pairs: NDArray[np.bool_]) -> Array:
    """(g, m) risk of each candidate, by the pairs that are true in `pairs`."""
    risk = np.mean(evaluated.source_error**2, axis=1) + capped(evaluated.moved[:, pairs] ** 2)
    score: Array = risk * (1 + complexity(evaluated.recipe) / max(int(pairs.sum()), 1))
    return score


def complexity(recipe: Recipe) -> float:
    """What a recipe has to be better by, over the number of pairs."""
    return _ALIGNMENTS.get(recipe.alignment.name, 1.0) + _FILTERS.get(recipe.filter.name, 0.0)


def admitted(candidates: Sequence[Evaluated], pairs: NDArray[np.bool_]) -> list[Evaluated]:
    """Candidates without alignments that are not needed.

    Whether the instruments are of one kind is a question for all properties together: an alignment
    stays where its best risk, the geometric mean over properties, is clearly below that of the
    simplest.
    """
    pooled: dict[str, float] = {}
    for candidate in candidates:
        score = np.log(np.maximum(scores(candidate, pairs).min(axis=0), 1e-300)).mean()
        name = candidate.recipe.alignment.name
        pooled[name] = min(pooled.get(name, np.inf), float(score))
    simple = min(v for k, v in pooled.items() if _ALIGNMENTS.get(k, 1.0) < 1)
    return [
        c
        for c in candidates
        if _ALIGNMENTS.get(c.recipe.alignment.name, 1.0) < 1
        or pooled[c.recipe.alignment.name] < simple + np.log(_NEEDED)
    ]


def label_scores(evaluated: Evaluated, pairs: NDArray[np.bool_]) -> Array:
    """(g, m) mean squared error on held-out labelled target spectra."""
    known = pairs & np.isfinite(evaluated.target_error).all(axis=(0, 2))
    return capped(evaluated.target_error[:, known] ** 2)


def width_for(pairs: int) -> float:
    """Share of the best score within which candidates count."""
    return _WIDTH / float(np.sqrt(max(pairs, 1)))


def average(
    name: str, candidates: Sequence[Evaluated], score: Sequence[Array], width: float
) -> Average:
    """The average of all by `weights_for` their scores."""
    return weighted(name, candidates, weights_for(score, width))


def weights_for(score: Sequence[Array], width: float) -> Array:
    """(c, g, m), falling off exponentially with the score, by e for each `width` of the best."""
    stacked = np.stack(score)
    best = np.maximum(stacked.min(axis=(0, 1)), 1e-300)
    weights: Array = np.exp(-(stacked / best - 1) / width)
    weights /= weights.sum(axis=(0, 1))
    return weights


def weighted(name: str, candidates: Sequence[Evaluated], weights: Array) -> Average:
    """The average with given weights (c, g, m), which sum to one for each property."""
    m = weights.shape[2]
    parts = []
    for candidate, w in zip(candidates, weights, strict=True):
        if w.sum() < 1e-4:
            continue
        path = candidate.path
        coefficients = np.einsum("gm,grm->rm", w, path.coefficients)
        intercept = np.einsum("gm,gm->m", w, path.intercept)
        parts.append(Part.of(candidate.features, coefficients, intercept))

    def mixed(errors: list[Array]) -> Array:
        total = np.zeros(errors[0].shape[1:])
        for w, e in zip(weights, errors, strict=True):
            total += np.einsum("gm,gkm->km", w, e)
        return total

    return Average(
        name,
        LinearPredictor(tuple(parts), np.stack([np.ones(m), np.zeros(m)])),
        weights.sum(axis=1),
        mixed([c.source_error for c in candidates]),
        mixed([c.moved for c in candidates]),
        mixed([c.target_error for c in candidates]),
    )


def blend(name: str, parts: Sequence[Average], weights: Array) -> Average:
    """Averages (a) with weights (a, m), summing to one for each property."""
    m = weights.shape[1]
    flat = []
    for part, w in zip(parts, weights, strict=True):
        gain = w * part.predictor.after[0]
        flat += [
            Part(piece.alignment, piece.filter, piece.slopes * gain, piece.offset * gain)
            for piece in part.predictor.parts
        ]
    bias = sum((w * p.predictor.after[1] for p, w in zip(parts, weights, strict=True)), np.zeros(m))

    def mixed(errors: list[Array]) -> Array:
        total = np.zeros_like(errors[0])
        for w, e in zip(weights, errors, strict=True):
            total += w * e
        return total

    return Average(
        name,
        LinearPredictor(tuple(flat), np.stack([np.ones(m), bias])),
        np.concatenate([w * p.share for p, w in zip(parts, weights, strict=True)]),
        mixed([p.source_error for p in parts]),
        mixed([p.moved for p in parts]),
        mixed([p.target_error for p in parts]),
    )
