"""Operational qualification: does the instrument measure as it should, by standards?"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from pathlib import Path

import numpy as np

from spektron_edge.detector.wavelength_check import Check, check, load_standard
from spektron_edge.faults import Fault

from .comparison import line
from .figures import Figure, level, series
from .items import Item, Limit, judged, not_done
from .measuring import Findings, Step, Taken
from .photometry import at_wavelength, flatness, noise, repeatability, stability
from .plan import Baseline, Noise, Photometric, Plan, Repeatability, Standard, Wavelength
from .results import Measured

_ABSORBANCE = "absorbance"


def steps(plan: Plan) -> list[Step]:
    """What is laid into the beam, in this order."""
    found = []
    if (w := plan.wavelength) is not None:
        found.append(Step("wavelength", f"wavelength standard {w.name}", w.scans * w.repeats))
    found += [
        Step(f"photometric {p.name}", f"photometric standard {p.name}", plan.linearity.scans)
        for p in plan.photometric
    ]
    found += [Step(f"noise {n.name}", f"{n.name}, for the noise", n.scans) for n in plan.noise]
    if (b := plan.baseline) is not None:
        found.append(Step("baseline", f"{b.name}, for the baseline", b.scans))
    if (r := plan.repeatability) is not None:
        found += [
            Step(f"repeatability {k}", f"{r.sample}, filling {k} of {r.fills}", r.scans)
            for k in range(1, r.fills + 1)
        ]
    return found


def judge(plan: Plan, taken: Taken, tables: Path, today: date) -> Findings:
    """Every part of the plan, and of those that it does not have, that it has none.

    tables: folder of wavelength standards of one's own.
    """
    found = _wavelength(plan.wavelength, taken, tables) if plan.wavelength else _none("wavelength")
    found += _linearity(plan, taken) if plan.photometric else _none("photometric linearity")
    for level_ in plan.noise:
        found += _measured("noise", f"noise {level_.name}", taken, _noise(level_))
    if not plan.noise:
        found += _none("photometric noise")
    if plan.baseline is None:
        found += _none("baseline")
    else:
        found += _measured("baseline", "baseline", taken, _baseline(plan.baseline))
    found += (
        _repeatability(plan.repeatability, taken) if plan.repeatability else _none("repeatability")
    )
    return found + certificates(_standards(plan), today)


def _none(part: str) -> Findings:
    return Findings((not_done(part, part, "the plan has none"),))


def _standards(plan: Plan) -> list[Standard]:
    parts: list[Standard | None] = [plan.wavelength, *plan.photometric, *plan.noise, plan.baseline]
    by_name = {part.name: part for part in reversed(parts) if part is not None}
    return list(reversed(by_name.values()))


def certificates(standards: list[Standard], today: date) -> Findings:
    """Whether what vouches for each standard is in date."""
    items = []
    for standard in standards:
        number = standard.certificate or "none is named in the plan"
        if standard.expires is None:
            items.append(
                Item(
                    part="certificates",
                    what=standard.name,
                    value=number,
                    verdict="no limit",
                    told="the plan names no date of expiry",
                )
            )
            continue
        good = today <= standard.expires
        items.append(
            Item(
                part="certificates",
                what=standard.name,
                value=f"{number}, until {standard.expires}",
                limit=f"not after {standard.expires}",
                source="its certificate, by the plan",
                verdict="pass" if good else "fail",
            )
        )
    return Findings(tuple(items))


def _measured(
    part: str, key: str, taken: Taken, judge_: Callable[[Measured], Findings]
) -> Findings:
    """Judge a measurement; one that is missing, or cannot be judged, says why."""
    found = taken.get(key, "it was not measured")
    if isinstance(found, str):
        return Findings((not_done(part, key, found),))
    try:
        return judge_(found)
    except (ValueError, Fault) as error:
        told = error.detail if isinstance(error, Fault) else str(error)
        return Findings((not_done(part, key, told),))


def _wavelength(given: Wavelength, taken: Taken, tables: Path) -> Findings:
    def judge_(measured: Measured) -> Findings:
        standard = load_standard(given.name, tables)
        looks = np.split(measured.absorbance, given.repeats)
        checks = [_look(standard_look, measured, standard, given) for standard_look in looks]
        return _bands(checks, given)

    return _measured("wavelength", "wavelength", taken, judge_)


def _look(spectra: np.ndarray, measured: Measured, standard: object, given: Wavelength) -> Check:
    from spektron_edge.detector.wavelength_check import Standard as Table

    assert isinstance(standard, Table)  # noqa: S101
    mean = np.mean(spectra, axis=0)
    # From the channels' own roughness: a band is smooth, noise is not.
    rough = 1.4826 * float(np.median(np.abs(np.diff(mean, 2)))) / np.sqrt(6.0)
    return check(standard, mean, measured.axis_nm, given.accuracy_nm.limit, rough)


def _bands(checks: list[Check], given: Wavelength) -> Findings:
    items, accuracy, places = [], given.accuracy_nm, []
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
        limit = Limit(limit=accuracy.limit + band.uncertainty_nm, source=accuracy.source)
        told = f"{accuracy.limit:g} nm and the band's own uncertainty of {band.uncertainty_nm:g} nm"
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
    figure = Figure(
        title=f"Wavelength errors, {given.name}",
        x_label="wavelength [nm]",
        y_label="mean error [nm]",
        series=(
            series("bands", at, [error for _, error in places], points=True),
            level("limit, without the bands' uncertainty", accuracy.limit, at),
            level("the same", -accuracy.limit, at),
        ),
    )
    return Findings(tuple(items), (figure,))


def _given(standard: Photometric) -> list[float]:
    if standard.absorbance is not None:
        return list(standard.absorbance)
    return [-float(np.log10(r)) for r in standard.reflectance or ()]


def _linearity(plan: Plan, taken: Taken) -> Findings:
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
                _ABSORBANCE,
                told_intercept,
                target=0.0,
            ),
            judged(part, f"largest residual {where}", left, settings.residual, _ABSORBANCE),
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


def _noise(given: Noise) -> Callable[[Measured], Findings]:
    def judge_(measured: Measured) -> Findings:
        part = f"photometric noise, {given.name}"
        found = noise(measured.absorbance, measured.axis_nm, given.window_nm)
        worst = max(found, key=lambda window: window.rms)
        where = f"{worst.start_nm:.0f} to {worst.end_nm:.0f} nm"
        told = f"{len(found)} windows of {given.window_nm:g} nm, {len(measured.at_s)} scans"
        mean = float(np.mean([window.rms for window in found]))
        highest = max(window.peak_to_peak for window in found)
        items = (
            judged(part, "rms, mean of windows", mean, given.mean, _ABSORBANCE, told),
            judged(part, "rms, worst window", worst.rms, given.largest, _ABSORBANCE, where),
            judged(part, "peak to peak, worst window", highest, given.peak_to_peak, _ABSORBANCE),
        )
        middle = [(window.start_nm + window.end_nm) / 2 for window in found]
        figure = Figure(
            title=f"Noise, {given.name}",
            x_label="wavelength [nm]",
            y_label="rms [absorbance]",
            series=(
                series("windows", middle, [window.rms for window in found], points=True),
                *(() if given.largest is None else (level("limit", given.largest.limit, middle),)),
            ),
        )
        return Findings(items, (figure,))

    return judge_


def _baseline(given: Baseline) -> Callable[[Measured], Findings]:
    def judge_(measured: Measured) -> Findings:
        part = "baseline"
        flat = flatness(measured.absorbance, measured.axis_nm, given.window_nm)
        found = stability(measured.absorbance, measured.at_s)
        lasted = float(measured.at_s[-1] - measured.at_s[0])
        told = f"{len(measured.at_s)} scans in {lasted:.0f} s"
        items = [judged(part, "flatness", flat, given.flatness, _ABSORBANCE)]
        if found.slope is None:
            items.append(not_done(part, "drift", "all scans have one time"))
        else:
            unit = f"{_ABSORBANCE} per hour"
            items.append(
                judged(part, "drift", found.slope.value, given.drift, unit, told, target=0.0)
            )
        items.append(judged(part, "range of the mean", found.range, given.range, _ABSORBANCE, told))
        mean = np.mean(measured.absorbance, axis=0)
        figures = (
            Figure(
                title=f"Baseline, {given.name}",
                x_label="wavelength [nm]",
                y_label="mean absorbance",
                series=(series("mean of all scans", measured.axis_nm, mean),),
            ),
        )
        return Findings(tuple(items), figures)

    return judge_


def _repeatability(given: Repeatability, taken: Taken) -> Findings:
    part = "repeatability"
    fills = [
        taken.get(f"repeatability {k}", "it was not measured") for k in range(1, given.fills + 1)
    ]
    missing = [fill for fill in fills if isinstance(fill, str)]
    if missing:
        return Findings((not_done(part, given.sample, missing[0]),))
    measured = [fill for fill in fills if not isinstance(fill, str)]
    items = []
    for name in measured[0].values:
        unit = measured[0].units[name]
        try:
            table = np.array([fill.values[name] for fill in measured])
            if not np.all(np.isfinite(table)):
                reasons = sorted({why for fill in measured for why in fill.invalid})
                raise ValueError(f"not every result is valid: {', '.join(reasons)}")
            found = repeatability(table)
        except (ValueError, KeyError) as error:
            items.append(not_done(part, name, str(error)))
            continue
        told = f"{table.shape[0]} fillings, {table.shape[1]} scans each"
        items += [
            judged(
                part, f"{name}, within a filling", found.within, given.within.get(name), unit, told
            ),
            judged(part, f"{name}, with refilling", found.total, given.total.get(name), unit, told),
        ]
    unknown = sorted((set(given.within) | set(given.total)) - set(measured[0].values))
    items += [not_done(part, name, "the model has no such property") for name in unknown]
    return Findings(tuple(items))
