"""Molecular vibrations: what is computed against what is known."""

from __future__ import annotations

from . import physics_forward, physics_identifiability, physics_stratified, physics_symmetry
from .report import Figure


def measure() -> list[Figure]:
    """All figures of `spektron_train.physics`."""
    return [
        *physics_forward.figures(),
        *physics_symmetry.figures(),
        *physics_identifiability.figures(),
        *physics_stratified.figures(),
    ]
