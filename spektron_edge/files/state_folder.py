"""The state folder: one daemon at a time, an outbox and an audit log that survive accidents."""

from __future__ import annotations

import contextlib
import errno
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from spektron_edge.clock import Clock, Stamp
from spektron_edge.faults import Fault, Faults
from spektron_edge.mqtt.retained import RETAINED_FILE
from spektron_edge.outbox import Limits, Outbox, OutboxError, OutboxFullError
from spektron_edge.outbox.salvage import Salvaged

from .audit import Audit, AuditError
from .audit_segments import begin_segment, segments
from .folder_lock import FolderLock
from .placing import STAGING, drop, finish
from .set_aside import set_aside
from .used_counters import used_counters

OUTBOX_FILE = "outbox.sqlite"
AUDIT_FILE = "audit.jsonl"


@dataclass
class StateFolder:
    """The open folder. `damage`: what was found broken or missing."""

    folder: Path
    outbox: Outbox
    audit: Audit
    lock: FolderLock
    damage: list[Fault] = field(default_factory=list)
    counters_known: bool = False

    def put_back(self) -> Iterator[Fault]:
        """Write again what was removed while it was open, from what is still open; what it was.

        Raises Fault(STATE_IN_USE, STATE_DAMAGED).
        """
        try:
            if not self.lock.in_place:
                self.folder.mkdir(parents=True, exist_ok=True)
                held, self.lock = self.lock, FolderLock(self.folder)
                held.close()
            for name, file in ((OUTBOX_FILE, self.outbox), (AUDIT_FILE, self.audit)):
                if not file.in_place:
                    yield _put_back(name, file.put_back())
        except (OSError, OutboxError) as error:
            why = storage_fault(error, self.folder).detail
            detail = f"files of {self.folder} were removed while they were open; {why}"
            raise Fault(Faults.STATE_DAMAGED, detail) from None

    def accept_counter(self, operator: str, counter: int) -> bool:
        """True once for each operator's counter, also where the outbox lost it or is an old copy.

        Raises OSError, OutboxError.
        """
        if not self.counters_known:
            self.outbox.raise_counters(self._used_counters())
            self.counters_known = True
        return self.outbox.accept_counter(operator, counter)

    def _used_counters(self) -> dict[str, int]:
        # The one that goes on comes last.
        aside = sorted(self.folder.glob(f"{AUDIT_FILE}?*"), reverse=True)
        return used_counters(*aside, *segments(self.audit.path), self.audit.path)

    def begin_audit_segment(self, at: Stamp) -> Path:
        """Go on in a new audit log; where the one so far lies now. Raises OSError."""
        return begin_segment(self.audit, at, self._used_counters())

    def close(self) -> None:
        """Close everything and let another daemon in."""
        self.outbox.close()
        self.audit.close()
        self.lock.close()


def open_state(
    folder: Path,
    limits: Limits,
    clock: Clock | None = None,
    step: Callable[[], None] = lambda: None,
) -> StateFolder:
    """Open or create the folder. step: as of Outbox.

    Raises Fault(STATE_UNWRITABLE, DISK_FULL, STATE_IN_USE). Damaged files are set aside and named
    in `damage`, never silently replaced; so is what is missing in a folder that was in use.
    """
    with contextlib.ExitStack() as opened:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            lock = opened.enter_context(FolderLock(folder))
            # A restore that was cut short once it had begun to take its place.
            finish(folder)
            # And one that was cut short before that: nothing of it counts.
            drop(folder / STAGING)
            missing = _missing(folder)
            # First: where the outbox could not be made, an empty audit log says that there is none.
            audit, damage = _open_audit(folder / AUDIT_FILE)
            opened.callback(audit.close)
            outbox = Outbox(folder / OUTBOX_FILE, limits, clock, step)
            opened.callback(outbox.close)
            state = StateFolder(folder, outbox, audit, lock, damage)
            if outbox.salvaged is not None:
                damage.insert(0, outbox_damaged(outbox.salvaged))
            damage += missing
        except (OSError, OutboxError) as error:
            raise storage_fault(error, folder) from None
        opened.pop_all()
    return state


def lock_state(folder: Path) -> FolderLock:
    """Keep every daemon out until it is closed. Raises Fault(STATE_IN_USE, STATE_UNWRITABLE)."""
    try:
        return FolderLock(folder)
    except OSError as error:
        raise storage_fault(error, folder) from None


def _missing(folder: Path) -> list[Fault]:
    """What a daemon that ran here left, and is gone: bundles may be here before the first run."""
    # A file system that was cut off may leave the name and nothing in it.
    outbox, audit = _holds_something(folder / OUTBOX_FILE), folder / AUDIT_FILE
    ran = (folder / RETAINED_FILE).exists()
    lines = _holds_something(audit)
    told = []
    if not outbox and (lines or ran):
        told.append(
            f"{OUTBOX_FILE} is missing or empty in {folder}, which was in use: a new one was made. "
            "Records that were not acknowledged are lost, and no gap before now can be named; "
            f"command counters are those of {AUDIT_FILE}"
        )
    if not lines and (ran or (outbox and not audit.exists())):
        told.append(
            f"{AUDIT_FILE} is missing or empty in {folder}, which was in use: a new chain begins"
        )
    if len(told) == 2:
        told.append(
            "command counters are lost with both: give operators new keys, or requests that were "
            "recorded are accepted again"
        )
    return [Fault(Faults.STATE_DAMAGED, detail) for detail in told]


def _holds_something(path: Path) -> bool:
    return path.exists() and path.stat().st_size > 0


def _put_back(name: str, aside: Path | None) -> Fault:
    what = f"{name}, or -wal or -shm beside it," if name == OUTBOX_FILE else name
    detail = f"{what} was removed while it was open; all that it held was written to a new file"
    if aside is not None:
        detail += f", and the other one that had its name is kept as {aside.name}"
    return Fault(Faults.STATE_DAMAGED, detail)


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
