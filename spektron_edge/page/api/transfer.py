"""The transfer that is open, the last fit, and those that are kept."""

from __future__ import annotations

import functools
import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from pydantic import Field
from starlette.responses import Response

from spektron_edge.faults import Fault
from spektron_edge.said import Said, Sayings
from spektron_edge.transfer_session import Session, Status
from spektron_edge.transfer_session.figures import SpectraFigure
from spektron_edge.transfer_session.fit_result import (
    FIGURES,
    REPORT,
    FitResult,
    PropertyResult,
    identity_of,
    read_result,
)
from spektron_edge.transfer_session.report import spectra_charts
from spektron_edge.transfer_session.session_store import SessionStore
from spektron_edge.transfer_session.source import Source
from spektron_edge.transfer_session.svg import document
from spektron_edge.transfer_session.work import Sessions, Work
from spektron_edge.transfer_state import StateStore, Version
from spektron_edge.transfer_state.header import Expectation
from spektron_edge.transfer_state.versions import Versions

from ..declaration import Answer, Call, Endpoint, Given, Told
from ..errors import absent
from ..instrument_known import serial_of
from ..reasons import Reason, read_reasons, reason, reason_or_none
from ..report_policy import OF_REPORT
from ..services import Page

_SVG, _HTML = "image/svg+xml", "text/html"
_MOST_BYTES = 16 * 2**20
Quality = Literal["good", "doubt", "bad"]


class SampleTold(Told):
    """A sample of the open transfer. bad: it is kept from the fit; labels: its references."""

    sample: str
    scans: int
    quality: Quality
    reasons: tuple[Reason, ...]
    labels: dict[str, float]


class OpenTransfer(Told):
    """next: sample to measure, null when nothing is left; wanted: those that are still worth it;
    steps: what the instrument advises."""

    id: str
    started: str
    samples: tuple[SampleTold, ...]
    next: str | None
    wanted: tuple[str, ...]
    steps: tuple[Reason, ...]


class PredictedError(Told):
    """RMSEP against the reference method, in the property's unit, and its 90 % interval."""

    unit: str
    valid: bool
    method: str
    rmsep: float
    rmsep_low: float
    rmsep_high: float


class LastFit(Told):
    """accepted: whether the instrument was given it, and it was not taken back; work: the session
    as it was fitted, for `seen` of `transfer-finish`."""

    work: str
    predicted: dict[str, PredictedError]
    accepted: bool


class KeptTransfer(Told):
    """A transfer of this device. samples: those that it was made from; hindered: why it cannot be
    used now, or null."""

    number: Annotated[int, Field(ge=1)]
    id: str
    made: str
    by: str
    serial: str
    product: str
    samples: tuple[str, ...]
    in_use: bool
    hindered: Reason | None
    predicted: dict[str, PredictedError]


class PictureQuery(Given):
    """at: any number; browsers that have shown the picture of another fit ask anew under it."""

    at: Annotated[int, Field(ge=0, le=2**53)] | None = None


class TransferAnswer(Told):
    """serial: of the instrument, null before one was connected; fitting: whether a fit goes on;
    last: of the open transfer as it is now, else of the one before; kept: the newest first;
    samples_known: those of the source, empty where the bundle brings none."""

    serial: str | None
    open: OpenTransfer | None
    fitting: bool
    last: LastFit | None
    kept: tuple[KeptTransfer, ...]
    samples_known: tuple[str, ...]


def _read(page: Page) -> TransferAnswer:
    store, versions = SessionStore(page.state_dir), StateStore(page.state_dir).read()
    sessions = store.read()
    source = _source(page)
    found = _last(store, sessions)
    opened = None if sessions.open is None else _opened(page, sessions.open, source)
    return TransferAnswer(
        serial=serial_of(page) if sessions.open is None else sessions.open.serial,
        open=opened,
        fitting=store.is_fitting,
        last=None if found is None else _told(found[0], versions),
        kept=tuple(_kept(page, version, versions) for version in reversed(versions.held)),
        samples_known=() if isinstance(source, Fault) else tuple(dict.fromkeys(source.samples)),
    )


def _source(page: Page) -> Source | Fault:
    try:
        return page.sources.source(page.config())
    except Fault as fault:
        return fault


def _opened(page: Page, work: Work, source: Source | Fault) -> OpenTransfer:
    """As it is judged now; where that cannot be done, as it was when each sample was added."""
    try:
        if isinstance(source, Fault):
            raise source
        session = Session(page.config_path, "page", config=page.config(), source=source)
        status, wanted = session.status(), session.wanted()
    except Fault as fault:
        samples = tuple(
            _sample(a.sample, a.scans, a.labels, a.reasons, left_out=False) for a in work.current
        )
        return _open(work, samples, None, (), (Sayings.NOT_JUDGED.of(detail=fault.detail),))
    return _open(work, _samples(status), status.next_sample, wanted, status.steps)


