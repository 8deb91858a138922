"""Predictions that were made: curves, records, and a table of them for a spreadsheet."""

from __future__ import annotations

import functools
from collections.abc import AsyncIterator
from typing import Annotated, Any, cast

from pydantic import Field
from starlette.responses import StreamingResponse

from .. import csv_lines
from ..declaration import Answer, Call, Endpoint, Told
from ..services import Page
from ..stored import curve, predictions, properties
from ..thinning import thinned
from .given import RecordId, SpanQuery

_CSV = "text/csv"
_ROWS = 500


class HistoryQuery(SpanQuery):
    """points: bins at most."""

    property_: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,63}$")] = Field(
        alias="property", description="name of what is predicted"
    )
    points: int = Field(600, ge=1, le=5000, description="bins at most")


class Limits(Told):
    """Least and most that the bundle in use was calibrated for; null where it says nothing."""

    calibrated_min: float | None
    calibrated_max: float | None


class History(Told):
    """Columns of equal length, the oldest first. Each place is a bin of equal time: value, low and
    high are middle values, least and most the extremes; valid: whether all in it are."""

    property: str
    unit: str
    utc: tuple[str, ...]
    value: tuple[float | None, ...]
    low: tuple[float | None, ...]
    high: tuple[float | None, ...]
    least: tuple[float | None, ...]
    most: tuple[float | None, ...]
    valid: tuple[bool, ...]
    limits: Limits


class RecordsQuery(SpanQuery):
    """after: of the answer before this one."""

    limit: int = Field(100, ge=1, le=500, description="records at most")
    after: RecordId | None = Field(None, description="only older ones: `next` of the answer before")


class Records(Told):
    """Predictions as they were published, the newest first. next: where older ones follow."""

    records: tuple[dict[str, Any], ...]
    next: str | None


async def _history(call: Call) -> Answer:
    page, query = call.page, cast(HistoryQuery, call.query)
    name = query.property_

    def read() -> History:
        found = curve(page.state_dir, name, *query.ids)
        bins = thinned(found.points, query.points)
        least, most = page.sources.range_of(page.config(), name) or (None, None)
        return History(
            property=name,
            unit=found.unit,
            utc=tuple(b.utc for b in bins),
            value=tuple(b.value for b in bins),
            low=tuple(b.low for b in bins),
            high=tuple(b.high for b in bins),
            least=tuple(b.least for b in bins),
            most=tuple(b.most for b in bins),
            valid=tuple(b.valid for b in bins),
            limits=Limits(calibrated_min=least, calibrated_max=most),
        )

    return await page.surveying.run(read)


async def _records(call: Call) -> Answer:
    page, query = call.page, cast(RecordsQuery, call.query)
    first, last = query.ids
    # With `after` itself, and one more to see whether more follow.
    asked = query.limit + 2
    if query.after is not None:
        last = min(last, query.after)
    found = await page.reading.run(
        functools.partial(predictions, page.state_dir, first, last, asked, newest_first=True)
    )
    rest = [record for record in found if record["id"] != query.after]
    told = tuple(rest[: query.limit])
    return Records(records=told, next=told[-1]["id"] if len(rest) > len(told) else None)


async def _csv(call: Call) -> Answer:
    page, query = call.page, cast(SpanQuery, call.query)
    first, last = query.ids
    names = await page.surveying.run(functools.partial(properties, page.state_dir, first, last))
    await page.notes.seen("exported", call.who.user, {"what": "records", **_told(query)})
    headers = {"Content-Disposition": 'attachment; filename="records.csv"'}
    rows = _rows(page, names, first, last)
    return StreamingResponse(rows, media_type=f"{_CSV}; charset=utf-8", headers=headers)


def _told(query: SpanQuery) -> dict[str, str | int | bool | None]:
    ends = {"from": query.since, "to": query.until}
    return {name: None if end is None else end.isoformat() for name, end in ends.items()}


async def _rows(page: Page, names: tuple[str, ...], first: str, last: str) -> AsyncIterator[str]:
    """The database is open for a part at a time: it does not grow while a slow browser reads."""
    yield csv_lines.head(names)
    done = ""
    while True:
        read = functools.partial(
            predictions, page.state_dir, first, last, _ROWS, newest_first=False
        )
        found = [record for record in await page.reading.patiently(read) if record["id"] != done]
        if not found:
            return
        yield csv_lines.lines(found, names)
        first = done = str(found[-1]["id"])


ENDPOINTS = (
    Endpoint(
        "GET",
        "/history",
        "viewer",
        "a property over time, thinned",
        _history,
        History,
        query=HistoryQuery,
    ),
    Endpoint(
        "GET",
        "/records",
        "viewer",
        "predictions, the newest first",
        _records,
        Records,
        query=RecordsQuery,
    ),
    Endpoint(
        "GET",
        "/records.csv",
        "operator",
        "predictions as a table (RFC 4180)",
        _csv,
        _CSV,
        query=SpanQuery,
    ),
)
