"""Near degeneracies: two levels moved together bit by bit, and what becomes of derivatives.

Ordered positions have a kink where two levels meet, and single intensities turn through
everything between the two: their derivatives grow as one over the gap. Symmetric functions of both
levels are smooth.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from spektron_train.physics.surface import Surface

from .full_field import every_constant, symmetric_point, without_symmetry
from .jacobian import differences, jacobian, spectrum

SPLITS: Final = tuple(float(10.0**k) for k in np.arange(-7, -1.9, 0.5))
"""Gaps of two levels, relative to their wavenumber."""

# Of the central differences: a spectrum is not linear over less than its gaps.
_STEP: Final = 1e-4


@dataclass(frozen=True)
class Near:
    """At one gap, in cm-1. single, symmetric: the largest singular value of the Jacobian of single
    levels, and of symmetric functions of the two. *_missed: how far central differences are from
    it, relative."""

    gap: float
    single: float
    single_missed: float
    symmetric: float
    symmetric_missed: float


def near_degeneracies(
    surface: Surface, rng: np.random.Generator, splits: Sequence[float] = SPLITS
) -> list[Near]:
    """A molecule's field without symmetry, all constants unknown; its two nearest levels moved.

    Raises SymmetryError, CoordinateError.
    """
    point = without_symmetry(symmetric_point(surface)[2], rng)
    wavenumbers, _, _ = spectrum(point)
    gaps = np.diff(wavenumbers)
    lower = int(gaps.argmin())
    every = every_constant(point)
    rise = every.f[every.names.index(f"F{lower},{lower}")]
    meeting = (wavenumbers[lower + 1] / wavenumbers[lower]) ** 2
    # A third of the way to the next level.
    together = float(np.delete(gaps, lower).min()) / 3
    found = []
    for split in splits:
        at = replace(point, f=point.f + (meeting * (1 - split) ** 2 - 1) * rise)
        gap = float(np.diff(spectrum(at)[0])[lower])
        numbers = []
        for near in (0.0, together):
            exact = jacobian(at, every, near)
            apart = differences(at, every, near, _STEP) - exact
            norm = float(np.linalg.norm(exact, 2))
            numbers += [norm, float(np.linalg.norm(apart, 2)) / norm]
        found.append(Near(gap, *numbers))
    return found
