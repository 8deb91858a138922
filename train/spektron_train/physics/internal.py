"""Internal coordinates and Wilson's B matrix, dq/dx, by analytic derivatives.

Wilson, Decius, Cross, Molecular Vibrations (1955), chapter 4; docs/physics.md has the formulas.
All functions are analytic in the positions, so complex steps through them give exact derivatives.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Kind = Literal["stretch", "bend", "torsion", "out-of-plane", "linear bend"]
# Real positions, or complex ones for a complex step.
Numbers = NDArray[Any]
Rows = tuple[Any, tuple[Numbers, ...]]

_ATOMS = {"stretch": 2, "bend": 3, "torsion": 4, "out-of-plane": 4, "linear bend": 3}
_STEP = 1e-30


class CoordinateError(ValueError):
    """Coordinates that are not defined, or do not span the molecule's vibrations."""


@dataclass(frozen=True)
class Coordinate:
    """One internal coordinate: stretches in bohr, all others in radians.

    atoms: (i, j) of a stretch; (i, centre, k) of a bend; (i, j, k, l) of a torsion about j-k;
    (i, centre, k, l) of the angle between centre-i and the plane of centre, k, l;
    (i, centre, k) of a linear bend. reference: the fixed unit vector that a linear bend is along;
    it is positive where the centre's neighbours lean that way. Raises CoordinateError.
    """

    kind: Kind
    atoms: tuple[int, ...]
    reference: tuple[float, float, float] | None = None

    def __post_init__(self) -> None:
        if len(self.atoms) != _ATOMS[self.kind] or len(set(self.atoms)) != len(self.atoms):
            raise CoordinateError(f"a {self.kind} is not of atoms {self.atoms}")
        if (self.reference is None) is (self.kind == "linear bend"):
            raise CoordinateError(f"a {self.kind} with reference {self.reference}")

    def label(self, symbols: Sequence[str]) -> str:
        """As `bend H1-O0-H2`: symbols with atom indices."""
        return f"{self.kind} " + "-".join(f"{symbols[i]}{i}" for i in self.atoms)


def values(coordinates: Sequence[Coordinate], positions: Numbers) -> Numbers:
    """Coordinates, (n,); torsions in (-pi, pi]. Raises CoordinateError where one is undefined."""
    return np.array([_evaluate(c, positions)[0] for c in coordinates])


def b_matrix(coordinates: Sequence[Coordinate], positions: Numbers) -> Numbers:
    """B = dq/dx, (n, 3N), of positions (N, 3) in bohr. Raises CoordinateError."""
    found = np.zeros((len(coordinates), *positions.shape), dtype=positions.dtype)
    for row, coordinate in zip(found, coordinates, strict=True):
        row[list(coordinate.atoms)] = _evaluate(coordinate, positions)[1]
    return found.reshape(len(coordinates), positions.size)


def curvature(
    coordinates: Sequence[Coordinate], positions: NDArray[np.float64], weights: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Sum over t of weights[t] d2q_t/dx2, (3N, 3N): with the internal gradient as weights, the
    gradient term of a point that is not stationary. Exact (complex step). Raises CoordinateError.
    """
    size = positions.size
    found = np.empty((size, size))
    for column in range(size):
        moved = positions.astype(complex)
        moved.reshape(-1)[column] += 1j * _STEP
        found[column] = (weights @ b_matrix(coordinates, moved)).imag / _STEP
    return (found + found.T) / 2


def _evaluate(coordinate: Coordinate, positions: Numbers) -> Rows:
    points = positions[list(coordinate.atoms)]
    if coordinate.kind == "linear bend":
        return _linear_bend(points, np.array(coordinate.reference))
    try:
        return _FUNCTIONS[coordinate.kind](points)
    except ZeroDivisionError:
        raise CoordinateError(
            f"the {coordinate.kind} of atoms {coordinate.atoms} is not defined in this geometry"
        ) from None


def _unit(vector: Numbers) -> tuple[Numbers, Any]:
    # Not numpy's norm, which is not analytic.
    length = np.sqrt(vector @ vector)
    return vector / _not_zero(length), length


def _not_zero(number: Any) -> Any:
    if abs(number) < 1e-6:
        raise ZeroDivisionError
    return number


def _stretch(points: Numbers) -> Rows:
    e, r = _unit(points[0] - points[1])
    return r, (e, -e)


def _bend(points: Numbers) -> Rows:
    u, ru = _unit(points[0] - points[1])
    v, rv = _unit(points[2] - points[1])
    cosine = u @ v
    sine = _not_zero(np.sqrt(1 - cosine * cosine))
    first = (cosine * u - v) / (ru * sine)
    last = (cosine * v - u) / (rv * sine)
    normal = np.cross(u, v)
    return _angle(np.sqrt(normal @ normal), cosine), (first, -first - last, last)


def _torsion(points: Numbers) -> Rows:
    a, b, c = points[1] - points[0], points[2] - points[1], points[3] - points[2]
    _, rb = _unit(b)
    m, n = np.cross(a, b), np.cross(b, c)
    mm, nn = _not_zero(m @ m), _not_zero(n @ n)
    first, last = -m * rb / mm, n * rb / nn
    along_a, along_c = (a @ b) / (rb * rb), (c @ b) / (rb * rb)
    second = -first * (1 + along_a) + last * along_c
    third = -last * (1 + along_c) + first * along_a
    return _angle((m @ c) * rb, m @ n), (first, second, third, last)


def _out_of_plane(points: Numbers) -> Rows:
    e, r = _unit(points[0] - points[1])
    u, ru = _unit(points[2] - points[1])
    v, rv = _unit(points[3] - points[1])
    cosine = u @ v
    sine = _not_zero(np.sqrt(1 - cosine * cosine))
    normal = np.cross(u, v) / sine
    height = e @ normal
    width = _not_zero(np.sqrt(1 - height * height))
    slope = height / width
    first = (normal / width - slope * e) / r
    third = (np.cross(v, e) / (width * sine) - slope / sine**2 * (u - cosine * v)) / ru
    fourth = (np.cross(e, u) / (width * sine) - slope / sine**2 * (v - cosine * u)) / rv
    return _angle(height, width), (first, -first - third - fourth, third, fourth)


def _linear_bend(points: Numbers, reference: NDArray[np.float64]) -> Rows:
    u, ru = _unit(points[0] - points[1])
    v, rv = _unit(points[2] - points[1])
    first = (reference - (reference @ u) * u) / ru
    last = (reference - (reference @ v) * v) / rv
    return reference @ (u + v), (first, -first - last, last)


def _angle(sine: Any, cosine: Any) -> Any:
    # Of a complex step, arctan2 has no derivative in numpy; the value is only asked of real points.
    return np.arctan2(np.real(sine), np.real(cosine))


_FUNCTIONS: dict[str, Callable[[Numbers], Rows]] = {
    "stretch": _stretch,
    "bend": _bend,
    "torsion": _torsion,
    "out-of-plane": _out_of_plane,
}
