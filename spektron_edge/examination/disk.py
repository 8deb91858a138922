"""Room on the disk for what the state folder may come to, and how long a write takes to be safe."""

from __future__ import annotations

import errno
import os
import statistics
import time
from collections.abc import Iterator
from pathlib import Path

from spektron_edge.faults import Fault, Faults
from spektron_edge.files.state_folder import storage_fault
from spektron_edge.retention.budget import MB, Outlook, existing, fitting_budget_mb, outlook

from .finding import Finding, bad, of_fault, ok, unseen, warning
from .subject import Subject

PART, BUDGET, SPEED = "disk", "disk's budget", "disk's speed"
# Below it SQLite, the audit log and state files have no room to be replaced in.
_LEAST_BYTES = 16 * MB
_LEAST_FILES = 64
_WRITES, _WRITTEN = 5, b"\0" * 4096
# A commit waits for one; SD cards that wear out take seconds.
_SLOW_S = 0.1


def look(subject: Subject) -> Iterator[Finding]:
    """Raises OSError."""
    folder = subject.config.state_dir
    there, found = existing(folder), outlook(subject.config)
    yield _room(there, found)
    yield _budget(found)
    if there == folder:
        yield _speed(folder)
    else:
        yield unseen(SPEED, f"{folder} is not there yet")


def _room(there: Path, found: Outlook) -> Finding:
    room, free = os.statvfs(there), found.free
    if room.f_flag & os.ST_RDONLY:
        step = "take a backup onto another disk now; then look at the kernel's log and the card"
        return bad(PART, f"{there} is on a disk that was made read-only, as the kernel does", step)
    told = f"{free / MB:.0f} MB are free under {there}"
    if free < _LEAST_BYTES or (room.f_files and room.f_favail < _LEAST_FILES):
        if free >= _LEAST_BYTES:
            told += f", and only {room.f_favail} more files can be made"
        return of_fault(PART, Fault(Faults.DISK_FULL, told))
    if free < found.growth + _LEAST_BYTES:
        said = f"{told}, and the state folder may grow by {found.growth / MB:.0f} MB"
        step = "free space, or lower the caps of what grows (`outbox.max_mb`, adaptation)"
        return warning(PART, f"{said}: {found.largest}", step)
    return ok(PART, f"{told}; what is capped may grow by {found.growth / MB:.0f} MB")


def _budget(found: Outlook) -> Finding:
    """`retention.total_mb` against what is taken, what may come, and what the disk has."""
    taken, most, budget = found.taken.total(), found.most.total(), found.budget
    told = f"the state folder takes {taken / MB:.0f} of {budget / MB:.0f} MB"
    if taken > budget:
        return of_fault(BUDGET, Fault(Faults.BUDGET_EXCEEDED, told), "warning")
    if most > budget:
        said = f"{told}, and may come to {most / MB:.0f} MB: {found.largest}"
        return warning(BUDGET, said, "raise `retention.total_mb`, or lower the caps of what grows")
    if found.free < budget - taken:
        fits = fitting_budget_mb(taken + found.free)
        said = f"{told}, and the disk is full before that: {found.free / MB:.0f} MB are free"
        step = f"lower `retention.total_mb` to {fits:.0f} or less, so that it is told in time"
        if not taken < fits * MB <= taken + found.free:
            step = "free space, or move the state folder to a larger disk"
        return warning(BUDGET, said, step)
    return ok(BUDGET, f"{told}; what is capped may bring it to {most / MB:.0f} MB")


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
