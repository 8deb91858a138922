"""Questions to an outbox that a daemon may have open, from other processes. Read only."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from spektron_edge.faults import Fault, Faults
from spektron_edge.files.state_folder import OUTBOX_FILE

from .errors import OutboxDamagedError, OutboxError
from .store import reading


def asked_of(state_dir: Path, sql: str, values: tuple[object, ...]) -> Iterator[tuple[Any, ...]]:
    """Rows; none before the daemon has made the database.

    Raises Fault(STATE_DAMAGED, STATE_UNWRITABLE).
    """
    path = state_dir / OUTBOX_FILE
    if not path.exists():
        return
    try:
        with reading(path) as db:
            yield from db.execute(sql, values)
    except OutboxDamagedError as error:
        raise Fault(Faults.STATE_DAMAGED, str(error)) from None
    except OutboxError as error:
        raise Fault(Faults.STATE_UNWRITABLE, str(error)) from None


def latest_events(state_dir: Path, limit: int, codes: Sequence[str] = ()) -> list[dict[str, Any]]:
    """At most so many that are stored, the newest first; codes: only these, if there are any.

    Raises Fault as `asked_of`.
    """
    chosen = f"AND json_extract(doc, '$.code') IN ({', '.join('?' * len(codes))}) " if codes else ""
    sql = (
        "SELECT doc FROM (SELECT position, CAST(payload AS TEXT) AS doc FROM record "  # noqa: S608
        f"WHERE kind = 'event') WHERE json_valid(doc) {chosen}ORDER BY position DESC LIMIT ?"
    )
    return [json.loads(doc) for (doc,) in asked_of(state_dir, sql, (*codes, limit))]


def last_prediction(state_dir: Path) -> dict[str, Any] | None:
    """The newest that was stored; None where there is none, or it cannot be read."""
    try:
        with reading(state_dir / OUTBOX_FILE) as db:
            rows = db.execute(
                "SELECT payload FROM record WHERE kind = 'prediction' "
                "ORDER BY position DESC LIMIT 1"
            )
            for (payload,) in rows:
                found: dict[str, Any] = json.loads(payload)
                return found
    except (OutboxError, ValueError):
        pass
    return None
