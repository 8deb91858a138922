"""Valence force fields: one force constant per kind of bond, angle and turn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from .internal import Coordinate, CoordinateError
from .molecule import Array
from .wilson import Internals


def coordinate_type(coordinate: Coordinate, symbols: Sequence[str]) -> str:
    """What equal coordinates share, as `bend H-C-O`; the same read from either end.

    Of an out-of-plane angle: the atom that leaves the plane, the centre, the other two sorted.
    """
    names = [symbols[atom] for atom in coordinate.atoms]
    if coordinate.kind == "out-of-plane":
        names = [*names[:2], *sorted(names[2:])]
    else:
        names = min(names, names[::-1])
    return f"{coordinate.kind} {'-'.join(names)}"


def valence_force_constants(space: Internals, constants: Mapping[str, float]) -> Array:
    """F of the independent combinations, (m, m), diagonal in the primitives.

    constants: by `coordinate_type`, in hartree/bohr2 and hartree/rad2. The energy is half the sum
    of k (q - q0)2 with q0 the molecule's own geometry. Raises CoordinateError naming what lacks.
    """
    types = [coordinate_type(c, space.molecule.symbols) for c in space.coordinates]
    lacking = sorted(set(types) - set(constants))
    if lacking:
        raise CoordinateError(f"no force constant of: {', '.join(lacking)}")
    diagonal = np.array([constants[name] for name in types])
    u = space.combinations
    found: Array = u.T @ (diagonal[:, None] * u)
    return found
