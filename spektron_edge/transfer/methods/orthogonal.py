"""External parameter orthogonalisation: what pairs differ in is taken out of all spectra."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..filters import Filter
from .calibration import derivative_for
from .given import Given
from .method import SpectrumMap, positive

Array = NDArray[np.float64]
_NOTHING = 1e-9


@dataclass(kw_only=True, eq=False)
class ExternalParameterOrthogonalisation(SpectrumMap):
    """Spectra of both instruments without the directions in which pairs differ most.

    Roger, Chauchard and Bellon-Maurel, Chemom. Intell. Lab. Syst. 66 (2003) 191. The mean
    difference is added to the target's spectra, shift_ (L,), and `components` directions of what
    differences leave over, at most one less than the pairs, are removed from both. They are
    orthogonal in the first derivative, where chemistry and instruments are told apart:
    directions_ (c, p); in spectra they are combinations of differences, removed_ (c, L).
    """

    key = "epo"
    needs = frozenset({"pairs"})
    components: int = 4

    def _fit_map(self, given: Given) -> None:
        positive(self, components=self.components)
        difference = given.pairs_source - given.pairs_target
        self.shift_ = difference.mean(axis=0)
        rest = difference - self.shift_
        self.filter_: Filter = derivative_for(rest.shape[1])
        u, values, v = np.linalg.svd(self.filter_.apply(rest), full_matrices=False)
        # A direction without length is rounding, and removing it would remove chemistry.
        scale = float(np.linalg.norm(self.filter_.apply(given.pairs_source)))
        keep = min(self.components, len(rest) - 1, int(np.sum(values > _NOTHING * scale)))
        self.directions_ = v[:keep]
        # The derivative of these rows is `directions_`, so no derivative has to be undone.
        self.removed_ = (u[:, :keep] / values[:keep]).T @ rest

    def _map(self, spectra: Array) -> Array:
        return self._source(spectra + self.shift_)

    def _source(self, spectra: Array) -> Array:
        scores = self.filter_.apply(spectra) @ self.directions_.T
        left: Array = spectra - scores @ self.removed_
        return left
