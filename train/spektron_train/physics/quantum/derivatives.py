"""Derivatives of the dipole moment and the polarisability, from gradients in an electric field.

As mu = -dE/dF, and alpha = -d2E/dF2, their derivatives by position are differences of gradients:
13 of them, whatever the molecule's size (Komornicki and McIver, J. Chem. Phys. 70, 2014, 1979).
"""

from __future__ import annotations

from itertools import combinations

import numpy as np

from spektron_train.physics.molecule import Array

from .engine import Engine

_FIELD = 2e-3  # atomic units


def response_derivatives(
    engine: Engine, positions: Array, field: float = _FIELD
) -> tuple[Array, Array]:
    """dmu/dx, (3N, 3), and dalpha/dx, (3N, 3, 3), in atomic units, of positions (N, 3) in bohr.

    Raises QuantumError.
    """

    def gradient(strengths: Array) -> Array:
        return engine.gradient(positions, strengths)[1].reshape(-1)

    steps = np.eye(3) * field
    zero = gradient(np.zeros(3))
    ahead = [gradient(step) for step in steps]
    behind = [gradient(-step) for step in steps]
    dipole = np.stack([(b - a) / (2 * field) for a, b in zip(ahead, behind, strict=True)], axis=1)
    both = [a + b - 2 * zero for a, b in zip(ahead, behind, strict=True)]
    polarisability = np.empty((positions.size, 3, 3))
    for i in range(3):
        polarisability[:, i, i] = -both[i] / field**2
    for i, j in combinations(range(3), 2):
        diagonal = gradient(steps[i] + steps[j]) + gradient(-steps[i] - steps[j]) - 2 * zero
        mixed = -(diagonal - both[i] - both[j]) / (2 * field**2)
        polarisability[:, i, j] = polarisability[:, j, i] = mixed
    return dipole, polarisability
