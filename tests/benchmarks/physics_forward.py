"""Wilson's method against the Cartesian Hessian, at stationary points."""

from __future__ import annotations

import numpy as np

from spektron_train.physics.modes import cartesian_modes
from spektron_train.physics.surface import Surface, stored
from spektron_train.physics.wilson import force_constants, internals, solve

from .report import Figure

_B3LYP = ("H2O", "CO2", "NH3", "CH4", "C2H2", "C2H4", "H2CO")


def figures() -> list[Figure]:
    """One figure over the surfaces that ship."""
    surfaces = [*(stored(name) for name in _B3LYP), stored("C6H6", "hf")]
    return [
        Figure(
            "gf_vs_hessian_max_cm1",
            max(map(_apart, surfaces)),
            "cm-1",
            "lower",
            None,
            f"largest difference of a wavenumber by Wilson's method, in bent coordinates without "
            f"the gradient term, and by the projected Cartesian Hessian, of all modes of "
            f"{', '.join(_B3LYP)} (B3LYP/def2-TZVP) and C6H6 (HF/def2-SVP) at gradients below "
            "1e-5 hartree/bohr",
        )
    ]


def _apart(surface: Surface) -> float:
    space = internals(surface.molecule)
    bent = solve(space, force_constants(space, surface)).wavenumbers
    return float(np.abs(bent - cartesian_modes(surface).wavenumbers).max())
