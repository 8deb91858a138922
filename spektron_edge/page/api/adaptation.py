"""Adaptations: what is in use, what waits for approval, and what speaks for and against it."""

from __future__ import annotations

import functools
from typing import Annotated, Any, Literal, cast

import numpy as np
from pydantic import Field

from spektron_edge.adaptation.correction import Correction
from spektron_edge.adaptation.evidence import StabilitySample
from spektron_edge.adaptation.evidence_store import EvidenceStore
from spektron_edge.adaptation_mode import AdaptationMode
from spektron_edge.adaptation_state import Adaptations, AdaptationState, AdaptationStore
from spektron_edge.adaptation_state.adaptations import Entry
from spektron_edge.adaptation_state.not_applied import not_applied
from spektron_edge.clock import Clock
from spektron_edge.config.file import Config
from spektron_edge.faults import Fault
from spektron_edge.outbox.questions import last_prediction, latest_events
from spektron_edge.said import Said, Sayings, read_all

from ..declaration import Answer, Call, Endpoint, Given, Told
from ..drift_signs import DRIFT, Followed, Sign, followed, signs
from ..instrument_known import serial_of
from ..reasons import Reason, read_reason, read_reasons, reason, reason_or_none
from ..services import Page

Status = Literal["proposed", "installed", "rejected", "superseded", "rolled_back"]


class ApprovalTold(Told):
    """through: how it is known who agreed; why: what the person said."""

    who: str
    through: str
    at: str
    why: str


class AdaptationTold(Told):
    """What the ledger knows. why: what spoke for it; refusals, doubts, tried: what speaks against
    it, tried after its time in shadow and null before; ended_by: who or what, null while it waits
    or is in use."""

    number: int
    serial: str
    product: str
    bundle: str
    made: str
    mode: str
    status: Status
    in_use: bool
    why: tuple[Reason, ...]
    scans: str
    refusals: tuple[Reason, ...]
    doubts: tuple[Reason, ...]
    tried: tuple[Reason, ...] | None
    approved_by: tuple[str, ...]
    approvals: tuple[ApprovalTold, ...]
    ended_by: Reason | None


class Waiting(AdaptationTold):
    """metrics: of the guard, empty where its file cannot be read."""

    metrics: dict[str, float]


class Shadow(Told):
    """What an adaptation that is not in use would have said of the last scan."""

    number: int
    of_scan_utc: str | None
    values: dict[str, Any]
    valid: bool
    reasons: tuple[str, ...]


class StabilityTold(Told):
    """A kept sample. value, half_width: by property, of its first measurement; latest: of the last
    one; astray: properties outside their intervals."""

    serial: str
    who: str
    since: str
    measured: int
    value: dict[str, float]
    half_width: dict[str, float]
    latest: dict[str, float]
    astray: tuple[str, ...]


class AdaptationAnswer(Told):
    """in_use: number, null for the bundle's own calibration; not_applied: why what is in use does
    nothing now; hindered: why none would be applied now; followed: null where it is not known that
    the daemon looks for a drift; kept: the newest first; stability: by the sample's name."""

    serial: str | None
    mode: AdaptationMode
    approvals_needed: int
    in_use: int | None
    not_applied: Reason | None
    hindered: Reason | None
    evidence: tuple[Sign, ...]
    followed: Followed | None
    waiting: tuple[Waiting, ...]
    kept: tuple[AdaptationTold, ...]
    shadow: Shadow | None
    stability: dict[str, StabilityTold]


class OneAdaptation(Waiting):
    """correction: absorbance that is added at each wavelength, mean of its example spectra; both
    are null where the file cannot be read, and problem says why. coefficients: of its terms."""

    id: str
    parent: str | None
    judged_on: int | None
    evidence: tuple[Reason, ...]
    coefficients: dict[str, float]
    wavelength_nm: tuple[float, ...] | None
    correction: tuple[float, ...] | None
    problem: Reason | None


class NumberPath(Given):
    """An adaptation's number."""

    number: Annotated[int, Field(ge=1, le=2**31)]


def _loaded(store: AdaptationStore, entry: Entry) -> AdaptationState | Fault:
    try:
        return store.load(entry)
    except Fault as fault:
        return fault


def _metrics(state: AdaptationState | Fault) -> dict[str, float]:
    return {} if isinstance(state, Fault) else state.header.metrics


def _fields(adaptations: Adaptations, entry: Entry) -> dict[str, Any]:
    return {
        **entry.model_dump(
            include={
                "number",
                "serial",
                "product",
                "bundle",
                "mode",
                "status",
                "scans",
            }
        ),
        "why": tuple(map(reason, read_all(entry.why))),
        "refusals": read_reasons(entry.refusals),
        "doubts": read_reasons(entry.doubts),
        "tried": None if entry.tried is None else read_reasons(entry.tried),
        "ended_by": _ended_by(entry),
        "made": entry.created.isoformat(timespec="seconds").replace("+00:00", "Z"),
        "in_use": adaptations.active(entry.serial) == entry,
        "approved_by": entry.approved_by,
        "approvals": tuple(
            ApprovalTold(who=a.who, through=a.through, at=a.at.isoformat(), why=a.why)
            for a in entry.approvals
        ),
    }


