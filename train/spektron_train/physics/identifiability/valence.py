"""A transferable model of a molecule: force constants and bond moments by kinds.

An atom's kind is its element and number of neighbours (C3); a bond's, its atoms' and its order.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import Final

import numpy as np

from spektron_train.physics.internal import CoordinateError
from spektron_train.physics.molecule import Array
from spektron_train.physics.smiles import Drawn
from spektron_train.physics.wilson import Internals, internals

from .jacobian import Directions, Point, independent
from .kinds import Kinds, draw
from .responses import moments, tensors

# Typical constants in hartree/bohr2 and hartree/rad2; of torsions and out-of-plane angles, of
# which a bond or a centre has several.
_STRETCH: Final = {"-": 0.30, "=": 0.60, "#": 1.00, ":": 0.42, "~": 0.30}
_OTHER: Final = {"bend": 0.15, "linear bend": 0.05, "out-of-plane": 0.03, "torsion": 0.004}
_MULTIPLE_TORSION: Final = 0.02
_SPREAD: Final = 0.2
# Interactions, relative to the geometric mean of both constants. Their sum over one coordinate
# stays below one, so a field is always positive.
_INTERACTION: Final = 0.04


@dataclass(frozen=True, eq=False)
class Transferable:
    """A molecule with a transferable field of at most as many constants as vibrations.

    point: at the constants drawn. field: directions of the constants. dipoles, polarisabilities:
    directions of the bonds' parameters. held: kinds of coordinates whose constant is a combination
    of others', kept at its value. Parameters that are combinations of others' are left out.
    """

    space: Internals
    point: Point
    field: Directions
    dipoles: Directions
    polarisabilities: Directions
    held: tuple[str, ...]


def transferable(drawn: Drawn, seed: int) -> Transferable:
    """The model of one molecule; equal seeds give equal kinds equal constants in all molecules.

    Raises CoordinateError.
    """
    space = internals(drawn.molecule)
    vibrations = space.combinations.shape[1]
    for coarse in range(3):
        kinds = Kinds(drawn, space.coordinates, coarse)
        names = [kinds.coordinate(one) for one in space.coordinates]
        if len(set(names)) <= vibrations:
            break
    else:
        raise CoordinateError(f"{len(set(names))} kinds of coordinates, {vibrations} vibrations")
    constants = {name: _constant(name, kinds, seed, space, names) for name in names}
    f, field, held = _field(space, names, constants, seed)
    dipoles, polarisabilities = moments(space, kinds, seed), tensors(space, kinds, seed)
    point = Point(
        space.independent_b,
        space.molecule.masses,
        f,
        dipoles.dipole.sum(axis=0),
        polarisabilities.polarisability.sum(axis=0),
    )
    return Transferable(space, point, field, dipoles, polarisabilities, held)


def _constant(name: str, kinds: Kinds, seed: int, space: Internals, names: list[str]) -> float:
    one = space.coordinates[names.index(name)]
    if one.kind == "stretch":
        typical = _STRETCH[kinds.order(*one.atoms)]
    elif one.kind == "torsion" and kinds.order(*one.atoms[1:3]) != "-":
        typical = _MULTIPLE_TORSION
    else:
        typical = _OTHER[one.kind]
    return float(typical * np.exp(_SPREAD * draw(seed, name).normal()))


def _field(
    space: Internals, names: list[str], constants: dict[str, float], seed: int
) -> tuple[Array, Directions, tuple[str, ...]]:
    u = space.combinations
    rows: dict[str, Array] = {}
    values: dict[str, float] = {}
    for name, constant in constants.items():
        chosen = u[[i for i, other in enumerate(names) if other == name]]
        rows[name], values[name] = constant * chosen.T @ chosen, 1.0
    diagonal = len(rows)
    for name, pairs in _interactions(space, names).items():
        first, second = (u[list(side)] for side in zip(*pairs, strict=True))
        scale = np.sqrt(constants[names[pairs[0][0]]] * constants[names[pairs[0][1]]])
        product = first.T @ second
        rows[name] = scale * (product + product.T)
        values[name] = _INTERACTION * draw(seed, name).uniform(-1, 1)
    whole = np.array(list(rows.values()))
    every = Directions.of_field(tuple(rows), whole, space.b.shape[1])
    kept = independent(every, most=u.shape[1])
    # Constants that are no parameters keep their values; interactions beyond the number are none.
    there = sorted({*range(diagonal), *kept})
    f = np.tensordot([values[every.names[i]] for i in there], whole[there], axes=1)
    return f, every.chosen(kept), tuple(every.names[i] for i in range(diagonal) if i not in kept)


def _interactions(space: Internals, names: list[str]) -> dict[str, list[tuple[int, int]]]:
    """Of two stretches at an atom; then of a bend and a stretch along one of its sides."""
    found: dict[str, list[tuple[int, int]]] = {}
    stretches = [i for i, one in enumerate(space.coordinates) if one.kind == "stretch"]
    bends = [i for i, one in enumerate(space.coordinates) if one.kind == "bend"]
    pairs = [
        (i, j)
        for i, j in combinations(stretches, 2)
        if set(space.coordinates[i].atoms) & set(space.coordinates[j].atoms)
    ]
    pairs += [
        (i, j)
        for i in bends
        for j in stretches
        if set(space.coordinates[j].atoms) < set(space.coordinates[i].atoms)
        and space.coordinates[i].atoms[1] in space.coordinates[j].atoms
    ]
    for i, j in pairs:
        i, j = sorted((i, j), key=lambda k: names[k])
        found.setdefault(f"{names[i]} with {names[j]}", []).append((i, j))
    return found
