"""What speaks for a change of the instrument, as far as it is on the disk or was published."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from spektron_edge.adaptation.evidence import SERVICE_SPECTRA, EvidenceFile, StabilitySample
from spektron_edge.clock import Stamp
from spektron_edge.said import Sayings

from .declaration import Told
from .reasons import Reason, read_reasons, reason

# Of the last spectrum: Hotelling's T2 within the calibration, residual Q, distance to the nearest
# spectrum of the calibration.
_DISTANCES = ("t2", "q", "neighbour")
DRIFT = ("drift_detected", "drift_over")


# Distinct samples without a drift until one that was told before the daemon's memory was lost
# speaks no more.
_ENOUGH = 8


class Followed(Told):
    """What the daemon's statistics of the stream rest on. They live in its memory: since is when
    they began, at when it said so; spectra, samples: sound ones since, and distinct ones of them.
    """

    since: str
    at: str
    spectra: int
    samples: int


class Sign(Told):
    """over: whether it speaks for a change; value and limit are null where there is no number;
    told_at: when an event said so; sample, property: of a stability sample."""

    name: Literal["t2", "q", "neighbour", "drift", "service", "stability"]
    value: float | None
    limit: float | None
    over: bool
    reasons: tuple[Reason, ...] = ()
    told_at: str | None = None
    sample: str | None = None
    property: str | None = None


def signs(
    prediction: Mapping[str, Any] | None,
    state: Mapping[str, Any] | None,
    event: Mapping[str, Any] | None,
    evidence: EvidenceFile,
    serial: str | None,
    now: Stamp,
) -> tuple[Sign, ...]:
    """state: the daemon's last record; event: the last of `DRIFT`; serial: of the instrument
    whose samples count."""
    found = list(_distances(prediction))
    found += _drift((state or {}).get("drift"), event)
    for service in evidence.services:
        said = Sayings.SERVICE_COUNTS.of(what=service.what, who=service.who, at=service.utc)
        found.append(
            Sign(
                name="service",
                value=float(SERVICE_SPECTRA - service.left),
                limit=float(SERVICE_SPECTRA),
                over=service.holds(now),
                reasons=(reason(said),),
            )
        )
    for sample in evidence.samples:
        if serial is None or sample.serial == serial:
            found += _of_sample(sample)
    return tuple(found)


def followed(state: Mapping[str, Any] | None) -> Followed | None:
    """None where the daemon has not said that it looks for a drift."""
    known = (state or {}).get("drift")
    if state is None or known is None:
        return None
    return Followed(
        since=known["since"],
        at=state["time"]["utc"],
        spectra=known["spectra"],
        samples=known["samples"],
    )


def _drift(known: Mapping[str, Any] | None, event: Mapping[str, Any] | None) -> list[Sign]:
    """By the daemon's statistics and by the last event: one that was told before they began has
    not been taken back."""
    told = event is not None and event.get("code") == "drift_detected"
    at = (event or {}).get("time", {}).get("utc", "")
    last = read_reasons([message] if (message := (event or {}).get("message")) else ())
    if known is None and event is None:
        return []
    if known is None:
        return [
            Sign(name="drift", value=None, limit=None, over=told, reasons=last, told_at=at or None)
        ]
    share, statistic = known.get("share"), known.get("statistic")
    limit = None if share is None else 1.0
    sign = Sign(name="drift", value=share, limit=limit, over=True)
    if known.get("told") is not None:
        return [sign.model_copy(update={"reasons": read_reasons((known["told"],))})]
    if told and at < known["since"] and known["samples"] < _ENOUGH:
        return [sign.model_copy(update={"reasons": last, "told_at": at})]
    nearest = (reason(Sayings.NEAREST_STATISTIC.of(statistic=statistic)),) if statistic else ()
    return [sign.model_copy(update={"over": False, "reasons": nearest})]


def _distances(prediction: Mapping[str, Any] | None) -> list[Sign]:
    distances = (prediction or {}).get("applicability") or {}
    found: list[Sign] = []
    for name in _DISTANCES:
        value, limit = distances.get(name), distances.get(f"{name}_limit")
        if value is not None and limit is not None:
            over = not value <= limit
            found.append(Sign(name=name, value=value, limit=limit, over=over))
    return found


def _of_sample(sample: StabilitySample) -> list[Sign]:
    return [
        Sign(
            name="stability",
            sample=sample.name,
            property=name,
            value=abs(value - sample.value[name]),
            limit=sample.half_width[name],
            over=name in sample.astray,
        )
        for name, value in sample.latest.items()
    ]
