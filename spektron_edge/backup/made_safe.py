"""What a restored state folder must not simply have again: numbers that were used since."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path

from spektron_edge.clock import Clock
from spektron_edge.config.file import Config
from spektron_edge.faults import Fault, Faults
from spektron_edge.files.audit import Audit, AuditError, Details
from spektron_edge.files.state_folder import AUDIT_FILE, OUTBOX_FILE
from spektron_edge.files.used_counters import used_counters
from spektron_edge.outbox import Limits, Outbox, OutboxError
from spektron_edge.sparkplug.bd_seq import BD_SEQ_FILE, farther

from .archive_reader import OpenBackup


@dataclass(frozen=True)
class Restorer:
    """Who restores, and whether the backup's origin and the keys in it are known."""

    who: str
    known: bool
    keys: bool


def make_safe(staged: Path, backup: OpenBackup, config: Config, by: Restorer) -> None:
    """Change the unpacked files before anybody uses them, and tell the audit log.

    Raises Fault(BACKUP_INVALID), OSError.
    """
    now_ns = time.time_ns()
    audit = _audit(staged / AUDIT_FILE, backup)
    try:
        counters = _raised(staged, config, now_ns)
        if (staged / BD_SEQ_FILE).exists():
            farther(staged / BD_SEQ_FILE)
        clock, manifest = Clock(), backup.manifest
        restored: Details = {
            "backup": manifest.id,
            "made": manifest.made.isoformat(timespec="seconds"),
            "made_on": manifest.host,
            "onto": os.uname().nodename,
            "lines": manifest.audit.lines,
            "head": manifest.audit.head,
            "signer": backup.signer,
            "signer_known": by.known,
            "keys": by.keys,
        }
        audit.append(clock.now(), by.who, "restored", restored)
        for operator, counter in counters.items():
            details: Details = {"operator": operator, "counter": counter}
            audit.append(clock.now(), by.who, "counter_reset", details)
    finally:
        audit.close()


def _audit(path: Path, backup: OpenBackup) -> Audit:
    try:
        audit = Audit(path)
    except AuditError as error:
        raise Fault(Faults.BACKUP_INVALID, f"its audit log: {error}") from None
    if audit.torn is not None or audit.head != backup.manifest.audit.head:
        audit.close()
        raise Fault(Faults.BACKUP_INVALID, "its audit log does not end as its manifest says")
    return audit


def _raised(staged: Path, config: Config, now_ns: int) -> dict[str, int]:
    """Every operator's counter, so that no request that was recorded since is accepted again."""
    path = staged / OUTBOX_FILE
    if not path.exists():
        return {}
    known = used_counters(staged / AUDIT_FILE)
    try:
        # Nothing is pruned here: the daemon does, by its own limits.
        outbox = Outbox(path, Limits(max_bytes=float("inf"), keep_sent_bytes=float("inf")))
        try:
            if outbox.salvaged is not None:
                raise Fault(Faults.BACKUP_INVALID, "its outbox is damaged")
            known = {**known, **outbox.counters()}
            names = {*known, *(operator.name for operator in config.commands.operators)}
            raised = {name: max(now_ns, known.get(name, 0)) for name in sorted(names)}
            for name, counter in raised.items():
                outbox.put_counter(name, counter)
        finally:
            outbox.close()
    except OutboxError as error:
        raise Fault(Faults.BACKUP_INVALID, f"its outbox: {error}") from None
    return raised
