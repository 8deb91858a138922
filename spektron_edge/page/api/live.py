"""What is so now: the last of everything, a stream of what follows, and the axis."""

from __future__ import annotations

import base64
import binascii
import functools
from collections.abc import AsyncIterator
from typing import Any, cast

import numpy as np
from pydantic import Field
from starlette.responses import StreamingResponse

from spektron_edge.outbox.questions import last_prediction

from ..declaration import Answer, Call, Endpoint, Given, Told
from ..link import utc_now

_EVENT_STREAM = "text/event-stream"


class Connection(Told):
    """Whether the daemon is there and says something, and since when that is so; silent: it is
    there, and has said nothing for a quarter of a minute."""

    door: bool
    silent: bool
    since: str


class FaultAnswer(Told):
    """A fault that goes on."""

    code: str
    message: str
    next_step: str | None
    level: str
    since_utc: str | None


class References(Told):
    """Ages of dark and white at the last scan, in seconds; null: unknown or none."""

    dark_age_s: float | None
    white_age_s: float | None
    white_temperature_c: float | None
    of_scan_utc: str | None


class Now(Told):
    """state, model, prediction: records of docs/payloads.md, null where none is known; utc: the
    device's clock at the answer."""

    utc: str
    connection: Connection
    state: dict[str, Any] | None
    model: dict[str, Any] | None
    prediction: dict[str, Any] | None
    faults: tuple[FaultAnswer, ...]
    reference: References


class MeanOf(Told):
    """How many spectra of which bundle."""

    spectra: int
    bundle: str


class AxisAnswer(Told):
    """Wavelengths of the instrument, and the mean absorbance of the calibration's spectra there;
    null outside these, and where the bundle has none."""

    id: str | None
    unit: str = "nm"
    values: tuple[float, ...]
    mean: tuple[float | None, ...] | None
    mean_of: MeanOf | None


class LiveQuery(Given):
    """spectra: most per second; 0: none."""

    spectra: float = Field(10.0, ge=0, le=10, description="spectra a second at most; 0: none")


async def _now(call: Call) -> Answer:
    link = call.page.link
    prediction = _record(call, "prediction")
    if prediction is None:
        read = functools.partial(last_prediction, call.page.state_dir)
        prediction = await call.page.reading.run(read)
    scan = (prediction or {}).get("scan", {})
    faults = link.known.get("faults", {}).get("faults", ())
    return Now(
        utc=utc_now(),
        connection=Connection.model_validate(link.connection),
        state=_record(call, "state"),
        model=_record(call, "model"),
        prediction=prediction,
        faults=tuple(FaultAnswer.model_validate(fault) for fault in faults),
        reference=References(
            dark_age_s=scan.get("dark_age_s"),
            white_age_s=scan.get("white_age_s"),
            white_temperature_c=scan.get("white_temperature_c"),
            of_scan_utc=(prediction or {}).get("time", {}).get("utc"),
        ),
    )


def _record(call: Call, kind: str) -> dict[str, Any] | None:
    known = call.page.link.known.get(kind)
    return None if known is None else cast("dict[str, Any]", known["record"])


async def _live(call: Call) -> Answer:
    page, session = call.page, call.who
    query = cast(LiveQuery, call.query)
    stream = page.link.listen(query.spectra)

    def holds() -> bool:
        held = page.sessions.holds(session, page.users.read().find)
        if held:
            page.sessions.touch(session, acts=False)
        return held

    async def chunks() -> AsyncIterator[bytes]:
        try:
            async for chunk in stream.chunks(holds):
                yield chunk
        finally:
            page.link.streams.discard(stream)

    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return StreamingResponse(chunks(), media_type=_EVENT_STREAM, headers=headers)


async def _axis(call: Call) -> Answer:
    known = call.page.link.known.get("axis")
    values = np.zeros(0)
    if known is not None:
        try:
            values = np.frombuffer(base64.b64decode(known["values"], validate=True), "<f8")
        except (binascii.Error, ValueError, TypeError):
            known = None
    mean = None
    if known is not None:
        config = await call.page.reading.run(call.page.config)
        of = functools.partial(call.page.sources.mean_on, config, values)
        mean = await call.page.reading.run(of)
    return AxisAnswer(
        id=None if known is None else str(known["id"]),
        values=tuple(values.tolist()),
        mean=None if mean is None else mean.values,
        mean_of=None if mean is None else MeanOf(spectra=mean.spectra, bundle=mean.bundle),
    )


ENDPOINTS = (
    Endpoint("GET", "/now", "viewer", "the last of everything that is known", _now, Now),
    Endpoint(
        "GET",
        "/live",
        "viewer",
        "server-sent events: `prediction`, `event`, `state`, `model`, `spectrum`, `axis`, "
        "`faults`, `connection`, `answer`",
        _live,
        _EVENT_STREAM,
        query=LiveQuery,
    ),
    Endpoint("GET", "/axis", "viewer", "the instrument's wavelengths", _axis, AxisAnswer),
)
