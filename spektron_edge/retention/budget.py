"""What each share of the state folder may come to by the configuration, against the budget and the
disk."""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from spektron_edge.adaptation_state.store import MOST_KEPT_BYTES
from spektron_edge.bundle.slot_store import FOLDER as BUNDLES
from spektron_edge.config.file import Config
from spektron_edge.config.outbox import OutboxLimits
from spektron_edge.config.retention import Retention

from .shares import measured

MB = 2**20
# Measured: rows, indices and pages that are free again, beside payloads of 600 to 1800 bytes.
_OUTBOX_FACTOR = 1.4
# Beside it, while something reads for long.
_OUTBOX_LOG_BYTES = 8 * MB
# Two slots, one that comes in, and one that the page was sent.
_BUNDLES = 4
# Of the disk; the rest is for what is not ours, and for files that are replaced.
OURS = 0.75
_LEAST_MB = 64.0
_OUTBOX_SHARE = 0.25


@dataclass(frozen=True)
class Outlook:
    """In bytes. taken: by share, now; most: by share, what it may come to; shares that nothing
    bounds count as they are; budget: `retention.total_mb`; free: on the disk, for us."""

    taken: Counter[str]
    most: Counter[str]
    budget: float
    free: float

    @property
    def growth(self) -> float:
        """How much the bounded shares may still grow."""
        return (self.most - self.taken).total()

    @property
    def largest(self) -> str:
        """What may grow most, in words."""
        grows = (self.most - self.taken).most_common(3)
        return ", ".join(f"{name} by {size / MB:.0f} MB" for name, size in grows)


def outlook(config: Config) -> Outlook:
    """Of the state folder, which may not be there yet. Raises OSError."""
    folder = config.state_dir
    taken = measured(folder) if folder.is_dir() else Counter[str]()
    most = taken.copy()
    most["outbox"] = max(taken["outbox"], int(outbox_bytes(config.outbox)))
    segment = int(config.retention.audit_segment_mb * MB)
    most["audit log"] = max(taken["audit log"], segment)
    if config.uses_slots:
        files = [path.stat().st_size for path in (folder / BUNDLES).glob("*.spektron")]
        most["bundles"] = max(taken["bundles"], _BUNDLES * max(files, default=0))
    if config.adaptation.mode != "frozen":
        most["adaptations"] = max(taken["adaptations"], MOST_KEPT_BYTES)
    return Outlook(taken, most, config.retention.total_mb * MB, free_bytes(folder))


def outbox_bytes(limits: OutboxLimits) -> float:
    """What its file and its log may take. `max_mb` counts payloads, those that are kept for a
    replay among them."""
    return limits.max_mb * MB * _OUTBOX_FACTOR + _OUTBOX_LOG_BYTES


def free_bytes(folder: Path) -> float:
    """On the disk that a folder is on, or will be on. Raises OSError."""
    room = os.statvfs(existing(folder))
    return room.f_bavail * room.f_frsize


def room_bytes(folder: Path) -> float:
    """Of a folder that may grow until its disk is full. Raises OSError."""
    return free_bytes(folder) + (measured(folder).total() if folder.is_dir() else 0)


def existing(folder: Path) -> Path:
    """The folder, or the first one above it that is there."""
    return next(path for path in (folder, *folder.absolute().parents) if path.exists())


def fitting_budget_mb(room: float) -> float:
    """`retention.total_mb` for a folder with so many bytes of room; the default where that fits."""
    return max(_LEAST_MB, min(Retention().total_mb, float(int(room * OURS / MB))))


def fitting_outbox_mb(budget_mb: float) -> float:
    """`outbox.max_mb` within a budget; the default where that fits."""
    usual = OutboxLimits().max_mb
    return min(usual, float(int(budget_mb * _OUTBOX_SHARE)))
