"""Ranks over many molecules and many draws of their constants: cases b and c."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from spektron_train.physics.smiles import Drawn, from_smiles
from spektron_train.physics.symmetry.operations import find_symmetry
from spektron_train.physics.symmetry.point_group import point_group

from .full_field import every_constant, reachable
from .jacobian import NEAR, Directions, Rank, independent, jacobian, rank_of
from .valence import Transferable, transferable

KNOWN: Final = "field"
"""Case b: the force field's constants are all that is unknown."""

CASES: Final = ("field", "field and bond dipoles", "field, bond dipoles and polarisabilities")


@dataclass(frozen=True)
class Trial:
    """One molecule with one draw of constants.

    ranks: of the 3n observables, by case. positions: of the n positions alone, for the field.
    """

    smiles: str
    group: str
    seed: int
    ranks: dict[str, Rank]
    positions: Rank

    @property
    def generic(self) -> bool:
        """No symmetry."""
        return self.group == "C1"


def trials(smiles: Sequence[str], seeds: Sequence[int]) -> Iterator[Trial]:
    """Every molecule with every seed. Raises MoleculeError, CoordinateError."""
    for one in smiles:
        drawn = from_smiles(one)
        group = point_group(find_symmetry(drawn.molecule)).name
        for seed in seeds:
            yield trial(one, drawn, group, seed)


def trial(smiles: str, drawn: Drawn, group: str, seed: int) -> Trial:
    """One of `trials`. Raises CoordinateError."""
    model = transferable(drawn, seed)
    # All parameters in one Jacobian; the cases are columns of it.
    every, columns = unknowns(model)
    whole = jacobian(model.point, every)
    return Trial(
        smiles,
        group,
        seed,
        {case: rank_of(whole[:, chosen]) for case, chosen in columns.items()},
        rank_of(whole[: len(model.point.f), columns[KNOWN]]),
    )


def unknowns(model: Transferable) -> tuple[Directions, dict[str, list[int]]]:
    """All parameters of the model, and which of them each case takes as unknown.

    Parameters that do in this molecule what others do are left out: a moment in a ring, say.
    """
    p, q = len(model.field.names), len(model.dipoles.names)
    every = model.field.joined(model.dipoles).joined(model.polarisabilities)
    free = independent(every)
    limits = (p, p + q, len(every.names))
    return every, {
        case: [i for i in free if i < limit] for case, limit in zip(CASES, limits, strict=True)
    }


@dataclass(frozen=True)
class Exceptional:
    """A trial whose rank is not full."""

    smiles: str
    group: str
    seed: int
    unknowns: int
    observables: int
    deficit: int


@dataclass(frozen=True)
class Summary:
    """Of many trials of one case: quartiles are (25 %, median, 75 %).

    full: share of trials of full column rank. ratio: observables over unknowns. condition: of
    those of full rank.
    """

    trials: int
    molecules: int
    full: float
    unknowns: tuple[float, ...]
    ratio: tuple[float, ...]
    condition: tuple[float, ...]
    worst: float
    exceptions: tuple[Exceptional, ...]


def summary(found: Sequence[Trial], case: str | None) -> Summary:
    """Of a case, or of the field from positions alone (None)."""
    ranks = [one.positions if case is None else one.ranks[case] for one in found]
    full = [rank for rank in ranks if rank.full]
    return Summary(
        len(found),
        len({one.smiles for one in found}),
        len(full) / max(len(found), 1),
        _quartiles([rank.unknowns for rank in ranks]),
        _quartiles([rank.observables / rank.unknowns for rank in ranks]),
        _quartiles([rank.condition for rank in full]),
        max((rank.condition for rank in full), default=float("nan")),
        tuple(
            Exceptional(
                one.smiles, one.group, one.seed, rank.unknowns, rank.observables, rank.deficit
            )
            for one, rank in zip(found, ranks, strict=True)
            if not rank.full
        ),
    )


@dataclass(frozen=True)
class Reached:
    """Of listed molecules without symmetry, all constants unknown.

    single: share whose rank is `full_field.reachable`, every level by itself. symmetric: the same
    with near levels by symmetric functions, which hold less than the threshold asks for where
    levels nearly coincide. deficit: quartiles, of those that reach it.
    """

    molecules: int
    single: float
    symmetric: float
    deficit: tuple[float, ...]


def reached(smiles: Sequence[str], seed: int) -> Reached:
    """Case a, at each molecule's transferable field. Raises MoleculeError, CoordinateError."""
    told: dict[float, list[bool]] = {0.0: [], NEAR: []}
    deficits = []
    for one in smiles:
        drawn = from_smiles(one)
        if point_group(find_symmetry(drawn.molecule)).name != "C1":
            continue
        point = transferable(drawn, seed).point
        every = every_constant(point)
        most = reachable(len(point.f))
        for near, answers in told.items():
            rank = rank_of(jacobian(point, every, near)).rank
            answers.append(rank == most)
        deficits.append(len(every.names) - most)
    count = len(deficits)
    single, symmetric = (sum(answers) / max(count, 1) for answers in told.values())
    return Reached(count, single, symmetric, _quartiles(deficits))


def _quartiles(values: Sequence[float]) -> tuple[float, ...]:
    if not values:
        return (float("nan"),) * 3
    return tuple(float(value) for value in np.percentile(values, [25, 50, 75]))
