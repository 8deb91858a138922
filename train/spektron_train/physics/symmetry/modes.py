"""Normal modes sorted by irreducible representation: by projection, degenerate levels together."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np

from spektron_train.physics.modes import Modes
from spektron_train.physics.molecule import Array

from .characters import Irrep
from .operations import Symmetry

# Of its squared length, what a mode has in its irreducible representation at least.
_PURE: Final = 0.95


@dataclass(frozen=True, eq=False)
class Assignment:
    """Modes adapted to symmetry, softest first.

    modes: turned within levels, so that each is of one irreducible representation. irreps: their
    names; None for a mode that is of none, since the force field has not the molecule's symmetry.
    purity: (n,) each mode's share in the representation that it is most of.
    """

    modes: Modes
    irreps: tuple[str | None, ...]
    purity: Array


def displacements(symmetry: Symmetry) -> Array:
    """What operations do to displacements of atoms: (G, 3N, 3N), x, y, z of one atom together."""
    order, atoms = symmetry.images.shape
    whole = np.zeros((order, atoms, 3, atoms, 3))
    for operation, (matrix, image) in enumerate(
        zip(symmetry.matrices, symmetry.images, strict=True)
    ):
        whole[operation, image, :, np.arange(atoms), :] = matrix
    return whole.reshape(order, 3 * atoms, 3 * atoms)


def projectors(symmetry: Symmetry, table: Sequence[Irrep]) -> Array:
    """Onto the displacements of each irreducible representation, (R, 3N, 3N); their sum is 1."""
    characters = np.stack([one.characters * one.degeneracy / one.parts for one in table])
    whole = displacements(symmetry)
    return np.asarray(np.einsum("rg,gij->rij", characters, whole) / len(whole))


def assign(
    symmetry: Symmetry, table: Sequence[Irrep], modes: Modes, near: float = 1.0
) -> Assignment:
    """Sort modes into irreducible representations.

    Levels closer than `near` (cm-1) are turned among each other until each mode is of one
    representation, so that accidental and true degeneracy are one case. Raises ValueError for modes
    of another molecule.
    """
    roots = np.repeat(np.sqrt(symmetry.molecule.masses), 3)
    if modes.displacements.shape[1:] != roots.shape:
        raise ValueError(
            f"modes of {modes.displacements.shape[1]} coordinates; the molecule has {len(roots)}"
        )
    weighted = modes.displacements * roots
    whole = projectors(symmetry, table)
    # One matrix whose eigenvalues are the representations' numbers.
    marked = np.tensordot(np.arange(1.0, len(table) + 1), whole, axes=1)
    adapted = weighted.copy()
    for level in _levels(modes.wavenumbers, near):
        rows = weighted[level]
        turn = np.linalg.eigh(rows @ marked @ rows.T)[1]
        adapted[level] = turn.T @ rows
    shares = np.einsum("ni,rij,nj->nr", adapted, whole, adapted, optimize=True)
    best, purity = shares.argmax(axis=1), shares.max(axis=1)
    names = [
        table[i].name if share >= _PURE else None for i, share in zip(best, purity, strict=True)
    ]
    return Assignment(
        Modes(modes.molecule, modes.wavenumbers, adapted / roots), tuple(names), purity
    )


def _levels(wavenumbers: Array, near: float) -> Iterator[slice]:
    starts = [0, *(np.flatnonzero(np.diff(wavenumbers) > near) + 1).tolist(), len(wavenumbers)]
    for start, end in pairwise(starts):
        yield slice(start, end)
