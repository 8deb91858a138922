"""What fusion gains for molecules with a centre of inversion over those without, and how sure.

A gain is the share of the error before that is gone after, errors summed over molecules first. A
difference's interval is by the bootstrap over formulas, isomers together (Efron, Ann. Stat. 7, 1,
1979; clusters: Cameron, Gelbach and Miller, Rev. Econ. Stat. 90, 414, 2008).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np

from spektron_train.physics.molecule import Array

from .spectral_set import SpectralSet
from .tasks import Outcome, Task

Against = Literal["rest", "isomers", "symmetric"]
AGAINST: Final[dict[Against, str]] = {
    "rest": "all molecules without a centre",
    "isomers": "molecules without a centre of the same formula, as many of each",
    "symmetric": "molecules without a centre that have another symmetry",
}

_DRAWS: Final = 2000
_SURE: Final = (2.5, 97.5)


@dataclass(frozen=True)
class Difference:
    """Gain with a centre minus gain without. low, high: 95 % interval.

    centre, others: the gains; molecules: how many on either side.
    """

    against: Against
    centre: float
    others: float
    value: float
    low: float
    high: float
    molecules: tuple[int, int]

    @property
    def said(self) -> Literal["more", "less", "undecided"]:
        """Which side gains more, if the interval does not hold zero."""
        if self.low > 0:
            return "more"
        return "less" if self.high < 0 else "undecided"


@dataclass(frozen=True, eq=False)
class Bootstrap:
    """How often each molecule counts: (draws + 1, molecules), the first row once each."""

    counts: Array

    @classmethod
    def over_formulas(cls, found: SpectralSet, draws: int = _DRAWS) -> Bootstrap:
        """Formulas drawn with replacement; seed 0."""
        names = [one.formula for one in found.entries]
        kinds, of = np.unique(names, return_inverse=True)
        rng = np.random.default_rng(0)
        drawn = rng.multinomial(len(kinds), np.full(len(kinds), 1 / len(kinds)), size=draws)
        return cls(np.concatenate([np.ones((1, len(of))), drawn[:, of]]).astype(float))


def difference(
    found: SpectralSet, outcomes: Sequence[Outcome], against: Against, bootstrap: Bootstrap
) -> Difference | None:
    """Mean over the outcomes, each with its own gains; None if a side has no molecule.

    Raises ValueError without an outcome.
    """
    if not outcomes:
        raise ValueError("no outcome to compare")
    tested = np.all([np.isfinite(one.after) for one in outcomes], axis=0)
    sides = [np.where(tested, side, 0.0) for side in _sides(found, against)]
    if not all(side.any() for side in sides):
        return None
    centre, others = (
        np.mean([_gain(one, side * bootstrap.counts) for one in outcomes], axis=0) for side in sides
    )
    apart = centre - others
    # A draw without a molecule on one side, of a small set, says nothing.
    low, high = np.nanpercentile(apart[1:], _SURE)
    return Difference(
        against,
        float(centre[0]),
        float(others[0]),
        float(apart[0]),
        float(low),
        float(high),
        (int((sides[0] > 0).sum()), int((sides[1] > 0).sum())),
    )


def _gain(one: Outcome, weights: Array) -> Array:
    """(draws,) gains of molecules weighted by (draws, molecules); nan without a molecule.

    Nothing is gained where there was no error.
    """
    before = weights @ np.nan_to_num(one.before)
    after = weights @ np.nan_to_num(one.after)
    gains = np.where(before > 0, 1 - after / np.where(before > 0, before, 1), 0)
    return np.where(weights.any(axis=1), gains, np.nan)


def gain(outcomes: Sequence[Outcome], chosen: Array) -> float:
    """Mean gain over the outcomes of molecules (molecules,) that are chosen and were tested."""
    gains = [_gain(one, (chosen & np.isfinite(one.after))[None].astype(float)) for one in outcomes]
    return float(np.mean(gains))


def _sides(found: SpectralSet, against: Against) -> tuple[Array, Array]:
    """Weights of molecules with a centre, and of those they are compared with."""
    centre = found.centre
    if against == "rest":
        return centre.astype(float), (~centre).astype(float)
    if against == "symmetric":
        order = np.array([one.order for one in found.entries])
        return centre.astype(float), (~centre & (order > 1)).astype(float)
    names = np.array([one.formula for one in found.entries])
    with_centre, others = np.zeros(len(names)), np.zeros(len(names))
    for name in np.unique(names[centre]):
        same = names == name
        if (same & ~centre).any():
            with_centre[same & centre] = 1
            others[same & ~centre] = (same & centre).sum() / (same & ~centre).sum()
    return with_centre, others


@dataclass(frozen=True)
class Stratum:
    """Molecules of one point group, or of a range of R(G, N).

    share: mean of R(G, N). before, after: mean errors, gain: mean gain, over a task's outcomes.
    """

    name: str
    molecules: int
    share: float
    before: float
    after: float
    gain: float


def strata(
    found: SpectralSet, outcomes: Sequence[Outcome], fewest: int = 10
) -> dict[Task, list[Stratum]]:
    """By task: point groups of at least so many molecules, then ranges of R(G, N)."""
    groups = np.array([one.group for one in found.entries])
    shares = np.array([one.observable_share for one in found.entries])
    names = sorted(set(groups.tolist()), key=lambda name: (-(groups == name).sum(), name))
    chosen: dict[str, Array] = {name: groups == name for name in names}
    chosen["R = 1"] = shares > 1 - 1e-9
    chosen["0.9 <= R < 1"] = (shares >= 0.9) & ~chosen["R = 1"]
    chosen["R < 0.9"] = shares < 0.9
    told: dict[Task, list[Stratum]] = {}
    for task in dict.fromkeys(one.case.task for one in outcomes):
        parts = [one for one in outcomes if one.case.task == task]
        tested = np.all([np.isfinite(one.after) for one in parts], axis=0)
        told[task] = [
            Stratum(
                name,
                int(rows.sum()),
                float(shares[rows].mean()),
                float(np.mean([one.before[rows].mean() for one in parts])),
                float(np.mean([one.after[rows].mean() for one in parts])),
                gain(parts, rows),
            )
            for name, rows in ((name, rows & tested) for name, rows in chosen.items())
            if rows.sum() >= fewest
        ]
    return told
