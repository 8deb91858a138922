"""What a qualification is still worth: for what is in use now, and for how long."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timezone
from typing import Literal

from spektron_edge.faults import Fault, Faults

from .book import Calibration, Run

# A run that is dated ahead by more says nothing about its age.
_AHEAD_S = 3600.0
InUse = tuple[str, Calibration]
Worth = Literal[
    "holds",
    "failed",
    "incomplete",
    "replaced",
    "expired",
    "other_instrument",
    "other_calibration",
    "not_known",
]


def standing(
    runs: Sequence[Run], serial: str, calibration: Calibration, every_s: float, now_s: float
) -> Fault | None:
    """What speaks against an instrument with a calibration; None where its qualification holds.

    Each calibration needs a comparison with reference values; after that, any performance
    qualification within every_s. now_s: UTC, seconds since 1970.
    """
    judged = _judged(runs, serial, calibration)
    for about in ("comparison", "control"):
        last = next((run for run in reversed(judged) if run.about == about), None)
        if last is not None and last.verdict == "fail":
            told = f"performance qualification {last.number} ({about}) of {serial} failed"
            return Fault(Faults.QUALIFICATION_FAILED, told)
    if not any(run.about == "comparison" for run in judged):
        told = f"{serial} was not compared with reference values since {calibration.told} is in use"
        return Fault(Faults.QUALIFICATION_DUE, told)
    newest = _newest(judged, now_s)
    if newest is not None and now_s - newest.utc_s <= every_s:
        return None
    last = newest or judged[-1]
    at = datetime.fromtimestamp(last.utc_s, timezone.utc)
    told = f"the last performance qualification of {serial}, {last.number}, is of {at:%Y-%m-%d}"
    return Fault(Faults.QUALIFICATION_DUE, told)


def due_s(
    runs: Sequence[Run], serial: str, calibration: Calibration, every_s: float, now_s: float
) -> float | None:
    """When the next one is due, UTC, seconds since 1970; None where it is due since what is in use
    was taken, for there is none of it."""
    judged = _judged(runs, serial, calibration)
    newest = _newest(judged, now_s)
    if newest is None or not any(run.about == "comparison" for run in judged):
        return None
    return newest.utc_s + every_s


def worth(
    run: Run, runs: Sequence[Run], in_use: InUse | None, every_s: float | None, now_s: float
) -> Worth:
    """Of one run for what is in use now, None where that is not known.

    Installation belongs to a bundle, operation to an instrument whatever it predicts with,
    performance to an instrument with its calibration.
    """
    if run.verdict != "pass":
        return "failed" if run.verdict == "fail" else "incomplete"
    if in_use is None or run.serial is None or run.calibration is None:
        return "not_known"
    if run.serial != in_use[0]:
        return "other_instrument"
    if not _same(run, run.calibration, in_use[1]):
        return "other_calibration"
    later = runs[runs.index(run) + 1 :]
    if any(
        other.about == run.about
        and other.serial == run.serial
        and other.verdict != "incomplete"
        and other.calibration is not None
        and _same(run, other.calibration, in_use[1])
        for other in later
    ):
        return "replaced"
    if run.kind == "pq" and every_s is not None:
        newest = _newest(_judged(runs, *in_use), now_s)
        if newest is None or now_s - newest.utc_s > every_s:
            return "expired"
    return "holds"


def _same(run: Run, of_run: Calibration, now: Calibration) -> bool:
    if run.kind == "oq":
        return True
    if run.kind == "iq":
        return (of_run.bundle, of_run.product) == (now.bundle, now.product)
    return of_run == now


def _judged(runs: Sequence[Run], serial: str, calibration: Calibration) -> list[Run]:
    """Performance qualifications of it that came to an end, in the order of their numbers."""
    return [
        run
        for run in runs
        if run.kind == "pq"
        and run.verdict != "incomplete"
        and (run.serial, run.calibration) == (serial, calibration)
    ]


def _newest(judged: Sequence[Run], now_s: float) -> Run | None:
    """By the age of its measurements, which need not be the last one that was done."""
    dated = [run for run in judged if run.utc_s <= now_s + _AHEAD_S]
    return max(dated, key=lambda run: run.utc_s, default=None)
