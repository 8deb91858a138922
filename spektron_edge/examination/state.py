"""The state folder: outbox, audit chain, and what was set aside."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from spektron_edge.faults import Fault, Faults
from spektron_edge.files.audit import AuditError
from spektron_edge.files.audit_segments import check
from spektron_edge.files.state_folder import AUDIT_FILE, OUTBOX_FILE
from spektron_edge.outbox import OutboxDamagedError, OutboxError, read_counts
from spektron_edge.outbox.schema import SCHEMA_VERSION
from spektron_edge.outbox.store import reading
from spektron_edge.page.users import UserStore
from spektron_edge.qualification.book import BookStore
from spektron_edge.transfer_session.session_store import SessionStore

from .finding import Finding, bad, of_fault, ok, unseen, warning
from .subject import Subject

OUTBOX, AUDIT, ASIDE, LEDGERS = "outbox", "audit log", "state folder", "ledgers"
_FULL_SHARE = 0.8
_MB = 1e6
_TABLES = "SELECT name FROM sqlite_master"
_WAITING = "SELECT COALESCE(SUM(size), 0) FROM record WHERE state = 0"


def look_at_outbox(subject: Subject) -> Iterator[Finding]:
    """Raises Fault, OSError."""
    folder, limits = subject.config.state_dir, subject.config.outbox
    path = folder / OUTBOX_FILE
    if not path.exists():
        yield unseen(OUTBOX, "there is none yet: no daemon has run with this state folder")
        return
    # Else SQLite would leave files beside it that were not there.
    alone = not subject.running and not path.with_name(f"{OUTBOX_FILE}-wal").exists()
    try:
        with reading(path, alone=alone) as db:
            verdicts = [str(verdict) for (verdict,) in db.execute("PRAGMA quick_check(3)")]
            ((version,),) = db.execute("PRAGMA user_version")
            if version != SCHEMA_VERSION and verdicts == ["ok"]:
                yield _of_another_version(path, version, empty=not list(db.execute(_TABLES)))
                return
            ((size,),) = db.execute(_WAITING)
        counts = read_counts(path, alone=alone)
    except OutboxDamagedError as error:
        yield of_fault(OUTBOX, Fault(Faults.STATE_DAMAGED, str(error)))
        return
    except OutboxError as error:
        yield of_fault(OUTBOX, Fault(Faults.STATE_UNWRITABLE, str(error)))
        return
    if verdicts != ["ok"]:
        yield of_fault(OUTBOX, Fault(Faults.STATE_DAMAGED, f"{path}: {'; '.join(verdicts)}"))
        return
    told = f"whole; {counts['unsent']} records wait, {size / _MB:.1f} of {limits.max_mb:g} MB"
    if size > _FULL_SHARE * limits.max_mb * _MB:
        step = "bring the broker back, or raise `outbox.max_mb`: the oldest are dropped beyond it"
        yield warning(OUTBOX, told, step)
    else:
        yield ok(OUTBOX, told)
    if counts["refused"]:
        said = f"the broker refuses {counts['refused']} records"
        yield warning(OUTBOX, said, "allow their topics and sizes; docs/outbox.md")
    dropped = {name: n for name, n in counts.items() if name.startswith("dropped_") and n}
    if dropped:
        said = ", ".join(f"{name} {n}" for name, n in dropped.items())
        step = "docs/outbox.md has each cause; the numbers never go down"
        yield warning(OUTBOX, f"records were dropped by its caps: {said}", step)


def _of_another_version(path: Path, version: int, *, empty: bool) -> Finding:
    if version > SCHEMA_VERSION:
        said = f"{path} has schema {version}, and this version knows {SCHEMA_VERSION}"
        step = "update the software, or go back (docs/upgrading.md); the daemon leaves it alone"
        return bad(OUTBOX, f"{said}: a later one wrote it", step)
    if version == 0:
        what = "is empty" if empty else "is somebody else's database"
        return of_fault(OUTBOX, Fault(Faults.STATE_DAMAGED, f"{path} {what}"))
    said = f"whole, with schema {version}; the daemon brings it to {SCHEMA_VERSION} when it starts"
    return ok(OUTBOX, said)


def look_at_audit(subject: Subject) -> Iterator[Finding]:
    """Raises OSError."""
    path = subject.config.state_dir / AUDIT_FILE
    if not path.exists():
        if (path.parent / OUTBOX_FILE).exists():
            yield of_fault(AUDIT, Fault(Faults.AUDIT_BROKEN, f"{path} is missing"))
        else:
            yield unseen(AUDIT, "there is none yet: no daemon has run with this state folder")
        return
    try:
        chain = check(path, None, None).chain
    except AuditError as error:
        yield of_fault(AUDIT, Fault(Faults.AUDIT_BROKEN, str(error)))
        return
    if chain.torn and not subject.running:
        said = f"the chain of {chain.lines} lines holds; one more is unfinished"
        yield warning(AUDIT, said, "none: the daemon sets it aside when it starts")
    else:
        yield ok(AUDIT, f"the chain of {chain.lines} lines holds; its head is {chain.head[:12]}")


def look_for_damage(subject: Subject) -> Iterator[Finding]:
    """Files that a daemon found damaged, and kept."""
    folder = subject.config.state_dir
    if not folder.is_dir() and (folder.exists() or folder.is_symlink()):
        said = "is no folder" if folder.exists() else "is a link that leads to no folder"
        step = "move it away, or correct `state_dir`: the daemon does not start"
        yield bad(ASIDE, f"{folder} {said}", step)
        return
    if not folder.is_dir():
        step = "none: the daemon makes it, where its user may; `spektron-edge setup` tries that"
        yield warning(ASIDE, f"{folder} is not there yet", step)
        return
    kept = sorted(p.name for pattern in ("*.damaged-*", "*.torn-*") for p in folder.rglob(pattern))
    if kept:
        step = "see why (power, disk); when it is understood, move them elsewhere"
        yield warning(ASIDE, f"damaged files were set aside: {', '.join(kept)}", step)
    elif subject.running:
        yield ok(ASIDE, f"{folder} is the running daemon's")
    else:
        yield ok(ASIDE, f"{folder} is there, and no daemon holds it")


def look_at_ledgers(subject: Subject) -> Iterator[Finding]:
    """Files of which the daemon or the page would complain when they need them."""
    folder = subject.config.state_dir
    if not folder.is_dir():
        yield unseen(LEDGERS, f"{folder} is not there")
        return
    stores: tuple[UserStore | SessionStore | BookStore, ...]
    stores = UserStore(folder), SessionStore(folder), BookStore(folder)
    if faults := [fault for store in stores if (fault := _trouble(store)) is not None]:
        yield from (of_fault(LEDGERS, fault) for fault in faults)
    else:
        yield ok(LEDGERS, "accounts, transfer sessions and qualifications can be read")


def _trouble(store: UserStore | SessionStore | BookStore) -> Fault | None:
    try:
        store.read()
    except Fault as fault:
        return fault
    return None
