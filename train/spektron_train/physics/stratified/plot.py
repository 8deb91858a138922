"""Gains with and without a centre of inversion, and errors by point group, as a picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import numpy as np

from .tasks import Outcome, Task
from .verdict import Difference, Stratum

_LABELS: Final[dict[Task, str]] = {
    "property": "property",
    "other": "other's spectrum",
    "retrieval": "retrieval",
}


def plot(
    whole: Mapping[Task, Sequence[Difference]],
    cases: Sequence[tuple[Outcome, Sequence[Difference]]],
    strata: Sequence[Stratum],
    path: Path,
) -> None:
    """Left: differences against the rest, 95 % intervals. Right: errors of properties by point
    group and R. Raises OSError."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 6), layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=(3, 2))
    rows: list[tuple[str, Difference, str]] = []
    for task, colour in zip(whole, ("tab:blue", "tab:orange", "tab:green"), strict=False):
        for one, parts in cases:
            if one.case.task == task and parts:
                name = f"{_LABELS[task]}: {one.case.model}, {one.case.target.replace('_', ' ')}"
                rows.append((name, parts[0], colour))
        rows += [
            (f"{_LABELS[task]}: mean, against {one.against}", one, "black") for one in whole[task]
        ]
    for place, (_, one, colour) in enumerate(rows):
        left.plot([100 * one.low, 100 * one.high], [place, place], color=colour)
        left.plot(100 * one.value, place, "o", color=colour, markersize=4)
    left.axvline(0, color="grey", linestyle=":")
    left.set_yticks(range(len(rows)), [name for name, _, _ in rows], fontsize="x-small")
    left.invert_yaxis()
    left.set_xlabel("gain with a centre minus gain without, percentage points")
    places = np.arange(len(strata))
    right.barh(places - 0.2, [one.before for one in strata], 0.4, label="better technique")
    right.barh(places + 0.2, [one.after for one in strata], 0.4, label="both techniques")
    names = [f"{one.name} ({one.molecules})" for one in strata]
    right.set_yticks(places, names, fontsize="small")
    right.invert_yaxis()
    right.set_xlabel("error of properties, standard deviations")
    right.legend(fontsize="small", loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=100)
