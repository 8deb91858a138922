"""The folder `bundles/` under the state folder: slot files and `slots.json`, which points at them.

A slot's file is never written to: it comes in under a new name before `slots.json` points at it,
and goes after.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path

from spektron_edge.faults import Fault, Faults
from spektron_edge.files.ledger import Ledger

from .slots import Slot, Slots

FOLDER = "bundles"
SLOTS_FILE = "slots.json"


class SlotStore:
    """The folder. Methods raise Fault(STATE_UNWRITABLE, DISK_FULL, STATE_DAMAGED)."""

    def __init__(self, state_dir: Path) -> None:
        self.folder = state_dir / FOLDER
        self._ledger = Ledger(self.folder / SLOTS_FILE, Slots())

    def path(self, slot: Slot) -> Path:
        """A slot's file."""
        return self.folder / slot.file

    def read(self) -> Slots:
        """What the slots hold now; empty slots where there is no folder yet."""
        return self._ledger.read()

    def update(self, change: Callable[[Slots], Slots]) -> Slots:
        """Read, change and write as one step; returns what the slots hold then.

        On return it survives a power cut. What `change` raises leaves everything as it was.
        """
        return self._ledger.update(change)

    @contextlib.contextmanager
    def installing(self) -> Iterator[None]:
        """One installation at a time. Raises Fault(SLOTS_BUSY)."""
        with contextlib.ExitStack() as held:
            try:
                held.enter_context(self._ledger.locked("install.lock", wait=False))
            except BlockingIOError:
                raise Fault(Faults.SLOTS_BUSY, f"{self.folder} is being installed into") from None
            yield
