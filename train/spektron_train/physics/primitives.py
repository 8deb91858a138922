"""Which internal coordinates a molecule has, from its bonds: a set that may be redundant."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations

import numpy as np

from .internal import Coordinate
from .molecule import Array, Molecule

# Nearer to 180 degrees a bend's derivative grows without bound, and a torsion's over it too.
_LINEAR = np.deg2rad(175.0)
# A centre is planar enough for out-of-plane angles (not the pyramid of NH3, whose bends suffice).
_PLANAR = np.deg2rad(30.0)


def primitives(molecule: Molecule) -> tuple[Coordinate, ...]:
    """Stretches, bends, linear bends, out-of-plane angles and torsions, in this order.

    Fragments that no bond joins are joined where they are nearest.
    """
    graph = _Graph(molecule)
    return (
        *(Coordinate("stretch", bond) for bond in graph.bonds),
        *_bends(graph),
        *_out_of_plane(graph),
        *_torsions(graph),
    )


class _Graph:
    def __init__(self, molecule: Molecule) -> None:
        self.positions: Array = molecule.positions
        self.bonds = _joined(molecule)
        self.neighbours: list[list[int]] = [[] for _ in molecule.symbols]
        for i, j in self.bonds:
            self.neighbours[i].append(j)
            self.neighbours[j].append(i)

    def unit(self, start: int, end: int) -> Array:
        vector: Array = self.positions[end] - self.positions[start]
        return vector / np.linalg.norm(vector)

    def angle(self, i: int, centre: int, k: int) -> float:
        cosine = self.unit(centre, i) @ self.unit(centre, k)
        return float(np.arccos(np.clip(cosine, -1, 1)))

    def straight(self, i: int, centre: int, k: int) -> bool:
        return self.angle(i, centre, k) > _LINEAR


def _joined(molecule: Molecule) -> list[tuple[int, int]]:
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    bonds = list(molecule.bonds())
    count = len(molecule.symbols)
    apart = np.linalg.norm(molecule.positions[:, None] - molecule.positions, axis=-1)
    while True:
        pairs = np.array(bonds, dtype=int).reshape(-1, 2).T
        graph = coo_array((np.ones(len(bonds)), (pairs[0], pairs[1])), shape=(count, count))
        fragments, label = connected_components(graph, directed=False)
        if fragments == 1:
            return bonds
        foreign = np.where(label[:, None] == label, np.inf, apart)
        i, j = sorted(int(n) for n in np.unravel_index(foreign.argmin(), foreign.shape))
        bonds.append((i, j))


def _bends(graph: _Graph) -> Iterator[Coordinate]:
    for centre, around in enumerate(graph.neighbours):
        for i, k in combinations(around, 2):
            if graph.straight(i, centre, k):
                for reference in _across(graph.unit(i, k)):
                    x, y, z = (float(number) for number in reference)
                    yield Coordinate("linear bend", (i, centre, k), (x, y, z))
            else:
                yield Coordinate("bend", (i, centre, k))


def _across(axis: Array) -> tuple[Array, Array]:
    # Two unit vectors across the axis.
    least = np.eye(3)[np.abs(axis).argmin()]
    first = np.cross(axis, least)
    first /= np.linalg.norm(first)
    return first, np.cross(axis, first)


def _out_of_plane(graph: _Graph) -> Iterator[Coordinate]:
    for centre, around in enumerate(graph.neighbours):
        for triple in combinations(around, 3):
            for out in triple:
                k, l = (atom for atom in triple if atom != out)  # noqa: E741
                normal = np.cross(graph.unit(centre, k), graph.unit(centre, l))
                area = np.linalg.norm(normal)
                if area < np.sin(np.pi - _LINEAR):
                    continue
                if abs(normal @ graph.unit(centre, out)) / area < np.sin(_PLANAR):
                    yield Coordinate("out-of-plane", (out, centre, k, l))


def _torsions(graph: _Graph) -> Iterator[Coordinate]:
    for left, around in enumerate(graph.neighbours):
        for beside in around:
            before, right = _along(graph, left, beside)
            if left >= right:
                continue
            for i in graph.neighbours[left]:
                for l in graph.neighbours[right]:  # noqa: E741
                    if i == beside or l == before or len({i, left, right, l}) < 4:
                        continue
                    if graph.straight(i, left, right) or graph.straight(left, right, l):
                        continue
                    yield Coordinate("torsion", (i, left, right, l))


def _along(graph: _Graph, start: int, beside: int) -> tuple[int, int]:
    # Over the atoms of a straight chain, to the last bond of it.
    before, here = start, beside
    while len(graph.neighbours[here]) == 2:
        a, b = graph.neighbours[here]
        following = b if a == before else a
        if following == start or not graph.straight(before, here, following):
            break
        before, here = here, following
    return before, here
