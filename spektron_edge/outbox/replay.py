"""Requests to send acknowledged records again, left in the state folder for the daemon.

The database belongs to one process. A request is a line in a ledger, so it is taken up whether the
daemon runs or starts later, and who asked stands in the audit log.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path

from spektron_edge.faults import Fault, Faults
from spektron_edge.files.ledger import Action, Ledger, Noted, noted, told

from .schema import SCHEMA_VERSION, SENT
from .span import Span, SpanError
from .store import reading

FOLDER = "replay"
_MOST = 32


class Replays(Noted):
    """Spans that the daemon has not taken up."""

    waiting: tuple[Span, ...] = ()


def replays(state_dir: Path) -> Ledger[Replays]:
    """The ledger of a state folder."""
    return Ledger(state_dir / FOLDER / "requests.json", Replays())


def ask(state_dir: Path, span: Span, who: str) -> None:
    """Leave a request. Raises Fault(REPLAY_REFUSED, STATE_UNWRITABLE, DISK_FULL, STATE_DAMAGED)."""

    def added(before: Replays) -> Replays:
        if len(before.waiting) >= _MOST:
            detail = f"{_MOST} requests wait already; start the daemon, which takes them up"
            raise Fault(Faults.REPLAY_REFUSED, detail)
        action = Action(what="replay_requested", who=who, details=span.model_dump())
        after = before.model_copy(update={"waiting": (*before.waiting, span)})
        return noted(after, action)

    replays(state_dir).update(added)


def taken_up(ledger: Ledger[Replays], spans: int, actions: int) -> None:
    """The first ones wait no longer, and the audit log has what was done."""
    ledger.update(
        lambda now: told(now, actions).model_copy(update={"waiting": now.waiting[spans:]})
    )


def matching(database: Path, span: Span) -> dict[str, object]:
    """What a replay would send: how many records and bytes, and the first and the last id.

    Raises SpanError, OutboxDamagedError, OutboxError.
    """
    with reading(database) as db:
        (version,) = db.execute("PRAGMA user_version").fetchone()
        if version != SCHEMA_VERSION:
            raise SpanError(
                f"{database} has schema {version}, not {SCHEMA_VERSION}: start the daemon once"
            )
        where, values = span.condition(db)
        found = f"FROM record WHERE state = {SENT} AND {where}"
        count, size = db.execute(f"SELECT COUNT(*), TOTAL(size) {found}", values).fetchone()
        first, last = _ends(db, found, values)
        report = {"records": count, "bytes": int(size), "first": first, "last": last}
        if not count:
            held = _ends(db, f"FROM record WHERE state = {SENT}", ())
            report["next"] = "none of the records that were acknowledged is in this span: " + (
                "there are none" if held[0] is None else f"they go from {held[0]} to {held[1]}"
            )
    return report


def _ends(
    db: sqlite3.Connection, found: str, values: tuple[object, ...]
) -> tuple[str | None, str | None]:
    """Ids of the first and the last record."""
    ends: list[str | None] = []
    for order in ("ASC", "DESC"):
        # `found` is made here, of constants.
        row = db.execute(f"SELECT id {found} ORDER BY position {order} LIMIT 1", values)
        ends.append(next((record_id for (record_id,) in row), None))
    return ends[0], ends[1]
