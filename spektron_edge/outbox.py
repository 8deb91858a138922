"""Results on disk until the broker has acknowledged them.

SQLite in WAL mode with synchronous=FULL (NORMAL can lose committed rows at a power cut). The scan
numbers that were dealt with are committed together with the results, so that whatever is missing
after any accident shows as a gap. No rule here uses the wall clock, which may be wrong or jump.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from .set_aside import set_aside

SCHEMA_VERSION = 1
RecordKind = Literal["prediction", "event"]

_SCHEMA = """
CREATE TABLE record (
    position INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    kind TEXT NOT NULL,
    payload BLOB NOT NULL,
    size INTEGER NOT NULL,
    state INTEGER NOT NULL DEFAULT 0,
    reason TEXT
);
-- With the size in the index, the caps are checked without reading a payload.
CREATE INDEX record_state ON record (state, position, size);
CREATE TABLE progress (serial TEXT PRIMARY KEY, boot_id INTEGER NOT NULL, number INTEGER NOT NULL);
CREATE TABLE command_counter (operator TEXT PRIMARY KEY, counter INTEGER NOT NULL);
CREATE TABLE total (name TEXT PRIMARY KEY, value INTEGER NOT NULL);
"""
_UNSENT, _SENT, _REFUSED = 0, 1, 2
_ACKNOWLEDGED, _NOT_ACKNOWLEDGED = "state = 1", "state <> 1"
_SPARE_BYTES = 2**16


class OutboxError(Exception):
    """The database could not do it; the message is SQLite's."""


class OutboxFullError(OutboxError):
    """There is no space left on the disk."""


@dataclass(frozen=True)
class Progress:
    """The last scan of an instrument that was dealt with."""

    serial: str
    boot_id: int
    number: int


@dataclass(frozen=True)
class Outgoing:
    """A record on its way."""

    id: str
    kind: RecordKind
    payload: bytes


@dataclass(frozen=True)
class Limits:
    """Caps in bytes of payload: of everything, and of what is kept after its acknowledgement."""

    max_bytes: int
    keep_sent_bytes: int


class Outbox:
    """The durable queue. One thread owns it. Methods raise OutboxError or OutboxFullError."""

    def __init__(self, path: Path, limits: Limits) -> None:
        self.path = path
        self._limits = limits
        self.set_aside: Path | None = None
        try:
            self._db = _open(path)
        except sqlite3.DatabaseError as error:
            if not _is_damaged(error):
                raise _translate(error, self.path) from error
            # Kept for inspection; never silently recreated: the daemon reports `set_aside`.
            self.set_aside = _set_aside(path)
            self._db = _open(path)
        self._file = path.stat()

    @property
    def in_place(self) -> bool:
        """Whether the open file still has its name; SQLite writes on to a file without one."""
        try:
            return os.path.samestat(self._file, self.path.stat())
        except OSError:
            return False

    def close(self) -> None:
        """Close the database."""
        self._db.close()

    def commit(self, records: Sequence[Outgoing], progress: Sequence[Progress] = ()) -> None:
        """Store records and progress in one transaction; on return they survive a power cut."""
        with self._transaction():
            self._db.executemany(
                "INSERT INTO record (id, kind, payload, size) VALUES (?, ?, ?, ?)",
                [(r.id, r.kind, r.payload, len(r.payload)) for r in records],
            )
            self._db.executemany(
                "INSERT OR REPLACE INTO progress VALUES (?, ?, ?)",
                [(p.serial, p.boot_id, p.number) for p in progress],
            )

    def unsent(self, limit: int) -> list[Outgoing]:
        """The oldest unsent records, in the order of their commit."""
        rows = self._query(
            "SELECT id, kind, payload FROM record WHERE state = ? ORDER BY position LIMIT ?",
            (_UNSENT, limit),
        )
        return [Outgoing(*row) for row in rows]

    def mark_sent(self, ids: Iterable[str]) -> None:
        """The broker acknowledged these."""
        with self._transaction():
            self._db.executemany(
                "UPDATE record SET state = ? WHERE id = ?", [(_SENT, i) for i in ids]
            )

    def mark_refused(self, record_id: str, reason: str) -> None:
        """The broker refused this one; it is kept and offered again by `retry_refused`."""
        with self._transaction():
            self._db.execute(
                "UPDATE record SET state = ?, reason = ? WHERE id = ?",
                (_REFUSED, reason, record_id),
            )

    def retry_refused(self) -> int:
        """Queue refused records again; returns how many."""
        with self._transaction():
            cursor = self._db.execute(
                "UPDATE record SET state = ? WHERE state = ?", (_UNSENT, _REFUSED)
            )
        return cursor.rowcount

    def prune(self) -> int:
        """Bring the outbox under its caps: sent records go first, then the oldest others.

        Returns how many unsent or refused records were dropped.
        """
        sizes = dict(self._query("SELECT state = 1, SUM(size) FROM record GROUP BY 1"))
        sent, waiting = sizes.get(1, 0), sizes.get(0, 0)
        keep_sent = max(0, min(self._limits.keep_sent_bytes, self._limits.max_bytes - waiting))
        dropped = 0
        if sent > keep_sent:
            self._drop_oldest(_ACKNOWLEDGED, sent - keep_sent)
        if waiting > self._limits.max_bytes:
            dropped = self._drop_oldest(_NOT_ACKNOWLEDGED, waiting - self._limits.max_bytes)
        return dropped

    def _drop_oldest(self, condition: str, excess: int) -> int:
        doomed, freed = [], 0
        with self._transaction():
            for position, size in self._db.execute(
                f"SELECT position, size FROM record WHERE {condition} ORDER BY position"  # noqa: S608  a constant
            ):
                if freed >= excess:
                    break
                doomed.append((position,))
                freed += size
            self._db.executemany("DELETE FROM record WHERE position = ?", doomed)
            if condition != _ACKNOWLEDGED:
                self._db.execute(
                    "INSERT INTO total VALUES ('dropped', ?) ON CONFLICT (name) DO UPDATE SET "
                    "value = value + excluded.value",
                    (len(doomed),),
                )
        return len(doomed)

    def progress(self, serial: str) -> Progress | None:
        """The last scan of that instrument that was committed."""
        for boot_id, number in self._query(
            "SELECT boot_id, number FROM progress WHERE serial = ?", (serial,)
        ):
            return Progress(serial, boot_id, number)
        return None

    def counts(self) -> dict[str, int]:
        """Records by state, and how many were ever dropped."""
        try:
            return _counts(self._db)
        except sqlite3.Error as error:
            raise _translate(error, self.path) from error

    def accept_counter(self, operator: str, counter: int) -> bool:
        """True once for each operator's counter, which must rise from command to command."""
        with self._transaction():
            for (last,) in self._query(
                "SELECT counter FROM command_counter WHERE operator = ?", (operator,)
            ):
                if counter <= last:
                    return False
            self._db.execute(
                "INSERT OR REPLACE INTO command_counter VALUES (?, ?)", (operator, counter)
            )
        return True

    def _query(self, sql: str, parameters: tuple[object, ...] = ()) -> list[Any]:
        try:
            return self._db.execute(sql, parameters).fetchall()
        except sqlite3.Error as error:
            raise _translate(error, self.path) from error

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[None]:
        try:
            self._db.execute("BEGIN IMMEDIATE")
            yield
            self._db.execute("COMMIT")
        except BaseException as error:
            with contextlib.suppress(sqlite3.Error):
                self._db.execute("ROLLBACK")
            if isinstance(error, sqlite3.Error):
                raise _translate(error, self.path) from error
            raise


