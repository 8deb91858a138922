"""The name of a point group (Schoenflies) and the axes by which its representations are named."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from spektron_train.physics.molecule import Array

from .operations import Symmetry, SymmetryError

_SAME: Final = 1e-6


@dataclass(frozen=True, eq=False)
class PointGroup:
    """A point group and its axes.

    name: Schoenflies, `C*v` and `D*h` for linear molecules. frame: (3, 3), rows x, y, z in the
    molecule's coordinates: z is the principal axis; x is a C2 axis across it, or lies in a mirror
    plane along it.
    """

    name: str
    frame: Array


def point_group(symmetry: Symmetry) -> PointGroup:
    """Name and axes after Mulliken (1955).

    Where several choices are left: of equal axes or planes, x goes through most atoms, then most
    mass. C2v: most atoms are in the yz plane. D2 and D2h: z through most atoms; x across the plane
    of a planar molecule. Raises SymmetryError for a set of operations that is no group.
    """
    rotations = symmetry.matrices[symmetry.determinants > 0]
    if symmetry.linear:
        return PointGroup("D*h" if symmetry.centrosymmetric else "C*v", _linear_frame(symmetry))
    axes = _axes(rotations)
    if sum(order > 2 for _, order in axes) > 1:
        return PointGroup(_cubic(symmetry, len(rotations)), np.eye(3))
    return _axial(symmetry, axes)


def _linear_frame(symmetry: Symmetry) -> Array:
    places = symmetry.molecule.positions
    z = _unit(places[np.linalg.norm(places, axis=1).argmax()])
    upright = (_normal(m) for m in symmetry.matrices if _is_mirror(m))
    normal = next(normal for normal in upright if _across(normal, z))
    # A C2 axis lies across each mirror of D5d; C5v has mirrors only.
    return _frame(z, normal if symmetry.centrosymmetric else np.cross(normal, z))


def _cubic(symmetry: Symmetry, rotations: int) -> str:
    letter = {12: "T", 24: "O", 60: "I"}.get(rotations)
    if letter is None:
        raise SymmetryError(f"no cubic group has {rotations} rotations; use a smaller tolerance")
    if symmetry.centrosymmetric:
        return f"{letter}h"
    return letter if len(symmetry.matrices) == rotations else f"{letter}d"


def _axial(symmetry: Symmetry, axes: list[tuple[Array, int]]) -> PointGroup:
    mirrors = [_normal(m) for m in symmetry.matrices if _is_mirror(m)]
    improper = bool((symmetry.determinants < 0).any())
    if not axes:
        if mirrors:
            return PointGroup("Cs", _frame(mirrors[0]))
        return PointGroup("Ci" if improper else "C1", np.eye(3))
    flat = [normal for normal in mirrors if _on_plane(symmetry, normal).all()]
    z = _principal(symmetry, axes, flat)
    order = max(order for axis, order in axes if _along(axis, z))
    twofold = [axis for axis, _ in axes if _across(axis, z)]
    upright = [normal for normal in mirrors if _across(normal, z)]
    level = any(_along(normal, z) for normal in mirrors)
    if twofold:
        kind = "h" if level else "d" if upright else ""
        across = [normal for normal in flat if _across(normal, z)]
        x = across[0] if across else _richest(symmetry, twofold, _on_axis)
        return PointGroup(f"D{order}{kind}", _frame(z, x))
    if upright:
        fullest = _richest(symmetry, upright, _on_plane)
        return PointGroup(f"C{order}v", _frame(z, fullest if order == 2 else np.cross(fullest, z)))
    if level:
        return PointGroup(f"C{order}h", _frame(z))
    return PointGroup(f"S{2 * order}" if improper else f"C{order}", _frame(z))


def _principal(symmetry: Symmetry, axes: list[tuple[Array, int]], flat: list[Array]) -> Array:
    highest = max(order for _, order in axes)
    best = [axis for axis, order in axes if order == highest]
    if len(best) == 1:
        return best[0]
    for matrix, sign in zip(symmetry.matrices, symmetry.determinants, strict=True):
        if sign < 0 and abs(np.trace(matrix) + 1) < _SAME:  # S4, of D2d
            return _axis(-matrix)
    inside = [axis for axis in best if all(_across(axis, normal) for normal in flat)]
    return _richest(symmetry, inside, _on_axis)


def _axes(rotations: Array) -> list[tuple[Array, int]]:
    found: list[tuple[Array, int]] = []
    for matrix in rotations:
        if np.trace(matrix) > 3 - _SAME:
            continue
        axis = _axis(matrix)
        for index, (known, order) in enumerate(found):
            if _along(axis, known):
                found[index] = known, order + 1
                break
        else:
            found.append((axis, 2))
    return found


def _axis(rotation: Array) -> Array:
    cosine = (np.trace(rotation) - 1) / 2
    outer = (rotation + rotation.T) / 2 - cosine * np.eye(3)
    return _unit(outer[:, np.linalg.norm(outer, axis=0).argmax()])


def _is_mirror(matrix: Array) -> bool:
    return bool(abs(np.trace(matrix) - 1) < _SAME and np.linalg.det(matrix) < 0)


def _normal(mirror: Array) -> Array:
    return _axis(-mirror)


def _on_axis(symmetry: Symmetry, axis: Array) -> NDArray[np.bool_]:
    away = np.cross(symmetry.molecule.positions, axis)
    return np.asarray(np.linalg.norm(away, axis=1) < _SAME)


def _on_plane(symmetry: Symmetry, normal: Array) -> NDArray[np.bool_]:
    return np.asarray(np.abs(symmetry.molecule.positions @ normal) < _SAME)


def _richest(
    symmetry: Symmetry,
    directions: list[Array],
    holds: Callable[[Symmetry, Array], NDArray[np.bool_]],
) -> Array:
    def rank(direction: Array) -> tuple[int, float]:
        there = holds(symmetry, direction)
        return int(there.sum()), round(float(symmetry.molecule.masses[there].sum()), 3)

    return max(directions, key=rank)


def _frame(z: Array, x: Array | None = None) -> Array:
    if x is None:
        x = np.linalg.svd(z[None])[2][1]
    x = _unit(x - (x @ z) * z)
    return np.stack([x, np.cross(z, x), z])


def _unit(vector: Array) -> Array:
    return np.asarray(vector / np.linalg.norm(vector))


def _along(first: Array, second: Array) -> bool:
    return bool(abs(first @ second) > 1 - _SAME)


def _across(first: Array, second: Array) -> bool:
    return bool(abs(first @ second) < _SAME)
