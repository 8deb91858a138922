"""Ranks of the Jacobian of spectra, over molecules drawn at random."""

from __future__ import annotations

from spektron_train.physics.identifiability.draw import molecules
from spektron_train.physics.identifiability.montecarlo import CASES, summary, trials

from .report import Figure

_SEEDS = range(1000, 1020)


def figures() -> list[Figure]:
    """Of molecules without symmetry, a transferable field unknown, seeds 1000 to 1019."""
    found = [one for one in trials(molecules(), _SEEDS) if one.generic]
    told = summary(found, CASES[0])
    low, middle, high = told.condition
    return [
        Figure(
            "generic_full_rank_share",
            told.full,
            "share",
            "higher",
            None,
            f"of {told.trials} trials, the share where lines (positions, both intensities) "
            "have a Jacobian of full column rank (singular values above 1e-8 of the largest) in at "
            "most as many transferable force constants as vibrations, geometry and bond moments "
            f"known; condition numbers {low:.3g}, {middle:.3g}, {high:.3g} (quartiles)",
        ),
        Figure(
            "molecules",
            told.molecules,
            "molecules",
            "higher",
            None,
            "without symmetry, of the list of SMILES drawn at random that ships; each with "
            f"{len(_SEEDS)} draws of its constants",
        ),
    ]
