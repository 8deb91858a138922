"""What a qualification comes to: an item for each thing that was looked at, none silent."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

Verdict = Literal["pass", "fail", "not done", "no limit"]
Overall = Literal["pass", "fail", "incomplete"]
ABSORBANCE = "absorbance"
PLAN = "the plant's plan"
# Who set a limit that no plan and no publication does; a reason follows.
OURS = "default of this program"


class Strict(BaseModel):
    """Part of a report: no unknown names, no infinities, never changed."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Limit(Strict):
    """What passes, and who says so."""

    limit: float = Field(gt=0)
    source: str = Field(PLAN, min_length=1, max_length=300)


class Expected(Strict):
    """What a fact has to be, and who says so."""

    value: str
    source: str = PLAN


class Item(Strict):
    """One thing that was looked at.

    limit: in words, None where nobody has set one; source: of the limit; verdict: `no limit` is a
    value that nobody has set a limit to; told: what else a reader should know.
    """

    part: str
    what: str
    value: float | str | None = None
    unit: str = ""
    limit: str | None = None
    source: str | None = None
    verdict: Verdict
    told: str = ""


def judged(
    part: str,
    what: str,
    value: float,
    limit: Limit | None,
    unit: str = "",
    told: str = "",
    target: float | None = None,
) -> Item:
    """A number that may lie so far from its target, or be so large where it has none."""
    if limit is None:
        return Item(part=part, what=what, value=value, unit=unit, verdict="no limit", told=told)
    if target is None:
        words, good = f"at most {limit.limit:g}", abs(value) <= limit.limit
    else:
        words = f"{target - limit.limit:g} to {target + limit.limit:g}"
        good = abs(value - target) <= limit.limit
    return Item(
        part=part,
        what=what,
        value=value,
        unit=unit,
        limit=words,
        source=limit.source,
        verdict="pass" if good else "fail",
        told=told,
    )


def checked(part: str, what: str, value: str, *, good: bool, limit: str, told: str = "") -> Item:
    """Something that is so or not; the limit is what this program expects."""
    return Item(
        part=part,
        what=what,
        value=value,
        limit=limit,
        source="required by this program",
        verdict="pass" if good else "fail",
        told=told,
    )


def noted(part: str, what: str, value: str, expected: Expected | None = None) -> Item:
    """A fact for the file, compared with what is expected of it, where something is."""
    if expected is None:
        return Item(part=part, what=what, value=value, verdict="no limit")
    return Item(
        part=part,
        what=what,
        value=value,
        limit=expected.value,
        source=expected.source,
        verdict="pass" if value == expected.value else "fail",
    )


def not_done(part: str, what: str, why: str) -> Item:
    """It was not looked at, and why."""
    return Item(part=part, what=what, verdict="not done", told=why)


def overall(items: Iterable[Item]) -> Overall:
    """One that failed fails all; one that was not done leaves the rest incomplete."""
    verdicts = {item.verdict for item in items}
    if "fail" in verdicts:
        return "fail"
    return "incomplete" if "not done" in verdicts or "pass" not in verdicts else "pass"
