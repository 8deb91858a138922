"""The state folder: one daemon at a time, an outbox and an audit log that survive accidents."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from spektron_edge.clock import Clock
from spektron_edge.faults import Fault, Faults
from spektron_edge.outbox import Limits, Outbox, OutboxError, OutboxFullError
from spektron_edge.outbox.salvage import Salvaged

from .audit import Audit, AuditError
from .set_aside import set_aside

OUTBOX_FILE = "outbox.sqlite"
AUDIT_FILE = "audit.jsonl"
LOCK_FILE = "lock"


@dataclass
class StateFolder:
    """The open folder. `damage`: what was found broken and set aside."""

    folder: Path
    outbox: Outbox
    audit: Audit
    lock: BinaryIO
    damage: list[Fault] = field(default_factory=list)

    def close(self) -> None:
        """Close everything and let another daemon in."""
        self.outbox.close()
        self.audit.close()
        self.lock.close()


def open_state(folder: Path, limits: Limits, clock: Clock | None = None) -> StateFolder:
    """Open or create the folder.

    Raises Fault(STATE_UNWRITABLE, DISK_FULL, STATE_IN_USE). Damaged files are set aside and named
    in `damage`, never silently replaced.
    """
    with contextlib.ExitStack() as opened:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            lock = opened.enter_context(_lock(folder))
            outbox = Outbox(folder / OUTBOX_FILE, limits, clock)
            opened.callback(outbox.close)
            audit, damage = _open_audit(folder / AUDIT_FILE)
        except (OSError, OutboxError) as error:
            raise storage_fault(error, folder) from None
        opened.pop_all()
    if outbox.salvaged is not None:
        damage.insert(0, outbox_damaged(outbox.salvaged))
    return StateFolder(folder, outbox, audit, lock, damage)


def lock_state(folder: Path) -> BinaryIO:
    """Keep every daemon out until the returned file is closed. Raises Fault(STATE_IN_USE,
    STATE_UNWRITABLE)."""
    try:
        return _lock(folder)
    except OSError as error:
        raise storage_fault(error, folder) from None


def outbox_damaged(salvaged: Salvaged) -> Fault:
    """The fault of an outbox that was set aside."""
    detail = (
        f"the outbox was damaged; it is kept as {salvaged.aside.name}, and {salvaged.records} "
        "records that had not been acknowledged were taken over"
    )
    return Fault(Faults.STATE_DAMAGED, detail)


def storage_fault(error: OSError | OutboxError, where: Path) -> Fault:
    """The catalogue's fault for an error in the state folder; `where` if it does not say itself."""
    if isinstance(error, OutboxError):
        full, detail = isinstance(error, OutboxFullError), f"{where}: {error}"
    else:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        detail = f"{error.filename or where}: {error.strerror}"
    return Fault(Faults.DISK_FULL if full else Faults.STATE_UNWRITABLE, detail)


def _lock(folder: Path) -> BinaryIO:
    lock = (folder / LOCK_FILE).open("a+b")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        lock.seek(0)
        holder = lock.read(32).decode("ascii", "replace").strip()
        lock.close()
        detail = f"{folder} belongs to the running daemon with process id {holder}"
        raise Fault(Faults.STATE_IN_USE, detail) from None
    lock.truncate(0)
    lock.write(f"{os.getpid()}\n".encode())
    lock.flush()
    return lock


def _open_audit(path: Path) -> tuple[Audit, list[Fault]]:
    try:
        audit = Audit(path)
    except AuditError as error:
        aside = set_aside(path)
        return Audit(path), [Fault(Faults.STATE_DAMAGED, f"{error}; kept as {aside.name}")]
    if audit.torn is not None:
        detail = f"the audit log ended in half a line; the half line is kept as {audit.torn.name}"
        return audit, [Fault(Faults.STATE_DAMAGED, detail)]
    return audit, []
