"""Operational qualification: does the instrument measure as it should, by standards?"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from pathlib import Path

import numpy as np

from . import linearity, wavelengths
from .figures import Figure, level, series
from .items import ABSORBANCE, Item, judged, not_done
from .measuring import Findings, Step, Taken, judged_of
from .photometry import flatness, noise, repeatability, stability
from .plan import Baseline, Noise, Plan, Repeatability, Standard
from .results import Measured


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
    found = (
        wavelengths.judge(plan.wavelength, taken, tables)
        if plan.wavelength
        else _none("wavelength")
    )
    found += linearity.judge(plan, taken) if plan.photometric else _none("photometric linearity")
    for level_ in plan.noise:
        found += judged_of("noise", f"noise {level_.name}", taken, _noise(level_))
    if not plan.noise:
        found += _none("photometric noise")
    if plan.baseline is None:
        found += _none("baseline")
    else:
        found += judged_of("baseline", "baseline", taken, _baseline(plan.baseline))
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
            judged(part, "rms, mean of windows", mean, given.mean, ABSORBANCE, told),
            judged(part, "rms, worst window", worst.rms, given.largest, ABSORBANCE, where),
            judged(part, "peak to peak, worst window", highest, given.peak_to_peak, ABSORBANCE),
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
        items = [judged(part, "flatness", flat, given.flatness, ABSORBANCE)]
        if found.slope is None or np.any(np.diff(measured.at_s) <= 0):
            items.append(not_done(part, "drift", "the clock stood still, or was set back"))
        else:
            unit = f"{ABSORBANCE} per hour"
            items.append(
                judged(part, "drift", found.slope.value, given.drift, unit, told, target=0.0)
            )
        items.append(judged(part, "range of the mean", found.range, given.range, ABSORBANCE, told))
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
            judged(part, f"{name}, with refilling", found.total, given.total.get(name), unit, told)
            if given.fills > 1
            else not_done(part, f"{name}, with refilling", "the plan has one filling"),
        ]
    unknown = sorted((set(given.within) | set(given.total)) - set(measured[0].values))
    items += [not_done(part, name, "the model has no such property") for name in unknown]
    return Findings(tuple(items))
