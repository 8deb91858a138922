"""A physical correction: photometric scale, baseline, axis, band-pass and linearity, all smooth.

The target's spectrum is written as a sum of what instruments do to a spectrum s, to first order:
an offset, s itself (photometric scale), its first derivative (axis shift), its second (band-pass)
and its square (non-linearity, stray light), each times a low polynomial in the position. That is a
handful of coefficients for all channels of all pairs, found by least squares, so five pairs are
plenty. Larger shifts and widths are found first by trying them.
Wavelength and band-pass as first-order terms: Wang, Veltkamp and Kowalski, Anal. Chem. 63 (1991)
2750, for the idea of local transfer; Griffiths and de Haseth, Fourier Transform Infrared
Spectrometry, 2nd ed., for what finite resolution does.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
# Polynomial terms in the position: of offset, scale, shift, width, square.
_FULL = (3, 3, 2, 2, 1)
_SCALE = (2, 1, 0, 0, 0)
_SHIFTS = (0, -1, 1, -2, 2, -3, 3, -4, 4, -6, 6, -8, 8)
_WIDTHS = (0.0, -1.0, 1.0, -2.0, 2.0, -3.5, 3.5, -5.0, 5.0)
_RIDGE = 1e-6


@dataclass(frozen=True, eq=False)
class SmoothMap:
    """coefficients: of the columns that `terms` makes; shift in channels; blur: standard deviation
    in channels, of the source where positive and of the target where negative.
    """

    terms: tuple[int, ...]
    coefficients: Array
    shift: float
    blur: float

    def source(self, spectra: Array) -> Array:
        """(k, L) as the target would have read them."""
        moved = _moved(blurred(spectra, max(self.blur, 0.0)), self.shift)
        read: Array = np.einsum("ckl,c->kl", _columns(moved, self.terms), self.coefficients)
        return read

    def target(self, spectra: Array) -> Array:
        """(k, L), made coarser where the source is the coarser one."""
        return blurred(spectra, max(-self.blur, 0.0))


@dataclass(frozen=True)
class Smooth:
    """Fits a `SmoothMap`: terms as `_FULL`; search: whether larger shifts and widths are tried."""

    name: str = "smooth correction"
    least: int = 3
    terms: tuple[int, ...] = _FULL
    search: bool = True

    def fit(self, source: Array, target: Array) -> SmoothMap:
        """(n, L) pairs; of the starts tried, that of the least misfit of derivatives."""
        shift, blur = 0.0, 0.0
        if self.search:
            blur = min(_WIDTHS, key=lambda width: _misfit(source, target, shift, width))
            shift = min(_SHIFTS, key=lambda step: _misfit(source, target, step, blur))
            blur = min(_WIDTHS, key=lambda width: _misfit(source, target, shift, width))
        start = SmoothMap(self.terms, np.empty(0), float(shift), blur)
        moved = _moved(blurred(source, max(blur, 0.0)), start.shift)
        columns = _columns(moved, self.terms)
        coefficients = _least_squares(columns, start.target(target))
        return SmoothMap(self.terms, coefficients, start.shift, blur)


SCALE = Smooth("scale and offset", 2, _SCALE, search=False)


def blurred(spectra: Array, width: float) -> Array:
    """Gaussian of standard deviation `width` channels; ends are continued by their last value."""
    if width <= 0:
        return spectra
    reach = min(int(np.ceil(3 * width)), spectra.shape[1] - 1)
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) / width) ** 2)
    kernel /= kernel.sum()
    padded = np.pad(spectra, ((0, 0), (reach, reach)), mode="edge")
    windows = np.lib.stride_tricks.sliding_window_view(padded, kernel.size, axis=1)
    return windows @ kernel


def _moved(spectra: Array, shift: float) -> Array:
    """Moved by whole channels to the right; ends are continued by their last value."""
    if shift == 0:
        return spectra
    index = np.clip(np.arange(spectra.shape[1]) - round(shift), 0, spectra.shape[1] - 1)
    return spectra[:, index]


def _columns(spectra: Array, terms: tuple[int, ...]) -> Array:
    """(c, k, L) offset, s, s', s'' and s^2, each times polynomials of u from -1 to 1."""
    u = np.linspace(-1.0, 1.0, spectra.shape[1])
    first = np.gradient(spectra, axis=1)
    parts = (np.ones_like(spectra), spectra, first, np.gradient(first, axis=1), spectra**2)
    polynomials = (np.ones_like(u), u, 1.5 * u**2 - 0.5)
    made = [
        part * polynomials[order]
        for part, count in zip(parts, terms, strict=True)
        for order in range(count)
    ]
    return np.stack(made)


def _least_squares(columns: Array, wanted: Array) -> Array:
    """Coefficients (c,), by ridge on columns of unit length: all but exact, yet never singular."""
    flat = columns.reshape(len(columns), -1).T
    length = np.linalg.norm(flat, axis=0)
    length = np.where(length > 0, length, 1.0)
    scaled = flat / length
    normal = scaled.T @ scaled + _RIDGE * np.eye(len(length))
    solved: Array = np.linalg.solve(normal, scaled.T @ wanted.ravel()) / length
    return solved


def _misfit(source: Array, target: Array, shift: float, blur: float) -> float:
    """Share of the target's first differences that scaled source differences leave over."""
    s = np.diff(_moved(blurred(source, max(blur, 0.0)), shift), axis=1)
    t = np.diff(blurred(target, max(-blur, 0.0)), axis=1)
    edge = int(max(abs(shift), 3 * abs(blur))) + 1
    if 2 * edge + 4 > s.shape[1]:
        return np.inf
    s, t = s[:, edge:-edge], t[:, edge:-edge]
    power, cross, total = float(np.sum(s * s)), float(np.sum(s * t)), float(np.sum(t * t))
    if power <= 0 or total <= 0:
        return np.inf
    return 1 - cross * abs(cross) / (power * total)
