"""The Jacobian of a spectrum with respect to stated parameters, and its rank.

Everything is without unit: positions relative to themselves, intensities to their mean over modes,
parameters to their own scale. A rank by a relative threshold means something only then.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np

from spektron_train.physics.molecule import Array

THRESHOLD: Final = 1e-8
"""Singular values below this share of the largest are none."""

NEAR: Final = 1.0
"""Levels of neighbours nearer than this, in cm-1, enter by symmetric functions only."""

DEPENDENT: Final = 1e-3
"""A parameter whose effect is this nearly that of others is theirs: geometries that a rough force
field made have their symmetry to about 1e-5."""


@dataclass(frozen=True, eq=False)
class Point:
    """A molecule with everything known, m vibrations of N atoms, in atomic units.

    b: ds/dx of independent coordinates, (m, 3N). masses: (N,) in u. f: (m, m). dipole: dmu/dx,
    (3N, 3). polarisability: dalpha/dx, (3N, 3, 3).
    """

    b: Array
    masses: Array
    f: Array
    dipole: Array
    polarisability: Array

    def with_masses(self, masses: Array) -> Point:
        """An isotopologue: the same force field and responses."""
        return replace(self, masses=masses)


@dataclass(frozen=True, eq=False)
class Directions:
    """What p parameters do, each by its own scale: f (p, m, m), dipole (p, 3N, 3), polarisability
    (p, 3N, 3, 3), added to a point's."""

    names: tuple[str, ...]
    f: Array
    dipole: Array
    polarisability: Array

    @classmethod
    def of_field(cls, names: tuple[str, ...], f: Array, coordinates: int) -> Directions:
        """Parameters of the force field alone, of 3N Cartesian coordinates."""
        size = (len(names), coordinates, 3)
        return cls(names, f, np.zeros(size), np.zeros((*size, 3)))

    def joined(self, other: Directions) -> Directions:
        """These, then the others."""
        return Directions(
            self.names + other.names,
            np.concatenate([self.f, other.f]),
            np.concatenate([self.dipole, other.dipole]),
            np.concatenate([self.polarisability, other.polarisability]),
        )

    def chosen(self, indices: list[int]) -> Directions:
        """Some of them."""
        return Directions(
            tuple(self.names[i] for i in indices),
            self.f[indices],
            self.dipole[indices],
            self.polarisability[indices],
        )


@dataclass(frozen=True)
class Rank:
    """Of a Jacobian. condition: largest over smallest of its `unknowns` singular values; infinite
    where the rank is not full."""

    unknowns: int
    observables: int
    rank: int
    condition: float

    @property
    def full(self) -> bool:
        """Whether no direction of the parameters is left without trace."""
        return self.rank == self.unknowns

    @property
    def deficit(self) -> int:
        """Directions without trace."""
        return self.unknowns - self.rank


def rank_of(matrix: Array) -> Rank:
    """Numerical rank of a Jacobian (observables, parameters), by `THRESHOLD`."""
    sizes = np.linalg.svd(matrix, compute_uv=False)
    largest = float(sizes.max(initial=0))
    rank = int((sizes > THRESHOLD * largest).sum())
    rows, unknowns = matrix.shape
    condition = largest / float(sizes[-1]) if rank == unknowns else np.inf
    return Rank(unknowns, rows, rank, condition)


def clusters(wavenumbers: Array, near: float = NEAR) -> list[slice]:
    """Runs of sorted wavenumbers (n,) whose neighbours are nearer than `near`, in cm-1."""
    starts = np.flatnonzero(np.diff(wavenumbers, prepend=-np.inf) >= near)
    ends = [*starts[1:], len(wavenumbers)]
    return [slice(int(a), int(b)) for a, b in zip(starts, ends, strict=True)]


def spectrum(point: Point) -> tuple[Array, Array, Array]:
    """Wavenumbers, infrared intensities and Raman activities at the point, (n,) each."""
    import torch

    with torch.no_grad():
        wavenumbers, infrared, raman = (one.numpy() for one in _lines(point, None, None))
    return wavenumbers, infrared, raman


