"""A folder of states' files, and the ledger that points at them.

A file is never written to: it comes in under its own name before the ledger points at it.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Iterator
from pathlib import Path
from typing import Generic

from spektron_edge.faults import Fault, Faults

from .durable import write_durably
from .ledger import Action, Ledger, Notes, noted, told
from .set_aside import set_aside
from .state_file import identify
from .state_folder import storage_fault


class KeptStates(Generic[Notes]):
    """The folder. Methods raise Fault(STATE_UNWRITABLE, DISK_FULL), and `unusable` for what is
    damaged: without the ledger nobody knows whether a state was in use, and going on would be a
    guess."""

    def __init__(self, path: Path, empty: Notes, unusable: Faults, states: str) -> None:
        """path: of the ledger; empty: what it holds before there is a file; states: pattern of the
        names of states' files."""
        self.folder, self._file, self._unusable = path.parent, path, unusable
        self._states = states
        self._ledger = Ledger(path, empty)

    def read(self) -> Notes:
        """What the ledger holds now. It was there before the first file was."""
        if self._ledger.stamp is None and any(self.folder.glob(self._states)):
            detail = f"{self._file} is missing, and what it was about lies beside it"
            raise Fault(self._unusable, f"{detail}: bring it back, or begin anew")
        try:
            return self._ledger.read()
        except Fault as fault:
            if fault.kind is not Faults.STATE_DAMAGED:
                raise
            raise Fault(self._unusable, fault.detail) from None

    def begin_anew(self, what: str, who: str) -> Path:
        """Set a damaged ledger aside, if there is one: no state is in use. Returns where it is
        kept; the states' own files stay."""
        try:
            kept = set_aside(self._file) if self._file.exists() else self._file
        except OSError as error:
            raise storage_fault(error, self.folder) from None
        action = Action(what=what, who=who, details={"kept": kept.name})
        self._ledger.update(lambda now: noted(now, action))
        return kept

    @contextlib.contextmanager
    def adding(self) -> Iterator[None]:
        """One writer of files at a time: the number is known before the file has its name."""
        with self._ledger.locked("add.lock", wait=True):
            yield

    def write(self, name: str, data: bytes) -> None:
        """Bring a file in, durably."""
        self._ledger.create()
        try:
            write_durably(self.folder / name, data)
        except OSError as error:
            raise storage_fault(error, self.folder) from None

    def bytes_of(self, name: str, state_id: str, most: int) -> bytes:
        """A file that is what it was when it came in; most: bytes."""
        path = self.folder / name
        try:
            with path.open("rb") as stream:
                data = stream.read(most + 1)
        except OSError as error:
            raise Fault(self._unusable, f"{path} cannot be read: {error.strerror}") from None
        if identify(data) != state_id:
            raise Fault(self._unusable, f"{path} was altered: it is not {state_id}")
        return data

    @property
    def stamp(self) -> tuple[int, int] | None:
        """Another one whenever the ledger was changed, whoever did it."""
        return self._ledger.stamp

    def untold(self) -> tuple[Action, ...]:
        """What was done and the audit log does not know yet."""
        return self.read().untold

    def told(self, count: int) -> None:
        """The oldest `count` of them stand in the audit log now."""
        self._ledger.update(functools.partial(told, count=count))