def _ended_by(entry: Entry) -> Reason | None:
    """What replaced it, or what somebody wrote, which is no sentence of ours whatever it says."""
    if entry.status == "superseded" or not entry.ended_by:
        return read_reason(entry.ended_by)
    return reason(Sayings.AS_WRITTEN.of(text=entry.ended_by))


def _read(page: Page) -> AdaptationAnswer:
    config, store = page.config(), AdaptationStore(page.state_dir)
    adaptations, evidence = store.read(), EvidenceStore(page.state_dir).read()
    serial = serial_of(page) or _only(adaptations)
    known = page.link.known.get("prediction", {}).get("record")
    prediction = known or last_prediction(page.state_dir)
    state = page.link.known.get("state", {}).get("record")
    events = latest_events(page.state_dir, 1, DRIFT)
    active = None if serial is None else adaptations.active(serial)
    mine = [e for e in adaptations.held if serial is None or e.serial == serial]
    return AdaptationAnswer(
        serial=serial,
        mode=config.adaptation.mode,
        approvals_needed=config.adaptation.approvals,
        in_use=None if active is None else active.number,
        not_applied=reason_or_none(None if active is None else _trouble(config, store, active)),
        hindered=reason_or_none(None if serial is None else not_applied(config, serial)),
        evidence=signs(
            prediction, state, events[0] if events else None, evidence, serial, Clock().now()
        ),
        followed=followed(state),
        waiting=tuple(
            Waiting(**_fields(adaptations, e), metrics=_metrics(_loaded(store, e)))
            for e in mine
            if e.status == "proposed"
        ),
        kept=tuple(AdaptationTold(**_fields(adaptations, e)) for e in reversed(mine)),
        shadow=_shadow(prediction),
        stability={
            sample.name: _kept_sample(sample)
            for sample in evidence.samples
            if serial is None or sample.serial == serial
        },
    )


def _only(adaptations: Adaptations) -> str | None:
    serials = {entry.serial for entry in adaptations.held}
    return next(iter(serials)) if len(serials) == 1 else None


def _trouble(config: Config, store: AdaptationStore, active: Entry) -> Said | None:
    state = _loaded(store, active)
    if isinstance(state, Fault):
        return Sayings.UNUSABLE.of(detail=state.detail)
    return not_applied(config, active.serial)


def _shadow(prediction: dict[str, Any] | None) -> Shadow | None:
    told = None if prediction is None else prediction.get("shadow")
    if prediction is None or told is None:
        return None
    return Shadow(
        number=told["adaptation"]["version"],
        of_scan_utc=prediction.get("time", {}).get("utc"),
        values=told["values"],
        valid=told["valid"],
        reasons=tuple(told["reasons"]),
    )


def _kept_sample(sample: StabilitySample) -> StabilityTold:
    same = sample.model_dump(include={"serial", "who", "measured", "value", "half_width", "latest"})
    return StabilityTold(**same, since=sample.utc, astray=sample.astray)


def _one(page: Page, number: int) -> OneAdaptation:
    store = AdaptationStore(page.state_dir)
    adaptations = store.read()
    entry = adaptations.entry(number)
    state = _loaded(store, entry)
    fields = {
        **_fields(adaptations, entry),
        "metrics": _metrics(state),
        "id": entry.id,
        "parent": entry.parent,
    }
    if isinstance(state, Fault):
        return OneAdaptation(
            **fields,
            judged_on=None,
            evidence=(),
            coefficients={},
            wavelength_nm=None,
            correction=None,
            problem=reason(Sayings.UNUSABLE.of(detail=state.detail)),
        )
    correction = state.adapted.correction
    return OneAdaptation(
        **fields,
        judged_on=len(state.header.judged_by) or len(state.header.scans),
        evidence=read_reasons(state.header.evidence),
        coefficients=correction.named,
        wavelength_nm=tuple(correction.axis_nm.tolist()),
        correction=_curve(correction, state.examples),
        problem=None,
    )


def _curve(correction: Correction, examples: np.ndarray[Any, Any]) -> tuple[float, ...]:
    added = np.mean(correction.apply(examples) - examples, axis=0)
    return tuple(np.where(np.isfinite(added), added, 0.0).tolist())


async def _adaptation(call: Call) -> Answer:
    return await call.page.reading.run(functools.partial(_read, call.page))


async def _number(call: Call) -> Answer:
    number = cast(NumberPath, call.path).number
    return await call.page.reading.run(functools.partial(_one, call.page, number))


ENDPOINTS = (
    Endpoint(
        "GET",
        "/adaptation",
        "viewer",
        "what is in use, what waits, and why",
        _adaptation,
        AdaptationAnswer,
    ),
    Endpoint(
        "GET",
        "/adaptation/{number}",
        "viewer",
        "one whole, with the curve of its correction",
        _number,
        OneAdaptation,
        parameters=NumberPath,
    ),
)
