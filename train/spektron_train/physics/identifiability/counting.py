"""Overdetermination by counting, case d: where a constant ratio of four comes from."""

from __future__ import annotations

from dataclasses import dataclass

from spektron_train.physics.molecule import library
from spektron_train.physics.symmetry.activity import activity


@dataclass(frozen=True)
class Count:
    """One molecule's numbers.

    claimed: a position and an intensity of every mode in both techniques, 4n. unknowns: one
    constant per mode, n. distinct: numbers that the two spectra hold, that is positions of levels
    that either shows, once each, and the intensities of those shown. constants: of the whole field,
    n (n + 1) / 2. symmetric: those of a field with the molecule's symmetry.
    """

    molecule: str
    group: str
    unknowns: int
    claimed: int
    distinct: int
    constants: int
    symmetric: int

    @property
    def ratio(self) -> float:
        """4n over n."""
        return self.claimed / self.unknowns


def count(name: str) -> Count:
    """Of a molecule of the library. Raises MoleculeError, SymmetryError."""
    found = activity(library(name))
    n = found.vibrations
    distinct = sum(
        one.fundamentals * ((one.infrared or one.raman) + one.infrared + one.raman)
        for one in found.species
    )
    return Count(
        name,
        found.group.name,
        n,
        4 * n,
        distinct,
        n * (n + 1) // 2,
        sum(one.fundamentals * (one.fundamentals + 1) // 2 for one in found.species),
    )
