"""Photometric linearity: measured against given absorbance of several standards."""

from __future__ import annotations

import numpy as np

from .comparison import line
from .figures import Figure, series
from .items import ABSORBANCE, Item, judged, not_done
from .measuring import Findings, Taken
from .photometry import at_wavelength
from .plan import Photometric, Plan


def _given(standard: Photometric) -> list[float]:
    if standard.absorbance is not None:
        return list(standard.absorbance)
    return [-float(np.log10(r)) for r in standard.reflectance or ()]


def judge(plan: Plan, taken: Taken) -> Findings:
    """Of each wavelength that the standards have."""
    part, settings = "photometric linearity", plan.linearity
    points: dict[float, list[tuple[float, float]]] = {}
    items: list[Item] = []
    for standard in plan.photometric:
        measured = taken.get(f"photometric {standard.name}", "it was not measured")
        if isinstance(measured, str):
            items.append(not_done(part, standard.name, measured))
            continue
        mean = np.mean(measured.absorbance, axis=0)
        for nm, value in zip(standard.nm, _given(standard), strict=True):
            try:
                seen = at_wavelength(mean, measured.axis_nm, nm, settings.half_width_nm)
            except ValueError as error:
                items.append(not_done(part, f"{standard.name} at {nm:g} nm", str(error)))
                continue
            points.setdefault(nm, []).append((value, seen))
    figures = []
    for nm, found in sorted(points.items()):
        given, seen_ = (np.array(column) for column in zip(*found, strict=True))
        try:
            fitted = line(given, seen_)
        except ValueError as error:
            items.append(not_done(part, f"at {nm:g} nm", str(error)))
            continue
        if fitted is None:
            items.append(not_done(part, f"at {nm:g} nm", "all standards have one value"))
            continue
        slope, intercept = fitted
        left = float(np.max(np.abs(seen_ - intercept.value - slope.value * given)))
        where, told = f"at {nm:g} nm", f"{len(found)} standards; 95 % interval {{}} to {{}}"
        told_slope = told.format(f"{slope.low:.4f}", f"{slope.high:.4f}")
        told_intercept = told.format(f"{intercept.low:.4f}", f"{intercept.high:.4f}")
        items += [
            judged(part, f"slope {where}", slope.value, settings.slope, "", told_slope, target=1.0),
            judged(
                part,
                f"intercept {where}",
                intercept.value,
                settings.intercept,
                ABSORBANCE,
                told_intercept,
                target=0.0,
            ),
            judged(part, f"largest residual {where}", left, settings.residual, ABSORBANCE),
        ]
        figures.append(
            Figure(
                title=f"Photometric linearity at {nm:g} nm",
                x_label="given absorbance",
                y_label="measured absorbance",
                series=(
                    series("standards", given, seen_, points=True),
                    series(
                        "line",
                        [given.min(), given.max()],
                        intercept.value + slope.value * np.array([given.min(), given.max()]),
                    ),
                ),
            )
        )
    return Findings(tuple(items), tuple(figures))
