"""Kinds of instrument a simulated spectrum can come from, and the axes they work on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Unit = Literal["nm", "cm-1"]


def wavenumber(axis: Array, unit: Unit) -> Array:
    """Wavenumber in cm-1 of an axis in nm or cm-1."""
    return 1e7 / axis if unit == "nm" else axis


@dataclass(frozen=True)
class Domain:
    """One spectral range: the fine axis truth is computed on, and the model's coarser grid.

    name: "nir", "mir" (absorbance) or "raman" (scattered intensity over the shift). fine and grid
    are (start, step, points) in `unit`; widths: band-pass of its instruments, full width at half
    maximum in `unit`, least and most; shift: standard deviation of their axis error in `unit`.
    """

    name: Literal["nir", "mir", "raman"]
    unit: Unit
    fine: tuple[float, float, int]
    grid: tuple[float, float, int]
    widths: tuple[float, float]
    shift: float

    def fine_axis(self) -> Array:
        """(F,) in `unit`, wider than the grid by what instruments may shift and blur."""
        start, step, points = self.fine
        return start + step * np.arange(points)

    def grid_axis(self) -> Array:
        """(L,) in `unit`."""
        start, step, points = self.grid
        return start + step * np.arange(points)


# Dispersive and FT instruments on the market: NIR 2-16 nm, mid-IR and Raman 4-16 cm-1.
NIR = Domain("nir", "nm", (560.0, 1.0, 2001), (600.0, 2.0, 950), (2.0, 16.0), 0.6)
MIR = Domain("mir", "cm-1", (360.0, 2.0, 1841), (400.0, 4.0, 900), (4.0, 16.0), 1.5)
RAMAN = Domain("raman", "cm-1", (160.0, 2.0, 1741), (200.0, 4.0, 850), (4.0, 16.0), 1.5)
DOMAINS = {domain.name: domain for domain in (NIR, MIR, RAMAN)}
