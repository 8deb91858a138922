"""Surfaces drawn at random, with or without a molecule's symmetry, and spectra level by level.

What holds for all of them holds by symmetry alone.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from spektron_train.physics.lines import lines
from spektron_train.physics.modes import cartesian_modes, rigid_motions
from spektron_train.physics.molecule import Array
from spektron_train.physics.surface import Surface

from .modes import displacements
from .operations import Symmetry

# Hartree/(bohr2 u), about those of real molecules.
_STIFFNESS: Final = 0.002
# Levels closer than this, relative, are one: rounding splits them by 1e-14.
_SAME: Final = 1e-10


@dataclass(frozen=True, eq=False)
class Levels:
    """A spectrum, level by level, (L,) each, wavenumbers ascending.

    wavenumbers: cm-1. infrared, raman: intensity and activity, summed over a level's degenerate
    modes, relative to the largest.
    """

    wavenumbers: Array
    infrared: Array
    raman: Array


def random_surface(symmetry: Symmetry, rng: np.random.Generator) -> Surface:
    """A minimum whose force field has no symmetry, and whose dipole and polarisability turn with
    the molecule; nothing else is as in a real one."""
    molecule = symmetry.molecule
    size = molecule.positions.size
    rigid = rigid_motions(molecule)
    free = np.eye(size) - rigid.T @ rigid
    draw = rng.normal(size=(size, size))
    roots = np.repeat(np.sqrt(molecule.masses), 3)
    weighted = _STIFFNESS * free @ (draw @ draw.T + 0.1 * size * np.eye(size)) @ free
    tensor = rng.normal(size=(size, 3, 3))
    return covariant(
        symmetry,
        Surface(
            molecule,
            np.zeros(size),
            weighted * np.outer(roots, roots),
            rng.normal(size=(size, 3)),
            tensor + tensor.transpose(0, 2, 1),
            "drawn at random",
        ),
    )


def covariant(symmetry: Symmetry, surface: Surface) -> Surface:
    """Dipole and polarisability derivatives as the molecule's symmetry has them: group means."""
    whole, turns = displacements(symmetry), symmetry.matrices
    dipole = whole @ surface.dipole @ turns.transpose(0, 2, 1)
    tensor = np.einsum(
        "gxy,yab,gca,gdb->xcd", whole, surface.polarisability, turns, turns, optimize=True
    )
    return replace(surface, dipole=dipole.mean(axis=0), polarisability=tensor / len(turns))


def symmetrised(symmetry: Symmetry, field: Array) -> Array:
    """The mean over the group of a force field (3N, 3N)."""
    whole = displacements(symmetry)
    found = np.mean(whole @ field @ whole.transpose(0, 2, 1), axis=0)
    return np.asarray((found + found.T) / 2)


def levels(surface: Surface) -> Levels:
    """Infrared and Raman spectrum of a surface, degenerate modes together."""
    found = lines(surface, cartesian_modes(surface))
    gaps = np.diff(found.wavenumbers, prepend=-np.inf)
    starts = np.flatnonzero(gaps > _SAME * np.abs(found.wavenumbers))
    infrared, raman = (np.add.reduceat(one, starts) for one in (found.infrared, found.raman))
    return Levels(found.wavenumbers[starts], infrared / _largest(infrared), raman / _largest(raman))


def _largest(values: Array) -> float:
    # N2 absorbs nothing: what is left of rounding is not to be blown up.
    return max(float(values.max()), 1e-9)
