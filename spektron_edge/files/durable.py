"""Files that survive a power cut: the old contents or the new ones, never a part of either."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path


def write_durably(path: Path, data: bytes, mode: int = 0o644) -> None:
    """Replace a file as a whole. On return it survives a power cut. Raises OSError."""
    partial = path.with_name(path.name + ".partial")
    partial.unlink(missing_ok=True)
    handle = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
    except OSError:
        # Nothing that is half there takes room on a disk that is full already.
        with contextlib.suppress(OSError):
            partial.unlink()
        raise
    share_with_owner(partial)
    partial.replace(path)
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make renames in a folder survive a power cut. Raises OSError."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def share_with_owner(path: Path, folder: Path | None = None) -> None:
    """What root makes in the folder of the daemon's user becomes that user's. Raises OSError.

    folder: another one than the one that it lies in.
    """
    if os.geteuid() == 0:
        owner = (folder or path.parent).stat()
        os.chown(path, owner.st_uid, owner.st_gid)
