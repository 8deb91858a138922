"""Turns outcomes, faults and changes into records."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from spektron_edge.adaptation_state import Entry
from spektron_edge.clock import Clock, ClockWatch, Stamp, age_s
from spektron_edge.faults import Fault, Faults
from spektron_edge.inference import Model
from spektron_edge.outbox import Gap, Outgoing
from spektron_edge.prediction.in_use import InUse
from spektron_edge.prediction.intervals import BASIS, basis_in_words, half_widths
from spektron_edge.prediction.pipeline import Outcome
from spektron_edge.spectra.acquisition import References
from spektron_edge.spectra.scan import Scan

from .records import (
    AdaptationInfo,
    ApplicabilityInfo,
    Basis,
    Event,
    ModelInfo,
    ModelState,
    Prediction,
    ScanInfo,
    ShadowInfo,
    SignerInfo,
    Times,
    TransferInfo,
    Value,
    new_id,
    to_json,
)

Level = Literal["info", "warning", "error"]
Numbers = NDArray[np.float64]
_ALONE = InUse()


@dataclass(frozen=True)
class Ended:
    """When an exposure ended by the instrument's clock, on the host's, and how sure that is, s."""

    at: Stamp
    uncertainty_s: float


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
        serial: str | None = None,
        boot_id: int | None = None,
    ) -> Outgoing:
        """Something happened. scans: ranges of numbers of that instrument since that power-on."""
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
            serial=serial,
            boot_id=boot_id,
        )
        return Outgoing(record.id, "event", to_json(record))

    def fault(self, fault: Fault) -> Outgoing:
        """A fault began."""
        return self.event(fault.code, fault.detail, level="error", next_step=fault.next_step)

    def gap(self, gaps: Sequence[Gap], why: str) -> Outgoing:
        """Scans of one power-on are missing."""
        fault = Fault(Faults.SCANS_MISSED, f"{sum(g.count for g in gaps)} scans are missing: {why}")
        return self.event(
            fault.code,
            fault.detail,
            level="error",
            next_step=fault.next_step,
            scans=[(g.first, g.last) for g in gaps],
            serial=gaps[0].serial,
            boot_id=gaps[0].boot_id,
        )

    def prediction(
        self,
        scan: Scan,
        references: References | None,
        outcome: Outcome,
        model: Model,
        now: Stamp,
        in_use: InUse = _ALONE,
        *,
        missing: int = 0,
        ended: Ended | None = None,
    ) -> Outgoing:
        """One scan's result; in_use: what it came from beside the model; missing: scans that were
        lost since the last prediction; ended: when its exposure did, by the instrument."""
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
                white_temperature_c=None
                if references is None
                else _finite(references.white_temperature_c),
                missing_before=missing,
                noise_absorbance=None
                if outcome.variance is None
                else _finite(float(np.median(np.sqrt(outcome.variance)))),
                ended_utc=None if ended is None else ended.at.iso,
                ended_running_s=None if ended is None else round(ended.at.running_s, 4),
                ended_uncertainty_s=None if ended is None else round(ended.uncertainty_s, 6),
            ),
            values=_values(model, outcome.values, *_intervals(model, outcome, in_use)),
            valid=outcome.valid,
            reasons=outcome.reasons,
            applicability=None
            if distances is None
            else ApplicabilityInfo(
                t2=distances.t2,
                t2_limit=distances.t2_limit,
                q=distances.q,
                q_limit=distances.q_limit,
                neighbour=distances.neighbour,
                neighbour_limit=distances.neighbour_limit,
            ),
            model=model_info(model, in_use),
            shadow=_shadow(model, outcome, in_use),
        )
        return Outgoing(record.id, "prediction", to_json(record))

    def model_state(self, model: Model, in_use: InUse = _ALONE) -> ModelState:
        """What the daemon predicts with."""
        return ModelState(
            site=self.site,
            instrument=self.instrument,
            model=model_info(model, in_use),
            properties={p.name: p.unit for p in model.product.properties},
            interval_basis=basis_in_words(model),
        )


def _intervals(
    model: Model, outcome: Outcome, in_use: InUse
) -> tuple[Numbers | None, Basis | None]:
    """Half widths (n_properties,) and what they rest on, where that was measured."""
    if outcome.half_width is not None:
        return outcome.half_width, "transfer_90"
    # Nobody measured what an adaptation or a sample of another kind makes of the errors.
    if not outcome.valid or in_use.transfer is not None or in_use.adaptation is not None:
        return None, None
    return half_widths(model), BASIS


def _values(
    model: Model, values: Numbers | None, half_width: Numbers | None, basis: Basis | None
) -> dict[str, Value]:
    return {
        p.name: _value(
            None if values is None else _finite(values[j]),
            None if half_width is None else _finite(half_width[j]),
            p.unit,
            basis,
        )
        for j, p in enumerate(model.product.properties)
    }


def _value(value: float | None, half: float | None, unit: str, basis: Basis | None) -> Value:
    if value is None or half is None:
        return Value(value=value, unit=unit)
    return Value(value=value, unit=unit, low=value - half, high=value + half, basis=basis)


def _shadow(model: Model, outcome: Outcome, in_use: InUse) -> ShadowInfo | None:
    shadow = outcome.shadow
    if shadow is None or in_use.shadow is None:
        return None
    return ShadowInfo(
        adaptation=adaptation_info(in_use.shadow),
        values=_values(model, shadow.values, None, None),
        valid=not shadow.reasons,
        reasons=shadow.reasons,
    )


def adaptation_info(entry: Entry) -> AdaptationInfo:
    """Which adaptation, and who agreed."""
    return AdaptationInfo(
        version=entry.number, id=entry.id, mode=entry.mode, approved_by=entry.approved_by
    )


def model_info(model: Model, in_use: InUse = _ALONE) -> ModelInfo:
    """Which model, down to the graph's hash, and what changes or replaces it."""
    transfer, adaptation = in_use.transfer, in_use.adaptation
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
        adaptation=None if adaptation is None else adaptation_info(adaptation),
    )


def _finite(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