def _open(
    work: Work,
    samples: tuple[SampleTold, ...],
    following: str | None,
    wanted: tuple[str, ...],
    steps: tuple[Said, ...],
) -> OpenTransfer:
    return OpenTransfer(
        id=work.id,
        started=work.utc,
        samples=samples,
        next=following,
        wanted=wanted,
        steps=tuple(map(reason, steps)),
    )


def _samples(status: Status) -> tuple[SampleTold, ...]:
    return tuple(
        _sample(s.sample, s.scans, dict(s.labels), s.reasons, left_out=s.left_out)
        for s in status.samples
    )


def _sample(
    name: str, scans: int, labels: dict[str, float], reasons: tuple[str, ...], *, left_out: bool
) -> SampleTold:
    quality: Quality = "bad" if left_out else "doubt" if reasons else "good"
    return SampleTold(
        sample=name, scans=scans, quality=quality, reasons=read_reasons(reasons), labels=labels
    )


def _last(store: SessionStore, sessions: Sessions) -> tuple[FitResult, Path] | None:
    """The fit of what is open, if nothing was added since; without an open one, the latest."""
    if sessions.open is not None:
        folder = store.folder_of(sessions.open)
        result = read_result(folder)
        fits = result is not None and result.work == identity_of(sessions.open)
        return (result, folder) if result is not None and fits else None
    for session in reversed(sessions.ended):
        folder = store.folder / session
        if (result := read_result(folder)) is not None:
            return result, folder
    return None


def _told(result: FitResult, versions: Versions) -> LastFit:
    used = any(result.version in stack for stack in versions.used.values())
    return LastFit(
        work=result.work,
        predicted=_predicted(result.properties),
        accepted=used,
    )


def _kept(page: Page, version: Version, versions: Versions) -> KeptTransfer:
    header = version.header
    return KeptTransfer(
        number=version.number,
        id=version.id,
        made=header.created.isoformat(timespec="seconds").replace("+00:00", "Z"),
        by=header.by,
        serial=header.serial,
        product=header.product,
        samples=header.samples,
        in_use=versions.active(header.serial) == version,
        hindered=reason_or_none(_hindered(page, version)),
        predicted=_predicted(header.properties),
    )


def _predicted(
    properties: Iterable[PropertyResult] | Iterable[Expectation],
) -> dict[str, PredictedError]:
    wanted = set(PredictedError.model_fields)
    return {p.name: PredictedError(**p.model_dump(include=wanted)) for p in properties}


def _hindered(page: Page, version: Version) -> Said | None:
    header, serial = version.header, serial_of(page)
    if not any(p.valid for p in header.properties):
        return Sayings.VALID_FOR_NONE.of()
    if serial is None:
        return Sayings.NOT_CONNECTED.of()
    if header.serial != serial:
        return Sayings.ANOTHER_INSTRUMENT.of(serial=header.serial, here=serial)
    model = page.link.known.get("model", {}).get("record", {}).get("model", {})
    if not model:
        return Sayings.MODEL_UNKNOWN.of()
    return header.made_for_another(str(model.get("bundle")), str(model.get("product")))


async def _transfer(call: Call) -> Answer:
    return await call.page.reading.run(functools.partial(_read, call.page))


def _file(page: Page, name: str) -> bytes:
    """Of the last fit's folder. Raises Refused(404)."""
    store = SessionStore(page.state_dir)
    found = _last(store, store.read())
    try:
        if found is None:
            raise FileNotFoundError
        with (found[1] / name).open("rb") as stream:
            # Not so much room at once for a small file.
            return stream.read(min(_MOST_BYTES, os.fstat(stream.fileno()).st_size))
    except OSError:
        raise absent("no fit has left a report here") from None


def _picture(page: Page) -> str:
    try:
        told = json.loads(_file(page, FIGURES))["spectra"]
        given = (told[name] for name in ("axis", "source", "before"))
        axis, source, before = (np.asarray(values, np.float64) for values in given)
        later = (told[name] for name in ("after", "left_before", "left_after"))
        after, left_before, left_after = (
            None if values is None else np.asarray(values, np.float64) for values in later
        )
        figure = SpectraFigure(
            axis, source, before, after, left_before, left_after, str(told["how"])
        )
        return document(spectra_charts(figure))
    except (ValueError, KeyError, TypeError):
        raise absent("the last fit's figures cannot be read") from None


async def _svg(call: Call) -> Answer:
    drawn = await call.page.reading.run(functools.partial(_picture, call.page))
    return Response(drawn, media_type=_SVG)


async def _report(call: Call) -> Answer:
    page = await call.page.reading.run(functools.partial(_file, call.page, REPORT))
    return Response(page, media_type=_HTML, headers={"Content-Security-Policy": OF_REPORT})


ENDPOINTS = (
    Endpoint(
        "GET", "/transfer", "viewer", "the open transfer, and those kept", _transfer, TransferAnswer
    ),
    Endpoint(
        "GET",
        "/transfer/picture.svg",
        "viewer",
        "spectra before and after the last fit",
        _svg,
        _SVG,
        query=PictureQuery,
    ),
    Endpoint("GET", "/transfer/report", "viewer", "the last fit's report", _report, _HTML),
)
