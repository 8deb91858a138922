"""Which of the things that instruments do explains how the mean spectrum moved, and by how much.

The mean of recent spectra less the source's is a smooth correction's effect, a smooth residual and
the scatter of means, all Gaussian. Each group of effects has a variance, found by the evidence
(MacKay, Neural Computation 4 (1992) 415); a group is used where it raises the logarithm of the
evidence by more than it costs, so that one cause is told by one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from .correction import TERMS, Correction, units
from .line_shape import broadened, broadening
from .population import TODAY, Population, View

Array = NDArray[np.float64]
# Name of a group in use -> its size.
Sizes = dict[str, float]
SCALE = "gain"
GROUPS = {
    "baseline": ("offset", "slope", "curvature", "cubic"),
    SCALE: ("gain", "gain_slope"),
    "axis": ("shift", "stretch"),
    "stray light": ("stray",),
    "linearity": tuple(f"linearity_{power}" for power in range(5)),
    "water": ("water_1450_shift", "water_1450_width", "water_1930_shift", "water_1930_width"),
}
# Standard deviation of each coefficient at size 1, in its `units`.
_SPREADS = {"offset": 0.1, "slope": 0.05, "curvature": 0.05, "cubic": 0.03}
_SPREADS |= {"gain": 0.1, "gain_slope": 0.03, "shift": 1.0, "stretch": 1.0, "stray": 0.03}
_SPREADS |= {"linearity_0": 0.1} | {f"linearity_{power}": 0.05 for power in range(1, 5)}
_SPREADS |= {"water_1450_shift": 1.0, "water_1930_shift": 1.0}
_SPREADS |= {"water_1450_width": 16.0, "water_1930_width": 16.0}
_SIZES = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0)
LINE_SHAPE = "line shape"
# Channels squared of its variance.
_LINE_SHAPE_SPREAD = 16.0
# Of the residual: shares of the grid over which it is alike, and its size relative to absorbance.
RESIDUALS = {"residual, narrow": 1 / 45, "residual, wide": 1 / 11}
_RESIDUAL_SIZES = (1e-5, 3e-5, 1e-4, 3e-4, 1e-3, 3e-3, 1e-2)
_CHOICES = dict.fromkeys((*GROUPS, LINE_SHAPE), _SIZES) | dict.fromkeys(RESIDUALS, _RESIDUAL_SIZES)
_COST = 3.0
_PASSES = 3
# Sets of groups count whose evidence is less than that below the best, in nats.
_NEAR = 5.0
_SMALLEST = 1e-7


@dataclass(frozen=True, eq=False)
class Explanation:
    """correction: posterior mean; line_shape: variance in nm^2 by which it is wider than the
    source's. sizes: of each group in use, relative to its usual one.

    gained: logarithm of the evidence over that of scatter alone; alone: the same by each group
    alone; misfit: mean square of what is left, in units of what it should be.
    """

    correction: Correction
    line_shape: float
    sizes: Sizes
    gained: float
    alone: Mapping[str, float]
    misfit: float

    @property
    def by_one(self) -> float:
        """The same by the best of the groups alone."""
        return max(0.0, *self.alone.values())


def explain(
    recent: Array,
    noise: float,
    source: Population,
    axis_nm: Array,
    *,
    today: float = TODAY,
    residuals: bool = True,
    near: Explanation | None = None,
) -> Explanation:
    """What happened to samples (n, L), absorbance on the grid, one spectrum each.

    noise: theirs, standard deviation; today: see `Population.scatter`; residuals: whether what no
    term says may be explained by an offset spectrum; near: another explanation of the same, to
    begin with.
    """
    view = View.of(recent.shape[1])
    seen = source.seen(view)
    whiten = _whitening(seen.scatter(len(recent), noise / np.sqrt(view.width), today))
    choices = {n: c for n, c in _CHOICES.items() if residuals or n not in RESIDUALS}
    task = _Task(recent, source.mean, source.level, whiten, view, axis_nm, choices)
    none = Correction.none(axis_nm)
    if near is None:
        starts, passes = _starts(none), _PASSES
    else:
        starts, passes = [(near.correction, near.line_shape / none.step_nm**2)], 1
    step = max((task.fitted(at, v) for at, v in starts), key=lambda step: step.evidence)
    for _ in range(passes):
        step = task.fitted(step.correction, step.variance)
    nothing = task.problem(none, 0.0).evidence({})
    alone = {name: evidence - nothing for name, evidence in step.alone.items()}
    variance = step.variance * none.step_nm**2
    left = _left(whiten, view, source.mean, step.correction.apply(recent))
    gained = step.evidence - nothing
    return Explanation(step.correction, variance, step.sizes, gained, alone, left)


def misfit(samples: Array, noise: float, source: Population, correction: Correction) -> float:
    """Mean square of the corrected mean of samples (n, L) less the source's, in units of what it
    should be; noise: of the samples."""
    view = View.of(samples.shape[1])
    scatter = source.seen(view).scatter(len(samples), noise / np.sqrt(view.width))
    return _left(_whitening(scatter), view, source.mean, correction.apply(samples))


def _left(whiten: Array, view: View, mean: Array, corrected: Array) -> float:
    """Mean square of what is left of the mean of corrected samples (n, L), in units of scatter."""
    return float(np.mean((whiten @ view(mean - corrected.mean(axis=0))) ** 2))


@dataclass(frozen=True, eq=False)
class _Problem:
    """told (c,) is features (c, f) times normal coefficients, each of its group's size, plus white
    noise; groups: name and columns of each.

    Everything is done in the features' own space, which is a quarter of the channels.
    """

    told: Array
    features: Array
    groups: Mapping[str, slice]

    @cached_property
    def _gram(self) -> Array:
        gram: Array = self.features.T @ self.features
        return gram

    @cached_property
    def _seen(self) -> Array:
        seen: Array = self.features.T @ self.told
        return seen

    def evidence(self, sizes: Sizes) -> float:
        """Logarithm of the density of `told`, up to a constant, less the cost of groups."""
        scale, rows = self._scale(sizes)
        if not rows.size:
            return float(-0.5 * self.told @ self.told)
        factor = np.linalg.cholesky(self._precision(scale, rows))
        white = np.linalg.solve(factor, scale * self._seen[rows])
        fit = 0.5 * (white @ white - self.told @ self.told)
        return float(fit - np.log(np.diag(factor)).sum() - _COST * len(sizes))

    def mean(self, sizes: Sizes) -> Array:
        """(f,) posterior mean of the coefficients."""
        scale, rows = self._scale(sizes)
        mean = np.zeros(len(self._gram))
        if rows.size:
            solved = np.linalg.solve(self._precision(scale, rows), scale * self._seen[rows])
            mean[rows] = scale * solved
        return mean

    def _precision(self, scale: Array, rows: NDArray[np.int64]) -> Array:
        precision = scale[:, None] * self._gram[np.ix_(rows, rows)] * scale
        precision[np.diag_indices_from(precision)] += 1
        chosen: Array = precision
        return chosen

    def _scale(self, sizes: Sizes) -> tuple[Array, NDArray[np.int64]]:
        """Size and index of every feature in use."""
        rows = [np.arange(len(self._gram))[self.groups[name]] for name in sizes]
        scale = [np.full(r.size, size) for r, size in zip(rows, sizes.values(), strict=True)]
        if not rows:
            return np.zeros(0), np.zeros(0, np.int64)
        return np.concatenate(scale), np.concatenate(rows)


@dataclass(frozen=True, eq=False)
class _Step:
    """A correction, the best of the groups and sizes that it averages, and their evidence; alone:
    of each group.

    variance: of the line shape, channels squared; what it makes of the mean is in the correction.
    """

    correction: Correction
    variance: float
    sizes: Sizes
    evidence: float
    alone: Mapping[str, float]


@dataclass(frozen=True, eq=False)
class _Task:
    """recent (n, L); mean (L,) of the source, and its level; whiten (c, c) on the channels of
    `view`."""

    recent: Array
    mean: Array
    level: float
    whiten: Array
    view: View
    axis_nm: Array
    choices: Mapping[str, tuple[float, ...]]

    def problem(self, at: Correction, variance: float) -> _Problem:
        """Linear around a correction, whose residual does not count, and a line shape."""
        smooth = replace(at, residual=np.zeros(self.mean.size))
        columns = self.view(smooth.columns(self.recent).mean(axis=1)).T
        wider = -self.view(broadening(self.mean, variance))
        left = broadened(self.mean, variance) - smooth.apply(self.recent).mean(axis=0)
        told = self.view(left) + columns @ smooth.coefficients + wider * variance
        features = [columns * self._spreads, _LINE_SHAPE_SPREAD * wider[:, None]]
        features += [near for near, _ in self._residuals]
        whitened = self.whiten @ np.concatenate(features, axis=1)
        return _Problem(self.whiten @ told, whitened, self._groups)

    def fitted(self, at: Correction, variance: float) -> _Step:
        """What is likely around a correction, averaged."""
        problem = self.problem(at, variance)
        found = _search(problem, self.choices)
        best, evidence = max(found, key=lambda one: one[1])
        alone = {name: max(e for s, e in found if [*s] == [name]) for name in self.choices}
        near = [(s, e) for s, e in found if e > evidence - _NEAR]
        weights = np.exp([e - evidence for _, e in near])
        mean = weights @ np.stack([problem.mean(sizes) for sizes, _ in near]) / weights.sum()
        terms = len(TERMS)
        wider = float(_LINE_SHAPE_SPREAD * mean[terms])
        every = np.concatenate([far for _, far in self._residuals], axis=1)
        residual = every @ mean[terms + 1 :] + self.mean - broadened(self.mean, wider)
        correction = Correction(self._spreads * mean[:terms], residual, self.axis_nm)
        return _Step(correction, wider, best, evidence, alone)

    @cached_property
    def _spreads(self) -> Array:
        """(17,) standard deviation of each coefficient at size 1."""
        step_nm = float(self.axis_nm[1] - self.axis_nm[0])
        spreads: Array = units(self.level, step_nm) * [_SPREADS[term] for term in TERMS]
        return spreads

    @cached_property
    def _residuals(self) -> tuple[tuple[Array, Array], ...]:
        """Of each residual of size 1: its features on channels compared (c, k) and all (L, k)."""
        every = np.arange(self.mean.size, dtype=np.float64)
        some = self.view(every)
        return tuple(
            _features(every, some, share * every.size, self.level) for share in RESIDUALS.values()
        )

    @cached_property
    def _groups(self) -> dict[str, slice]:
        groups, at = {}, 0
        for name, terms in GROUPS.items():
            groups[name] = slice(at, at + len(terms))
            at += len(terms)
        groups[LINE_SHAPE] = slice(at, at + 1)
        at += 1
        for name, (near, _) in zip(RESIDUALS, self._residuals, strict=True):
            groups[name] = slice(at, at + near.shape[1])
            at += near.shape[1]
        return groups


def _starts(none: Correction) -> list[tuple[Correction, float]]:
    """Shifts and line shapes that are too large for a first order, to begin with."""
    starts = [(none, variance) for variance in (0.0, -3.0, 2.0, 6.0, 12.0)]
    for size in (-2.0, -0.7, 0.7, 2.0):
        coefficients = np.zeros(len(TERMS))
        coefficients[TERMS.index("shift")] = size * none.step_nm
        starts.append((replace(none, coefficients=coefficients), 0.0))
    return starts


def _search(
    problem: _Problem, choices: Mapping[str, tuple[float, ...]]
) -> list[tuple[Sizes, float]]:
    """The group that is worth most, again and again, until none is worth a change: all it tried."""
    tried: dict[tuple[tuple[str, float], ...], float] = {}

    def evidence(sizes: Sizes) -> float:
        key = tuple(sorted(sizes.items()))
        if key not in tried:
            tried[key] = problem.evidence(sizes)
        return tried[key]

    best: Sizes = {}
    while True:
        found = max(_neighbours(best, choices), key=evidence)
        if evidence(found) <= evidence(best):
            return [(dict(key), value) for key, value in tried.items()]
        best = found


def _neighbours(sizes: Sizes, choices: Mapping[str, tuple[float, ...]]) -> list[Sizes]:
    """With one group more, one less, or one of another size."""
    found = []
    for name, of_it in choices.items():
        others = {n: s for n, s in sizes.items() if n != name}
        found += [{**others, name: size} for size in of_it]
        found.append(others)
    return found


def _features(every: Array, some: Array, length: float, level: float) -> tuple[Array, Array]:
    """(c, k) and (L, k): a random function's, alike over `length` channels, on some and on all."""
    values, axes = np.linalg.eigh(_alike(some, some, length))
    kept = values > _SMALLEST * values[-1]
    values, axes = values[kept], axes[:, kept]
    near: Array = level * axes * np.sqrt(values)
    far: Array = level * _alike(every, some, length) @ (axes / np.sqrt(values))
    return near, far


def _alike(a: Array, b: Array, length: float) -> Array:
    alike: Array = np.exp(-0.5 * ((a[:, None] - b[None]) / length) ** 2)
    return alike


def _whitening(covariance: Array) -> Array:
    values, axes = np.linalg.eigh(covariance)
    # Rounding must not make a direction of no variance one of infinite weight.
    whitening: Array = (axes / np.sqrt(np.maximum(values, 1e-12 * values[-1]))).T
    return whitening
