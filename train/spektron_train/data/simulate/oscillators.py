"""Where anharmonic oscillators absorb, how strongly and how broadly.

Sources: Morse, Phys. Rev. 34, 57 (1929); Herzberg, Infrared and Raman Spectra of Polyatomic
Molecules (1945), for Fermi resonance and off-diagonal anharmonicity; Child and Lawton, Faraday
Discuss. 71, 273 (1981), and Mortensen, Henry and Mohammadi, J. Chem. Phys. 75, 4800 (1981), for two
coupled bonds (local modes). Wavenumbers and widths in cm-1 throughout.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

# Area of a Gaussian of unit height and unit full width at half maximum.
GAUSSIAN_AREA = float(np.sqrt(np.pi / (4 * np.log(2))))
# Far wings fall faster than Lorentz (collisions have a duration); without the cut the fundamentals,
# a thousand times stronger, would drown the overtones thousands of cm-1 away.
_WING_CUT_WIDTHS = 20.0
_REACH_WIDTHS = 60.0


@dataclass(frozen=True)
class Bands:
    """Absorption bands: arrays of one length.

    centre and width (full, half maximum): cm-1; area: integrated decadic molar absorptivity,
    L mol-1 cm-2; raman: integrated Raman activity, relative; lorentz: Lorentzian share, 0 to 1.
    """

    centre: Array
    width: Array
    area: Array
    raman: Array
    lorentz: Array


def morse_level(v: int, harmonic: float, anharmonicity: float) -> float:
    """Term value G(v) = we (v + 1/2) - wexe (v + 1/2)^2, cm-1."""
    return harmonic * (v + 0.5) - anharmonicity * (v + 0.5) ** 2


def overtone(v: int, fundamental: float, anharmonicity: float) -> float:
    """Transition 0 -> v, cm-1: v we - v (v + 1) wexe, with we = fundamental + 2 wexe."""
    return v * (fundamental + 2 * anharmonicity) - v * (v + 1) * anharmonicity


def overtone_area(v: int, area: float, first_drop: float, next_drop: float) -> float:
    """Integrated intensity of 0 -> v given the fundamental's.

    Above v = 2 it falls geometrically, close to the exponential fall with v that overtone series
    of X-H bonds show (by 8 to 70 per quantum here). The first step has its own drop: hydrogen bonds
    strengthen the fundamental but not the overtones (Sandorfy, J. Mol. Struct. 790, 50, 2006).
    """
    return area if v == 1 else area * first_drop * float(next_drop ** (v - 2))


def overtone_width(v: int, width: float, growth: float) -> float:
    """Full width of 0 -> v: a spread of force constants moves level v by about v times as much."""
    return width * float(v**growth)


def fermi(
    upper: float, lower: float, coupling: float, area_upper: float, area_lower: float
) -> tuple[tuple[float, float], tuple[float, float]]:
    """Two levels pushed apart by `coupling` (cm-1), sharing their intensity.

    Returns positions and areas in the order given. The unperturbed dipoles are taken to have one
    sign; the sum of areas is kept.
    """
    half_gap = (upper - lower) / 2
    shift = np.hypot(half_gap, coupling)
    middle = (upper + lower) / 2
    angle = 0.5 * np.arctan2(coupling, half_gap)
    c, s = np.cos(angle), np.sin(angle)
    a, b = np.sqrt(area_upper), np.sqrt(area_lower)
    return (
        (float(middle + shift), float(middle - shift)),
        (float((a * c + b * s) ** 2), float((b * c - a * s) ** 2)),
    )


def coupled_pair(
    v: int, fundamental: float, anharmonicity: float, coupling: float, cross: float
) -> tuple[Array, Array]:
    """States of two equal coupled Morse bonds sharing v quanta: positions (v+1,), shares (v+1,).

    Harmonically coupled anharmonic oscillators: basis |n1, n2> with n1 + n2 = v, bonds exchange a
    quantum with strength `coupling`. Intensity comes from states with all quanta in one bond, with
    dipole 1, and from mixed states with dipole `cross`; shares sum to one. Highest position first.
    """
    n = np.arange(v + 1)
    quanta = np.stack([n, v - n])
    diagonal = (quanta * fundamental - quanta * (quanta - 1) * anharmonicity).sum(axis=0)
    exchange = coupling * np.sqrt((n[:-1] + 1) * (v - n[:-1]))
    levels, states = np.linalg.eigh(
        np.diag(diagonal) + np.diag(exchange, 1) + np.diag(exchange, -1)
    )
    # The two ends move the dipole along two bonds; half the power sits in their sum, half in their
    # difference, which is what two perpendicular unit vectors give.
    first = np.full(v + 1, cross / np.sqrt(2))
    second = first.copy()
    first[0], first[-1] = 1.0, 0.0
    second[0], second[-1] = 0.0, 1.0
    strength = (states.T @ first) ** 2 + (states.T @ second) ** 2
    order = np.argsort(levels)[::-1]
    return levels[order], (strength / strength.sum())[order]


def gaussian(axis: Array, centre: Array, width: Array) -> Array:
    """Unit-area Gaussians, (bands, L); centre and full width (bands,), axis (L,)."""
    z = (axis[None, :] - centre[:, None]) / width[:, None]
    shape: Array = np.exp(-4 * np.log(2) * z**2) / (GAUSSIAN_AREA * width[:, None])
    return shape


def lorentzian(axis: Array, centre: Array, width: Array) -> Array:
    """Unit-area Lorentzians, (bands, L)."""
    z = (axis[None, :] - centre[:, None]) / width[:, None]
    shape: Array = (2 / np.pi) / (width[:, None] * (1 + 4 * z**2))
    return shape


def pseudo_voigt(axis: Array, centre: Array, width: Array, lorentz: Array) -> Array:
    """Mixtures of Gaussian and Lorentzian of one width, (bands, L), far wings cut."""
    share = lorentz[:, None]
    z = (axis[None, :] - centre[:, None]) / width[:, None]
    wing = np.exp(-((z / _WING_CUT_WIDTHS) ** 2))
    shape: Array = (1 - share) * gaussian(axis, centre, width) + (
        share * wing * lorentzian(axis, centre, width)
    )
    return shape


def render(bands: Bands, strength: Array, axis: Array) -> Array:
    """Sum of bands of the given integrated strengths, (bands,), on axis (L,) in cm-1."""
    near = (bands.centre + _REACH_WIDTHS * bands.width > axis.min()) & (
        bands.centre - _REACH_WIDTHS * bands.width < axis.max()
    )
    near &= strength > 0
    shapes = pseudo_voigt(axis, bands.centre[near], bands.width[near], bands.lorentz[near])
    spectrum: Array = strength[near] @ shapes
    return spectrum
