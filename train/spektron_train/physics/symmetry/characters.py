"""Characters of irreducible representations, from the matrices of the operations alone.

Along the principal axis an operation acts on x and y as a turn by an angle a or as a reflection in
a line at an angle a. Representations are then cos(k a), or their signs, so one rule holds for
all axial groups and, with k = 0, 1, 2 called Sigma, Pi, Delta, for linear molecules. A group that
has an inversion, or else a horizontal mirror, is its rotations times that element. In cubic groups
the angle of the rotation decides.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np

from spektron_train.physics.molecule import Array

from .operations import Symmetry
from .point_group import PointGroup

_GREEK: Final = {
    "A1": ("Sigma", "+"),
    "A2": ("Sigma", "-"),
    "E1": ("Pi", ""),
    "E2": ("Delta", ""),
}
# With three axes of equal rank, B1, B2 and B3 are the ones of z, y and x.
_THREE_AXES: Final = {"A1": "A", "A2": "B1", "B2": "B2", "B1": "B3"}
_TURNS: Final = {0: "E", 180: "C2", 120: "C3", 90: "C4", 72: "C5", 144: "C5^2"}
_GOLDEN: Final = (1 + 5**0.5) / 2
# Altmann and Herzig, Point-Group Theory Tables (1994), by the rotation's angle.
_T: Final[dict[str, dict[str, float]]] = {
    "A": {"E": 1, "C2": 1, "C3": 1},
    "E": {"E": 2, "C2": 2, "C3": -1},
    "T": {"E": 3, "C2": -1, "C3": 0},
}
_O: Final[dict[str, dict[str, float]]] = {
    "A1": {"E": 1, "C3": 1, "C2": 1, "C4": 1, "C2'": 1},
    "A2": {"E": 1, "C3": 1, "C2": 1, "C4": -1, "C2'": -1},
    "E": {"E": 2, "C3": -1, "C2": 2, "C4": 0, "C2'": 0},
    "T1": {"E": 3, "C3": 0, "C2": -1, "C4": 1, "C2'": -1},
    "T2": {"E": 3, "C3": 0, "C2": -1, "C4": -1, "C2'": 1},
}
_I: Final[dict[str, dict[str, float]]] = {
    "A": {"E": 1, "C5": 1, "C5^2": 1, "C3": 1, "C2": 1},
    "T1": {"E": 3, "C5": _GOLDEN, "C5^2": 1 - _GOLDEN, "C3": 0, "C2": -1},
    "T2": {"E": 3, "C5": 1 - _GOLDEN, "C5^2": _GOLDEN, "C3": 0, "C2": -1},
    "G": {"E": 4, "C5": -1, "C5^2": -1, "C3": 1, "C2": 0},
    "H": {"E": 5, "C5": 0, "C5^2": 0, "C3": -1, "C2": 1},
}
_CUBIC: Final[dict[str, dict[str, dict[str, float]]]] = {"T": _T, "O": _O, "I": _I}


@dataclass(frozen=True, eq=False)
class Irrep:
    """An irreducible representation.

    name: Mulliken's, the parity last (`E1g`, `A2''`, `Sigma_u+`). degeneracy: of its levels.
    characters: (G,), one per operation. parts: 2 for a pair of complex conjugates, which real
    force fields never split, else 1.
    """

    name: str
    degeneracy: int
    characters: Array
    parts: int

    def multiplicity(self, characters: Array) -> int:
        """How often this is in a representation of these characters (G,)."""
        count = float(characters @ self.characters) / (len(characters) * self.parts)
        return round(count)


def irreps(symmetry: Symmetry, group: PointGroup) -> tuple[Irrep, ...]:
    """All of the group's; for linear molecules those up to Delta, which is what vibrations need."""
    signs = symmetry.determinants
    turns = symmetry.matrices * signs[:, None, None]
    horizontal = False
    if group.name[0] in _CUBIC:
        # Td is O with its reflections turned into rotations.
        rows = list(_cubic("O" if group.name == "Td" else group.name[0], turns))
    else:
        matrices = turns if symmetry.centrosymmetric else symmetry.matrices
        matrices = group.frame @ matrices @ group.frame.T
        horizontal = bool(np.abs(matrices - np.diag([1, 1, -1])).max(axis=(1, 2)).min() < 1e-6)
        rows = list(_axial(matrices[:, :2, :2]))
    if symmetry.centrosymmetric:
        parities = [("g", np.ones_like(signs)), ("u", signs)]
    elif horizontal:
        parities = [("'", np.ones_like(signs)), ("''", signs)]
    else:
        parities = [("", np.ones_like(signs))]
    return tuple(
        Irrep(_named(name, mark, group), round(row.max()), row * factor, parts)
        for mark, factor in parities
        for name, row, parts in rows
    )


def _axial(plane: Array) -> Iterator[tuple[str, Array, int]]:
    turned = np.linalg.det(plane) > 0
    # The angle of the turn, or twice that of the mirror line.
    angles = np.arctan2(plane[:, 1, 0], plane[:, 0, 0])
    folds = len({complex(np.round(np.exp(1j * a), 6)) + 0 for a in angles[turned]})
    dihedral = not turned.all()
    signs = np.where(turned, 1.0, -1.0)
    ones = np.ones_like(signs)
    yield ("A1" if dihedral else "A"), ones, 1
    if dihedral:
        yield "A2", signs, 1
    if folds % 2 == 0:
        half = np.rint(np.cos(folds / 2 * angles))
        yield ("B1" if dihedral else "B"), half, 1
        if dihedral:
            yield "B2", half * signs, 1
    last = (folds - 1) // 2
    for k in range(1, last + 1):
        characters = np.where(turned, 2 * np.cos(k * angles), 0.0)
        yield f"E{k if last > 1 else ''}", characters, 1 if dihedral else 2


def _cubic(letter: str, turns: Array) -> Iterator[tuple[str, Array, int]]:
    classes = _classes(turns)
    for name, row in _CUBIC[letter].items():
        pair = letter == "T" and name == "E"
        yield name, np.array([float(row[c]) for c in classes]), 2 if pair else 1


def _classes(turns: Array) -> list[str]:
    cosines = (np.trace(turns, axis1=1, axis2=2) - 1) / 2
    found = [_TURNS[round(a)] for a in np.degrees(np.arccos(np.clip(cosines, -1, 1))).tolist()]
    halves = [m @ m for m, name in zip(turns, found, strict=True) if name == "C4"]
    return [
        "C2'" if halves and name == "C2" and not np.isclose(m, halves).all((1, 2)).any() else name
        for m, name in zip(turns, found, strict=True)
    ]


def _named(name: str, mark: str, group: PointGroup) -> str:
    if group.name in ("C*v", "D*h"):
        letter, sign = _GREEK[name]
        # The sign is that of the upright mirrors, which undo the inversion's in u.
        if mark == "u" and sign:
            sign = "-" if sign == "+" else "+"
        return f"{letter}{f'_{mark}' if mark else ''}{sign}"
    if group.name in ("D2", "D2h"):
        name = _THREE_AXES[name]
    return name + mark
