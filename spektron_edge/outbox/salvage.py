"""What a damaged database still gives.

Pages are read from both ends up to the damage. Only whole records that were not acknowledged are
taken: the checksum has to fit, or the id that the payload names where there is none.
"""

from __future__ import annotations

import contextlib
import json
import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from .errors import TROUBLE
from .outgoing import Outgoing, RecordKind
from .schema import AGAIN, REFUSED, SENT, UNSENT

_ROWS = (
    "SELECT position, id, kind, payload, state, reason, {crc} FROM record NOT INDEXED "  # noqa: S608
    f"WHERE state NOT IN ({SENT}, {AGAIN}) ORDER BY rowid"
)
# What is beyond was never given by SQLite, and leaves it no room for others.
_MOST_POSITION = 2**53
_Row = tuple[int, str, str, bytes, int, "str | None", int, int]
_SMALL: dict[str, tuple[type, ...]] = {
    "progress": (str, int, int),
    "command_counter": (str, int),
    "total": (str, int),
}


@dataclass(frozen=True)
class Salvaged:
    """aside: where the damaged file lies now; records: unsent and refused ones taken over."""

    aside: Path
    records: int


def salvage(aside: Path, db: sqlite3.Connection, step: Callable[[], None]) -> Salvaged:
    """Copy what can be read into the new database, inside a transaction.

    step: called for every record that was read. Raises sqlite3.Error where the new one does not
    take it.
    """
    before = db.total_changes
    with contextlib.closing(_read_only(aside)) as old:
        db.executemany(
            "INSERT OR IGNORE INTO record (position, id, kind, payload, state, reason, crc, size) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            _told(_records(old), step),
        )
        records = db.total_changes - before
        for table, types in _SMALL.items():
            marks = ", ".join("?" * len(types))
            db.executemany(
                f"INSERT OR REPLACE INTO {table} VALUES ({marks})",  # noqa: S608
                (row for row in _until_damage(old, f"SELECT * FROM {table}") if _fits(row, types)),  # noqa: S608
            )
    return Salvaged(aside, records)


def _told(rows: Iterator[_Row], step: Callable[[], None]) -> Iterator[_Row]:
    for row in rows:
        step()
        yield row


def _records(old: sqlite3.Connection) -> Iterator[_Row]:
    """Those before the damage, and those behind it, one at a time: there may be many."""
    columns = {name for (_, name, *_) in _until_damage(old, "PRAGMA table_info(record)")}
    sql = _ROWS.format(crc="crc" if "crc" in columns else "NULL")
    reached = 0
    for row in _until_damage(old, f"{sql} ASC"):
        if (whole := _whole(row)) is not None:
            reached = whole[0]
            yield whole
    for row in _until_damage(old, f"{sql} DESC"):
        if (whole := _whole(row)) is not None:
            if whole[0] <= reached:
                break
            yield whole


def _read_only(path: Path) -> sqlite3.Connection:
    db = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)
    db.text_factory = lambda raw: raw.decode(errors="replace")
    return db


def _until_damage(db: sqlite3.Connection, sql: str) -> Iterator[tuple[object, ...]]:
    with contextlib.suppress(*TROUBLE):
        yield from db.execute(sql)


def _fits(row: tuple[object, ...], types: tuple[type, ...]) -> bool:
    return tuple(map(type, row)) == types


def _whole(row: tuple[object, ...]) -> _Row | None:
    position, record_id, kind, payload, state, reason, crc = row
    if not (isinstance(record_id, str) and isinstance(kind, str) and isinstance(payload, bytes)):
        return None
    if state not in (UNSENT, REFUSED) or not isinstance(reason, str | None):
        return None
    if not (isinstance(position, int) and 0 < position < _MOST_POSITION):
        return None
    # `kind` is one that was written, or the checksum does not fit.
    record = Outgoing(record_id, cast(RecordKind, kind), payload)
    if crc != record.crc and not (crc is None and _names(payload, record_id)):
        return None
    state = REFUSED if state == REFUSED else UNSENT
    return position, record_id, kind, payload, state, reason, record.crc, len(payload)


def _names(payload: bytes, record_id: str) -> bool:
    try:
        return bool(json.loads(payload)["id"] == record_id)
    except (ValueError, KeyError, TypeError, RecursionError):
        return False
