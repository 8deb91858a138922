"""The folder `bundles/` under the state folder: slot files and `slots.json`, which points at them.

Every change is one rename of `slots.json`, made under a lock of its own: the daemon holds the lock
of the state folder, and the command line changes slots while it runs. A slot's file is never
written to: it comes in under a new name before `slots.json` points at it, and goes after.
"""

from __future__ import annotations

import contextlib
import fcntl
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

from pydantic import ValidationError

from spektron_edge.durable import share_with_owner, write_durably
from spektron_edge.faults import Fault, Faults
from spektron_edge.state import storage_fault

from .canonical import canonical
from .slots import Slot, Slots

FOLDER = "bundles"
SLOTS_FILE = "slots.json"
_MAX_BYTES = 8 * 2**20


class SlotStore:
    """The folder. Methods raise Fault(STATE_UNWRITABLE, DISK_FULL, STATE_DAMAGED)."""

    def __init__(self, state_dir: Path) -> None:
        self.folder = state_dir / FOLDER

    def path(self, slot: Slot) -> Path:
        """A slot's file."""
        return self.folder / slot.file

    def read(self) -> Slots:
        """What the slots hold now; empty slots where there is no folder yet."""
        path = self.folder / SLOTS_FILE
        try:
            with path.open("rb") as stream:
                raw = stream.read(_MAX_BYTES + 1)
            if len(raw) > _MAX_BYTES:
                raise ValueError("it is too large")
            return Slots.model_validate_json(raw)
        except FileNotFoundError:
            return Slots()
        except OSError as error:
            raise storage_fault(error, path) from None
        except ValidationError as error:
            detail = error.errors()[0]["msg"]
            raise Fault(Faults.STATE_DAMAGED, f"{path} is damaged: {detail}") from None
        except ValueError as error:
            raise Fault(Faults.STATE_DAMAGED, f"{path} is damaged: {error}") from None

    def update(self, change: Callable[[Slots], Slots]) -> Slots:
        """Read, change and write as one step; returns what the slots hold then.

        On return it survives a power cut. What `change` raises leaves everything as it was.
        """
        before = self.read()
        if change(before) is before:
            return before
        with self._locked("lock", wait=True):
            before = self.read()
            after = change(before)
            if after is not before:
                try:
                    write_durably(self.folder / SLOTS_FILE, canonical(after.model_dump()))
                except OSError as error:
                    raise storage_fault(error, self.folder) from None
            return after

    @contextlib.contextmanager
    def installing(self) -> Iterator[None]:
        """One installation at a time. Raises Fault(SLOTS_BUSY)."""
        with self._locked("install.lock", wait=False):
            yield

    @contextlib.contextmanager
    def _locked(self, name: str, *, wait: bool) -> Iterator[None]:
        try:
            lock = self._open_lock(name)
        except OSError as error:
            raise storage_fault(error, self.folder) from None
        with lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
            except BlockingIOError:
                raise Fault(Faults.SLOTS_BUSY, f"{self.folder} is being installed into") from None
            yield

    def _open_lock(self, name: str) -> BinaryIO:
        for folder in (self.folder.parent, self.folder):
            if not folder.is_dir():
                folder.mkdir(parents=True, exist_ok=True)
                share_with_owner(folder)
        path = self.folder / name
        fresh = not path.exists()
        lock = path.open("ab")
        if fresh:
            share_with_owner(path)
        return lock
