"""Performance qualification by control samples: the value of today, and the trend."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, time, timezone

import numpy as np

from .book import Control as ControlValue
from .book import Run
from .control_chart import BASELINE, RULES, Chart, chart, usual
from .figures import Figure, level, series
from .items import Item, judged, not_done
from .measuring import Findings, Step, Taken
from .plan import Control, Plan
from .results import Measured

# Levels of the figure, by what they are.
LEVELS = {
    "target_high": "target + tolerance",
    "target_low": "target - tolerance",
    "centre": "centre",
    "sigma_high": "centre + 3 sigma",
    "sigma_low": "centre - 3 sigma",
}


def steps(plan: Plan) -> list[Step]:
    """Every control sample once, with the most scans that one of its properties asks for."""
    names = list(dict.fromkeys(control.name for control in plan.controls))
    return [
        Step(
            f"control {name}",
            f"control sample {name}",
            max(c.scans for c in plan.controls if c.name == name),
        )
        for name in names
    ]


def judge(
    plan: Plan, taken: Taken, before: Sequence[Run]
) -> tuple[Findings, tuple[ControlValue, ...]]:
    """before: earlier runs of this instrument, the oldest first. Also what the book keeps."""
    found, kept = Findings(), []
    for control in plan.controls:
        part = f"control, {control.name}"
        measured = taken.get(f"control {control.name}", "it was not measured")
        why = measured if isinstance(measured, str) else _unfit_control(measured, control)
        if why or isinstance(measured, str):
            found += Findings((not_done(part, control.property, why),))
            continue
        value = float(np.mean(measured.values[control.property]))
        kept.append(
            ControlValue(
                name=control.name, property=control.property, unit=control.unit, value=value
            )
        )
        item = judged(
            part,
            f"{control.property}, mean of {len(measured.at_s)} scans",
            value,
            control.tolerance,
            control.unit,
            target=control.target,
        )
        found += Findings((item,)) + _trend(part, control, _history(before, control), value)
    if not plan.controls:
        found += Findings((not_done("control", "control sample", "the plan has none"),))
    return found, tuple(kept)


def _unfit_control(measured: Measured, control: Control) -> str:
    if control.property not in measured.values:
        return "the model has no such property"
    if measured.units[control.property] != control.unit:
        return f"units differ: {measured.units[control.property]}, {control.unit}"
    if not np.all(np.isfinite(measured.values[control.property])):
        return f"not every result is valid: {', '.join(measured.invalid) or 'no value'}"
    return ""


def _history(before: Sequence[Run], control: Control) -> list[float]:
    start = datetime.min if control.since is None else datetime.combine(control.since, time.min)
    since = start.replace(tzinfo=timezone.utc)
    return [
        kept.value
        for run in before
        for kept in run.controls
        if (kept.name, kept.property, kept.unit) == (control.name, control.property, control.unit)
        and datetime.fromtimestamp(run.utc_s, timezone.utc) >= since
    ]


def _trend(part: str, control: Control, before: list[float], value: float) -> Findings:
    what, values = f"{control.property}, trend", [*before, value]
    try:
        if control.sigma is None:
            # What failed says nothing of what is usual.
            within = [v for v in before if abs(v - control.target) <= control.tolerance.limit]
            centre, sigma = usual(within[:BASELINE])
            basis = f"the first {BASELINE} measurements within the tolerance"
        else:
            centre, sigma, basis = control.target, control.sigma, "the plan"
        drawn = chart(values, centre, sigma)
    except ValueError as error:
        told = f"no chart yet: {error}; or give `sigma` in the plan"
        item = Item(
            part=part, what=what, value=value, unit=control.unit, verdict="no limit", told=told
        )
        return Findings((item,), (_figure(control, values, None),))
    broken = drawn.broken[-1]
    item = Item(
        part=part,
        what=what,
        value=(value - centre) / sigma,
        unit="standard deviations",
        limit="; ".join(RULES),
        source="Western Electric (1956), Roberts (1959)",
        verdict="fail" if broken else "pass",
        told=f"measurement {len(values)}, centre {centre:.5g} and sigma {sigma:.3g} by {basis}"
        + (f"; broken: {', '.join(broken)}; `since` in the plan begins anew" if broken else ""),
    )
    return Findings((item,), (_figure(control, values, drawn),))


def title(name: str, property_: str) -> str:
    """Of a control sample's figure."""
    return f"{name}: {property_}"


def levels_of(figure: Figure) -> dict[str, float]:
    """The limits that a figure of a control sample shows, by the names of LEVELS."""
    shown = {one.name: one.y[0] for one in figure.series if one.dashed and one.y}
    return {code: shown[name] for code, name in LEVELS.items() if name in shown}


def _figure(control: Control, values: Sequence[float], drawn: Chart | None) -> Figure:
    at = list(range(1, len(values) + 1))
    at_ends = at if len(at) > 1 else [0, 2]
    tolerance = control.tolerance.limit
    levels = {
        "target_high": control.target + tolerance,
        "target_low": control.target - tolerance,
    }
    if drawn is not None:
        levels |= {
            "centre": drawn.centre,
            "sigma_high": drawn.centre + 3 * drawn.sigma,
            "sigma_low": drawn.centre - 3 * drawn.sigma,
        }
    return Figure(
        title=title(control.name, control.property),
        x_label="measurement",
        y_label=f"{control.property} [{control.unit}]",
        series=(
            series("control sample", at, values, points=True),
            *(() if drawn is None else (series("moving average (EWMA)", at, drawn.ewma),)),
            *(level(LEVELS[code], value, at_ends) for code, value in levels.items()),
        ),
    )
