"""What is alike in a molecule's bonds and angles, and values that all that is alike shares.

An atom's kind is its element and number of neighbours (C3); a bond's, its atoms' and its order.
"""

from __future__ import annotations

import zlib
from collections import defaultdict

import numpy as np

from spektron_train.physics.internal import Coordinate
from spektron_train.physics.smiles import Drawn


class Kinds:
    """Names of what is alike in one molecule.

    coarse: 0 tells bends by three atoms, 1 by the centre alone; 2 torsions by nothing, too.
    """

    def __init__(self, drawn: Drawn, coordinates: tuple[Coordinate, ...], coarse: int = 0) -> None:
        self._orders = drawn.bonds
        self._coarse = coarse
        around: dict[int, int] = defaultdict(int)
        for one in coordinates:
            if one.kind == "stretch":
                for atom in one.atoms:
                    around[atom] += 1
        self._atoms = [f"{s}{around[i]}" for i, s in enumerate(drawn.molecule.symbols)]

    def order(self, i: int, j: int) -> str:
        """SMILES' sign of a bond; `~` of one that was not drawn."""
        name = self._orders.get((min(i, j), max(i, j)), "~")
        return next((sign for sign in "-=#:" if sign in name), "~")

    def bond(self, i: int, j: int) -> tuple[str, bool, bool]:
        """Name; whether it is written from j to i; whether its ends are alike."""
        first, second = self._atoms[i], self._atoms[j]
        turned = second < first
        if turned:
            first, second = second, first
        return f"{first}{self.order(i, j)}{second}", turned, first == second

    def coordinate(self, one: Coordinate) -> str:
        """As `bend C4-C3-O1`."""
        atoms = one.atoms
        if one.kind == "stretch":
            return f"stretch {self.bond(*one.atoms)[0]}"
        if one.kind == "torsion":
            about = "" if self._coarse > 1 else f" {self.bond(atoms[1], atoms[2])[0]}"
            return f"torsion{about}"
        centre = self._atoms[atoms[1]]
        if one.kind == "bend" and not self._coarse:
            ends = sorted((self._atoms[atoms[0]], self._atoms[atoms[2]]))
            return f"bend {ends[0]}-{centre}-{ends[1]}"
        return f"{one.kind} {centre}"


def draw(seed: int, name: str) -> np.random.Generator:
    """One stream per seed and kind: what is alike is alike in all molecules of a seed."""
    return np.random.default_rng([seed, zlib.crc32(name.encode())])
