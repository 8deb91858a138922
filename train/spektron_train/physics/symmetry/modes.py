"""Normal modes sorted by irreducible representation: by projection, degenerate levels together."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np

from spektron_train.physics.molecule import Array

from .characters import Irrep
from .operations import Symmetry

# Of its squared length, what a mode has in its irreducible representation at least.
_PURE: Final = 0.95


@dataclass(frozen=True, eq=False)
class Assignment:
    """Modes adapted to symmetry.

    irreps: (K,) names in the order of the wavenumbers; None for a mode that is of none, since the
    force field has not the molecule's symmetry. modes: (3N, K) orthonormal, turned within
    levels. purity: (K,) each mode's share in its irreducible representation.
    """

    irreps: tuple[str | None, ...]
    modes: Array
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
    """(R, 3N, 3N): onto each irreducible representation; they sum to one. For linear molecules,
    `table` up to Delta leaves nothing out."""
    characters = np.stack([one.characters * one.degeneracy / one.parts for one in table])
    whole = displacements(symmetry)
    return np.asarray(np.einsum("rg,gij->rij", characters, whole) / len(whole))


def assign(
    symmetry: Symmetry,
    table: Sequence[Irrep],
    wavenumbers: Array,
    modes: Array,
    near: float = 1.0,
) -> Assignment:
    """Sort modes into irreducible representations.

    wavenumbers: (K,) in cm-1, ascending. modes: (3N, K), columns orthonormal in mass-weighted
    coordinates. near: levels closer than this (cm-1) are turned among each other until each
    mode is of one irreducible representation; accidental and true degeneracy are thus one case.
    Raises ValueError for modes that do not fit the molecule.
    """
    size = 3 * len(symmetry.molecule.symbols)
    if modes.shape != (size, len(wavenumbers)):
        raise ValueError(f"modes {modes.shape} for {size} coordinates, {len(wavenumbers)} levels")
    whole = projectors(symmetry, table)
    adapted = modes.copy()
    names: list[str | None] = []
    purity: list[float] = []
    for level in _levels(wavenumbers, near):
        basis = modes[:, level]
        inside = np.einsum("ik,rij,jl->rkl", basis, whole, basis)
        # One matrix whose eigenvalues are the numbers of the representations, 1, 2, ...
        marks = np.arange(1, len(table) + 1)
        _, turn = np.linalg.eigh(np.einsum("r,rkl->kl", marks, inside))
        adapted[:, level] = basis @ turn
        shares = np.einsum("km,rkl,lm->mr", turn, inside, turn)
        for share in shares:
            best = int(share.argmax())
            names.append(table[best].name if share[best] >= _PURE else None)
            purity.append(float(share[best]))
    return Assignment(tuple(names), adapted, np.array(purity))


def _levels(wavenumbers: Array, near: float) -> Iterator[slice]:
    starts = [0, *(np.flatnonzero(np.diff(wavenumbers) > near) + 1).tolist(), len(wavenumbers)]
    for start, end in pairwise(starts):
        yield slice(start, end)
