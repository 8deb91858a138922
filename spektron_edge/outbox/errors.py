"""What can go wrong with the database, told apart by SQLite's own words."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

SIDE_FILES = ("-wal", "-shm")
"""What SQLite keeps beside an open database, by the ends of the names."""
_SPARE_BYTES = 2**16
# Where SQLite's message quotes bytes of a damaged file, Python cannot read it: 3.11 raises the
# second, 3.10 an sqlite3.DatabaseError without any text.
TROUBLE = (sqlite3.Error, UnicodeDecodeError)

_DAMAGED = (
    "malformed",
    "not a database",
    "no such table",
    "Could not decode to UTF-8",
    "unsupported file format",
)


class OutboxError(Exception):
    """The database could not do it; the message is SQLite's."""


class OutboxFullError(OutboxError):
    """There is no space left on the disk."""


class OutboxDamagedError(OutboxError):
    """The file does not hold what SQLite wrote."""


def is_damaged(error: sqlite3.Error | UnicodeDecodeError) -> bool:
    """Whether the file is broken, not the circumstances."""
    if isinstance(error, UnicodeDecodeError) or not str(error):
        return True
    # Python 3.10 gives no error code, only fixed texts, SQLite's for SQLITE_CORRUPT and _NOTADB.
    return any(text in str(error) for text in _DAMAGED)


def translated(error: sqlite3.Error | UnicodeDecodeError, path: Path) -> OutboxError:
    """The outbox's own error for one of SQLite's."""
    # It is closed while a damaged file could not be replaced yet.
    if is_damaged(error) or "closed database" in str(error):
        return OutboxDamagedError(str(error))
    # Without space for its shared memory file SQLite says "disk I/O error".
    if "full" in str(error) or ("disk I/O" in str(error) and _free_bytes(path) < _SPARE_BYTES):
        return OutboxFullError(str(error))
    if (denied := not_writable(path)) is not None:
        return OutboxError(f"{denied.name} cannot be written ({error})")
    return OutboxError(str(error))


def not_writable(path: Path) -> Path | None:
    """The first one of the database's files that is there and cannot be written."""
    files = (path, *(path.with_name(path.name + suffix) for suffix in SIDE_FILES))
    there = (file for file in files if file.exists())
    return next((f for f in there if not os.access(f, os.W_OK, effective_ids=True)), None)


def is_read_only(path: Path) -> bool:
    """Whether the disk that it is on takes nothing from anybody."""
    try:
        return bool(os.statvfs(path).f_flag & os.ST_RDONLY)
    except OSError:
        return False


def _free_bytes(path: Path) -> int:
    try:
        room = os.statvfs(path.parent)
    except OSError:
        return _SPARE_BYTES  # the device is gone, which is not the same as full
    return room.f_bavail * room.f_frsize
