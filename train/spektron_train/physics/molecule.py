"""Molecules: which atoms, where, and how heavy.

Isotope masses and covalent radii are RDKit's tables (masses: NIST's, from the Atomic Mass
Evaluation).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy import constants

Array = NDArray[np.float64]

BOHR_PER_ANGSTROM: Final = 1e-10 / constants.physical_constants["Bohr radius"][0]
LIBRARY: Final = Path(__file__).with_name("data") / "molecules.xyz"


class MoleculeError(ValueError):
    """Atoms or coordinates that make no molecule; the message says which and where."""


@dataclass(frozen=True, eq=False)
class Molecule:
    """Atoms in space.

    symbols: N element symbols. positions: (N, 3) in bohr. masses: (N,) in unified atomic mass
    units. Raises MoleculeError.
    """

    symbols: tuple[str, ...]
    positions: Array
    masses: Array

    def __post_init__(self) -> None:
        count = len(self.symbols)
        if count == 0:
            raise MoleculeError("a molecule has at least one atom")
        if self.positions.shape != (count, 3) or self.masses.shape != (count,):
            raise MoleculeError(
                f"{count} symbols, positions {self.positions.shape}, masses {self.masses.shape}"
            )
        if not np.isfinite(self.positions).all():
            raise MoleculeError("a coordinate is not a number")
        if not (np.isfinite(self.masses) & (self.masses > 0)).all():
            raise MoleculeError("a mass is not a positive number")
        apart = np.linalg.norm(self.positions[:, None] - self.positions, axis=-1)
        np.fill_diagonal(apart, np.inf)
        if apart.min() < 0.5:
            first, second = np.unravel_index(apart.argmin(), apart.shape)
            raise MoleculeError(f"atoms {first} and {second} are at the same place")

    @classmethod
    def at(cls, symbols: tuple[str, ...], positions: Array) -> Molecule:
        """Atoms of the most common isotope each; positions (N, 3) in bohr. Raises MoleculeError."""
        masses = np.array([isotope_mass(symbol) for symbol in symbols])
        return cls(symbols, np.asarray(positions, dtype=float), masses)

    @classmethod
    def read_xyz(cls, path: Path) -> Molecule:
        """The first molecule of an XYZ file, in angstrom. Raises MoleculeError, OSError."""
        try:
            lines = path.read_text(encoding="utf-8").splitlines()
        except UnicodeDecodeError:
            raise MoleculeError(f"{path} is not a text file") from None
        try:
            return _read_block(lines, 0)[0]
        except MoleculeError as error:
            raise MoleculeError(f"{path}: {error}") from None

    @property
    def numbers(self) -> tuple[int, ...]:
        """Atomic numbers."""
        return tuple(atomic_number(symbol) for symbol in self.symbols)

    def moved(self, positions: Array) -> Molecule:
        """The same atoms elsewhere; positions (N, 3) in bohr. Raises MoleculeError."""
        return replace(self, positions=np.asarray(positions, dtype=float))

    def with_isotopes(self, isotopes: Mapping[int, int]) -> Molecule:
        """Other isotopes: atom index (from 0) to mass number. Raises MoleculeError."""
        masses = self.masses.copy()
        for index, number in isotopes.items():
            if not 0 <= index < len(self.symbols):
                raise MoleculeError(f"no atom {index}; there are 0 to {len(self.symbols) - 1}")
            masses[index] = isotope_mass(self.symbols[index], number)
        return replace(self, masses=masses)

    def bonds(self, slack: float = 1.25) -> tuple[tuple[int, int], ...]:
        """Pairs of atoms nearer than `slack` times the sum of their covalent radii."""
        radii = np.array([covalent_radius(symbol) for symbol in self.symbols])
        apart = np.linalg.norm(self.positions[:, None] - self.positions, axis=-1)
        close = np.triu(apart < slack * (radii[:, None] + radii), 1)
        return tuple((int(i), int(j)) for i, j in np.argwhere(close))

    def is_linear(self, tolerance: float = 1e-3) -> bool:
        """Whether all atoms are within `tolerance` bohr of one line."""
        centred = self.positions - self.positions.mean(axis=0)
        spread: Array = np.linalg.svd(centred, compute_uv=False)
        return bool(len(self.symbols) > 1 and (spread[1:] < tolerance).all())


def library(name: str) -> Molecule:
    """A reference geometry that ships, by name. Raises MoleculeError naming those there are."""
    blocks = _library()
    if name not in blocks:
        raise MoleculeError(f"no molecule {name!r}; there are: {', '.join(blocks)}")
    return blocks[name]


def library_names() -> tuple[str, ...]:
    """Molecules that `library` knows."""
    return tuple(_library())


@cache
def _library() -> dict[str, Molecule]:
    lines = LIBRARY.read_text(encoding="utf-8").splitlines()
    found: dict[str, Molecule] = {}
    start = 0
    while start < len(lines):
        name = lines[start + 1].partition(";")[0]
        found[name], start = _read_block(lines, start)
    return found


def _read_block(lines: list[str], start: int) -> tuple[Molecule, int]:
    try:
        count = int(lines[start])
    except (IndexError, ValueError):
        raise MoleculeError(f"line {start + 1} is not a number of atoms") from None
    end = start + 2 + count
    if count < 1 or len(lines) < end:
        raise MoleculeError(
            f"{count} atoms are promised; {max(len(lines) - start - 2, 0)} are there"
        )
    symbols, places = [], []
    for number, line in enumerate(lines[start + 2 : end], start + 3):
        words = line.split()
        try:
            x, y, z = (float(word) for word in words[1:4])
            symbol = words[0].capitalize()
            atomic_number(symbol)
        except (IndexError, ValueError):
            raise MoleculeError(f"line {number} is not `symbol x y z`: {line!r}") from None
        symbols.append(symbol)
        places.append((x, y, z))
    return Molecule.at(tuple(symbols), np.array(places) * BOHR_PER_ANGSTROM), end


def atomic_number(symbol: str) -> int:
    """Raises MoleculeError for no element."""
    number = _elements().get(symbol)
    if number is None:
        raise MoleculeError(f"{symbol!r} is not an element")
    return number


def isotope_mass(symbol: str, number: int | None = None) -> float:
    """Mass in unified atomic mass units; without a number, the most common isotope's.

    Raises MoleculeError.
    """
    element = atomic_number(symbol)
    table = _table()
    mass = float(
        table.GetMostCommonIsotopeMass(element)
        if number is None
        else table.GetMassForIsotope(element, number)
    )
    if mass <= 0:
        raise MoleculeError(f"no isotope {number} of {symbol} is known")
    return mass


def covalent_radius(symbol: str) -> float:
    """Bohr, as RDKit has it. Raises MoleculeError."""
    return float(_table().GetRcovalent(atomic_number(symbol))) * BOHR_PER_ANGSTROM


@cache
def _elements() -> dict[str, int]:
    return {_table().GetElementSymbol(number): number for number in range(1, 119)}


def _table() -> Any:
    from rdkit.Chem import GetPeriodicTable

    return GetPeriodicTable()
