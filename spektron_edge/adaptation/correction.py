"""What an instrument does to a spectrum, undone: a dozen smooth terms and an offset spectrum.

A corrected spectrum is w (1 + gain + gain_slope u) + stray (10^w - 1) / ln 10 + k (1 - 10^-w) /
ln 10 + offset + slope u + curvature (u^2 - 1/3) + cubic u^3 + residual, where u runs from -1 to 1
over the grid, k = linearity_0 + linearity_1 u + ... + linearity_4 u^4, and w is the spectrum moved
along its axis. All zero is the identity. Stray light s adds s to sample and white
alike; a detector that loses the share k c of c counts reads too little of the white, and how much
of that there is along the axis is not known; both to first order.

Bands of water move and narrow as it warms, by the share of weakly bonded water (Maeda et al., J.
Near Infrared Spectrosc. 3 (1995) 191): the spectrum is moved and sharpened around 1450 and 1930 nm
alone. A wider line shape is no term: sharpening spectra makes noise of them, and what it does to
the mean, which is nearly all, is part of the residual.
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
    "stray",
    "linearity_0",
    "linearity_1",
    "linearity_2",
    "linearity_3",
    "linearity_4",
    "water_1450_shift",
    "water_1450_width",
    "water_1930_shift",
    "water_1930_width",
)
_AT = {name: i for i, name in enumerate(TERMS)}
_INVERSE_STEPS = 30
# Weights of the second derivative at the middle of a polynomial of degree 4 through 11 channels:
# Savitzky and Golay, Anal. Chem. 36 (1964) 1627.
_HALF = 5
_CURVATURE = 2 * np.linalg.pinv(np.vander(np.arange(-_HALF, _HALF + 1), 5, increasing=True))[2]
_LINEARITY = tuple(f"linearity_{power}" for power in range(5))
_BASELINES = ("offset", "slope", "curvature", "cubic")
# Bands of water: name, centre and standard deviation of the window, in nm.
_WATER = (("water_1450", 1440.0, 45.0), ("water_1930", 1930.0, 45.0))


@dataclass(frozen=True, eq=False)
class Correction:
    """coefficients (17,) as TERMS; residual (L,) absorbance that is added to every spectrum;
    axis_nm (L,): the model's grid, equidistant.
    """

    coefficients: Array
    residual: Array
    axis_nm: Array

    @classmethod
    def none(cls, axis_nm: Array) -> Correction:
        """The identity."""
        return cls(np.zeros(len(TERMS)), np.zeros(axis_nm.size), axis_nm)

    @property
    def step_nm(self) -> float:
        """Pitch of the grid."""
        return float(self.axis_nm[1] - self.axis_nm[0])

    @property
    def named(self) -> dict[str, float]:
        """Coefficients by name."""
        return {name: float(value) for name, value in zip(TERMS, self.coefficients, strict=True)}

    def apply(self, spectra: Array) -> Array:
        """(n, L) as the new state of the instrument reads them -> as the source would have."""
        moved = self._moved(spectra)
        u, c = position(moved.shape[1]), self._of
        corrected = moved * (1 + c("gain") + c("gain_slope") * u) + self.residual
        corrected += self.coefficients[: len(_BASELINES)] @ _baselines(u)
        if c("stray"):
            corrected += c("stray") * _stray(moved)
        of_linearity = [c(name) for name in _LINEARITY]
        if any(of_linearity):
            corrected += (of_linearity @ _powers(u)) * _linearity(moved)
        for name, window in self._water_windows():
            if c(f"{name}_shift"):
                corrected += c(f"{name}_shift") * window * self._slope(moved)
            if c(f"{name}_width"):
                corrected += c(f"{name}_width") * window * self._sharper(moved)
        return corrected

    def undo(self, spectra: Array) -> Array:
        """(n, L) as the source reads them -> as the new state of the instrument would have.

        By fixed point, so only for corrections that are small beside the spectra; shifts may be of
        several channels, since what is missing is moved back each time.
        """
        read = spectra
        for _ in range(_INVERSE_STEPS):
            read = read + self._moved(spectra - self.apply(read), -1.0)
        return read

    def columns(self, spectra: Array) -> Array:
        """(17, n, L): how the corrected spectra change with each coefficient, to first order."""
        moved = self._moved(spectra)
        u = position(moved.shape[1])
        slope, sharper = self._slope(moved), self._sharper(moved)
        water = [w * part for _, w in self._water_windows() for part in (slope, sharper)]
        return np.stack(
            [
                *(np.broadcast_to(row, moved.shape) for row in _baselines(u)),
                moved,
                moved * u,
                slope,
                slope * u,
                _stray(moved),
                *(row * _linearity(moved) for row in _powers(u)),
                *water,
            ],
            dtype=np.float64,
        )

    def _of(self, term: str) -> float:
        return float(self.coefficients[_AT[term]])

    def _moved(self, spectra: Array, sign: float = 1.0) -> Array:
        by = self._of("shift") + self._of("stretch") * position(spectra.shape[1])
        return shifted(spectra, sign * by / self.step_nm)

    def _slope(self, spectra: Array) -> Array:
        slope: Array = np.gradient(spectra, self.step_nm, axis=1)
        return slope

    def _sharper(self, spectra: Array) -> Array:
        """(n, L) per nm^2 of variance that is taken away from a line shape, to first order."""
        windows = np.lib.stride_tricks.sliding_window_view(
            np.pad(spectra, ((0, 0), (_HALF, _HALF)), mode="edge"), 2 * _HALF + 1, axis=1
        )
        sharper: Array = windows @ _CURVATURE * (-0.5 / self.step_nm**2)
        return sharper

    def _water_windows(self) -> list[tuple[str, Array]]:
        """Name and (L,) window of each band; zero everywhere where the grid does not reach it."""
        return [
            (name, np.exp(-0.5 * ((self.axis_nm - centre) / width) ** 2))
            for name, centre, width in _WATER
        ]


def units(level: float, step_nm: float) -> Array:
    """(17,) what each term is measured by: absorbance, one, the pitch or its square."""
    of_axis = dict.fromkeys(("shift", "stretch"), step_nm)
    for band, _, _ in _WATER:
        of_axis |= {f"{band}_shift": step_nm, f"{band}_width": step_nm**2}
    by_name = dict.fromkeys(_BASELINES, level) | of_axis
    return np.array([by_name.get(term, 1.0) for term in TERMS])


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


def _stray(spectra: Array) -> Array:
    stray: Array = (10.0**spectra - 1) / np.log(10)
    return stray


def _linearity(spectra: Array) -> Array:
    linearity: Array = (1 - 10.0**-spectra) / np.log(10)
    return linearity


def _baselines(u: Array) -> Array:
    return np.stack([np.ones_like(u), u, u**2 - 1 / 3, u**3])


def _powers(u: Array) -> Array:
    return np.stack([u**power for power in range(len(_LINEARITY))])
