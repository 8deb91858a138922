"""What a detector makes of the light that falls on it, where it is not a perfect one."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
_ROUNDS = 60


@dataclass(frozen=True)
class Flaws:
    """nonlinearity: polynomial in counts above dark, from the constant on, by which they have to be
    divided to be in proportion to the light; dead, hot, masked: indices of pixels that give
    nothing, have a dark level of 40 % of full scale, are behind a mask.
    """

    nonlinearity: tuple[float, ...] = ()
    dead: tuple[int, ...] = ()
    hot: tuple[int, ...] = ()
    masked: tuple[int, ...] = ()

    def light(self, light: Array, full_scale: int) -> Array:
        """(pixels,) counts above dark that this light gives; beyond full scale nobody sees them."""
        counts: Array = light.copy()
        if self.nonlinearity:
            # Counts are the fixed point of light times polynomial, which contracts where the
            # polynomial is as flat as a detector's.
            for _ in range(_ROUNDS):
                counts = light * np.polynomial.polynomial.polyval(
                    np.minimum(counts, full_scale), self.nonlinearity
                )
        counts[[*self.dead, *self.masked]] = 0.0
        return counts

    def dark(self, dark: Array, full_scale: int) -> Array:
        """(pixels,) counts without light, which were `dark`."""
        counts: Array = dark.copy()
        counts[list(self.hot)] += 0.4 * full_scale
        return counts
