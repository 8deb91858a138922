"""Which vibrations of a molecule absorb in the infrared, scatter in Raman, both or neither."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from spektron_train.physics.molecule import Array, Molecule

from .characters import Irrep, irreps
from .operations import TOLERANCE, Symmetry, find_symmetry
from .point_group import PointGroup, point_group


@dataclass(frozen=True)
class Species:
    """The vibrations of one irreducible representation.

    fundamentals: distinct wavenumbers; each counts `degeneracy` degrees of freedom.
    """

    irrep: str
    degeneracy: int
    fundamentals: int
    infrared: bool
    raman: bool

    @property
    def freedom(self) -> int:
        """Vibrational degrees of freedom."""
        return self.degeneracy * self.fundamentals

    @property
    def silent(self) -> bool:
        """Seen by neither technique."""
        return not (self.infrared or self.raman)


@dataclass(frozen=True, eq=False)
class Activity:
    """Selection rules of a molecule's fundamentals, in the harmonic and dipole approximation.

    species: those that vibrate, in the order of the character table.
    """

    symmetry: Symmetry
    group: PointGroup
    irreps: tuple[Irrep, ...]
    species: tuple[Species, ...]

    @property
    def vibrations(self) -> int:
        """3N - 6, or 3N - 5 if linear."""
        return sum(one.freedom for one in self.species)

    @property
    def infrared(self) -> int:
        """Degrees of freedom that absorb: N_IR."""
        return sum(one.freedom for one in self.species if one.infrared)

    @property
    def raman(self) -> int:
        """Degrees of freedom that scatter: N_Raman."""
        return sum(one.freedom for one in self.species if one.raman)

    @property
    def silent(self) -> int:
        """Degrees of freedom that neither shows."""
        return sum(one.freedom for one in self.species if one.silent)

    @property
    def observable_share(self) -> Fraction:
        """Degrees of freedom that at least one technique shows, of all: R, at most 1."""
        return Fraction(self.vibrations - self.silent, self.vibrations)

    @property
    def literal_ratio(self) -> Fraction:
        """(N_IR + N_Raman) / (3N - 6): what both show counts twice, so up to 2."""
        return Fraction(self.infrared + self.raman, self.vibrations)


def activity(molecule: Molecule, tolerance: float = TOLERANCE) -> Activity:
    """Point group and selection rules; tolerance in bohr. Raises SymmetryError."""
    symmetry = find_symmetry(molecule, tolerance)
    group = point_group(symmetry)
    table = irreps(symmetry, group)
    vector = np.trace(symmetry.matrices, axis1=1, axis2=2)
    squares = np.trace(symmetry.matrices @ symmetry.matrices, axis1=1, axis2=2)
    quadratic = (vector**2 + squares) / 2
    vibrations = _vibrations(symmetry, vector)
    species = tuple(
        Species(
            one.name,
            one.degeneracy,
            count,
            infrared=one.multiplicity(vector) > 0,
            raman=one.multiplicity(quadratic) > 0,
        )
        for one in table
        if (count := one.multiplicity(vibrations))
    )
    return Activity(symmetry, group, table, species)


def _vibrations(symmetry: Symmetry, vector: Array) -> Array:
    """Characters (G,) of all displacements less translations and rotations."""
    unmoved = (symmetry.images == np.arange(symmetry.images.shape[1])).sum(axis=1)
    rotations = symmetry.determinants * vector
    if symmetry.linear:
        # A turn about the axis moves nothing.
        axis = symmetry.molecule.positions[
            np.linalg.norm(symmetry.molecule.positions, axis=1).argmax()
        ]
        axis = axis / np.linalg.norm(axis)
        rotations = rotations - symmetry.determinants * (symmetry.matrices @ axis @ axis)
    return np.asarray(unmoved * vector - vector - rotations)
