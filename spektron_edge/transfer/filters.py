"""Filters that features are made with: what remains of a spectrum for a linear calibration."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spektron_edge.spectra.preprocessing import correlate_valid, savgol_kernel

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Filter:
    """Savitzky-Golay derivative of order 0 to 2 over `window` channels, after SNV where wished.

    SNV, standard normal variate: Barnes, Dhanoa and Lister, Appl. Spectrosc. 43 (1989) 772.
    """

    name: str
    derivative: int
    window: int
    snv: bool = False

    def apply(self, spectra: Array) -> Array:
        """(k, L) -> (k, L - window + 1)."""
        x = standard_normal_variate(spectra) if self.snv else spectra
        if self.window < 3:
            return x
        order = 3 if self.derivative == 2 else 2
        return correlate_valid(x, savgol_kernel(self.window, order, self.derivative))


def standard_normal_variate(spectra: Array) -> Array:
    """Each spectrum less its mean, over its standard deviation; a constant one becomes zero."""
    centred = spectra - spectra.mean(axis=1, keepdims=True)
    spread = centred.std(axis=1, keepdims=True)
    scaled: Array = centred / np.where(spread > 0, spread, 1.0)
    return scaled


def filters_for(channels: int) -> tuple[Filter, ...]:
    """Spectrum itself, first and second derivative, SNV and its derivative; windows that fit."""
    first = _odd(min(15, channels // 4))
    second = _odd(min(21, channels // 3))
    return (
        Filter("spectrum", 0, 1),
        Filter("first derivative", 1, first),
        Filter("second derivative", 2, second),
        Filter("SNV first derivative", 1, first, snv=True),
    )


def _odd(window: int) -> int:
    return max(5, window - 1 + window % 2)
