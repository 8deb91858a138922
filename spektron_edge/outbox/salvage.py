"""What a damaged database still gives.

Pages are read from both ends up to the damage. Only whole records that were not acknowledged are
taken: size and id have to fit the payload. SQLite keeps no checksums, so the damaged file stays.
"""

from __future__ import annotations

import contextlib
import json
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from .schema import AGAIN, REFUSED, SENT, UNSENT

_ROWS = (
    "SELECT id, kind, payload, size, state, reason, position FROM record NOT INDEXED "  # noqa: S608
    f"WHERE state NOT IN ({SENT}, {AGAIN}) ORDER BY rowid"
)
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
    rows: dict[int, tuple[object, ...]] = {}
    small: dict[str, list[tuple[object, ...]]] = {}
    with contextlib.suppress(sqlite3.Error), contextlib.closing(_read_only(aside)) as old:
        for direction in ("ASC", "DESC"):
            for *row, position in _until_damage(old, f"{_ROWS} {direction}"):
                if isinstance(position, int) and _is_whole(row):
                    rows[position] = tuple(row)
        for table, types in _SMALL.items():
            small[table] = [
                row
                for row in _until_damage(old, f"SELECT * FROM {table}")  # noqa: S608
                if tuple(map(type, row)) == types
            ]
    before = db.total_changes
    db.executemany(
        "INSERT OR IGNORE INTO record (id, kind, payload, size, state, reason) "
        "VALUES (?, ?, ?, ?, ?, ?)",
        [rows[position] for position in sorted(rows)],
    )
    records = db.total_changes - before
    for table, found in small.items():
        marks = ", ".join("?" * len(_SMALL[table]))
        db.executemany(f"INSERT OR REPLACE INTO {table} VALUES ({marks})", found)  # noqa: S608
    return Salvaged(aside, records)


def _read_only(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)


def _until_damage(db: sqlite3.Connection, sql: str) -> Iterator[tuple[object, ...]]:
    # OverflowError, UnicodeDecodeError: what lies in a damaged page need not be what SQLite wrote.
    with contextlib.suppress(sqlite3.Error, OverflowError, UnicodeDecodeError):
        yield from db.execute(sql)


def _is_whole(row: list[object]) -> bool:
    record_id, kind, payload, size, state, reason = row
    if not (isinstance(record_id, str) and isinstance(kind, str) and isinstance(payload, bytes)):
        return False
    if size != len(payload) or state not in (UNSENT, REFUSED):
        return False
    if not (reason is None or isinstance(reason, str)):
        return False
    if not payload.startswith(b"{"):
        return True
    try:
        return bool(json.loads(payload).get("id") == record_id)
    except (ValueError, RecursionError):
        return False
