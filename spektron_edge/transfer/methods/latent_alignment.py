"""Optimal transport between latents of two instruments, kept as an affine map.

Target latents are matched with the source's prototypes by entropic transport, and what is kept of
the matching is the affine map that fits its barycentres best (Courty, Flamary, Tuia and
Rakotomamonjy, IEEE Trans. Pattern Anal. Mach. Intell. 39 (2017) 1853; as a map, Perrot, Courty,
Flamary and Habrard, NeurIPS 2016). Samples that both instruments measured keep to their partners,
as known labels do there. Where few latents make the populations differ by chance, marginals are
relaxed (Chizat, Peyre, Schmitzer and Vialard, Math. Comput. 87 (2018) 2563).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..divergence import squared_distances
from ..problem import TransferError
from ..sinkhorn import sinkhorn

Array = NDArray[np.float64]
# Below so many latents on either side, marginals are relaxed and the map is diagonal.
FEW = 30
# What matching a pair with another sample costs on top, in units of the mean cost.
_STRAY = 20.0
_NOTHING = 1e-6


@dataclass(frozen=True, eq=False)
class LatentMap:
    """z -> z + shift + (z - centre) loadings' change loadings.

    shift, centre: (d,); loadings: (c, d), orthonormal; change: (c, c).
    """

    shift: Array
    centre: Array
    loadings: Array
    change: Array

    def apply(self, z: Array) -> Array:
        """(k, d) target latents on the source's footing."""
        moved: Array = z + self.shift
        moved += (z - self.centre) @ self.loadings.T @ self.change @ self.loadings
        return moved


@dataclass(frozen=True)
class Settings:
    """components: principal components of the source's latents that the map may stretch or mix;
    epsilon: entropy, and relaxed: penalty on marginals where latents are few, both in units of the
    mean cost; pull: towards the identity, in units of the mean variance of a component.
    """

    components: int
    epsilon: float
    relaxed: float
    pull: float


def align(
    source: Array, target: Array, partner: NDArray[np.int64], settings: Settings
) -> LatentMap:
    """Map of target latents (k, d) onto source latents (N, d).

    partner: (k,) row of `source` that is the same sample, -1 where none is. The mean of pairs, or
    of the populations where there is none, is made equal first. Raises TransferError for source
    latents that are all the same.
    """
    paired = partner >= 0
    if np.any(paired):
        shift = (source[partner[paired]] - target[paired]).mean(axis=0)
    else:
        shift = source.mean(axis=0) - target.mean(axis=0)
    centre = source.mean(axis=0)
    loadings = np.linalg.svd(source - centre, full_matrices=False)[2][: settings.components]
    scale = np.sqrt(np.mean(((source - centre) @ loadings.T) ** 2, axis=0))
    held = scale > _NOTHING * max(float(scale.max()), 1e-300)
    if not np.any(held):
        raise TransferError(
            "the encoder reads the same from all source spectra; check their quantity and unit"
        )
    loadings, scale = loadings[held], scale[held]
    a = (source - centre) @ loadings.T / scale
    b = (target + shift - centre) @ loadings.T / scale
    few = min(len(source), len(target)) < FEW
    penalty = settings.relaxed if few else np.inf
    matched, mass = barycentres(b, a, partner, settings.epsilon, penalty)
    # Entropy draws barycentres together; those of the target with itself just as much.
    itself = np.where(paired, np.arange(len(b)), -1)
    own, _ = barycentres(b, b, itself, settings.epsilon, penalty)
    mean_own, mean_matched = mass @ own, mass @ matched
    x, gap = own - mean_own, (matched - mean_matched) - (own - mean_own)
    change = _towards_identity(x, gap, mass, settings.pull, diagonal=few)
    # What the barycentres' means still differ by; nothing where all are paired.
    rest = (mean_matched - mean_own) * scale
    change = change / scale[:, None] * scale
    middle = centre - shift + (mean_own * scale) @ loadings
    return LatentMap(shift + rest @ loadings, middle, loadings, change)


def barycentres(
    b: Array, a: Array, partner: NDArray[np.int64], epsilon: float, penalty: float
) -> tuple[Array, Array]:
    """(k, c) mean of what each of b (k, c) is matched with in a (N, c), and its mass (k,)."""
    cost = squared_distances(b, a)
    unit = max(float(cost.mean()), 1e-300)
    cost /= unit
    paired = np.flatnonzero(partner >= 0)
    strays = np.zeros(cost.shape)
    strays[paired] = _STRAY
    strays[paired, partner[paired]] = 0.0
    weights = (np.full(len(b), 1 / len(b)), np.full(len(a), 1 / len(a)))
    # A sample's own mass is not in doubt, only how often its like occurs on the other side.
    penalties = (penalty, penalty) if not paired.size else (np.inf, penalty)
    plan = sinkhorn(*weights, cost + strays, epsilon, marginal_penalty=penalties).plan
    mass = plan.sum(axis=1)
    means: Array = plan @ a / np.maximum(mass, 1e-300)[:, None]
    return means, mass / mass.sum()


def _towards_identity(x: Array, gap: Array, mass: Array, pull: float, *, diagonal: bool) -> Array:
    """(c, c) with x @ change about gap; the pull makes it nothing where x says little."""
    weighted = mass[:, None] * x
    gram = weighted.T @ x
    ridge = pull * max(float(np.trace(gram)) / len(gram), 1e-300)
    if diagonal:
        power = np.diag(gram)
        return np.diag(np.sum(weighted * gap, axis=0) / (power + ridge))
    change: Array = np.linalg.solve(gram + ridge * np.eye(len(gram)), weighted.T @ gap)
    return change
