"""Bond moments and bond polarisabilities: what a transferable model says of intensities.

    mu    = sum over bonds of m(r) e
    alpha = sum over bonds of (along(r) - across(r)) e e^T + across(r)

with e the unit vector along the bond and r its length (Wolkenstein's valence-optical scheme; Long,
The Raman Effect, 2002). A bond whose ends are alike has no moment.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np

from spektron_train.physics.molecule import Array
from spektron_train.physics.wilson import Internals

from .jacobian import Directions
from .kinds import Kinds, draw

# Ranges drawn from: e and e bohr, with any sign; bohr2, and bohr3 for the anisotropy.
_SIZES: Final = {
    "dm/dr": (0.1, 0.5),
    "m": (0.1, 0.5),
    "dalong/dr": (2.0, 6.0),
    "dacross/dr": (0.5, 2.0),
    "along - across": (2.0, 8.0),
}


def moments(space: Internals, kinds: Kinds, seed: int) -> Directions:
    """Relative changes of m and dm/dr by kind of bond; together they are dmu/dx."""
    sums: dict[str, Array] = {}
    for bond in _bonds(space, kinds):
        if not bond.alike:
            _add(sums, f"dm/dr {bond.name}", bond.stretch)
            _add(sums, f"m {bond.name}", bond.turn)
    drawn = _drawn(sums, seed)
    size = space.b.shape[1]
    whole = np.array(list(drawn.values())).reshape(-1, size, 3)
    f, tensors = np.zeros((len(whole), *space.g.shape)), np.zeros((len(whole), size, 3, 3))
    return Directions(tuple(drawn), f, whole, tensors)


def tensors(space: Internals, kinds: Kinds, seed: int) -> Directions:
    """Relative changes of along' and across' (by length) and of along - across, by kind of bond;
    together they are dalpha/dx."""
    sums: dict[str, Array] = {}
    for bond in _bonds(space, kinds):
        e, grown = bond.e, (bond.stretch @ bond.e)[:, None, None]
        _add(sums, f"dalong/dr {bond.name}", grown * np.outer(e, e))
        _add(sums, f"dacross/dr {bond.name}", grown * (np.eye(3) - np.outer(e, e)))
        tilted = bond.turn[:, :, None] * e + bond.turn[:, None, :] * e[:, None]
        _add(sums, f"along - across {bond.name}", tilted)
    drawn = _drawn(sums, seed)
    size = space.b.shape[1]
    whole = np.array(list(drawn.values())).reshape(-1, size, 3, 3)
    f, dipoles = np.zeros((len(whole), *space.g.shape)), np.zeros((len(whole), size, 3))
    return Directions(tuple(drawn), f, dipoles, whole)


@dataclass(frozen=True, eq=False)
class _Bond:
    """stretch: dr/dx e, turn: de/dx, (3N, 3)."""

    name: str
    alike: bool
    e: Array
    stretch: Array
    turn: Array


def _bonds(space: Internals, kinds: Kinds) -> Iterator[_Bond]:
    positions = space.molecule.positions
    for one in space.coordinates:
        if one.kind != "stretch":
            continue
        i, j = one.atoms
        name, turned, alike = kinds.bond(i, j)
        if turned:
            i, j = j, i
        axis = positions[j] - positions[i]
        length = np.linalg.norm(axis)
        e = axis / length
        along = np.outer(e, e)
        stretch, turn = np.zeros((2, positions.size, 3))
        for atom, sign in ((i, -1), (j, 1)):
            rows = slice(3 * atom, 3 * atom + 3)
            stretch[rows] = sign * along
            turn[rows] = sign * (np.eye(3) - along) / length
        yield _Bond(name, alike, e, stretch, turn)


def _add(sums: dict[str, Array], name: str, change: Array) -> None:
    sums[name] = sums[name] + change if name in sums else change


def _drawn(sums: dict[str, Array], seed: int) -> dict[str, Array]:
    found = {}
    for name, change in sums.items():
        part = name.rpartition(" ")[0]
        rng = draw(seed, name)
        sign = rng.choice([-1, 1]) if part in ("m", "dm/dr") else 1
        found[name] = sign * rng.uniform(*_SIZES[part]) * change
    return found
