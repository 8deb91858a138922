"""A folder beside the backup that is made in it; what a killed one has left there goes."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

_PREFIX = ".spektron-backup-"
# A folder that holds anything else is somebody's own.
_OURS = ("backup.zip", "outbox.sqlite")


@contextlib.contextmanager
def work_folder(beside: Path) -> Iterator[Path]:
    """A fresh folder, gone at the end. Raises OSError."""
    for left in beside.glob(f"{_PREFIX}*"):
        _remove_if_left(left)
    with contextlib.ExitStack() as stack:
        made = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix=_PREFIX, dir=beside)))
        # Network file systems have no locks on folders: there nothing is removed, either.
        with contextlib.suppress(OSError):
            stack.enter_context(_held(made))
        yield made


def _remove_if_left(folder: Path) -> None:
    """A copy of an outbox is large; nightly ones would fill the disk. One in use is locked."""
    with contextlib.suppress(OSError), _held(folder):
        if all(path.name.startswith(_OURS) and path.is_file() for path in folder.iterdir()):
            shutil.rmtree(folder)


@contextlib.contextmanager
def _held(folder: Path) -> Iterator[None]:
    """The kernel lets go of it however the process ends. Raises OSError, also where it is held."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    finally:
        os.close(handle)
