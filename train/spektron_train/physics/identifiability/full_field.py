"""All constants of a quadratic force field, case a: how many a spectrum leaves open, and which
isotopologues' spectra close the rest."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Final

import numpy as np

from spektron_train.physics.molecule import Molecule
from spektron_train.physics.surface import Surface
from spektron_train.physics.symmetry.fields import covariant, symmetrised
from spektron_train.physics.symmetry.modes import displacements
from spektron_train.physics.symmetry.operations import Symmetry, find_symmetry
from spektron_train.physics.symmetry.point_group import point_group
from spektron_train.physics.wilson import Internals, internals, straight_force_constants

from .jacobian import Directions, Point, Rank, jacobian, rank_of

HEAVIER: Final = {"H": 2, "C": 13, "N": 15, "O": 18}
# How far a generic field is from the symmetric one, relative.
_AWAY: Final = 0.1


@dataclass(frozen=True)
class Closing:
    """What it takes to find every constant.

    point: `generic` (a field without symmetry, all constants), or `symmetric` (the molecule's own
    field; the constants of symmetric fields). alone: of the parent's spectrum. isotopologues: those
    added one by one, each the one that adds most. closed: of all these spectra together.
    """

    molecule: str
    group: str
    point: str
    vibrations: int
    alone: Rank
    isotopologues: tuple[str, ...]
    closed: Rank


def reachable(vibrations: int) -> int:
    """The most constants of a general field that one spectrum can tell: n positions and two times
    n - 1 intensities, whose sums no force field changes."""
    return min(vibrations * (vibrations + 1) // 2, 3 * vibrations - 2)


def symmetric_point(surface: Surface) -> tuple[Symmetry, Internals, Point]:
    """A surface made exactly symmetric: what is left of a grid would pass for information.

    Raises SymmetryError, CoordinateError.
    """
    symmetry = find_symmetry(surface.molecule)
    surface = replace(
        covariant(symmetry, replace(surface, molecule=symmetry.molecule)),
        hessian=symmetrised(symmetry, surface.hessian),
    )
    space = internals(surface.molecule)
    f = straight_force_constants(space, surface.hessian)
    masses = surface.molecule.masses
    point = Point(space.independent_b, masses, f, surface.dipole, surface.polarisability)
    return symmetry, space, point


def every_constant(point: Point) -> Directions:
    """All n (n + 1) / 2 of them, in the point's normal coordinates: F_kl = sqrt(l_k l_l) (1 + t)
    on the diagonal, sqrt(l_k l_l) t off it."""
    lighter = point.b / np.repeat(point.masses, 3)
    c = np.linalg.cholesky(lighter @ point.b.T)
    levels, vectors = np.linalg.eigh(c.T @ point.f @ c)
    # Rows: normal coordinates of s, each by the root of its level.
    rows = np.sqrt(np.abs(levels))[:, None] * np.linalg.inv(c @ vectors)
    first, second = np.triu_indices(len(levels))
    outer = rows[first][:, :, None] * rows[second][:, None, :]
    # The diagonal ones are halved, so that t is the relative change.
    whole = (outer + outer.transpose(0, 2, 1)) / np.where(first == second, 2, 1)[:, None, None]
    names = tuple(f"F{i},{j}" for i, j in zip(first, second, strict=True))
    return Directions.of_field(names, whole, point.b.shape[1])


def without_symmetry(point: Point, rng: np.random.Generator) -> Point:
    """The same molecule with all constants changed at random."""
    every = every_constant(point)
    shift = rng.normal(scale=_AWAY, size=len(every.names))
    return replace(point, f=point.f + np.tensordot(shift, every.f, axes=1))


def symmetric_constants(symmetry: Symmetry, space: Internals, every: Directions) -> Directions:
    """Those that symmetric fields have: a basis of the means of all over the group."""
    turned = space.independent_b @ displacements(symmetry) @ space.inverse
    means = np.zeros_like(every.f)
    for one in turned:
        means += one.T @ every.f @ one / len(turned)
    # What a mean over the group does is combined from the directions themselves.
    flat = every.f.reshape(len(every.names), -1)
    weights = np.linalg.lstsq(flat.T, means.reshape(len(every.names), -1).T, rcond=None)[0].T
    _, sizes, basis = np.linalg.svd(weights)
    count = int((sizes > 1e-6).sum())
    f = np.tensordot(basis[:count], every.f, axes=1)
    names = tuple(f"S{i}" for i in range(count))
    return Directions.of_field(names, f, every.dipole.shape[1])


def closings(name: str, surface: Surface, rng: np.random.Generator) -> tuple[Closing, Closing]:
    """At a generic point and at the symmetric one. Raises SymmetryError, CoordinateError."""
    symmetry, space, point = symmetric_point(surface)
    group = point_group(symmetry).name
    molecule = space.molecule
    every = every_constant(point)
    generic = without_symmetry(point, rng)
    all_of_them = list(isotopologues(molecule))
    different = list(_different(symmetry, all_of_them))
    symmetric = symmetric_constants(symmetry, space, every)
    found = []
    for kind, at, directions, others in (
        ("generic", generic, every_constant(generic), all_of_them),
        ("symmetric", point, symmetric, different),
    ):
        alone, added, closed = close(at, directions, molecule, others)
        found.append(Closing(name, group, kind, len(point.f), alone, added, closed))
    return found[0], found[1]


def isotopologues(molecule: Molecule) -> Iterator[dict[int, int]]:
    """All with 2H, 13C, 15N and 18O in some places, fewest first, the parent left out."""
    places = [i for i, symbol in enumerate(molecule.symbols) if symbol in HEAVIER]
    chosen = sorted(product((False, True), repeat=len(places)), key=sum)
    for one in chosen[1:]:
        yield {
            i: HEAVIER[molecule.symbols[i]] for i, there in zip(places, one, strict=True) if there
        }


def close(
    point: Point, directions: Directions, molecule: Molecule, others: Sequence[dict[int, int]]
) -> tuple[Rank, tuple[str, ...], Rank]:
    """Rank of the parent's spectrum, isotopologues added until the rank is full or stays, and the
    rank then."""
    rows = jacobian(point, directions)
    alone = best = rank_of(rows)
    left = {
        _label(molecule, one): jacobian(
            point.with_masses(molecule.with_isotopes(one).masses), directions
        )
        for one in others
    }
    added: list[str] = []
    while not best.full and left:
        ranks = {label: rank_of(np.vstack([rows, more])) for label, more in left.items()}
        label = max(ranks, key=lambda key: ranks[key].rank)
        if ranks[label].rank == best.rank:
            break
        best = ranks[label]
        rows = np.vstack([rows, left.pop(label)])
        added.append(label)
    return alone, tuple(added), best


def _different(symmetry: Symmetry, all_of_them: list[dict[int, int]]) -> Iterator[dict[int, int]]:
    # One of each set that the symmetry carries into each other: they are one substance.
    met: set[frozenset[int]] = set()
    for one in all_of_them:
        if frozenset(one) not in met:
            yield one
            met |= {frozenset(int(i) for i in image[list(one)]) for image in symmetry.images}


def _label(molecule: Molecule, isotopes: dict[int, int]) -> str:
    return " ".join(f"{number}{molecule.symbols[i]}{i}" for i, number in isotopes.items())