def observables(point: Point, directions: Directions, near: float = NEAR) -> Any:
    """The map from parameters, a (p,) tensor of zeros at the point, to 3n observables.

    First n positions, then n infrared and n Raman ones. A single level gives w/w0, I/mean, S/mean.
    Of g levels in a cluster about c, with x = w/c - 1: the sums of x, x^2 .. x^g, and of
    I x^0 .. I x^(g-1), of S likewise: as many, and smooth where levels meet.
    """
    import torch

    wavenumbers, infrared, raman = spectrum(point)
    groups = clusters(wavenumbers, near)
    means = [max(float(one.mean()), 1e-12) for one in (infrared, raman)]
    whole = [torch.from_numpy(a) for a in (directions.f, directions.dipole)]
    whole.append(torch.from_numpy(directions.polarisability))

    def seen(parameters: Any) -> Any:
        found = _lines(point, parameters, whole)
        positions, bright, scattered = [], [], []
        for group in groups:
            centre = float(wavenumbers[group].mean())
            x = found.wavenumbers[group] / centre - 1
            powers = torch.stack([x**j for j in range(x.shape[0] + 1)])
            positions.append(powers[1:].sum(dim=1))
            bright.append(powers[:-1] @ found.infrared[group] / means[0])
            scattered.append(powers[:-1] @ found.raman[group] / means[1])
        return torch.cat([*positions, *bright, *scattered])

    return seen


def jacobian(point: Point, directions: Directions, near: float = NEAR) -> Array:
    """Derivatives of the 3n observables, (3n, p), by automatic differentiation."""
    import torch

    at = torch.zeros(len(directions.names), dtype=torch.float64)
    seen = observables(point, directions, near)
    found = torch.autograd.functional.jacobian(seen, at, vectorize=True)
    return np.asarray(found.numpy())


def differences(
    point: Point, directions: Directions, near: float = NEAR, step: float = 1e-5
) -> Array:
    """The same, (3n, p), by central differences."""
    import torch

    seen = observables(point, directions, near)
    ways = torch.eye(len(directions.names), dtype=torch.float64) * step
    with torch.no_grad():
        columns = [((seen(way) - seen(-way)) / (2 * step)).numpy() for way in ways]
    return np.stack(columns, axis=1)


def independent(directions: Directions, most: int | None = None) -> list[int]:
    """The first directions, `most` at most, of which none is a combination of those before.

    What is left out changes neither force field nor responses in a way of its own, so no
    measurement could tell it.
    """
    parts = [one.reshape(len(one), -1) for one in (directions.f, directions.dipole)]
    parts.append(directions.polarisability.reshape(len(directions.names), -1))
    rows = np.concatenate(parts, axis=1)
    chosen: list[int] = []
    basis = np.zeros((0, rows.shape[1]))
    for index, row in enumerate(rows):
        if most is not None and len(chosen) >= most:
            break
        rest = row
        for _ in range(2):  # Twice is enough (Kahan): the first pass leaves rounding.
            rest = rest - (rest @ basis.T) @ basis
        length = np.linalg.norm(rest)
        if length > DEPENDENT * np.linalg.norm(row):
            chosen.append(index)
            basis = np.vstack([basis, rest / length])
    return chosen


def _lines(point: Point, parameters: Any, whole: Any) -> Any:
    import torch

    from spektron_train.physics.differentiable import torch_lines, torch_modes

    arrays = (point.b, point.masses, point.f, point.dipole, point.polarisability)
    b, masses, *state = (torch.from_numpy(a) for a in arrays)
    if parameters is not None:
        moves = (torch.tensordot(parameters, one, dims=1) for one in whole)
        state = [at + move for at, move in zip(state, moves, strict=True)]
    f, dipole, polarisability = state
    return torch_lines(torch_modes(b, masses, f), dipole, polarisability)
