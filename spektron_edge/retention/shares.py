"""How much of the disk each part of the state folder takes, and what may become of it."""

from __future__ import annotations

import contextlib
import os
import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Share:
    """pattern: of paths under the state folder; movable: `archive` may move it away; policy: for a
    reader."""

    name: str
    pattern: str
    movable: bool
    policy: str


SHARES = (
    Share(
        "before a restore",
        r"before-restore-.*",
        False,
        "a whole state folder: delete it by hand when nobody needs it",
    ),
    Share(
        "set aside",
        r"(.*/)?[^/]*\.(damaged|torn)-\d+(-wal|-shm)?|before-migration-.*",
        True,
        "damaged files and what an update began with: never deleted; `archive` moves them",
    ),
    Share("outbox", r"outbox\.sqlite(-wal|-shm)?", False, "its own caps (`[outbox]`)"),
    Share("audit log", r"audit\.jsonl", False, "never deleted; goes on in a new file when long"),
    Share(
        "audit segments",
        r"audit/.*\.jsonl\.gz",
        True,
        "never deleted; `archive` moves them, and their hash stays in the chain",
    ),
    Share("bundles", r"bundles/.*", False, "two slots; a new bundle replaces the spare one"),
    Share(
        "transfer sessions",
        r"transfer-session/.*",
        False,
        "the latest fifty; fewer, down to five, where the budget is exceeded",
    ),
    Share("transfers", r"transfers/.*", False, "never deleted: what was predicted with"),
    Share(
        "adaptations",
        r"adaptations/.*",
        False,
        "what was in use stays; of the others 200 and 256 MB",
    ),
    Share("qualification", r"qualification/.*", False, "never deleted: signed reports"),
    Share("engines", r"engines/.*", False, "made for this machine; may be deleted by hand"),
)
OTHERS = Share("others", r".*", False, "small, and replaced as a whole")


def share_of(path: str) -> Share:
    """Of a path under the state folder, with `/`."""
    return next((share for share in SHARES if re.fullmatch(share.pattern, path)), OTHERS)


def measured(folder: Path) -> Counter[str]:
    """Bytes on the disk by share. Raises OSError."""
    found: Counter[str] = Counter()
    for path in _files(folder):
        # What has gone meanwhile takes nothing.
        with contextlib.suppress(FileNotFoundError):
            found[share_of(path.relative_to(folder).as_posix()).name] += _on_disk(path)
    return found


def movable(folder: Path) -> list[Path]:
    """Files that `archive` may move away, sorted. Raises OSError."""
    paths = _files(folder)
    return sorted(p for p in paths if share_of(p.relative_to(folder).as_posix()).movable)


def _files(folder: Path) -> list[Path]:
    return [
        Path(at) / name
        for at, _, names in os.walk(folder)
        for name in names
        if not (Path(at) / name).is_symlink()
    ]


def _on_disk(path: Path) -> int:
    return path.stat().st_blocks * 512
