"""What light sees of each mode: infrared intensity, Raman activity, depolarisation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy import constants

from .modes import Modes
from .molecule import Array
from .surface import Surface
from .units import ACTIVITY, INTENSITY

_CM_KELVIN: Final = 100 * constants.Planck * constants.speed_of_light / constants.Boltzmann


@dataclass(frozen=True, eq=False)
class Lines:
    """One line per mode, (n,) each.

    wavenumbers: cm-1. infrared: km/mol. raman: A4/u, 45 a'2 + 7 g'2. depolarisation: of light
    polarised in a plane, 0 to 0.75; nan where a mode scatters nothing.
    """

    wavenumbers: Array
    infrared: Array
    raman: Array
    depolarisation: Array


def lines(surface: Surface, modes: Modes) -> Lines:
    """In the double harmonic approximation (Wilson, Decius, Cross, chapter 3)."""
    dipole = modes.displacements @ surface.dipole
    tensor = np.einsum("nx,xab->nab", modes.displacements, surface.polarisability)
    isotropic, anisotropic = invariants(tensor)
    strength = 45 * isotropic + 4 * anisotropic
    # A tensor of rounding errors has no depolarisation.
    seen = strength > 1e-6 * strength.max(initial=0)
    depolarisation = np.divide(
        3 * anisotropic, strength, out=np.full_like(strength, np.nan), where=seen
    )
    return Lines(
        modes.wavenumbers,
        (dipole**2).sum(axis=1) * INTENSITY,
        (45 * isotropic + 7 * anisotropic) * ACTIVITY,
        depolarisation,
    )


def invariants(tensor: Array) -> tuple[Array, Array]:
    """Squares of the mean (a'2) and of the anisotropy (g'2) of symmetric tensors (n, 3, 3)."""
    mean = np.trace(tensor, axis1=1, axis2=2) / 3
    deviator = tensor - mean[:, None, None] * np.eye(3)
    return mean**2, 1.5 * (deviator**2).sum(axis=(1, 2))


def raman_intensities(found: Lines, laser: float, kelvin: float = 298.15) -> Array:
    """Relative Stokes intensities (photon energy, not count), (n,), by a laser at `laser` nm.

    (v0 - v)^4 / (v (1 - exp(-h c v / k T))) times the activity; 0 for modes of no real wavenumber.
    """
    shift = found.wavenumbers
    real = shift > 0
    safe = np.where(real, shift, 1.0)
    thermal = -np.expm1(-_CM_KELVIN * safe / kelvin)
    scattered = (1e7 / laser - safe) ** 4 / (safe * thermal) * found.raman
    return np.where(real, scattered, 0.0)
