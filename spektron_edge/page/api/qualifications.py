"""Reports of qualifications: what they came to, what they are worth now, and what is due."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import Annotated, Literal, cast

from pydantic import Field
from starlette.responses import Response

from spektron_edge.clock import Clock
from spektron_edge.faults import Faults
from spektron_edge.qualification.book import About, Book, BookStore, Kind, Run
from spektron_edge.qualification.controls import title
from spektron_edge.qualification.items import Overall
from spektron_edge.qualification.results import calibration_of
from spektron_edge.qualification.standing import InUse, Worth, due_s, standing, worth
from spektron_edge.roles import Meaning

from ..declaration import Answer, Call, Endpoint, Given, Told
from ..instrument_known import serial_of
from ..qualification_reports import Whole, document_of, page_of, seen
from ..report_policy import OF_REPORT
from ..services import Page

_HTML, _JSON = "text/html", "application/json"
_MOST_POINTS = 400


class CalibrationTold(Told):
    """What values come from: ids; null where none is in use."""

    bundle: str
    product: str
    transfer: str | None
    adaptation: str | None


class InUseTold(Told):
    """The instrument and what it predicts with now."""

    serial: str
    calibration: CalibrationTold


class SignatureTold(Told):
    """A person's signature on a report."""

    by: str
    meaning: Meaning
    utc: str


class QualificationTold(Told):
    """One that came to a report. utc: of its newest measurement; worth: for what is in use now;
    report: whether it is there as this device has signed it; other_key: it is as it was signed, and
    not with the key that this device has now."""

    number: int
    kind: Kind
    about: About
    utc: str
    verdict: Overall
    worth: Worth
    serial: str | None
    calibration: CalibrationTold | None
    signatures: tuple[SignatureTold, ...]
    report: Whole


class ScheduleTold(Told):
    """every_s: null for no schedule; standing: of what is in use now; due_utc: of the next
    performance qualification, null where none was done with it."""

    every_s: float | None
    standing: Literal["good", "due", "failed", "not_known", "no_schedule"]
    due_utc: str | None


class PointTold(Told):
    """A control sample's value in one qualification."""

    number: int
    utc: str
    value: float
    verdict: Overall


class TrendTold(Told):
    """A control sample over time, the oldest first. levels: limits of the newest of these reports:
    target_high, target_low, centre, sigma_high, sigma_low."""

    name: str
    property: str
    unit: str
    levels: dict[str, float]
    points: tuple[PointTold, ...]


class QualificationsAnswer(Told):
    """The newest first. broken_off: numbers of runs without a report; next: for `before`, where
    older ones follow."""

    in_use: InUseTold | None
    schedule: ScheduleTold
    qualifications: tuple[QualificationTold, ...]
    broken_off: tuple[int, ...]
    trends: tuple[TrendTold, ...]
    next: int | None


class QualificationsQuery(Given):
    """before: of the answer before this one."""

    before: Annotated[int, Field(ge=1, le=2**31)] | None = Field(
        None, description="only older ones: `next` of the answer before"
    )
    limit: int = Field(20, ge=1, le=50, description="qualifications at most")


class NumberPath(Given):
    """A qualification's number."""

    number: Annotated[int, Field(ge=1, le=2**31)]


def _in_use(page: Page) -> InUse | None:
    serial = serial_of(page)
    model = page.link.known.get("model", {}).get("record", {}).get("model")
    return None if serial is None or model is None else (serial, calibration_of(model))


def _utc(seconds: float) -> str:
    at = datetime.fromtimestamp(seconds, timezone.utc)
    return at.isoformat(timespec="seconds").replace("+00:00", "Z")


def _read(page: Page, query: QualificationsQuery) -> QualificationsAnswer:
    book, in_use = BookStore(page.state_dir).read(), _in_use(page)
    every_s, now_s = page.config().qualification.every_s, Clock().now().utc_s
    older = [r for r in reversed(book.runs) if query.before is None or r.number < query.before]
    shown = older[: query.limit]
    return QualificationsAnswer(
        in_use=None
        if in_use is None
        else InUseTold(serial=in_use[0], calibration=_calibration(in_use[1])),
        schedule=_schedule(book.runs, in_use, every_s, now_s),
        qualifications=tuple(
            _told(page, run, worth(run, book.runs, in_use, every_s, now_s)) for run in shown
        ),
        broken_off=_broken_off(book),
        trends=_trends(page, book.runs, None if in_use is None else in_use[0]),
        next=shown[-1].number if len(older) > len(shown) else None,
    )


