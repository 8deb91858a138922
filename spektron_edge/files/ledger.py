"""A small JSON file that daemon and command line both change, one whole step at a time.

Every change is one rename, made under a lock of the file's own: the daemon holds the lock of the
state folder, and the command line changes ledgers while it runs.
"""

from __future__ import annotations

import contextlib
import fcntl
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO, Generic, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from spektron_edge.bundle.canonical import canonical
from spektron_edge.faults import Fault, Faults

from .durable import share_with_owner, write_durably
from .formats import newer
from .state_folder import storage_fault

Contents = TypeVar("Contents", bound=BaseModel)
_MAX_BYTES = 8 * 2**20


class Action(BaseModel):
    """Who did what: noted by the change itself, until the daemon has put it into its audit log."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    what: str
    who: str
    details: dict[str, str | int | bool | None]


class Noted(BaseModel):
    """Contents of a ledger that say what was done and the audit log does not know yet."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    untold: tuple[Action, ...] = ()


Notes = TypeVar("Notes", bound=Noted)


def noted(contents: Notes, action: Action) -> Notes:
    """The same with one more thing to be told."""
    return contents.model_copy(update={"untold": (*contents.untold, action)})


def told(contents: Notes, count: int) -> Notes:
    """The oldest `count` actions stand in the audit log."""
    return contents.model_copy(update={"untold": contents.untold[count:]})


class Ledger(Generic[Contents]):
    """One file in a folder. Methods raise Fault(STATE_UNWRITABLE, DISK_FULL, STATE_DAMAGED)."""

    def __init__(self, path: Path, empty: Contents, mode: int = 0o644) -> None:
        """empty: what it holds before there is a file; mode: of the file."""
        self.folder, self.path, self._empty, self._mode = path.parent, path, empty, mode

    def read(self) -> Contents:
        """What it holds now."""
        path = self.path
        try:
            with path.open("rb") as stream:
                raw = stream.read(_MAX_BYTES + 1)
            if len(raw) > _MAX_BYTES:
                raise ValueError("it is too large")
            return type(self._empty).model_validate_json(raw)
        except FileNotFoundError:
            return self._empty
        except OSError as error:
            raise storage_fault(error, path) from None
        except ValidationError as error:
            if why := newer(raw, type(self._empty)):
                raise Fault(Faults.STATE_DAMAGED, f"{path}: {why}") from None
            detail = error.errors()[0]["msg"]
            raise Fault(Faults.STATE_DAMAGED, f"{path} is damaged: {detail}") from None
        except ValueError as error:
            raise Fault(Faults.STATE_DAMAGED, f"{path} is damaged: {error}") from None

    def update(self, change: Callable[[Contents], Contents]) -> Contents:
        """Read, change and write as one step; returns what it holds then.

        On return it survives a power cut. What `change` raises leaves everything as it was; one
        that returns what it was given writes nothing.
        """
        before = self.read()
        if change(before) is before:
            return before
        with self.locked("lock", wait=True):
            before = self.read()
            after = change(before)
            if after is not before:
                self._write(canonical(after.model_dump(mode="json")))
            return after

    def create(self) -> None:
        """Write down that it holds nothing, where there is no file."""
        if self.stamp is None:
            with self.locked("lock", wait=True):
                if self.stamp is None:
                    self._write(canonical(self._empty.model_dump(mode="json")))

    def _write(self, data: bytes) -> None:
        if len(data) > _MAX_BYTES:
            # What could not be read again is not written.
            detail = f"{self.path} would be larger than {_MAX_BYTES} bytes"
            raise Fault(Faults.STATE_UNWRITABLE, detail)
        try:
            write_durably(self.path, data, self._mode)
        except OSError as error:
            raise storage_fault(error, self.folder) from None

    @property
    def stamp(self) -> tuple[int, int] | None:
        """Another one whenever the file was replaced; None while there is none."""
        try:
            status = self.path.stat()
        except OSError:
            return None
        return status.st_ino, status.st_mtime_ns

    @contextlib.contextmanager
    def locked(self, name: str, *, wait: bool) -> Iterator[None]:
        """Hold a lock file of the folder. wait: else BlockingIOError where it is held."""
        try:
            lock = self._open_lock(name)
        except OSError as error:
            raise storage_fault(error, self.folder) from None
        with lock:
            fcntl.flock(lock, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
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
