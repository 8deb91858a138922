"""Point groups made from generators, and arrangements of atoms that have exactly one of them."""

from __future__ import annotations

import numpy as np

from spektron_train.physics.molecule import Molecule

GOLDEN = (1 + 5**0.5) / 2
MIRROR = np.diag([1.0, 1.0, -1.0])
UPRIGHT = np.diag([1.0, -1.0, 1.0])
TWOFOLD = np.diag([1.0, -1.0, -1.0])
INVERSION = -np.eye(3)


def turn(fold: float, axis: tuple[float, float, float] = (0, 0, 1)) -> np.ndarray:
    x, y, z = np.array(axis) / np.linalg.norm(axis)
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    angle = 2 * np.pi / fold
    return np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * cross @ cross


_TETRAHEDRAL = [turn(2), turn(3, (1, 1, 1))]
_ICOSAHEDRAL = [*_TETRAHEDRAL, turn(5, (0, 1, GOLDEN))]
GENERATORS = {
    "C1": [],
    "Cs": [MIRROR],
    "Ci": [INVERSION],
    **{f"C{n}": [turn(n)] for n in range(2, 8)},
    **{f"C{n}v": [turn(n), UPRIGHT] for n in range(2, 8)},
    **{f"C{n}h": [turn(n), MIRROR] for n in range(2, 8)},
    **{f"D{n}": [turn(n), TWOFOLD] for n in range(2, 8)},
    **{f"D{n}h": [turn(n), TWOFOLD, MIRROR] for n in range(2, 8)},
    **{f"D{n}d": [turn(2 * n) @ MIRROR, TWOFOLD] for n in range(2, 7)},
    **{f"S{n}": [turn(n) @ MIRROR] for n in (4, 6, 8, 10)},
    "T": _TETRAHEDRAL,
    "Td": [*_TETRAHEDRAL, turn(4) @ MIRROR],
    "Th": [*_TETRAHEDRAL, INVERSION],
    "O": [turn(4), turn(3, (1, 1, 1))],
    "Oh": [turn(4), turn(3, (1, 1, 1)), INVERSION],
    "I": _ICOSAHEDRAL,
    "Ih": [*_ICOSAHEDRAL, INVERSION],
}
# Of the group's table: irreducible representations, a complex pair once.
COUNTS = {"C1": 1, "D2d": 5, "Td": 5, "Oh": 10, "Ih": 10, "D6h": 12, "C3h": 4, "S8": 5, "T": 3}


def operations(name: str) -> list[np.ndarray]:
    found = [np.eye(3)]
    for known in found:
        for generator in GENERATORS[name]:
            product = generator @ known
            if not any(np.allclose(product, other) for other in found):
                found.append(product)
    return found


def arrangement(name: str) -> Molecule:
    """Orbits of atoms, of an element each, in general positions and not too near each other."""
    group = np.array(operations(name))
    rng = np.random.default_rng(1)
    places = np.zeros((0, 3))
    symbols: list[str] = []
    for symbol in ("F", "Cl", "Br", "I")[: 2 if len(group) > 2 else 4]:
        while True:
            radius = (4 + 3 * rng.random()) * max(1.0, len(group) / 12) ** 0.5
            orbit = group @ (radius * _unit(rng.normal(size=3)))
            both = np.concatenate([places, orbit])
            apart = np.linalg.norm(both[:, None] - both, axis=2) + 9 * np.eye(len(both))
            if apart.min() > 1.2:
                break
        places = both
        symbols += [symbol] * len(group)
    return Molecule.at(tuple(symbols), places)


def _unit(vector: np.ndarray) -> np.ndarray:
    return vector / np.linalg.norm(vector)
