"""What is dropped, in which order and why. Docs: docs/outbox.md."""

from __future__ import annotations

import math
import sqlite3
from collections import Counter
from dataclasses import dataclass
from typing import Literal

from .schema import AGAIN, REFUSED, SENT, UNSENT

Cause = Literal["full", "old", "refused"]
CAUSES: tuple[Cause, ...] = ("full", "old", "refused")

_ACKNOWLEDGED = f"state IN ({SENT}, {AGAIN})"
_NOT_ACKNOWLEDGED = f"state IN ({UNSENT}, {REFUSED})"
_REFUSED = f"state = {REFUSED}"


@dataclass(frozen=True)
class Limits:
    """Caps in bytes of payload and in seconds of the outbox's clock.

    max_bytes: of everything; max_age_s: of what is not acknowledged, since its commit;
    keep_sent_bytes, keep_sent_s: of what is, since its acknowledgement; keep_refused_bytes: of what
    the broker refuses.
    """

    max_bytes: float
    keep_sent_bytes: float
    keep_refused_bytes: float = math.inf
    max_age_s: float = math.inf
    keep_sent_s: float = math.inf


def apply(db: sqlite3.Connection, limits: Limits, now_s: int) -> Counter[str]:
    """Bring the outbox under its caps, inside a transaction; how many were dropped, by cause.

    What is acknowledged goes without being counted: the broker has it.
    """
    dropped: Counter[str] = Counter()
    dropped["old"] = _drop_old(db, _NOT_ACKNOWLEDGED, "stored_s", now_s - limits.max_age_s)
    _drop_old(db, _ACKNOWLEDGED, "settled_s", now_s - limits.keep_sent_s)
    dropped["refused"] = _drop_first(db, _REFUSED, limits.keep_refused_bytes)
    dropped["full"] = _drop_first(db, _NOT_ACKNOWLEDGED, limits.max_bytes)
    room = limits.max_bytes - _size(db, _NOT_ACKNOWLEDGED)
    _drop_first(db, _ACKNOWLEDGED, min(limits.keep_sent_bytes, room))
    db.executemany(
        "INSERT INTO total VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET "
        "value = value + excluded.value",
        [(f"dropped_{cause}", count) for cause, count in (+dropped).items()],
    )
    return +dropped


def _size(db: sqlite3.Connection, which: str) -> int:
    # `which` is one of the constants above, here and below.
    (size,) = db.execute(f"SELECT TOTAL(size) FROM record WHERE {which}").fetchone()  # noqa: S608
    return int(size)


def _drop_old(db: sqlite3.Connection, which: str, since: str, before_s: float) -> int:
    if math.isinf(before_s):
        return 0
    done = db.execute(f"DELETE FROM record WHERE {which} AND {since} < ?", (before_s,))  # noqa: S608
    return done.rowcount


def _drop_first(db: sqlite3.Connection, which: str, room: float) -> int:
    """The first in the order of commits, until the rest has room."""
    excess = _size(db, which) - room
    doomed = []
    if excess > 0:
        rows = db.execute(f"SELECT position, size FROM record WHERE {which} ORDER BY position")  # noqa: S608
        for position, size in rows:
            if excess <= 0:
                break
            doomed.append((position,))
            excess -= size
    db.executemany("DELETE FROM record WHERE position = ?", doomed)
    return len(doomed)