def _broken_off(book: Book) -> tuple[int, ...]:
    left = set(range(1, book.next_number)) - {run.number for run in book.runs}
    return tuple(sorted(left))[-50:]


def _calibration(calibration: object) -> CalibrationTold:
    return CalibrationTold.model_validate(calibration, from_attributes=True)


def _told(page: Page, run: Run, worth_: Worth) -> QualificationTold:
    report = seen(page.state_dir, run.number)
    return QualificationTold(
        number=run.number,
        kind=run.kind,
        about=run.about,
        utc=_utc(run.utc_s),
        verdict=run.verdict,
        # What was changed shows nothing.
        worth="not_known" if worth_ == "holds" and report.whole != "whole" else worth_,
        serial=run.serial,
        calibration=None if run.calibration is None else _calibration(run.calibration),
        signatures=tuple(
            SignatureTold(by=s.by, meaning=s.meaning, utc=s.utc) for s in report.signatures
        ),
        report=report.whole,
    )


def _schedule(
    runs: Sequence[Run], in_use: InUse | None, every_s: float | None, now_s: float
) -> ScheduleTold:
    if every_s is None:
        return ScheduleTold(every_s=None, standing="no_schedule", due_utc=None)
    if in_use is None:
        return ScheduleTold(every_s=every_s, standing="not_known", due_utc=None)
    fault = standing(runs, *in_use, every_s, now_s)
    due = due_s(runs, *in_use, every_s, now_s)
    failed = fault is not None and fault.kind is Faults.QUALIFICATION_FAILED
    return ScheduleTold(
        every_s=every_s,
        standing="good" if fault is None else "failed" if failed else "due",
        due_utc=None if due is None else _utc(due),
    )


def _trends(page: Page, runs: Sequence[Run], serial: str | None) -> tuple[TrendTold, ...]:
    """Of the instrument that is in use, else of the last one that had a control sample."""
    having = [run for run in runs if run.controls]
    if not having:
        return ()
    serial = serial or having[-1].serial
    found: dict[tuple[str, str, str], list[PointTold]] = {}
    for run in having:
        for one in run.controls if run.serial == serial else ():
            point = PointTold(
                number=run.number, utc=_utc(run.utc_s), value=one.value, verdict=run.verdict
            )
            found.setdefault((one.name, one.property, one.unit), []).append(point)
    return tuple(
        TrendTold(
            name=name,
            property=property_,
            unit=unit,
            levels=seen(page.state_dir, points[-1].number).levels.get(title(name, property_), {}),
            points=tuple(points[-_MOST_POINTS:]),
        )
        for (name, property_, unit), points in found.items()
    )


async def _qualifications(call: Call) -> Answer:
    query = cast(QualificationsQuery, call.query)
    return await call.page.reading.run(functools.partial(_read, call.page, query))


async def _sent(call: Call, kind: str, made: Callable[[Path, int], tuple[bytes, str]]) -> Answer:
    number = cast(NumberPath, call.path).number
    read = functools.partial(made, call.page.state_dir, number)
    data, name = await call.page.reading.run(read)
    headers = {
        "Content-Security-Policy": OF_REPORT,
        "Content-Disposition": f'attachment; filename="{name}"',
    }
    return Response(data, media_type=kind, headers=headers)


async def _page(call: Call) -> Answer:
    return await _sent(call, _HTML, page_of)


async def _document(call: Call) -> Answer:
    return await _sent(call, _JSON, document_of)


ENDPOINTS = (
    Endpoint(
        "GET",
        "/qualifications",
        "viewer",
        "reports of qualifications, what they are worth now, and what is due",
        _qualifications,
        QualificationsAnswer,
        query=QualificationsQuery,
    ),
    Endpoint(
        "GET",
        "/qualifications/{number}/report.html",
        "viewer",
        "a report as a page, verified first",
        _page,
        _HTML,
        parameters=NumberPath,
    ),
    Endpoint(
        "GET",
        "/qualifications/{number}/report.json",
        "viewer",
        "the same as it was signed",
        _document,
        _JSON,
        parameters=NumberPath,
    ),
)
