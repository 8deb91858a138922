"""Conversion from atomic units, by CODATA's constants."""

from __future__ import annotations

from typing import Final

import numpy as np
from scipy import constants

from .molecule import Array

_CODATA = constants.physical_constants

ELECTRON_MASSES: Final = constants.atomic_mass / constants.electron_mass
"""Electron masses in one unified atomic mass unit."""

_HARTREE: Final = _CODATA["hartree-inverse meter relationship"][0] / 100
WAVENUMBER: Final = _HARTREE / np.sqrt(ELECTRON_MASSES)
"""cm-1 per square root of hartree / (bohr2 u): a harmonic wavenumber from a force constant."""

_BOHR: Final = _CODATA["Bohr radius"][0]
INTENSITY: Final = (
    constants.Avogadro
    * constants.elementary_charge**2
    / (12 * constants.epsilon_0 * constants.speed_of_light**2 * constants.atomic_mass)
    / 1000
)
"""km/mol per (dmu/dQ)2 in e2/u: the integrated absorption coefficient over wavenumber."""

ACTIVITY: Final = (_BOHR * 1e10) ** 4
"""A4/u per (dalpha/dQ)2 in bohr4/u."""


def wavenumbers(eigenvalues: Array) -> Array:
    """Of eigenvalues of GF in hartree / (bohr2 u), in cm-1; of negative ones, negative."""
    found: Array = np.sign(eigenvalues) * np.sqrt(np.abs(eigenvalues)) * WAVENUMBER
    return found
