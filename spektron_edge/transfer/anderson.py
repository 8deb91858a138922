"""Anderson mixing: a fixed-point iteration that learns from its last steps."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

_DEPTH = 15
# Relative to columns of unit length: what the normal equations can still resolve.
_RIDGE = 1e-10
# A residual that changes by less tells nothing about where it ends: its change is rounding.
_STILL = 1e-10


class AndersonMixing:
    """Type-II Anderson mixing with a ring of differences and an updated Gram matrix.

    Anderson, J. ACM 12 (1965) 547; Walker and Ni, SIAM J. Numer. Anal. 49 (2011) 1715. The next
    point is the combination of past images whose combined residual is least in the norm weighted
    by `weights` (m,). One step costs O(depth * m), against O(n * m) of a Sinkhorn sweep.
    """

    def __init__(self, weights: Array) -> None:
        self._root = np.sqrt(weights)
        self._residuals = np.empty((_DEPTH, weights.size))
        self._images = np.empty((_DEPTH, weights.size))
        self._gram = np.empty((_DEPTH, _DEPTH))
        self._last: tuple[Array, Array] | None = None
        self._steps = 0

    def restart(self) -> None:
        """Forget the past: the next step is a plain one."""
        self._last, self._steps = None, 0

    def step(self, image: Array, residual: Array) -> Array:
        """The next point (m,) after image = T(x) and residual = T(x) - x, both (m,)."""
        weighted = residual * self._root
        last, self._last = self._last, (image, weighted)
        if last is None:
            return image
        change = weighted - last[1]
        length = float(np.sqrt(change @ change))
        if not length > _STILL * float(np.sqrt(weighted @ weighted)):
            return image
        slot = self._steps % _DEPTH
        np.divide(change, length, out=self._residuals[slot])
        np.divide(image - last[0], length, out=self._images[slot])
        self._steps += 1
        kept = min(self._steps, _DEPTH)
        residuals = self._residuals[:kept]
        products = residuals @ residuals[slot]
        products[slot] += _RIDGE
        self._gram[slot, :kept] = products
        self._gram[:kept, slot] = products
        mixture = np.linalg.solve(self._gram[:kept, :kept], residuals @ weighted)
        result: Array = image - mixture @ self._images[:kept]
        return result
