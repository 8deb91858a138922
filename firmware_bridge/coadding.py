"""Mean and variance of exposures, taken up one by one."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


class Coadd:
    """Running mean and variance per pixel, Welford, Technometrics 4 (1962) 419."""

    def __init__(self, pixels: int) -> None:
        self.count = 0
        self._mean = np.zeros(pixels)
        self._squares = np.zeros(pixels)

    def add(self, counts: NDArray[np.float64]) -> None:
        """Take up one exposure, (pixels,) counts."""
        self.count += 1
        step = counts - self._mean
        self._mean = self._mean + step / self.count
        self._squares = self._squares + step * (counts - self._mean)

    @property
    def mean(self) -> NDArray[np.float64]:
        """(pixels,) counts."""
        return self._mean

    @property
    def variance_of_mean(self) -> NDArray[np.float64] | None:
        """(pixels,) counts squared, from the spread of the exposures; None for fewer than two."""
        if self.count < 2:
            return None
        variance: NDArray[np.float64] = self._squares / (self.count - 1) / self.count
        return variance
