"""What speaks for a change of the instrument, as far as it is on the disk or was published."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from spektron_edge.adaptation.evidence import SERVICE_SPECTRA, EvidenceFile, StabilitySample
from spektron_edge.clock import Stamp

from .declaration import Told

_DISTANCES = {
    "t2": "Hotelling's T2 of the last spectrum within the calibration",
    "q": "residual Q of the last spectrum",
    "neighbour": "distance of the last spectrum to the nearest one of the calibration",
}
DRIFT = ("drift_detected", "drift_over")


class Sign(Told):
    """over: whether it speaks for a change; value and limit are null where there is no number."""

    name: str
    value: float | None
    limit: float | None
    over: bool
    words: str


def signs(
    prediction: Mapping[str, Any] | None,
    event: Mapping[str, Any] | None,
    evidence: EvidenceFile,
    serial: str | None,
    now: Stamp,
) -> tuple[Sign, ...]:
    """event: the last of `DRIFT`; serial: of the instrument whose samples count."""
    found = list(_distances(prediction))
    if event is not None:
        goes_on = event.get("code") == "drift_detected"
        words = f"{event.get('message', '')} ({event.get('time', {}).get('utc', '')})"
        found.append(Sign(name="drift", value=None, limit=None, over=goes_on, words=words))
    for service in evidence.services:
        words = f"{service.what}, by {service.who}, {service.utc}"
        found.append(
            Sign(
                name="service",
                value=float(SERVICE_SPECTRA - service.left),
                limit=float(SERVICE_SPECTRA),
                over=service.holds(now),
                words=f"{words}; counts for so many sound spectra",
            )
        )
    for sample in evidence.samples:
        if serial is None or sample.serial == serial:
            found += _of_sample(sample)
    return tuple(found)


def _distances(prediction: Mapping[str, Any] | None) -> list[Sign]:
    distances = (prediction or {}).get("applicability") or {}
    found = []
    for name, words in _DISTANCES.items():
        value, limit = distances.get(name), distances.get(f"{name}_limit")
        if value is not None and limit is not None:
            over = not value <= limit
            found.append(Sign(name=name, value=value, limit=limit, over=over, words=words))
    return found


def _of_sample(sample: StabilitySample) -> list[Sign]:
    return [
        Sign(
            name=f"stability {sample.name} {name}",
            value=abs(value - sample.value[name]),
            limit=sample.half_width[name],
            over=name in sample.astray,
            words=f"{name} of the kept sample {sample.name} is {value:.4g}, and was "
            f"{sample.value[name]:.4g} +- {sample.half_width[name]:.2g}",
        )
        for name, value in sample.latest.items()
    ]
