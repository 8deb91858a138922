"""Wavelength accuracy and precision: bands of a standard, looked for again and again."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from spektron_edge.detector.wavelength_check import Check, check, load_standard, roughness

from .figures import Figure, level, series
from .items import OURS, Item, Limit, judged
from .measuring import Findings, Taken, judged_of
from .plan import Wavelength
from .results import Measured

_ACCURACY = Limit(
    limit=1.0,
    source=f"{OURS}: half the distance of channels that are 2 nm apart, and the uncertainty that "
    "the table has for the band",
)


def judge(given: Wavelength, taken: Taken, tables: Path) -> Findings:
    """tables: folder of standards of one's own."""

    def judge_(measured: Measured) -> Findings:
        standard, limit = load_standard(given.name, tables), (given.accuracy_nm or _ACCURACY).limit
        means = [np.mean(look, axis=0) for look in np.split(measured.absorbance, given.repeats)]
        checks = [check(standard, m, measured.axis_nm, limit, roughness(m)) for m in means]
        return _bands(checks, given)

    return judged_of("wavelength", "wavelength", taken, judge_)


def _bands(checks: list[Check], given: Wavelength) -> Findings:
    items, accuracy, places = [], given.accuracy_nm or _ACCURACY, []
    for i, first in enumerate(checks[0].bands):
        band = first.band
        errors = [e for c in checks if (e := c.bands[i].error_nm) is not None]
        what = f"band at {band.nm:g} nm"
        if len(errors) < len(checks):
            told = f"seen in {len(errors)} of {len(checks)} looks"
            items.append(
                Item(
                    part="wavelength accuracy",
                    what=what,
                    limit="seen every time",
                    source="required by this program",
                    verdict="fail",
                    told=told,
                )
            )
            continue
        places.append((band.nm, float(np.mean(errors))))
        # A limit that somebody has set is that limit; a table that is not so sure cannot soften it.
        unsure = band.uncertainty_nm if given.accuracy_nm is None else 0.0
        limit = Limit(limit=accuracy.limit + unsure, source=accuracy.source)
        told = f"the table knows the band to {band.uncertainty_nm:g} nm"
        items.append(
            judged(
                "wavelength accuracy", what, float(np.mean(errors)), limit, "nm", told, target=0.0
            )
        )
        told = f"standard deviation of {len(errors)} looks"
        spread = float(np.std(errors, ddof=1))
        items.append(judged("wavelength precision", what, spread, given.precision_nm, "nm", told))
    if not places:
        return Findings(tuple(items))
    at = [nm for nm, _ in places]
    beside = "" if given.accuracy_nm else ", without the bands' uncertainty"
    figure = Figure(
        title=f"Wavelength errors, {given.name}",
        x_label="wavelength [nm]",
        y_label="mean error [nm]",
        series=(
            series("bands", at, [error for _, error in places], points=True),
            level(f"limit{beside}", accuracy.limit, at),
            level("the same", -accuracy.limit, at),
        ),
    )
    return Findings(tuple(items), (figure,))
