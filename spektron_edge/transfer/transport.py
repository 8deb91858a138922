"""Unpaired alignment by optimal transport: an affine map of scores, never a free one.

Populations on both instruments are matched by entropic transport between principal-component
scores, and what is kept of the matching is the affine map that fits it best: a free map moves every
spectrum onto its neighbours and takes the chemistry with it. Courty, Flamary, Tuia and
Rakotomamonjy, IEEE Trans. Pattern Anal. Mach. Intell. 39 (2017) 1853; where few spectra make the
populations differ by chance, marginals are relaxed (Chizat, Peyre, Schmitzer and Vialard, Math.
Comput. 87 (2018) 2563). Which samples are there is not the instrument's doing, so the map is pulled
towards the identity. Not among the candidates of `fit`: see docs/transfer.md.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .alignment import Affine
from .sinkhorn import sinkhorn

Array = NDArray[np.float64]
# Below so many spectra on either side, marginals are relaxed.
_FEW = 30


@dataclass(frozen=True)
class Transport:
    """Fits an `Affine` map on populations, (N, L) and (u, L) spectra that need not pair.

    components: of the pooled, centred spectra; epsilon: relative to the mean cost; pull: towards
    the identity, relative to the mean variance of scores; relaxed: penalty on marginals in units
    of the mean cost where either side has few spectra.
    """

    name: str = "optimal transport"
    least: int = 8
    components: int = 5
    epsilon: float = 0.05
    pull: float = 0.3
    relaxed: float = 1.0

    def fit(self, source: Array, target: Array) -> Affine:
        """Means are made equal, then scores are matched."""
        centre_s, centre_t = source.mean(axis=0), target.mean(axis=0)
        s, t = source - centre_s, target - centre_t
        loadings = np.linalg.svd(np.concatenate([s, t]), full_matrices=False)[2][: self.components]
        a, b = s @ loadings.T, t @ loadings.T
        scale = np.sqrt(np.mean(a**2, axis=0))
        # Directions without spread hold rounding, which standardising would blow up.
        held = scale > 1e-6 * max(float(scale.max()), 1e-300)
        loadings, a, b, scale = loadings[held], a[:, held], b[:, held], scale[held]
        a, b = a / scale, b / scale
        few = min(len(source), len(target)) < _FEW
        matched, own = self._means(b, a, few=few), self._means(b, b, few=few)
        # Entropy draws means of matches together; those of the target with itself just as much.
        gram = own.T @ own
        ridge = self.pull * float(np.trace(gram)) / len(gram)
        solved = np.linalg.solve(gram + ridge * np.eye(len(gram)), own.T @ (matched - own))
        change = loadings.T @ (solved / scale[:, None] * scale[None]) @ loadings
        return Affine(centre_s, centre_t, np.eye(source.shape[1]) + change)

    def _means(self, b: Array, a: Array, *, few: bool) -> Array:
        """(u, k) mean of what each of b (u, k) is matched with in a (N, k)."""
        cost = np.sum((b[:, None] - a[None]) ** 2, axis=2)
        plan = sinkhorn(
            np.full(len(b), 1 / len(b)),
            np.full(len(a), 1 / len(a)),
            cost / max(float(cost.mean()), 1e-300),
            self.epsilon,
            marginal_penalty=self.relaxed if few else np.inf,
        ).plan
        means: Array = (plan @ a) / np.maximum(plan.sum(axis=1, keepdims=True), 1e-300)
        return means
