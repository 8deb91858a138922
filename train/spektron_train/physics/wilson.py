"""Wilson's GF method: vibrations from internal coordinates, det(GF - lambda I) = 0.

Wilson, J. Chem. Phys. 7, 1047 (1939); 9, 76 (1941). Redundant sets are solved in their
non-redundant combinations (Pulay and Fogarasi, J. Chem. Phys. 96, 2856, 1992).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .internal import Coordinate, CoordinateError, b_matrix, curvature
from .modes import Modes, rigid_directions
from .molecule import Array, Molecule
from .primitives import primitives
from .surface import Surface
from .units import wavenumbers

# Singular values of B below this share of the largest are redundancies (they are 1e-15 or 1e-1).
_REDUNDANT = 1e-6


@dataclass(frozen=True, eq=False)
class Internals:
    """A molecule's internal coordinates, p of them, of which m = 3N - 6 (or 5) are independent.

    b: dq/dx, (p, 3N). combinations: (p, m), orthonormal columns: s = combinations^T q.
    """

    molecule: Molecule
    coordinates: tuple[Coordinate, ...]
    b: Array
    combinations: Array

    @property
    def independent_b(self) -> Array:
        """ds/dx, (m, 3N), of full rank."""
        found: Array = self.combinations.T @ self.b
        return found

    @property
    def g(self) -> Array:
        """G = B M^-1 B^T of the independent combinations, (m, m), in 1/u."""
        b = self.independent_b
        found: Array = (b / np.repeat(self.molecule.masses, 3)) @ b.T
        return found

    @property
    def inverse(self) -> Array:
        """A = M^-1 B^T G^-1, dx/ds, (3N, m): no translation, no rotation (Eckart)."""
        b = self.independent_b
        found: Array = np.linalg.solve(self.g, b / np.repeat(self.molecule.masses, 3)).T
        return found


def internals(molecule: Molecule, coordinates: Sequence[Coordinate] | None = None) -> Internals:
    """Of the coordinates given, or of the bonds'.

    Raises CoordinateError where they leave a vibration out.
    """
    coordinates = primitives(molecule) if coordinates is None else tuple(coordinates)
    b = b_matrix(coordinates, molecule.positions)
    # The reference of a linear bend turns with the molecule; elsewhere this is nothing.
    rigid = rigid_directions(molecule)
    b = b - (b @ rigid.T) @ rigid
    left, sizes, _ = np.linalg.svd(b, full_matrices=False)
    rank = int((sizes > _REDUNDANT * sizes.max(initial=0)).sum())
    expected = max(molecule.positions.size - 6 + molecule.is_linear(), 0)
    if rank != expected:
        raise CoordinateError(f"the coordinates span {rank} vibrations; there are {expected}")
    return Internals(molecule, coordinates, b, left[:, :rank])


def gradient_term(space: Internals, gradient: Array) -> Array:
    """What bent coordinates add to F where forces remain, (m, m): A^T (sum g_s d2s/dx2) A.

    gradient: (3N,). With it, F describes straight (Cartesian) displacements; without, bent ones.
    """
    a = space.inverse
    weights = space.combinations @ (a.T @ gradient)
    bent = curvature(space.coordinates, space.molecule.positions, weights)
    found: Array = a.T @ bent @ a
    return found


def straight_force_constants(space: Internals, hessian: Array) -> Array:
    """F with the gradient term, (m, m): A^T H A, of straight displacements along dx/ds."""
    a = space.inverse
    found: Array = a.T @ hessian @ a
    return found


def force_constants(space: Internals, surface: Surface) -> Array:
    """F = d2E/ds2 of the independent combinations, (m, m), from a Cartesian Hessian.

    The Hessian is B^T F B + sum g_s d2s/dx2; the second part, the gradient term, is taken off.
    For isotopologues keep this F and solve it in their own internals: no mass belongs in F, and a
    Hessian integrated on a grid is not so indifferent to rotation that Eckart frames agree on it.
    """
    straight = straight_force_constants(space, surface.hessian)
    return straight - gradient_term(space, surface.gradient)


def solve(space: Internals, f: Array) -> Modes:
    """Solve det(GF - lambda I) = 0 for F (m, m), as the symmetric C^T F C with G = C C^T."""
    c = np.linalg.cholesky(space.g)
    levels, vectors = np.linalg.eigh(c.T @ f @ c)
    return Modes(space.molecule, wavenumbers(levels), (space.inverse @ c @ vectors).T)


def gf_modes(surface: Surface) -> Modes:
    """Vibrations by Wilson's method, with the gradient term: what straight displacements see.

    Raises CoordinateError.
    """
    space = internals(surface.molecule)
    return solve(space, straight_force_constants(space, surface.hessian))


def energy_distribution(space: Internals, f: Array, modes: Modes) -> Array:
    """Potential-energy distribution, (modes, p): shares of each mode's energy, each row of sum one.

    Share of q_i: L_i (F L)_i / lambda, of primitives, cross terms halved between their two
    (Morino and Kuchitsu, J. Chem. Phys. 20, 1809, 1952). Nan for modes of no energy.
    """
    moved = modes.displacements @ space.b.T
    force = space.combinations @ f @ space.combinations.T
    parts = moved * (moved @ force)
    energy = parts.sum(axis=1, keepdims=True)
    found: Array = np.divide(parts, energy, out=np.full_like(parts, np.nan), where=energy != 0)
    return found
