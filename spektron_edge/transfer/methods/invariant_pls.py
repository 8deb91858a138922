"""Domain-invariant partial least squares."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .given import Given
from .invariance import Populations
from .method import Method, not_negative, positive

Array = NDArray[np.float64]
_NOTHING = 1e-12


@dataclass(kw_only=True, eq=False)
class DomainInvariantPls(Method):
    """di-PLS: PLS1 components along which both populations vary alike.

    Nikzad-Langerodi, Zellinger, Lughofer and Saminger-Platz, Anal. Chem. 90 (2018) 6693, with the
    convex bound of Nikzad-Langerodi, Zellinger, Saminger-Platz and Moser, Knowl.-Based Syst. 210
    (2020) 106447 (absolute eigenvalues). Each component's weights are
    (I + strength D / d)^-1 X'y, with D the difference of covariances of what earlier components
    left, and d its largest eigenvalue at the start times the share of y'y that they left: their
    lambda is strength y'y / d. Population means are
    made equal. Maps no spectra: coef_ (r, m), in the basis of populations_.
    """

    key = "invariant_pls"
    needs = frozenset({"unpaired"})
    components: int = 8
    strength: float = 10.0

    def _fit(self, given: Given) -> None:
        positive(self, components=self.components)
        not_negative(self, strength=self.strength)
        self.populations_ = Populations.of(given.source, given.unpaired)
        self.intercept_ = given.y.mean(axis=0)
        centred = given.y - self.intercept_
        self.coef_: Array = np.stack([self._slopes(y) for y in centred.T], axis=1)

    def _slopes(self, y: Array) -> Array:
        """(r,) for one centred property (N,)."""
        s, t = self.populations_.source, self.populations_.target
        unit = max(float(np.abs(self.populations_.eigenvalues).max()), 1e-300)
        start, power = float(np.linalg.norm(s.T @ y)), float(y @ y)
        rotations: list[Array] = []
        loadings: list[Array] = []
        total = np.zeros(s.shape[1])
        for _ in range(min(self.components, len(y) - 1, s.shape[1])):
            weights = self._weights(s, t, y, power / max(float(y @ y), 1e-300) / unit)
            if np.linalg.norm(s.T @ y) <= _NOTHING * start:
                break
            scores, on_target = s @ weights, t @ weights
            square = float(scores @ scores)
            loading, share = s.T @ scores / square, float(scores @ y) / square
            # The weights as seen from the undeflated spectra.
            turned = weights.copy()
            for old, rotation in zip(loadings, rotations, strict=True):
                turned -= float(old @ weights) * rotation
            rotations.append(turned)
            loadings.append(loading)
            total += share * turned
            s = s - np.outer(scores, loading)
            t = t - np.outer(on_target, t.T @ on_target / max(float(on_target @ on_target), 1e-300))
            y = y - share * scores
        return total

    def _weights(self, s: Array, t: Array, y: Array, factor: float) -> Array:
        differ = t.T @ t / max(len(t) - 1, 1) - s.T @ s / max(len(s) - 1, 1)
        values, vectors = np.linalg.eigh(differ)
        damped = 1 / (1 + self.strength * factor * np.abs(values))
        weights = vectors @ (damped * (vectors.T @ (s.T @ y)))
        length = max(float(np.linalg.norm(weights)), 1e-300)
        unit_length: Array = weights / length
        return unit_length

    def _predict(self, spectra: Array) -> Array:
        read: Array = self.intercept_ + self.populations_.read(spectra) @ self.coef_
        return read
