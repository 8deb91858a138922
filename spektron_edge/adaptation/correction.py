"""What an instrument does to a spectrum, undone: a dozen smooth terms and an offset spectrum.

A corrected spectrum is w (1 + gain + gain_slope u) + square w^2 + offset + slope u + curvature
(u^2 - 1/3) + cubic u^3 + residual, where u runs from -1 to 1 over the grid, and w is the spectrum
moved along its axis and made sharper. All zero is the identity.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
# Absorbance (slope, curvature and cubic: as reached at the ends), relative gain, nm of the axis
# (stretch as reached at the ends), nm^2 of the line shape's variance, per absorbance.
TERMS = (
    "offset",
    "slope",
    "curvature",
    "cubic",
    "gain",
    "gain_slope",
    "shift",
    "stretch",
    "width",
    "square",
)
_AT = {name: i for i, name in enumerate(TERMS)}
_INVERSE_STEPS = 30


@dataclass(frozen=True, eq=False)
class Correction:
    """coefficients (10,) as TERMS; residual (L,) absorbance that is added to every spectrum;
    step_nm: pitch of the model's grid.
    """

    coefficients: Array
    residual: Array
    step_nm: float

    @classmethod
    def none(cls, points: int, step_nm: float) -> Correction:
        """The identity on a grid of so many points."""
        return cls(np.zeros(len(TERMS)), np.zeros(points), step_nm)

    @property
    def named(self) -> dict[str, float]:
        """Coefficients by name."""
        return {name: float(value) for name, value in zip(TERMS, self.coefficients, strict=True)}

    def apply(self, spectra: Array) -> Array:
        """(n, L) as the new state of the instrument reads them -> as the source would have."""
        moved = self._moved(spectra)
        u, c = position(moved.shape[1]), self.coefficients
        gain = 1 + c[_AT["gain"]] + c[_AT["gain_slope"]] * u
        baseline = c[: _AT["gain"]] @ _baselines(u) + self.residual
        corrected: Array = moved * gain + c[_AT["square"]] * moved**2 + baseline
        return corrected

    def undo(self, spectra: Array) -> Array:
        """(n, L) as the source reads them -> as the new state of the instrument would have.

        By fixed point, so only for corrections that are small beside the spectra.
        """
        read = spectra
        for _ in range(_INVERSE_STEPS):
            read = read + (spectra - self.apply(read))
        return read

    def columns(self, spectra: Array) -> Array:
        """(10, n, L): how the corrected spectra change with each coefficient, to first order."""
        moved = self._moved(spectra)
        u = position(moved.shape[1])
        slope = np.gradient(moved, self.step_nm, axis=1)
        sharper = -0.5 * np.gradient(slope, self.step_nm, axis=1)
        baselines = [np.broadcast_to(row, moved.shape) for row in _baselines(u)]
        return np.stack(
            [*baselines, moved, moved * u, slope, slope * u, sharper, moved**2], dtype=np.float64
        )

    def _moved(self, spectra: Array) -> Array:
        c = self.coefficients
        u = position(spectra.shape[1])
        moved = shifted(spectra, (c[_AT["shift"]] + c[_AT["stretch"]] * u) / self.step_nm)
        return sharpened(moved, c[_AT["width"]] / self.step_nm**2)


def position(points: int) -> Array:
    """(points,) from -1 to 1."""
    return np.linspace(-1.0, 1.0, points)


def shifted(spectra: Array, by: Array) -> Array:
    """(n, L) read at channels i + by[i]; beyond the ends the end values stand.

    Cubic convolution: Keys, IEEE Trans. Acoust. Speech Signal Process. 29 (1981) 1153.
    """
    if not np.any(by):
        return spectra
    last = spectra.shape[1] - 1
    at = np.clip(np.arange(last + 1) + by, 0, last)
    first = np.minimum(np.floor(at).astype(np.int64), last)
    t = at - first
    weights = (
        ((-0.5 * t + 1) * t - 0.5) * t,
        (1.5 * t - 2.5) * t * t + 1,
        ((-1.5 * t + 2) * t + 0.5) * t,
        (0.5 * t - 0.5) * t * t,
    )
    read: Array = np.zeros_like(spectra)
    for k, weight in enumerate(weights):
        read += weight * spectra[:, np.clip(first + k - 1, 0, last)]
    return read


def sharpened(spectra: Array, variance: float) -> Array:
    """(n, L) with a Gaussian of that variance (channels squared) taken away, to second order."""
    if not variance:
        return spectra
    second = np.gradient(np.gradient(spectra, axis=1), axis=1)
    fourth = np.gradient(np.gradient(second, axis=1), axis=1)
    sharper: Array = spectra - variance / 2 * second + variance**2 / 8 * fourth
    return sharper


def _baselines(u: Array) -> Array:
    return np.stack([np.ones_like(u), u, u**2 - 1 / 3, u**3])
