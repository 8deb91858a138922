"""The audit log: its lines, and whether its chain holds."""

from __future__ import annotations

import functools
from typing import Annotated, Any, cast

from pydantic import Field, StringConstraints

from spektron_edge.files.audit import AuditError
from spektron_edge.files.audit_segments import check
from spektron_edge.files.audit_tail import Line, newest
from spektron_edge.files.state_folder import AUDIT_FILE, storage_fault
from spektron_edge.said import Sayings

from ..declaration import Answer, Call, Endpoint, Given, Told
from ..reasons import Reason, read_reasons, reason
from ..services import Page

_UNREADABLE = "unreadable"


class AuditLine(Told):
    """who did what and when. head: SHA-256 of the line, which the next one names; a line that
    cannot be read has no number and is called `unreadable`."""

    number: int | None
    utc: str | None
    who: str
    what: str
    details: dict[str, Any]
    head: str


class AuditAnswer(Told):
    """The newest first. next: for `before`, where older lines follow."""

    lines: tuple[AuditLine, ...]
    next: int | None


class AuditQuery(Given):
    """before: of the answer before this one."""

    before: Annotated[int, Field(ge=1, le=2**53)] | None = Field(
        None, description="only older lines: `next` of the answer before"
    )
    limit: int = Field(100, ge=1, le=500, description="lines at most")


class VerifyQuery(Given):
    """head: that was published; else the one of the last state."""

    head: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")] | None = Field(
        None, description="`audit_head` of a state; the last one that is known without it"
    )


class Verified(Told):
    """holds: every line follows the one before it, and the published head is among them; lines and
    head are null where that cannot be said."""

    holds: bool
    lines: int | None
    head: str | None
    reasons: tuple[Reason, ...]
    published_head: str | None


def _line(line: Line) -> AuditLine:
    entry = line.entry
    details = entry.get("details")
    return AuditLine(
        number=line.number,
        utc=entry["utc"] if isinstance(entry.get("utc"), str) else None,
        who=str(entry.get("who", "")),
        what=str(entry.get("what", _UNREADABLE)),
        details=details if isinstance(details, dict) else {},
        head=line.head,
    )


def _read(page: Page, query: AuditQuery) -> AuditAnswer:
    path = page.state_dir / AUDIT_FILE
    try:
        found = newest(path, query.limit, query.before)
    except FileNotFoundError:
        found = []
    except OSError as error:
        raise storage_fault(error, path) from None
    full = len(found) == query.limit
    # A line that cannot be read has no number, and hides nothing that is older.
    last = next((line.number for line in reversed(found) if line.number), None) if full else None
    more = last if last is not None and last > 1 else None
    return AuditAnswer(lines=tuple(_line(line) for line in found), next=more)


def _verify(page: Page, head: str | None) -> Verified:
    path = page.state_dir / AUDIT_FILE
    failed: dict[str, Any] = {"holds": False, "lines": None, "head": None, "published_head": head}
    try:
        whole = check(path, head, None)
    except AuditError as error:
        return Verified(**failed, reasons=read_reasons((str(error),)))
    except FileNotFoundError:
        return Verified(**failed, reasons=(reason(Sayings.NO_LOG.of(path=str(path))),))
    except OSError as error:
        raise storage_fault(error, path) from None
    chain, told = whole.chain, [Sayings.CHAIN_HOLDS.of()]
    if whole.first > 1:
        told = [Sayings.FROM_LINE.of(line=whole.first)]
    if head is not None:
        behind = chain.lines - (whole.found or 0)
        told.append(Sayings.HEAD_AT.of(line=whole.found or 0, behind=behind))
    if chain.torn:
        told.append(Sayings.LAST_UNFINISHED.of())
    if aside := sorted(other.name for other in path.parent.glob(f"{path.name}.*")):
        told.append(Sayings.SET_ASIDE.of(files=", ".join(aside)))
    return Verified(
        holds=True,
        lines=chain.lines,
        head=chain.head,
        reasons=tuple(map(reason, told)),
        published_head=head,
    )


async def _audit(call: Call) -> Answer:
    query = cast(AuditQuery, call.query)
    return await call.page.reading.run(functools.partial(_read, call.page, query))


async def _verified(call: Call) -> Answer:
    head = cast(VerifyQuery, call.query).head
    if head is None:
        known = call.page.link.known.get("state", {}).get("record", {})
        head = known.get("audit_head")
    return await call.page.surveying.run(functools.partial(_verify, call.page, head))


ENDPOINTS = (
    Endpoint(
        "GET",
        "/audit",
        "viewer",
        "lines of the audit log, the newest first",
        _audit,
        AuditAnswer,
        query=AuditQuery,
    ),
    Endpoint(
        "GET",
        "/audit/verify",
        "viewer",
        "whether the chain holds, with a published head in it",
        _verified,
        Verified,
        query=VerifyQuery,
    ),
)
