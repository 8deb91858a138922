"""Performance qualification by the laboratory: are the values right, with what is in use?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from .comparison import Comparison, compare, expected_sep
from .figures import Figure, level, series
from .items import OURS, Item, Limit, judged, not_done
from .measuring import Findings, Step, Taken
from .plan import Compared, Plan
from .references import References
from .results import Measured

_T_TEST = f"{OURS}: paired t test at 95 %"
_F_TEST = f"{OURS}: F test at 95 % against the stated error"
_INTERVAL = f"{OURS}: t interval of a regression at 95 %"
_NOT_BIASED = 0.05


@dataclass(frozen=True)
class Stated:
    """An error that somebody stated: RMSEP of so many samples; source: who."""

    rmsep: float
    samples: int
    source: str


def steps(references: References, scans: int) -> list[Step]:
    """Every sample once that was not measured before."""
    wanted = [name for name in references.values if name not in references.records]
    return [Step(sample_key(name), f"sample {name}", scans) for name in wanted]


def sample_key(name: str) -> str:
    """By which its measurement is found."""
    return f"sample {name}"


def judge(
    plan: Plan, references: References, taken: Taken, stated: Mapping[str, Stated]
) -> Findings:
    """Every property that the laboratory has; stated: by property."""
    found = Findings()
    for name, unit in references.units.items():
        found += _property(name, unit, plan, references, taken, stated.get(name))
    beside = sorted(set(plan.compare) - set(references.units))
    items = (not_done(f"comparison, {name}", name, "no reference values") for name in beside)
    return found + Findings(tuple(items))


def _property(
    name: str,
    unit: str,
    plan: Plan,
    references: References,
    taken: Taken,
    stated: Stated | None,
) -> Findings:
    part, limits = f"comparison, {name}", plan.compare.get(name)
    items = []
    pairs: list[tuple[str, float, float]] = []
    for sample, values in references.values.items():
        measured, reference = taken.get(sample_key(sample), "it was not measured"), values[name]
        if not np.isfinite(reference):
            continue
        if isinstance(measured, str):
            items.append(not_done(part, f"sample {sample}", measured))
            continue
        why = _unfit(measured, name, unit, limits)
        if why:
            items.append(not_done(part, f"sample {sample}", why))
            continue
        pairs.append((sample, float(np.mean(measured.values[name])), reference))
    if len(pairs) < plan.compare_least:
        told = f"{len(pairs)} samples are too few: {plan.compare_least} are needed, by the plan"
        return Findings((*items, not_done(part, "all", told)))
    try:
        predicted, reference_ = (np.array([p[i] for p in pairs], np.float64) for i in (1, 2))
        found = compare(predicted, reference_)
    except ValueError as error:
        return Findings((*items, not_done(part, "all", str(error))))
    items += _judged(part, unit, found, limits, stated)
    return Findings(tuple(items), _figures(name, unit, pairs, found))


def _unfit(measured: Measured, name: str, unit: str, limits: Compared | None) -> str:
    if name not in measured.values:
        return "the model has no such property"
    told = {unit, measured.units[name], measured.units[name] if limits is None else limits.unit}
    if len(told) > 1:
        return f"units differ: {', '.join(sorted(told))}"
    if not np.all(np.isfinite(measured.values[name])):
        return f"not every result is valid: {', '.join(measured.invalid) or 'no value'}"
    return ""


def _judged(
    part: str, unit: str, found: Comparison, limits: Compared | None, stated: Stated | None
) -> list[Item]:
    bias, n = found.bias, found.samples
    told = f"n {n}; 95 % interval {bias.low:.4g} to {bias.high:.4g}; p {found.p:.3g}"
    if limits is not None and limits.bias is not None:
        items = [judged(part, "bias", bias.value, limits.bias, unit, told, target=0.0)]
    else:
        items = [
            Item(
                part=part,
                what="bias",
                value=bias.value,
                unit=unit,
                limit=f"not significant: p >= {_NOT_BIASED}",
                source=_T_TEST,
                verdict="pass" if found.p >= _NOT_BIASED else "fail",
                told=told,
            )
        ]
    items += [_sep(part, unit, found, limits, stated), _slope(part, found, limits)]
    if found.intercept is not None:
        told = f"95 % interval {found.intercept.low:.4g} to {found.intercept.high:.4g}"
        items.append(judged(part, "intercept", found.intercept.value, None, unit, told))
    items.append(judged(part, "RMSEP", found.rmsep, None, unit, f"n {n}"))
    widest = max(found.lower.value, found.upper.value, key=abs)
    told = (
        f"{found.lower.value:.4g} ({found.lower.low:.4g} to {found.lower.high:.4g}) to "
        f"{found.upper.value:.4g} ({found.upper.low:.4g} to {found.upper.high:.4g})"
    )
    agreement = None if limits is None else limits.agreement
    items.append(judged(part, "limits of agreement, the wider one", widest, agreement, unit, told))
    if limits is not None and limits.laboratory_error is not None:
        error = limits.laboratory_error
        own = max(found.sep**2 - error**2, 0.0) ** 0.5
        told = f"SEL {error:g} {unit} by the plan; without it, SEP would be {own:.3g} {unit}"
        items.append(judged(part, "SEP / laboratory's error", found.sep / error, None, "", told))
    return items


def _sep(
    part: str, unit: str, found: Comparison, limits: Compared | None, stated: Stated | None
) -> Item:
    told = "" if stated is None else f"{stated.source} states {stated.rmsep:.4g} {unit}"
    if limits is not None and limits.sep is not None:
        return judged(part, "SEP", found.sep, limits.sep, unit, told)
    if stated is None or not stated.rmsep > 0:
        # Without a bound of the scatter, noise alone would pass: nothing of it is significant.
        told = "nobody stated an error to compare with: give `sep` in the plan"
        return Item(
            part=part, what="SEP", value=found.sep, unit=unit, verdict="not done", told=told
        )
    most = expected_sep(stated.rmsep, stated.samples, found.samples)
    source = f"{_F_TEST} of {stated.samples} samples"
    return judged(part, "SEP", found.sep, Limit(limit=most, source=source), unit, told)


def _slope(part: str, found: Comparison, limits: Compared | None) -> Item:
    what = "slope of reference on prediction"
    if found.slope is None:
        return not_done(part, what, "all predictions, or all references, are equal")
    slope = found.slope
    if limits is not None and limits.slope is not None:
        told = f"95 % interval {slope.low:.4g} to {slope.high:.4g}"
        return judged(part, what, slope.value, limits.slope, "", told, target=1.0)
    return Item(
        part=part,
        what=what,
        value=slope.value,
        limit="1 within its 95 % interval",
        source=_INTERVAL,
        verdict="pass" if slope.low <= 1 <= slope.high else "fail",
        told=f"95 % interval {slope.low:.4g} to {slope.high:.4g}",
    )


def _figures(
    name: str, unit: str, pairs: Sequence[tuple[str, float, float]], found: Comparison
) -> tuple[Figure, ...]:
    predicted, reference = np.array([p[1] for p in pairs]), np.array([p[2] for p in pairs])
    ends = (
        float(min(predicted.min(), reference.min())),
        float(max(predicted.max(), reference.max())),
    )
    mean = (predicted + reference) / 2
    identity = Figure(
        title=f"{name}: reference against prediction",
        x_label=f"predicted {name} [{unit}]",
        y_label=f"reference {name} [{unit}]",
        series=(
            series("samples", predicted, reference, points=True),
            series("equal", ends, ends, dashed=True),
        ),
    )
    agreement = Figure(
        title=f"{name}: limits of agreement",
        x_label=f"mean of both [{unit}]",
        y_label=f"predicted minus reference [{unit}]",
        series=(
            series("samples", mean, predicted - reference, points=True),
            level("bias", found.bias.value, mean),
            level("upper limit of agreement", found.upper.value, mean),
            level("lower limit of agreement", found.lower.value, mean),
        ),
    )
    return identity, agreement
