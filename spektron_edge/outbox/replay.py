"""Requests to send acknowledged records again, left in the state folder for the daemon.

The database belongs to one process. A request is a line in a ledger, so it is taken up whether the
daemon runs or starts later, and who asked stands in the audit log.
"""

from __future__ import annotations

from pathlib import Path

from spektron_edge.faults import Fault, Faults
from spektron_edge.files.ledger import Action, Ledger, Noted, noted, told

from .errors import OutboxError
from .schema import SCHEMA_VERSION, SENT
from .span import Span
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

    Raises OutboxError, UnknownRecordError.
    """
    with reading(database) as db:
        (version,) = db.execute("PRAGMA user_version").fetchone()
        if version != SCHEMA_VERSION:
            raise OutboxError(
                f"{database} has schema {version}, not {SCHEMA_VERSION}: start the daemon once"
            )
        where, values = span.condition(db)
        found = f"FROM record WHERE state = {SENT} AND {where}"
        count, size = db.execute(f"SELECT COUNT(*), TOTAL(size) {found}", values).fetchone()
        ends: list[str | None] = []
        for order in ("ASC", "DESC"):
            row = db.execute(f"SELECT id {found} ORDER BY position {order} LIMIT 1", values)
            ends.append(next((record_id for (record_id,) in row), None))
    return {"records": count, "bytes": int(size), "first": ends[0], "last": ends[1]}
