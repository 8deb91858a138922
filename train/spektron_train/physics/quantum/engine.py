"""What every quantum-chemical method gives."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from spektron_train.physics.molecule import Array

NO_FIELD: Array = np.zeros(3)


class QuantumError(RuntimeError):
    """A calculation did not converge, or the method cannot do this molecule; says which."""


class Engine(Protocol):
    """One method for one neutral closed-shell molecule; everything in atomic units."""

    @property
    def name(self) -> str:
        """Method, basis and program with version, for provenance."""

    def gradient(self, positions: Array, field: Array = NO_FIELD) -> tuple[float, Array]:
        """Energy, and its gradient (N, 3), of positions (N, 3) in a uniform field (3,).

        Raises QuantumError.
        """

    def hessian(self, positions: Array) -> Array:
        """Second derivatives of the energy, (3N, 3N), symmetric. Raises QuantumError."""
