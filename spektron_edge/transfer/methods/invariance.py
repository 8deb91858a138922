"""In which directions two populations of spectra vary differently."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..features import span
from ..filters import Filter
from .calibration import derivative_for

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Populations:
    """Source (N, r) and target (u, r) spectra, each about its own mean, in a common basis.

    basis: (p, r) of first derivatives; mean_source, mean_target: (p,); eigenvalues: (r,) of the
    difference of covariances, target less source, for the columns of directions (r, r).
    """

    filter: Filter
    basis: Array
    source: Array
    target: Array
    mean_source: Array
    mean_target: Array
    eigenvalues: Array
    directions: Array

    @classmethod
    def of(cls, source: Array, target: Array) -> Populations:
        """(N, L) and (u, L) spectra that need not pair."""
        filter_ = derivative_for(source.shape[1])
        s, t = filter_.apply(source), filter_.apply(target)
        mean_s, mean_t = s.mean(axis=0), t.mean(axis=0)
        basis = span(np.concatenate([s - mean_s, t - mean_t]))
        a, b = (s - mean_s) @ basis, (t - mean_t) @ basis
        differ = b.T @ b / max(len(b) - 1, 1) - a.T @ a / max(len(a) - 1, 1)
        values, directions = np.linalg.eigh(differ)
        return cls(filter_, basis, a, b, mean_s, mean_t, values, directions)

    def read(self, spectra: Array) -> Array:
        """(k, L) target spectra -> (k, r) about the target's mean."""
        coordinates: Array = (self.filter.apply(spectra) - self.mean_target) @ self.basis
        return coordinates
