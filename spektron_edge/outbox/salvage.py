"""What a damaged database still gives.

Pages are read from both ends up to the damage. Only whole records that were not acknowledged are
taken: the checksum has to fit, or the id that the payload names where there is none.
"""

from __future__ import annotations

import contextlib
import json
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from .outgoing import Outgoing, RecordKind
from .schema import AGAIN, REFUSED, SENT, UNSENT

_ROWS = (
    "SELECT id, kind, payload, state, reason, {crc}, position FROM record NOT INDEXED "  # noqa: S608
    f"WHERE state NOT IN ({SENT}, {AGAIN}) ORDER BY rowid"
)
_Row = tuple[str, str, bytes, int, "str | None", int]
_SMALL = {
    "progress": (str, int, int),
    "command_counter": (str, int),
    "total": (str, int),
}


@dataclass(frozen=True)
class Salvaged:
    """aside: where the damaged file lies now; records: unsent and refused ones that were read."""

    aside: Path
    records: int


def salvage(aside: Path, db: sqlite3.Connection) -> Salvaged:
    """Copy what can be read into the new database, inside a transaction.

    Raises sqlite3.Error where the new one does not take it.
    """
    rows: dict[int, _Row] = {}
    small: dict[str, list[tuple[object, ...]]] = {}
    with contextlib.suppress(sqlite3.Error), contextlib.closing(_read_only(aside)) as old:
        (version,) = old.execute("PRAGMA user_version").fetchone()
        sql = _ROWS.format(crc="crc" if version > 1 else "NULL")
        for direction in ("ASC", "DESC"):
            for *row, position in _until_damage(old, f"{sql} {direction}"):
                if isinstance(position, int) and (whole := _whole(row)) is not None:
                    rows[position] = whole
        for table, types in _SMALL.items():
            small[table] = [
                row
                for row in _until_damage(old, f"SELECT * FROM {table}")  # noqa: S608
                if tuple(map(type, row)) == types
            ]
    before = db.total_changes
    db.executemany(
        "INSERT OR IGNORE INTO record (id, kind, payload, state, reason, crc, size) "
        "VALUES (?, ?, ?, ?, ?, ?, ?)",
        [(*rows[position], len(rows[position][2])) for position in sorted(rows)],
    )
    records = db.total_changes - before
    for table, found in small.items():
        marks = ", ".join("?" * len(_SMALL[table]))
        db.executemany(f"INSERT OR REPLACE INTO {table} VALUES ({marks})", found)  # noqa: S608
    return Salvaged(aside, records)


def _read_only(path: Path) -> sqlite3.Connection:
    db = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)
    db.text_factory = lambda raw: raw.decode(errors="replace")
    return db


def _until_damage(db: sqlite3.Connection, sql: str) -> Iterator[tuple[object, ...]]:
    with contextlib.suppress(sqlite3.Error):
        yield from db.execute(sql)


def _whole(row: list[object]) -> _Row | None:
    record_id, kind, payload, state, reason, crc = row
    if not (isinstance(record_id, str) and isinstance(kind, str) and isinstance(payload, bytes)):
        return None
    if state not in (UNSENT, REFUSED) or not isinstance(reason, str | None):
        return None
    # `kind` is one that was written, or the checksum does not fit.
    record = Outgoing(record_id, cast(RecordKind, kind), payload)
    if crc != record.crc and not (crc is None and _names(payload, record_id)):
        return None
    return record_id, kind, payload, int(state == REFUSED) * REFUSED, reason, record.crc


def _names(payload: bytes, record_id: str) -> bool:
    try:
        return bool(json.loads(payload)["id"] == record_id)
    except (ValueError, KeyError, TypeError, RecursionError):
        return False
