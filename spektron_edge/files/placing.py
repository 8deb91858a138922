"""Bring a whole set of files into the state folder, in steps that a power cut only interrupts.

They are staged in the folder itself, since it may be a disk of its own. From the first rename on,
whoever opens the folder next finishes what was begun.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from .durable import share_with_owner, sync_folder

STAGING, PLACING = "restore-staging", "restore-placing"
ASIDE, BEFORE = "restore-aside-", "before-restore-"
_STAYS = ("lock", "restore-", BEFORE)


def stage(folder: Path) -> Path:
    """A fresh folder to write into; what an earlier try left there is gone. Raises OSError."""
    staged = folder / STAGING
    drop(staged)
    staged.mkdir()
    share_with_owner(staged)
    return staged


def drop(staged: Path) -> None:
    """Nothing of it counts. Raises OSError."""
    if staged.exists():
        shutil.rmtree(staged)


def begin(folder: Path, *, replace: bool) -> Path | None:
    """From here on the staged files are the folder's. They were synced before.

    replace: what is there goes to a folder beside them, whose path is returned. Raises OSError.
    """
    number = 1
    while (before := folder / f"{BEFORE}{number}").exists():
        number += 1
    (folder / STAGING).rename(folder / (f"{ASIDE}{number}" if replace else PLACING))
    sync_folder(folder)
    return before if replace else None


def finish(folder: Path) -> bool:
    """Complete what was begun; whether anything was. May be interrupted, and be called again.

    Raises OSError.
    """
    for staged in folder.glob(f"{ASIDE}*"):
        before = folder / f"{BEFORE}{staged.name.removeprefix(ASIDE)}"
        before.mkdir(exist_ok=True)
        share_with_owner(before)
        for entry in folder.iterdir():
            if not entry.name.startswith(_STAYS):
                entry.rename(before / entry.name)
        sync_folder(before)
        staged.rename(folder / PLACING)
        sync_folder(folder)
    placing = folder / PLACING
    if not placing.is_dir():
        return False
    for at, _, names in os.walk(placing):
        target = folder / Path(at).relative_to(placing)
        if not target.is_dir():
            target.mkdir()
            share_with_owner(target)
        for name in names:
            (Path(at) / name).rename(target / name)
        sync_folder(target)
    sync_folder(folder)
    shutil.rmtree(placing)
    sync_folder(folder)
    return True
