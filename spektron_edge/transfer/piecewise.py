"""Piecewise direct standardisation, regularised: each channel from a window of the other device.

Wang, Veltkamp and Kowalski, Anal. Chem. 63 (1991) 2750. Two things differ from the paper. A ridge
takes the place of PLS or PCR in each window, and it pulls towards a smooth physical correction
instead of towards zero, so that with few pairs the map is that correction and no noise.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .smooth import Smooth, SmoothMap

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class PiecewiseMap:
    """A smooth map of the source and, per channel, weights of a window of what it made.

    centre: (L,) mean of the mapped pairs; offset: (L,) mean misfit; pairs: (n, L) mapped and
    centred; dual: (n, L) coefficients; half: channels either side.
    """

    smooth: SmoothMap
    centre: Array
    offset: Array
    pairs: Array
    dual: Array
    half: int

    def source(self, spectra: Array) -> Array:
        """(k, L) as the target would have read them."""
        mapped = self.smooth.source(spectra)
        kernel = window_sums(mapped - self.centre, self.pairs, self.half)
        read: Array = mapped + self.offset + np.einsum("kil,il->kl", kernel, self.dual)
        return read

    def target(self, spectra: Array) -> Array:
        """(k, L), made coarser where the source is the coarser one."""
        return self.smooth.target(spectra)


@dataclass(frozen=True)
class Piecewise:
    """Fits a `PiecewiseMap`. ridge: relative to the mean eigenvalue of each window's kernel."""

    name: str = "piecewise (PDS)"
    least: int = 6
    half: int = 5
    ridge: float = 0.1

    def fit(self, source: Array, target: Array) -> PiecewiseMap:
        """(n, L) pairs."""
        smooth = Smooth().fit(source, target)
        mapped, wanted = smooth.source(source), smooth.target(target)
        misfit = wanted - mapped
        centre, offset = mapped.mean(axis=0), misfit.mean(axis=0)
        pairs = mapped - centre
        kernel = np.moveaxis(window_sums(pairs, pairs, self.half), -1, 0)
        n = len(pairs)
        level = np.maximum(np.trace(kernel, axis1=1, axis2=2) / n, 1e-300)
        regular = kernel + (self.ridge * level)[:, None, None] * np.eye(n)
        dual = np.linalg.solve(regular, (misfit - offset).T[:, :, None])[:, :, 0].T
        return PiecewiseMap(smooth, centre, offset, pairs, dual, self.half)


def window_sums(a: Array, b: Array, half: int) -> Array:
    """(k, n, L): inner product of a[k] and b[n] over each channel's window, cut at the ends."""
    channels = a.shape[1]
    products = a[:, None] * b[None]
    sums = np.concatenate([np.zeros((len(a), len(b), 1)), np.cumsum(products, axis=2)], axis=2)
    low = np.clip(np.arange(channels) - half, 0, channels)
    high = np.clip(np.arange(channels) + half + 1, 0, channels)
    result: Array = sums[:, :, high] - sums[:, :, low]
    return result
