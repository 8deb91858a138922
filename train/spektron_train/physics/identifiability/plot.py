"""Condition numbers, and derivatives near a degeneracy, as a picture."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from .degeneracy import Near
from .jacobian import THRESHOLD
from .montecarlo import CASES, Trial


def plot(found: Sequence[Trial], meeting: Sequence[Near], path: Path) -> None:
    """Left: of molecules without symmetry. Right: of two levels that meet. Raises OSError."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 4), layout="constrained")
    left, right = figure.subplots(1, 2)
    edges = np.linspace(0, 9, 55)
    for case in CASES:
        ranks = [one.ranks[case] for one in found if one.generic]
        sizes = [np.log10(rank.condition) for rank in ranks if rank.full]
        left.hist(sizes, edges, histtype="step", label=f"{case}: {len(sizes)} of {len(ranks)}")
    left.margins(y=0.25)
    left.axvline(-np.log10(THRESHOLD), color="grey", linestyle=":")
    left.set_xlabel("log10 of the condition number")
    left.set_ylabel("trials of full column rank")
    left.legend(fontsize="x-small", loc="upper left")
    gaps = [one.gap for one in meeting]
    right.loglog(gaps, [one.single for one in meeting], "o-", label="single levels")
    right.loglog(gaps, [one.symmetric for one in meeting], "s-", label="symmetric functions")
    right.set_xlabel("gap of two levels, cm-1")
    right.set_ylabel("largest singular value of the Jacobian")
    right.legend(fontsize="small")
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=100)
