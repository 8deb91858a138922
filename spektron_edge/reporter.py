"""Turns outcomes, faults and changes into records."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np

from .acquisition import References
from .clock import Clock, ClockWatch, Stamp, age_s
from .faults import Fault
from .inference import Model
from .outbox import Outgoing
from .pipeline import Outcome
from .records import (
    ApplicabilityInfo,
    Event,
    ModelInfo,
    ModelState,
    Prediction,
    ScanInfo,
    SignerInfo,
    Times,
    TransferInfo,
    Value,
    new_id,
    to_json,
)
from .scan import Scan
from .transfer_state import Version

Level = Literal["info", "warning", "error"]


class Reporter:
    """Knows who speaks and what time it is."""

    def __init__(self, site: str, instrument: str, clock: Clock, watch: ClockWatch) -> None:
        self.site = site
        self.instrument = instrument
        self._clock = clock
        self._watch = watch

    def times(self, now: Stamp | None = None) -> Times:
        """Both clocks, for a record."""
        at = now or self._clock.now()
        return Times(
            utc=at.iso,
            running_s=round(at.running_s, 4),
            clock="suspect" if self._watch.suspect(at) else "ok",
        )

    def event(
        self,
        code: str,
        message: str,
        *,
        level: Level = "info",
        next_step: str | None = None,
        scans: Sequence[tuple[int, int]] = (),
    ) -> Outgoing:
        """Something happened."""
        record = Event(
            id=new_id(),
            site=self.site,
            instrument=self.instrument,
            time=self.times(),
            code=code,
            level=level,
            message=message,
            next_step=next_step,
            scans=tuple(scans),
        )
        return Outgoing(record.id, "event", to_json(record))

    def fault(self, fault: Fault, scans: Sequence[tuple[int, int]] = ()) -> Outgoing:
        """A fault began."""
        return self.event(
            fault.code, fault.detail, level="error", next_step=fault.next_step, scans=scans
        )

    def prediction(
        self,
        scan: Scan,
        references: References | None,
        outcome: Outcome,
        model: Model,
        now: Stamp,
        transfer: Version | None = None,
    ) -> Outgoing:
        """One scan's result; transfer: what took the model's place."""
        distances = outcome.applicability
        dark_age = None if references is None else age_s(references.dark_taken, now)
        white_age = None if references is None else age_s(references.white_taken, now)
        record = Prediction(
            id=new_id(),
            site=self.site,
            instrument=self.instrument,
            serial=scan.serial,
            time=self.times(now),
            scan=ScanInfo(
                number=scan.number,
                boot_id=scan.boot_id,
                device_us=scan.device_us,
                integration_us=scan.integration_us,
                averages=scan.averages,
                temperature_c=_finite(scan.temperature_c),
                saturated=scan.saturated,
                dark_age_s=dark_age,
                white_age_s=white_age,
            ),
            values={
                p.name: _value(outcome, j, p.unit) for j, p in enumerate(model.product.properties)
            },
            valid=outcome.valid,
            reasons=outcome.reasons,
            applicability=None
            if distances is None
            else ApplicabilityInfo(
                t2=distances.t2,
                t2_limit=distances.t2_limit,
                q=distances.q,
                q_limit=distances.q_limit,
            ),
            model=model_info(model, transfer),
        )
        return Outgoing(record.id, "prediction", to_json(record))

    def model_state(self, model: Model, transfer: Version | None = None) -> ModelState:
        """What the daemon predicts with."""
        return ModelState(
            site=self.site,
            instrument=self.instrument,
            model=model_info(model, transfer),
            properties={p.name: p.unit for p in model.product.properties},
        )


def _value(outcome: Outcome, j: int, unit: str) -> Value:
    value = None if outcome.values is None else _finite(outcome.values[j])
    if value is None or outcome.half_width is None:
        return Value(value=value, unit=unit)
    half = float(outcome.half_width[j])
    return Value(value=value, unit=unit, low=value - half, high=value + half)


def model_info(model: Model, transfer: Version | None = None) -> ModelInfo:
    """Which model, down to the graph's hash, and which transfer takes its place."""
    signer = model.signed_by
    return ModelInfo(
        bundle=model.bundle_id,
        signed_by=None if signer is None else SignerInfo(key_id=signer.key_id, name=signer.name),
        product=model.product.name,
        graph_sha256=model.graph_sha256,
        precision=model.graph.precision,
        provider=model.backend.provider,
        backend_asked=model.asked,
        backend_active=model.active,
        transfer=None
        if transfer is None
        else TransferInfo(
            version=transfer.number,
            id=transfer.id,
            samples=len(transfer.header.samples),
            interval_basis=transfer.header.interval_basis,
        ),
    )


def _finite(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
