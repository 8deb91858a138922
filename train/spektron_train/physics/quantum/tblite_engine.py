"""GFN2-xTB by tblite (Bannwarth, Ehlert, Grimme, J. Chem. Theory Comput. 15, 1652, 2019)."""

from __future__ import annotations

from importlib.metadata import version
from typing import Any

import numpy as np

from spektron_train.physics.molecule import Array, Molecule

from .engine import NO_FIELD, QuantumError

# The Hessian's asymmetry falls from 3e-4 at tblite's own accuracy (1) to below 1e-5.
_ACCURACY = 1e-2
_STEP = 5e-3  # bohr


class GFN2:
    """Semi-empirical, in milliseconds; its Hessian is by central differences of gradients.

    Raises QuantumError for an odd number of electrons.
    """

    def __init__(self, molecule: Molecule) -> None:
        if sum(molecule.numbers) % 2:
            raise QuantumError("an odd number of electrons: only closed shells are computed")
        self._numbers = np.array(molecule.numbers)

    @property
    def name(self) -> str:
        """See Engine."""
        return f"GFN2-xTB, accuracy {_ACCURACY:g}, tblite {version('tblite')}"

    def gradient(self, positions: Array, field: Array = NO_FIELD) -> tuple[float, Array]:
        """See Engine."""
        return self._solve(self._calculator(positions, field))

    def hessian(self, positions: Array) -> Array:
        """See Engine."""
        size = positions.size
        full = np.empty((size, size))
        calculator = self._calculator(positions, NO_FIELD)
        for row in range(size):
            sides = []
            for sign in (1, -1):
                moved = positions.copy()
                moved.reshape(-1)[row] += sign * _STEP
                calculator.update(positions=moved)
                sides.append(self._solve(calculator)[1])
            full[row] = ((sides[0] - sides[1]) / (2 * _STEP)).reshape(-1)
        symmetric: Array = (full + full.T) / 2
        return symmetric

    def gap(self, positions: Array) -> float:
        """Highest occupied to lowest empty orbital, hartree, of positions (N, 3) in bohr.

        Raises QuantumError.
        """
        result = self._result(self._calculator(positions, NO_FIELD))
        levels = np.asarray(result.get("orbital-energies"), dtype=float)
        pairs = round(float(np.sum(result.get("orbital-occupations"))) / 2)
        if pairs >= len(levels):
            raise QuantumError("GFN2-xTB has no empty orbital here")
        return float(levels[pairs] - levels[pairs - 1])

    def _calculator(self, positions: Array, field: Array) -> Any:
        from tblite import library
        from tblite.interface import Calculator

        try:
            calculator = Calculator("GFN2-xTB", self._numbers, np.ascontiguousarray(positions))
        except RuntimeError as error:
            raise QuantumError(f"GFN2-xTB: {error}") from None
        calculator.set("accuracy", _ACCURACY)
        calculator.set("verbosity", 0)
        if np.any(field):
            # tblite 0.8 hands what it is given straight to C, where a numpy array is a TypeError.
            strengths = np.ascontiguousarray(field, dtype=float)
            pointer = library.ffi.cast("double*", strengths.ctypes.data)
            calculator.add("electric-field", pointer)
        return calculator

    @staticmethod
    def _result(calculator: Any) -> Any:
        try:
            return calculator.singlepoint()
        except RuntimeError as error:
            raise QuantumError(f"GFN2-xTB: {error}") from None

    def _solve(self, calculator: Any) -> tuple[float, Array]:
        result = self._result(calculator)
        return float(result.get("energy")), np.asarray(result.get("gradient"), dtype=float)
