"""Choosing a transfer by pairs: average, labels where they help, bad pairs set aside, gate."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .agreement import agreement
from .alignment import AsMeasured
from .averaging import Average, admitted, average, blend, capped, scores, width_for
from .baselines import mean_shift, slope_and_bias
from .evaluation import Evaluated, Recipe, evaluate
from .filters import filters_for
from .labels import with_labels
from .piecewise import Piecewise
from .problem import Problem
from .smooth import SCALE, Smooth
from .subspace import SpectralSpace

Array = NDArray[np.float64]
# A pair is suspected when its error is so many times the others' root mean square.
_SUSPECT = 2.0
# Setting it aside must lower the others' risk by this share.
_GAIN = 0.25
# A simple method takes over only when its loss is below this share of the average's.
_CLEAR = 0.7


@dataclass(frozen=True, eq=False)
class Chosen:
    """What was chosen. trust: (n,) 1, or 0 for a pair set aside; gate: (m,) what passed it.

    tried: recipe -> (m,) root of its best risk; agreement: of the pairs' spectra, see `agreement`.
    """

    average: Average
    trust: Array
    gate: tuple[str, ...]
    baselines: dict[str, Array]
    tried: dict[str, Array]
    agreement: float


_FREE = ("piecewise (PDS)", "spectral space (SST)", "direct (DS)")


def recipes_for(problem: Problem) -> tuple[Recipe, ...]:
    """All recipes that this many pairs allow."""
    filters = filters_for(problem.axis.size)
    methods = (AsMeasured(), SCALE, Smooth(), Piecewise(), SpectralSpace())
    plain = [
        Recipe(method, filter_)
        for method in methods
        if method.least <= problem.pairs
        for filter_ in (
            filters if method.name in ("as measured", "smooth correction") else filters[:3]
        )
    ]
    plain += [
        Recipe(AsMeasured(), filter_, fleet_weight=weight)
        for weight in ((0.1, 1.0) if problem.fleet else ())
        for filter_ in filters[:3]
    ]
    return tuple(plain)


def choose(problem: Problem) -> Chosen:
    """Average, then gate; a suspected pair is set aside where the others are better without it."""
    trust = np.ones(problem.pairs)
    recipes = recipes_for(problem)
    plain = _plain(problem, recipes, trust)
    for _ in range(max(1, problem.pairs // 5)):
        suspect = _suspect(plain[1], trust)
        if suspect is None or np.count_nonzero(trust) < 4:
            break
        less = trust.copy()
        less[suspect] = 0.0
        again = _plain(problem, recipes, less)
        others = less > 0
        gain = _risk(again[1], others) / np.maximum(_risk(plain[1], others), 1e-300)
        if np.exp(np.mean(np.log(np.maximum(gain, 1e-12)))) > 1 - _GAIN:
            break
        plain, trust = again, less
    evaluated, mixed = plain
    chosen = with_labels(problem, evaluated, mixed, trust)
    shift = mean_shift(problem, trust)
    slope = slope_and_bias(problem, trust)
    average_, gate = _gate(chosen, (shift, slope), trust)
    pairs = trust > 0
    tried = {e.recipe.name: np.sqrt(scores(e, pairs).min(axis=0)) for e in evaluated}
    baselines = {b.name: np.sqrt(_risk(b, pairs)) for b in (shift, slope)}
    return Chosen(average_, trust, gate, baselines, tried, agreement(problem, trust))


def _plain(
    problem: Problem, recipes: Sequence[Recipe], trust: Array
) -> tuple[list[Evaluated], Average]:
    """Free maps of channels are tried only where a smooth one is needed."""
    pairs = trust > 0
    free = [r for r in recipes if r.alignment.name in _FREE]
    evaluated = evaluate(problem, [r for r in recipes if r not in free], trust)
    kept = admitted(evaluated, pairs)
    if len(kept) == len(evaluated) and free:
        kept = admitted([*evaluated, *evaluate(problem, free, trust)], pairs)
    width = width_for(int(pairs.sum()))
    return kept, average("average", kept, [scores(e, pairs) for e in kept], width)


def _suspect(mixed: Average, trust: Array) -> int | None:
    """The pair whose error stands out most, if one does."""
    used = np.flatnonzero(trust > 0)
    if used.size < 4:
        return None
    spread = np.sqrt(np.maximum(mixed.risk, 1e-300))
    size = np.sqrt(np.mean((mixed.moved[used] / spread) ** 2, axis=1))
    worst = int(np.argmax(size))
    others = np.sqrt(np.mean(np.delete(size, worst) ** 2))
    return int(used[worst]) if size[worst] > _SUSPECT * others else None


def _risk(average_: Average, pairs: NDArray[np.bool_]) -> Array:
    source = np.mean(average_.source_error**2, axis=0)
    risk: Array = source + capped(average_.moved[pairs] ** 2)
    return risk


def _gate(
    chosen: Average, baselines: Sequence[Average], trust: Array
) -> tuple[Average, tuple[str, ...]]:
    """Property by property the simple method, where held-out pairs say that it is better.

    It takes over when its loss is lower by twice the standard error of the paired difference, and
    clearly: of methods that pairs cannot tell apart, the average is the safer one.
    """
    names = [chosen.name] * chosen.moved.shape[1]
    candidates = [chosen, *baselines]
    weights = np.zeros((len(candidates), len(names)))
    for j in range(len(names)):
        pick = 0
        best = _loss(chosen, trust, j)
        for k, baseline in enumerate(baselines, start=1):
            loss = _loss(baseline, trust, j)
            difference = loss - best
            error = float(np.std(difference, ddof=1)) / np.sqrt(difference.size)
            if (
                float(difference.mean()) < -_sure(difference.size) * error
                and loss.mean() < _CLEAR * best.mean()
            ):
                pick, best = k, loss
        weights[pick, j] = 1.0
        names[j] = candidates[pick].name
    if np.all(weights[0] == 1):
        return chosen, tuple(names)
    return blend("gated", candidates, weights), tuple(names)


def _sure(n: int) -> float:
    """About the 99 % quantile of Student's t with n - 1 degrees of freedom."""
    return 2.33 * (1 + 2.4 / max(n - 1, 1))


def _loss(average_: Average, trust: Array, j: int) -> Array:
    """(n,) squared error of property j on each held-out pair: on references where all are known."""
    pairs = trust > 0
    if np.all(np.isfinite(average_.target_error[pairs, j])):
        squares, source = average_.target_error[pairs, j] ** 2, 0.0
    else:
        squares = average_.moved[pairs, j] ** 2
        source = float(np.mean(average_.source_error[:, j] ** 2))
    limit = 12.0 * float(np.median(squares))
    loss: Array = source + np.minimum(squares, limit)
    return loss
