"""The database: how it is opened, made and brought from schema to schema.

Every step is one transaction that ends with its number, so a step that is cut short was not begun.
A new database goes through all steps as well: there is one way to the newest schema.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Callable
from functools import cache
from pathlib import Path

from spektron_edge.files.durable import share_with_owner, sync_folder

from .errors import OutboxError, not_writable

_RECORD_1 = """
CREATE TABLE record (
    position INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    kind TEXT NOT NULL,
    payload BLOB NOT NULL,
    size INTEGER NOT NULL,
    state INTEGER NOT NULL DEFAULT 0,
    reason TEXT
);
CREATE INDEX record_state ON record (state, position, size);
"""
_TO_1 = f"""{_RECORD_1}
CREATE TABLE progress (serial TEXT PRIMARY KEY, boot_id INTEGER NOT NULL, number INTEGER NOT NULL);
CREATE TABLE command_counter (operator TEXT PRIMARY KEY, counter INTEGER NOT NULL);
CREATE TABLE total (name TEXT PRIMARY KEY, value INTEGER NOT NULL);
"""
# The first daemons of a schema gave it its number before it was complete: by version, the column
# that was added to it, and how.
_ASIDE = "DROP INDEX IF EXISTS record_state; ALTER TABLE record RENAME TO first;"
_WITH_SIZES = """
INSERT INTO record SELECT position, id, kind, payload, length(payload), state, reason FROM first;
DROP TABLE first;
"""
_COMPLETED = {
    1: ("size", "".join((_ASIDE, _RECORD_1, _WITH_SIZES))),
    2: ("crc", "ALTER TABLE record ADD COLUMN crc INTEGER;"),
}
# Times are whole seconds of the outbox's own clock (`clock.py`). With them in the index, caps are
# checked without reading a payload. Records of schema 1 have no checksum and begin to age now.
_TO_2 = """
ALTER TABLE record ADD COLUMN stored_s INTEGER NOT NULL DEFAULT 0;
ALTER TABLE record ADD COLUMN settled_s INTEGER NOT NULL DEFAULT 0;
ALTER TABLE record ADD COLUMN crc INTEGER;
DROP INDEX record_state;
CREATE INDEX record_state ON record (state, position, size, stored_s, settled_s);
CREATE TABLE clock (one INTEGER PRIMARY KEY CHECK (one = 1), boot TEXT NOT NULL,
    running_s REAL NOT NULL, outbox_s REAL NOT NULL);
UPDATE total SET name = 'dropped_full' WHERE name = 'dropped';
"""
_STEPS = (_TO_1, _TO_2)
SCHEMA_VERSION = len(_STEPS)
# Of SQLite's own machine: some milliseconds of work.
_STEP_INSTRUCTIONS = 20_000
# Of a copy, between two signs that it gets on.
_PAGES = 1000
BEFORE = "before-migration-{}.sqlite"
"""Name of what a migration began with, by its schema."""

UNSENT, SENT, REFUSED, AGAIN = 0, 1, 2, 3
"""States of a record. AGAIN: acknowledged, and to be sent once more."""


def open_database(path: Path, step: Callable[[], None] = lambda: None) -> sqlite3.Connection:
    """Open, make or migrate. step: called while a statement gets on, many times a second.

    Raises OutboxError for a newer schema and a file that may only be read, TROUBLE.
    """
    _check_header(path)
    # SQLite would open it without a word, and leave side files that nobody may write either.
    if (denied := not_writable(path)) is not None:
        raise OutboxError(f"{denied.name} cannot be written")
    db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    db.set_progress_handler(step, _STEP_INSTRUCTIONS)
    try:
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = FULL")
        # 256 KiB of write-ahead log instead of 4 MiB: state folders may be small.
        db.execute("PRAGMA wal_autocheckpoint = 64")
        # What else may only be read, a file system for instance, would refuse the first record.
        db.execute("BEGIN")
        db.execute("PRAGMA user_version = 0")
        db.execute("ROLLBACK")
        (version,) = db.execute("PRAGMA user_version").fetchone()
        if version > SCHEMA_VERSION:
            raise OutboxError(
                f"{path} has schema {version}, this daemon writes {SCHEMA_VERSION}: update it, or "
                f"go back to {BEFORE.format(SCHEMA_VERSION)} beside it (docs/upgrading.md)"
            )
        # Counting walks an index only; damage in the table would show at the first scan.
        (verdict,) = db.execute("PRAGMA quick_check(1)").fetchone()
        if verdict != "ok":
            raise sqlite3.DatabaseError(f"database is malformed: {verdict}")
        steps = list(enumerate(_STEPS, 1))[version:]
        if version in _COMPLETED and (columns := _columns(db)):
            column, completing = _COMPLETED[version]
            if column not in columns:
                steps.insert(0, (version, completing))
        if version and steps:
            _keep_before_migration(db, path, version, step)
        for number, statements in steps:
            db.executescript(
                f"BEGIN IMMEDIATE; {statements} PRAGMA user_version = {number}; COMMIT;"
            )
        if _definitions(db) != _written():
            raise sqlite3.DatabaseError("database is malformed: its tables are not those written")
    except BaseException:
        db.close()
        raise
    return db


def _columns(db: sqlite3.Connection) -> set[str]:
    return {name for (_, name, *_) in db.execute("PRAGMA table_info(record)")}


def _keep_before_migration(
    db: sqlite3.Connection, path: Path, version: int, step: Callable[[], None]
) -> None:
    """A copy for a daemon of the version before, should somebody go back to it (docs/upgrading.md).

    Raises TROUBLE, OSError.
    """
    kept = path.with_name(BEFORE.format(version))
    partial = kept.with_name(kept.name + ".partial")
    partial.unlink(missing_ok=True)
    with contextlib.closing(sqlite3.connect(partial)) as copy:
        db.backup(copy, pages=_PAGES, progress=lambda *_: step())
        copy.execute("PRAGMA journal_mode = DELETE")
    with partial.open("rb") as stream:
        os.fsync(stream.fileno())
    share_with_owner(partial)
    partial.replace(kept)
    sync_folder(kept.parent)


def _definitions(db: sqlite3.Connection) -> list[tuple[str, str | None]]:
    """Names and definitions of all tables and indices."""
    return db.execute("SELECT name, sql FROM sqlite_master ORDER BY name").fetchall()


@cache
def _written() -> list[tuple[str, str | None]]:
    with contextlib.closing(sqlite3.connect(":memory:")) as db:
        for step in _STEPS:
            db.executescript(step)
        return _definitions(db)


def _check_header(path: Path) -> None:
    """A damaged version makes SQLite say that the file may not be written.

    https://www.sqlite.org/fileformat2.html#file_format_version_numbers
    """
    with contextlib.suppress(OSError), path.open("rb") as file:
        header = file.read(20)
        if len(header) == 20 and header[18:] not in (b"\x01\x01", b"\x02\x02"):
            raise sqlite3.DatabaseError("database is malformed: no known format")
