"""Room on the disk for what the outbox may hold, and how long a write takes to be safe."""

from __future__ import annotations

import errno
import os
import statistics
import time
from collections.abc import Iterator
from pathlib import Path

from spektron_edge.config.outbox import OutboxLimits
from spektron_edge.faults import Fault, Faults
from spektron_edge.files.state_folder import OUTBOX_FILE, storage_fault

from .finding import Finding, of_fault, ok, unseen, warning
from .subject import Subject

PART, SPEED = "disk", "disk's speed"
_MB = 1e6
# Below it SQLite, the audit log and state files have no room to be replaced in.
_LEAST_BYTES = 16 * _MB
_LEAST_FILES = 64
_WRITES, _WRITTEN = 5, b"\0" * 4096
# A commit waits for one; SD cards that wear out take seconds.
_SLOW_S = 0.1


def look(subject: Subject) -> Iterator[Finding]:
    """Raises OSError."""
    folder, limits = subject.config.state_dir, subject.config.outbox
    there = folder
    while not there.exists():
        there = there.parent
    yield _room(there, folder, limits)
    if there == folder:
        yield _speed(folder)
    else:
        yield unseen(SPEED, f"{folder} is not there yet")


def _room(there: Path, folder: Path, limits: OutboxLimits) -> Finding:
    room = os.statvfs(there)
    free = room.f_bavail * room.f_frsize
    told = f"{free / _MB:.0f} MB are free under {there}"
    if free < _LEAST_BYTES or (room.f_files and room.f_favail < _LEAST_FILES):
        if free >= _LEAST_BYTES:
            told += f", and only {room.f_favail} more files can be made"
        return of_fault(PART, Fault(Faults.DISK_FULL, told))
    budget = (limits.max_mb + limits.keep_sent_mb + limits.keep_refused_mb) * _MB
    used = sum(file.stat().st_size for file in folder.glob(f"{OUTBOX_FILE}*"))
    if free < (left := budget - used):
        said = f"{told}, and the outbox may grow by {left / _MB:.0f} MB"
        return warning(PART, said, "free space, or lower `outbox.max_mb` and its siblings")
    return ok(PART, f"{told}, enough for an outbox of {budget / _MB:.0f} MB")


def _speed(folder: Path) -> Finding:
    """Written to a file without a name, which is gone when it is closed."""
    try:
        handle = os.open(folder, os.O_TMPFILE | os.O_WRONLY, 0o600)
    except OSError as error:
        if error.errno in (errno.EOPNOTSUPP, errno.EISDIR, errno.ENOENT):
            return unseen(SPEED, "this file system has no files without a name to try it with")
        return of_fault(SPEED, storage_fault(error, folder))
    try:
        times = [_one_write(handle) for _ in range(_WRITES)]
    except OSError as error:
        return of_fault(SPEED, storage_fault(error, folder))
    finally:
        os.close(handle)
    told = f"a write is safe after {statistics.median(times) * 1e3:.1f} ms (fsync, median)"
    if statistics.median(times) > _SLOW_S:
        step = "see the disk's health and what else writes to it; fewer scans a second meanwhile"
        return warning(SPEED, told, step)
    return ok(SPEED, told)


def _one_write(handle: int) -> float:
    began = time.monotonic()
    os.write(handle, _WRITTEN)
    os.fsync(handle)
    return time.monotonic() - began
