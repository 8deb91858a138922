"""Maps through a common space: spectral-space transform and direct standardisation."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .alignment import Affine

Array = NDArray[np.float64]


@dataclass(frozen=True)
class SpectralSpace:
    """Spectral-space transform: Du et al., Anal. Chim. Acta 690 (2011) 64.

    The pairs side by side, (n, 2 L), have a decomposition whose loadings say how the same component
    looks on either instrument; a spectrum's scores on the target's loadings are moved to the
    source's. `components` at most, and one less than the pairs.
    """

    name: str = "spectral space (SST)"
    least: int = 8
    components: int = 4

    def fit(self, source: Array, target: Array) -> Affine:
        """(n, L) pairs."""
        centre_s, centre_t = source.mean(axis=0), target.mean(axis=0)
        both = np.concatenate([source - centre_s, target - centre_t], axis=1)
        _, values, loadings = np.linalg.svd(both, full_matrices=False)
        rank = int(np.sum(values > 1e-9 * max(float(values[0]), 1e-300)))
        keep = max(1, min(self.components, rank, len(source) - 1))
        channels = source.shape[1]
        p_s, p_t = loadings[:keep, :channels], loadings[:keep, channels:]
        scores = np.linalg.pinv(p_t, rcond=1e-6)
        return Affine(centre_s, centre_t, np.eye(channels) + scores @ (p_s - p_t))


@dataclass(frozen=True)
class Direct:
    """Direct standardisation by ridge: Wang, Veltkamp and Kowalski, Anal. Chem. 63 (1991) 2750.

    Every source channel from all target channels; ridge: relative to the largest eigenvalue. Only
    what the pairs span is moved, so it needs more of them than the others.
    """

    name: str = "direct (DS)"
    least: int = 10
    ridge: float = 1e-4

    def fit(self, source: Array, target: Array) -> Affine:
        """(n, L) pairs."""
        centre_s, centre_t = source.mean(axis=0), target.mean(axis=0)
        s, t = source - centre_s, target - centre_t
        gram = t @ t.T
        level = self.ridge * max(float(np.linalg.eigvalsh(gram)[-1]), 1e-300)
        matrix = t.T @ np.linalg.solve(gram + level * np.eye(len(t)), s)
        return Affine(centre_s, centre_t, matrix)
