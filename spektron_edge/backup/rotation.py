"""A folder of backups of one device, named by when they were made; the oldest of too many go."""

from __future__ import annotations

import re
from datetime import datetime, timezone
from pathlib import Path

from spektron_edge.config.file import Config
from spektron_edge.files.state_folder import storage_fault


def name_in(folder: Path, config: Config) -> Path:
    """A new file's name there, which sorts by time."""
    now = datetime.now(timezone.utc)
    milliseconds = now.microsecond // 1000
    return folder / f"{_prefix(config)}{now:%Y%m%dT%H%M%S}{milliseconds:03d}Z.zip"


def remove_old(made: Path, config: Config, keep: int) -> tuple[Path, ...]:
    """Of the others of this device, the latest keep - 1 stay; what was removed.

    Other files are left alone, and so are those of a later time than this one, which a clock that
    was wrong has made: nobody knows which are the latest then. Raises Fault(STATE_UNWRITABLE).
    """
    pattern = re.compile(re.escape(_prefix(config)) + r"\d{8}T\d{9}Z\.zip")
    there = (p for p in made.parent.iterdir() if pattern.fullmatch(p.name))
    found = sorted(p for p in there if p.name < made.name)
    removed = tuple(found[: max(0, len(found) - (keep - 1))])
    try:
        for path in removed:
            path.unlink(missing_ok=True)
    except OSError as error:
        raise storage_fault(error, made.parent) from None
    return removed


def _prefix(config: Config) -> str:
    return f"spektron-{config.site}-{config.instrument}-"
