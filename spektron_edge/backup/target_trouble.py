"""Trouble with the file that a backup or an archive is written to, which lies outside of the state
folder: told as such, not as trouble of the state folder."""

from __future__ import annotations

import errno
import os
from pathlib import Path

from spektron_edge.faults import Fault, Faults
from spektron_edge.files.durable import sync_folder
from spektron_edge.files.state_folder import storage_fault

_NO_LINKS = (errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS)
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def check_place(target: Path) -> None:
    """Raises Fault(BACKUP_REFUSED) where there is no folder to write into: none is made, since a
    disk that is not mounted would be filled in another one's place."""
    if not target.parent.is_dir():
        detail = f"{target.parent} is no folder that is there"
        raise Fault(
            Faults.BACKUP_REFUSED, f"{detail}: make it (`mkdir`), or mount the disk that it is on"
        )


def put_in_place(partial: Path, target: Path) -> None:
    """Give a file that is whole its name, and replace none. Raises OSError."""
    try:
        # Unlike a rename, a link replaces nothing.
        os.link(partial, target)
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        # Sticks as they are sold know no links.
        if target.exists():
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(target)) from None
        partial.rename(target)
    sync_folder(target.parent)


def target_fault(error: OSError, target: Path, state_dir: Path) -> Fault:
    """state_dir: what is written from, whose own trouble stays what it is."""
    if error.filename is not None and Path(str(error.filename)).is_relative_to(state_dir):
        return storage_fault(error, state_dir)
    if error.errno in _FULL:
        return Fault(
            Faults.BACKUP_REFUSED,
            f"{target} has no room ({error.strerror}): free space there, or give another disk",
        )
    why = f"{error.filename or target}: {error.strerror}"
    return Fault(Faults.BACKUP_REFUSED, f"{why}: give a folder that you may write to")
