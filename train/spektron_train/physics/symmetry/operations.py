"""Symmetry operations found from a geometry, and the geometry that has them exactly.

An operation carries the atoms onto atoms of the same element and mass. It is fixed by where it
takes two atoms that are not on one line with the centre, so all images of one such pair are tried,
as a rotation and as a rotation with a reflection.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from spektron_train.physics.molecule import Array, Molecule

Indices = NDArray[np.intp]

# Bohr; 0.05 angstrom, what optimised geometries are off by and no chemist calls a distortion.
TOLERANCE: Final = 0.1
# Vibrations span the rows |m| <= 2 of a linear molecule's group, and a five-fold axis tells them
# apart: with it the sums over the continuous group are finite and exact.
LINEAR_FOLD: Final = 5
_EXACT: Final = 1e-9
_ROUNDS: Final = 200


class SymmetryError(ValueError):
    """No point group can be given; the message says why."""


@dataclass(frozen=True, eq=False)
class Symmetry:
    """A molecule made exactly symmetric about its centre of mass, and its operations.

    molecule: the symmetrised one, as it was turned. matrices: (G, 3, 3) orthogonal. images: (G, N),
    the atom on whose place an operation puts each atom. linear: of a linear molecule, the
    operations are those of the five-fold subgroup. moved: the farthest that symmetrising
    moved an atom, bohr.
    """

    molecule: Molecule
    matrices: Array
    images: Indices
    linear: bool
    moved: float

    @property
    def determinants(self) -> Array:
        """(G,): 1 for a rotation, -1 for an operation that turns left hands into right ones."""
        return np.asarray(np.rint(np.linalg.det(self.matrices)))

    @property
    def centrosymmetric(self) -> bool:
        """Whether the inversion is among the operations."""
        return bool((np.trace(self.matrices, axis1=1, axis2=2) < _EXACT - 3).any())


def find_symmetry(molecule: Molecule, tolerance: float = TOLERANCE) -> Symmetry:
    """The largest group whose operations each move no atom farther than `tolerance` (bohr) off.

    Atoms are equal if element and mass are, so other isotopes may lower the symmetry. Raises
    SymmetryError for a single atom and for a tolerance that merges atoms.
    """
    if len(molecule.symbols) < 2:
        raise SymmetryError("a single atom does not vibrate")
    if not 0 < tolerance < 0.5:
        raise SymmetryError("a tolerance is above 0 and below 0.5 bohr")
    centre = molecule.masses @ molecule.positions / molecule.masses.sum()
    places = molecule.positions - centre
    kinds = _kinds(molecule)
    _, _, directions = np.linalg.svd(places - places.mean(axis=0))
    axis = directions[0]
    if np.linalg.norm(places - np.outer(places @ axis, axis), axis=1).max() < tolerance:
        exact, matrices, images = _linear(places, kinds, axis, tolerance)
    else:
        exact, matrices, images = _bent(places, kinds, tolerance)
    moved = float(np.linalg.norm(exact - places, axis=1).max())
    linear = bool(np.linalg.matrix_rank(exact, tol=_EXACT) == 1)
    return Symmetry(molecule.moved(exact), matrices, images, linear, moved)


def _kinds(molecule: Molecule) -> Indices:
    names = [
        f"{s} {m:.4f}" for s, m in zip(molecule.symbols, molecule.masses.tolist(), strict=True)
    ]
    return np.unique(names, return_inverse=True)[1]


def _linear(
    places: Array, kinds: Indices, axis: Array, tolerance: float
) -> tuple[Array, Array, Indices]:
    along = places @ axis
    same = np.arange(len(kinds))
    other = _match(-along[:, None] * axis, along[:, None] * axis, kinds)
    if other is not None and np.abs(along + along[other]).max() >= tolerance:
        other = None
    if other is not None:
        along = (along - along[other]) / 2
    angle = 2 * np.pi / LINEAR_FOLD
    normal = np.linalg.svd(axis[None])[2][1]
    turns = np.stack([_rotation(axis, angle * k) for k in range(LINEAR_FOLD)])
    mirror = np.eye(3) - 2 * np.outer(normal, normal)
    matrices = np.concatenate([turns, turns @ mirror])
    images = np.tile(same, (len(matrices), 1))
    if other is not None:
        matrices = np.concatenate([matrices, -matrices])
        images = np.concatenate([images, np.tile(other, (len(images), 1))])
    return along[:, None] * axis, matrices, images


def _bent(places: Array, kinds: Indices, tolerance: float) -> tuple[Array, Array, Indices]:
    found = _candidates(places, kinds, tolerance)
    for limit in sorted({error for error, _ in found.values()}, reverse=True):
        group = [key for key, (error, _) in found.items() if error <= limit]
        if _closed(group):
            break
    images = np.array([image for image, _ in group])
    proper = np.array([sign for _, sign in group])
    exact = places
    for _ in range(_ROUNDS):
        matrices = np.stack([_fit(exact, exact[i], d) for i, d in zip(images, proper, strict=True)])
        # Each operation, undone, says where an atom should be.
        better = np.einsum("gji,gnj->ni", matrices, exact[images]) / len(matrices)
        step = np.abs(better - exact).max()
        exact = better
        if step < 1e-14:
            break
    off = np.einsum("gij,nj->gni", matrices, exact) - exact[images]
    if np.abs(off).max() > _EXACT:
        raise SymmetryError("the operations found do not fit together; use a smaller tolerance")
    return exact, matrices, images


def _candidates(
    places: Array, kinds: Indices, tolerance: float
) -> dict[tuple[tuple[int, ...], int], tuple[float, Array]]:
    """Operations by images and determinant, each with its error and its matrix."""
    distances = np.linalg.norm(places, axis=1)
    alike = (kinds[:, None] == kinds) & (np.abs(distances[:, None] - distances) < 2 * tolerance)
    areas = np.linalg.norm(np.cross(places[:, None], places), axis=2)
    tries = np.multiply.outer(alike.sum(axis=1), alike.sum(axis=1)).astype(float)
    # Two atoms nearly on one line with the centre would fix an operation badly.
    tries[areas < 0.3 * areas.max()] = np.inf
    first, second = np.unravel_index(tries.argmin(), tries.shape)
    start = _frame(places[first], places[second])
    apart = np.linalg.norm(places[first] - places[second])
    found = {}
    for third in np.flatnonzero(alike[first]):
        for fourth in np.flatnonzero(alike[second]):
            if third == fourth or (
                abs(np.linalg.norm(places[third] - places[fourth]) - apart) > 4 * tolerance
            ):
                continue
            end = _frame(places[third], places[fourth])
            for sign in (1, -1):
                guess = end @ np.diag([1, 1, sign]) @ start.T
                image = _match(places @ guess.T, places, kinds)
                if image is None:
                    continue
                matrix = _fit(places, places[image], sign)
                error = float(np.linalg.norm(places @ matrix.T - places[image], axis=1).max())
                if error <= tolerance:
                    found[tuple(image.tolist()), sign] = error, matrix
    return found


def _closed(group: list[tuple[tuple[int, ...], int]]) -> bool:
    images = np.array([image for image, _ in group])
    signs = np.array([sign for _, sign in group])
    members = {(image.tobytes(), sign) for image, sign in zip(images, signs, strict=True)}
    return all(
        (product.tobytes(), sign * other) in members
        for image, sign in zip(images, signs, strict=True)
        for product, other in zip(image[images], signs, strict=True)
    )


def _match(moved: Array, places: Array, kinds: Indices) -> Indices | None:
    apart = np.linalg.norm(moved[:, None] - places, axis=2)
    apart[kinds[:, None] != kinds] = np.inf
    nearest = apart.argmin(axis=1)
    return nearest if len(set(nearest.tolist())) == len(nearest) else None


def _fit(start: Array, end: Array, sign: int) -> Array:
    """The orthogonal matrix of determinant `sign` that takes start nearest to end (Kabsch)."""
    left, _, right = np.linalg.svd(end.T @ start)
    last = sign * np.linalg.det(left) * np.linalg.det(right)
    return np.asarray(left @ np.diag([1.0, 1.0, last]) @ right)


def _frame(first: Array, second: Array) -> Array:
    normal = np.cross(first, second)
    columns = np.stack([first, np.cross(normal, first), normal], axis=1)
    return np.asarray(columns / np.linalg.norm(columns, axis=0))


def _rotation(axis: Array, angle: float) -> Array:
    x, y, z = axis
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    return np.asarray(np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * cross @ cross)
