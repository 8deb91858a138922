"""Energies and their derivatives from quantum chemistry; both libraries load when first used."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from spektron_train.physics.molecule import Molecule

from .engine import Engine, QuantumError
from .pyscf_engine import PySCF
from .tblite_engine import GFN2

__all__ = ["METHODS", "Engine", "QuantumError"]

METHODS: Final[dict[str, Callable[[Molecule], Engine]]] = {
    "gfn2": GFN2,
    "hf": lambda molecule: PySCF(molecule, "HF", "def2-SVP"),
    "b3lyp": lambda molecule: PySCF(molecule, "B3LYP", "def2-TZVP"),
}
