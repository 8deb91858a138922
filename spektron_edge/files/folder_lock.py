"""One daemon at a time: the folder itself is locked, and no file that is deleted undoes it."""

from __future__ import annotations

import contextlib
import fcntl
import os
from pathlib import Path
from types import TracebackType

from spektron_edge.faults import Fault, Faults

from .durable import share_with_owner

LOCK_FILE = "lock"


class FolderLock:
    """Held until it is closed. Raises Fault(STATE_IN_USE), OSError."""

    def __init__(self, folder: Path) -> None:
        """The file `lock` only says who holds it."""
        self._folder = folder
        self._handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            fcntl.flock(self._handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # Another user's, root's perhaps, could not be written to, and need not be.
            (folder / LOCK_FILE).unlink(missing_ok=True)
            (folder / LOCK_FILE).write_text(f"{os.getpid()}\n")
            share_with_owner(folder / LOCK_FILE)
        except BlockingIOError:
            self.close()
            detail = f"{folder} belongs to the running daemon{_holder(folder)}"
            raise Fault(Faults.STATE_IN_USE, detail) from None
        except OSError:
            self.close()
            raise

    @property
    def in_place(self) -> bool:
        """Whether the folder that is locked still has its name."""
        try:
            return os.path.samestat(os.fstat(self._handle), self._folder.stat())
        except OSError:
            return False

    def close(self) -> None:
        """Let another daemon in; nothing happens the second time."""
        handle, self._handle = self._handle, -1
        if handle >= 0:
            os.close(handle)

    def __enter__(self) -> FolderLock:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def _holder(folder: Path) -> str:
    with contextlib.suppress(OSError, ValueError):
        return f" with process id {int((folder / LOCK_FILE).read_bytes()[:32])}"
    return ""
