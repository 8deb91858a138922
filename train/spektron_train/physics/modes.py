"""Harmonic modes, from Cartesian coordinates alone: the reference for Wilson's method."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from .molecule import Array, Molecule
from .surface import Surface
from .units import wavenumbers


@dataclass(frozen=True, eq=False)
class Modes:
    """Vibrations, softest first.

    wavenumbers: (n,) in cm-1, negative where the energy falls. displacements: dx/dQ, (n, 3N), per
    square root of u: of mass-weighted length one.
    """

    molecule: Molecule
    wavenumbers: Array
    displacements: Array


def rigid_directions(molecule: Molecule) -> Array:
    """Orthonormal translations and rotations, (5 or 6, 3N), in which no mass enters."""
    return rigid_motions(replace(molecule, masses=np.ones_like(molecule.masses)))


def rigid_motions(molecule: Molecule) -> Array:
    """Orthonormal mass-weighted translations and rotations, (5 or 6, 3N); 3 for one atom.

    They are Eckart's conditions: a vibration is orthogonal to all of them.
    """
    masses = molecule.masses
    centred = molecule.positions - masses @ molecule.positions / masses.sum()
    weights = np.sqrt(masses)[:, None]
    motions = [np.tile(axis, (len(masses), 1)) * weights for axis in np.eye(3)]
    motions += [np.cross(axis, centred) * weights for axis in np.eye(3)]
    rows = np.linalg.svd(np.reshape(motions, (6, -1)), full_matrices=False)[2]
    count = 3 if len(masses) == 1 else 6 - molecule.is_linear()
    found: Array = rows[:count]
    return found


def cartesian_modes(surface: Surface) -> Modes:
    """Of the mass-weighted Hessian without translations and rotations: 3N - 6 modes (or 3N - 5)."""
    molecule = surface.molecule
    rigid = rigid_motions(molecule)
    # An orthonormal basis of what is left.
    inside = np.linalg.svd(rigid, full_matrices=True)[2][len(rigid) :]
    roots = np.repeat(np.sqrt(molecule.masses), 3)
    weighted = surface.hessian / np.outer(roots, roots)
    levels, vectors = np.linalg.eigh(inside @ weighted @ inside.T)
    return Modes(molecule, wavenumbers(levels), (vectors.T @ inside) / roots)