def read_counts(path: Path) -> dict[str, int]:
    """Counts of a database that a daemon may have open. Raises OutboxError."""
    try:
        with contextlib.closing(
            sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)
        ) as db:
            return _counts(db)
    except sqlite3.Error as error:
        raise OutboxError(f"{path}: {error}") from None


def _counts(db: sqlite3.Connection) -> dict[str, int]:
    by_state = dict(db.execute("SELECT state, COUNT(*) FROM record GROUP BY state"))
    totals = dict(db.execute("SELECT name, value FROM total"))
    return {
        "unsent": by_state.get(_UNSENT, 0),
        "sent": by_state.get(_SENT, 0),
        "refused": by_state.get(_REFUSED, 0),
        "dropped": totals.get("dropped", 0),
    }


def _open(path: Path) -> sqlite3.Connection:
    db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    try:
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = FULL")
        # 256 KiB of write-ahead log instead of 4 MiB: state folders may be small.
        db.execute("PRAGMA wal_autocheckpoint = 64")
        (version,) = db.execute("PRAGMA user_version").fetchone()
        if version == 0:
            db.executescript(f"BEGIN; {_SCHEMA} PRAGMA user_version = {SCHEMA_VERSION}; COMMIT;")
        elif version != SCHEMA_VERSION:
            raise OutboxError(
                f"{path} has schema {version}, this daemon writes {SCHEMA_VERSION}: update it"
            )
        # Counting walks an index only; damage in the table would show at the first scan.
        (verdict,) = db.execute("PRAGMA quick_check(1)").fetchone()
        if verdict != "ok":
            raise sqlite3.DatabaseError(f"database is malformed: {verdict}")
        db.execute("SELECT COUNT(*) FROM record").fetchone()
    except BaseException:
        db.close()
        raise
    return db


def _is_damaged(error: sqlite3.DatabaseError) -> bool:
    # Python 3.10 gives no error code, only SQLite's fixed texts for SQLITE_CORRUPT and _NOTADB.
    text = str(error)
    return "malformed" in text or "not a database" in text or "no such table" in text


def _set_aside(path: Path) -> Path:
    target = set_aside(path)
    for suffix in ("-wal", "-shm"):
        side = path.with_name(path.name + suffix)
        if side.exists():
            side.rename(target.with_name(target.name + suffix))
    return target


def _translate(error: sqlite3.Error, path: Path) -> OutboxError:
    # Without space for its shared memory file SQLite says "disk I/O error".
    if "full" in str(error) or ("disk I/O" in str(error) and _free_bytes(path) < _SPARE_BYTES):
        return OutboxFullError(str(error))
    return OutboxError(str(error))


def _free_bytes(path: Path) -> int:
    try:
        room = os.statvfs(path.parent)
    except OSError:
        return _SPARE_BYTES  # the device is gone, which is not the same as full
    return room.f_bavail * room.f_frsize
