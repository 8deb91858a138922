"""Spectra that this process has seen, as JCAMP-DX."""

from __future__ import annotations

import functools
from collections.abc import AsyncIterator, Mapping
from typing import Any, cast

from starlette.responses import Response, StreamingResponse

from spektron_edge.spectra.jcamp_dx import Spectrum, block, compound

from ..declaration import Answer, Call, Endpoint, Given, Told
from ..errors import Refused, absent
from ..seen_spectra import quantity_of, spectrum_of
from ..services import Page
from .given import RecordId

_JDX = "chemical/x-jcamp-dx"


class SpectrumTold(Told):
    """record: the prediction that was made of it; quantity: what is exported, `absorbance` or
    `counts`; exportable: whether its wavelengths are known."""

    record: str
    scan: int
    boot_id: int
    serial: str
    utc: str
    quantity: str
    exportable: bool


class SpectraAnswer(Told):
    """The newest first."""

    spectra: tuple[SpectrumTold, ...]


class RecordPath(Given):
    """A prediction's id."""

    record: RecordId


def _axis(call: Call) -> Mapping[str, Any] | None:
    return call.page.link.known.get("axis")


async def _spectra(call: Call) -> Answer:
    axis = (_axis(call) or {}).get("id")
    told = [
        SpectrumTold(
            record=seen["record"],
            scan=seen["scan"],
            boot_id=seen["boot_id"],
            serial=seen["serial"],
            utc=seen["utc"],
            quantity=quantity_of(seen),
            exportable=axis is not None and seen.get("axis") == axis,
        )
        for seen in reversed(call.page.link.spectra.values())
    ]
    return SpectraAnswer(spectra=tuple(told))


async def _one(call: Call) -> Answer:
    record = cast(RecordPath, call.path).record
    seen = call.page.link.spectra.get(record)
    if seen is None:
        raise absent("the page has not seen this spectrum, or not lately")
    spectrum = spectrum_of(seen, _axis(call))
    text = await call.page.reading.run(functools.partial(block, spectrum))
    await call.page.notes.seen("exported", call.who.user, {"what": "spectrum", "record": record})
    return Response(text, media_type=_JDX, headers=_saved_as(f"{record}.jdx"))


async def _all(call: Call) -> Answer:
    axis, found = _axis(call), list[Spectrum]()
    for seen in call.page.link.spectra.values():
        try:
            found.append(spectrum_of(seen, axis))
        except Refused:  # noqa: PERF203  `exportable` has told so
            continue
    if not found:
        raise absent("the page has seen no spectrum that can be exported")
    await call.page.notes.seen(
        "exported", call.who.user, {"what": "spectra", "spectra": len(found)}
    )
    headers = _saved_as("spectra.jdx")
    return StreamingResponse(_parts(call.page, found), media_type=_JDX, headers=headers)


async def _parts(page: Page, spectra: list[Spectrum]) -> AsyncIterator[str]:
    """One spectrum's text at a time is in memory."""
    first = spectra[0]
    blocks = (block(spectrum, number) for number, spectrum in enumerate(spectra, start=1))
    title = f"{first.origin}: {len(spectra)} spectra"
    parts = compound(title, first.origin, first.owner, blocks, len(spectra))
    while part := await page.reading.patiently(functools.partial(next, parts, "")):
        yield part


def _saved_as(name: str) -> dict[str, str]:
    return {"Content-Disposition": f'attachment; filename="{name}"'}


ENDPOINTS = (
    Endpoint(
        "GET",
        "/spectra",
        "operator",
        "spectra that this process has seen and still has, 200 at most",
        _spectra,
        SpectraAnswer,
    ),
    Endpoint(
        "GET",
        "/spectra/{record}.jdx",
        "operator",
        "one of them as JCAMP-DX 5.01",
        _one,
        _JDX,
        parameters=RecordPath,
    ),
    Endpoint("GET", "/spectra.jdx", "operator", "all of them as one JCAMP-DX file", _all, _JDX),
)
