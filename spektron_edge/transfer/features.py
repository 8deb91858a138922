"""From spectra on one footing to a few coordinates: filter, weight of channels, basis.

Channels in which pairs differ unpredictably count less: each is divided by the root of one plus
`contrast` times its share of the differences' variance. With few pairs this says more about the
next sample's difference than the covariance of those seen, towards whose diagonal it shrinks
(Schaefer and Strimmer, Stat. Appl. Genet. Mol. Biol. 4 (2005) 32). Directions in which they showed
nothing are penalised too, by `spread_law`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .alignment import Alignment
from .filters import Filter
from .penalised_ridge import Rows
from .problem import Problem
from .spread_law import expected_variance, principal

Array = NDArray[np.float64]
_BASIS = 100
_NOTHING = 1e-13
# What is expected of differences counts as much as so many pairs that show it.
_EXPECTED_PAIRS = 5.0


@dataclass(frozen=True, eq=False)
class Features:
    """Takes target spectra (k, L) to (k, r), and holds the rows of a regression in the same basis.

    weight: (p,) of filtered channels; shift: (p,) mean difference source - target, weighted;
    basis: (p, r); rows: of the regression, penalty of weight one; spread: (n, r) differences less
    their mean; library: as in the problem.
    """

    alignment: Alignment
    filter: Filter
    weight: Array
    shift: Array
    basis: Array
    rows: Rows

    def target(self, spectra: Array) -> Array:
        """(k, L) target spectra -> (k, r)."""
        filtered = self.filter.apply(self.alignment.target(spectra)) * self.weight
        coordinates: Array = (filtered + self.shift) @ self.basis
        return coordinates

    def source(self, spectra: Array) -> Array:
        """(k, L) source spectra -> (k, r)."""
        coordinates: Array = (
            self.filter.apply(self.alignment.source(spectra)) * self.weight
        ) @ self.basis
        return coordinates


@dataclass(frozen=True, eq=False)
class Aligned:
    """Spectra of a problem on one footing: source (N, L), and pairs (n, L) of both instruments."""

    alignment: Alignment
    source: Array
    pairs_source: Array
    pairs_target: Array

    @classmethod
    def of(cls, problem: Problem, alignment: Alignment) -> Aligned:
        """All spectra of the problem."""
        return cls(
            alignment,
            alignment.source(problem.source),
            alignment.source(problem.pairs_source),
            alignment.target(problem.pairs_target),
        )


def features(
    problem: Problem,
    aligned: Aligned,
    filter_: Filter,
    contrast: float,
    trust: Array,
    *,
    expected: float = 0.0,
    fleet_weight: float = 0.0,
) -> Features:
    """Fit everything that depends on the pairs; trust: (n,) weight of each pair, 0 to 1.

    expected: weight of the differences that `spread_law` expects, fleet_weight: of those that other
    instruments showed; 0 for none.
    """
    source = filter_.apply(aligned.source)
    s, t = filter_.apply(aligned.pairs_source), filter_.apply(aligned.pairs_target)
    share = trust / trust.sum()
    difference = s - t
    mean = share @ difference
    rest = difference - mean
    n = len(rest)
    variance = share @ rest**2 * n / max(n - 1, 1)
    level = float(variance.mean())
    weight = 1 / np.sqrt(1 + contrast * variance / level) if level > 0 else np.ones_like(variance)
    source, t, shift, rest = source * weight, (t + mean) * weight, mean * weight, rest * weight
    scale = np.sqrt(len(source) * share)
    fleet = _fleet(problem, filter_, len(source), fleet_weight) * weight
    step = -(-len(source) // _BASIS)
    centre = source.mean(axis=0)
    basis = span(np.concatenate([source[::step] - centre, rest, t - centre, fleet]))
    penalty = [scale[:, None] * rest @ basis, fleet @ basis]
    if expected > 0:
        samples, directions = principal((source - centre) @ basis)
        basis = basis @ directions
        pairs = int(np.count_nonzero(trust))
        shown = share @ (rest @ basis) ** 2 * pairs / max(pairs - 1, 1)
        share_expected = expected * _EXPECTED_PAIRS / (pairs - 1 + _EXPECTED_PAIRS)
        law = len(source) * share_expected * expected_variance(samples, shown)
        penalty = [*(rows @ directions for rows in penalty), np.diag(np.sqrt(law))]
    known = np.isfinite(problem.labels).all(axis=1) & (trust > 0)
    rows = Rows(
        source @ basis,
        problem.y,
        (t @ basis)[known],
        problem.labels[known],
        np.concatenate(penalty),
    )
    return Features(aligned.alignment, filter_, weight, shift, basis, rows)


def _fleet(problem: Problem, filter_: Filter, size: int, weight: float) -> Array:
    """(k, p) differences of other instruments about their means, as rows of a penalty."""
    rows = []
    for shown in problem.fleet if weight > 0 else ():
        if len(shown.difference) < 2:
            continue
        filtered = filter_.apply(shown.difference)
        share = weight / (len(problem.fleet) * (len(filtered) - 1))
        rows.append(np.sqrt(size * share) * (filtered - filtered.mean(axis=0)))
    if not rows:
        return np.empty((0, problem.axis.size - max(filter_.window, 1) + 1))
    return np.concatenate(rows)


def span(spectra: Array) -> Array:
    """(p, r) orthonormal basis of the rows of `spectra` (k, p)."""
    gram = spectra @ spectra.T
    values, vectors = np.linalg.eigh(gram)
    keep = values > _NOTHING * max(float(values[-1]), 1e-300)
    basis: Array = spectra.T @ (vectors[:, keep] / np.sqrt(values[keep]))
    return basis
