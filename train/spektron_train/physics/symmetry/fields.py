"""Force fields and electro-optical tensors drawn at random, with or without a molecule's symmetry.

What holds for all of them holds by symmetry alone.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import constants

from spektron_train.physics.molecule import Array

from .modes import displacements
from .operations import Symmetry

_ELECTRON_MASSES = constants.atomic_mass / constants.electron_mass
# Atomic units of angular frequency to cm-1.
_WAVENUMBER = constants.physical_constants["hartree-inverse meter relationship"][0] / 100


@dataclass(frozen=True, eq=False)
class Tensors:
    """Derivatives by Cartesian displacement: dipole (3, 3N), polarisability (3, 3, 3N)."""

    dipole: Array
    polarisability: Array


@dataclass(frozen=True, eq=False)
class Levels:
    """A spectrum, level by level, wavenumbers ascending.

    wavenumbers: (L,) in cm-1. infrared: (L,) squared dipole derivative by normal coordinate;
    raman: (L,) 45 a^2 + 7 g^2; both summed over a level's degenerate modes, relative to
    the largest. modes: (3N, K) mass-weighted; sizes: (L,) modes of each level.
    """

    wavenumbers: Array
    infrared: Array
    raman: Array
    modes: Array
    sizes: tuple[int, ...]


def random_field(symmetry: Symmetry, rng: np.random.Generator) -> Array:
    """A positive force field (3N, 3N) in hartree/bohr^2, of no symmetry, which neither
    translation nor rotation stretches."""
    size = 3 * len(symmetry.molecule.symbols)
    free = np.eye(size) - _rigid(symmetry) @ _rigid(symmetry).T
    draw = rng.normal(size=(size, size))
    return np.asarray(free @ (0.02 * draw @ draw.T + 0.1 * np.eye(size)) @ free)


def symmetrised(symmetry: Symmetry, field: Array) -> Array:
    """The mean over the group of a force field."""
    whole = displacements(symmetry)
    return np.asarray(np.mean(whole @ field @ whole.transpose(0, 2, 1), axis=0))


def random_tensors(symmetry: Symmetry, rng: np.random.Generator) -> Tensors:
    """Tensors that turn with the molecule, and nothing else in common with a real one's."""
    size = 3 * len(symmetry.molecule.symbols)
    dipole = rng.normal(size=(3, size))
    polarisability = rng.normal(size=(3, 3, size))
    polarisability = polarisability + polarisability.transpose(1, 0, 2)
    whole, turns = displacements(symmetry), symmetry.matrices
    return Tensors(
        np.einsum("gij,jk,glk->il", turns, dipole, whole, optimize=True) / len(turns),
        np.einsum("gij,gmn,jnk,glk->iml", turns, turns, polarisability, whole, optimize=True)
        / len(turns),
    )


def levels(symmetry: Symmetry, field: Array, tensors: Tensors) -> Levels:
    """Solve a force field (3N, 3N) in hartree/bohr^2 that has no rigid motion in it."""
    heavy = np.repeat(symmetry.molecule.masses * _ELECTRON_MASSES, 3)
    weighted = field / np.sqrt(np.outer(heavy, heavy))
    values, vectors = np.linalg.eigh(weighted)
    rigid = 5 if symmetry.linear else 6
    wavenumbers = np.sqrt(values[rigid:]) * _WAVENUMBER
    modes = vectors[:, rigid:]
    cartesian = modes / np.sqrt(heavy)[:, None]
    dipoles = tensors.dipole @ cartesian
    tensor = tensors.polarisability @ cartesian
    mean = np.trace(tensor) / 3
    squares = np.einsum("ijk,ijk->k", tensor, tensor)
    # g^2 = (3 tr A^2 - (tr A)^2) / 2.
    raman = 45 * mean**2 + 7 * (3 * squares - 9 * mean**2) / 2
    starts = np.flatnonzero(np.diff(wavenumbers, prepend=-1.0) > 1e-6 * wavenumbers)
    sizes = np.diff(np.append(starts, len(wavenumbers)))
    infrared = np.add.reduceat((dipoles**2).sum(axis=0), starts)
    scattered = np.add.reduceat(raman, starts)
    return Levels(
        wavenumbers[starts],
        infrared / _largest(infrared),
        scattered / _largest(scattered),
        modes,
        tuple(sizes.tolist()),
    )


def _largest(values: Array) -> float:
    # N2 absorbs nothing: what is left of rounding is not to be blown up.
    return max(float(values.max()), 1e-12)


def _rigid(symmetry: Symmetry) -> Array:
    places = symmetry.molecule.positions
    moves = [np.tile(axis, (len(places), 1)) for axis in np.eye(3)]
    moves += [np.cross(axis, places) for axis in np.eye(3)]
    columns = np.stack([move.ravel() for move in moves], axis=1)
    left, values, _ = np.linalg.svd(columns, full_matrices=False)
    return np.asarray(left[:, values > 1e-9 * values[0]])
