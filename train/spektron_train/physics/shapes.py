"""Line shapes of area one, and the spectrum that lines make on any axis."""

from __future__ import annotations

from typing import Final

import numpy as np
from scipy.special import wofz

from .molecule import Array

_SIGMA: Final = 1 / (2 * np.sqrt(2 * np.log(2)))
MOLAR: Final = 100 / np.log(10)
"""Decadic molar absorption coefficient's area, L/(mol cm2), of 1 km/mol."""


def lorentz(offset: Array, width: float) -> Array:
    """Of full width at half maximum `width`; per cm-1 where both are in cm-1."""
    half = width / 2
    found: Array = half / (np.pi * (offset**2 + half**2))
    return found


def gauss(offset: Array, width: float) -> Array:
    """Of full width at half maximum `width`."""
    sigma = width * _SIGMA
    found: Array = np.exp(-0.5 * (offset / sigma) ** 2) / (sigma * np.sqrt(2 * np.pi))
    return found


def voigt(offset: Array, lorentzian: float, gaussian: float) -> Array:
    """Convolution of both, of these full widths, by Faddeeva's function."""
    if gaussian == 0:
        return lorentz(offset, lorentzian)
    sigma = gaussian * _SIGMA
    z = (offset + 0.5j * lorentzian) / (sigma * np.sqrt(2))
    found: Array = wofz(z).real / (sigma * np.sqrt(2 * np.pi))
    return found


def spectrum(
    axis: Array, positions: Array, areas: Array, lorentzian: float = 10.0, gaussian: float = 0.0
) -> Array:
    """Sum of Voigt lines at wavenumbers `axis` (k,), of any order and spacing (1e7 / nm).

    positions, areas: (n,). Widths in cm-1, full at half maximum. In the areas' unit per cm-1;
    km/mol times MOLAR gives decadic L/(mol cm). Raises ValueError for widths that are no shape's.
    """
    if min(lorentzian, gaussian) < 0 or lorentzian + gaussian == 0:
        raise ValueError(f"no line has widths {lorentzian} and {gaussian}")
    total = np.zeros(axis.shape)
    for position, area in zip(positions, areas, strict=True):
        total += area * voigt(axis - position, lorentzian, gaussian)
    return total
