"""The folder `transfers/` under the state folder: files of transfers, and `transfers.json`.

A file is never written to: it comes in under its own name before `transfers.json` points at it, and
none is ever removed: what an instrument predicted with stays on record.
"""

from __future__ import annotations

import functools
from pathlib import Path

from spektron_edge.durable import write_durably
from spektron_edge.faults import Fault, Faults
from spektron_edge.ledger import Action, Ledger, noted, told
from spektron_edge.set_aside import set_aside
from spektron_edge.state import storage_fault

from .file import decode, encode, identify
from .state import TransferState
from .versions import Version, Versions, activated, added, rolled_back

FOLDER = "transfers"
FILE = "transfers.json"
_MAX_BYTES = 32 * 2**20


class StateStore:
    """The folder. Methods raise Fault(STATE_UNWRITABLE, DISK_FULL, STATE_DAMAGED)."""

    def __init__(self, state_dir: Path) -> None:
        self.folder = state_dir / FOLDER
        self._ledger = Ledger(self.folder / FILE, Versions())

    def read(self) -> Versions:
        """All versions, and which are in use. Raises Fault(TRANSFER_UNUSABLE) where damaged."""
        try:
            return self._ledger.read()
        except Fault as fault:
            if fault.kind is not Faults.STATE_DAMAGED:
                raise
            # Without it nobody knows whether a transfer was in use: going on would be a guess.
            raise Fault(Faults.TRANSFER_UNUSABLE, fault.detail) from None

    def set_aside(self, who: str) -> Path:
        """Begin anew where `transfers.json` is damaged: no transfer is in use. Returns where the
        damaged file is kept; the transfers' own files stay."""
        try:
            kept = set_aside(self.folder / FILE)
        except OSError as error:
            raise storage_fault(error, self.folder) from None
        action = Action(what="transfers_set_aside", who=who, details={"kept": kept.name})
        self._ledger.update(lambda now: noted(now, action))
        return kept

    def add(self, state: TransferState, who: str) -> int:
        """Keep a transfer; returns its number. It is not in use before it is activated."""
        data = encode(state)
        name = identify(data)

        def kept(versions: Versions) -> Versions:
            number = versions.following
            file = f"{number:04d}-{name}.transfer"
            version = Version(number=number, id=name, file=file, header=state.header)
            return added(versions, version, who)

        with self._ledger.locked("add.lock", wait=True):
            # One writer at a time: the number is known before the file has its name.
            file = kept(self.read()).held[-1].file
            try:
                write_durably(self.folder / file, data)
            except OSError as error:
                raise storage_fault(error, self.folder) from None
            return self._ledger.update(kept).held[-1].number

    def activate(self, number: int, who: str) -> Versions:
        """Use a version for its instrument. Raises Fault(TRANSFER_MISSING, TRANSFER_UNUSABLE)."""
        self.load(self.read().version(number))
        return self._ledger.update(functools.partial(activated, number=number, who=who))

    def roll_back(self, serial: str, who: str) -> Versions:
        """The version before, or the bundle's own calibration. Raises Fault(TRANSFER_MISSING)."""
        return self._ledger.update(functools.partial(rolled_back, serial=serial, who=who))

    def load(self, version: Version) -> TransferState:
        """Read and check a version's file. Raises Fault(TRANSFER_UNUSABLE)."""
        path = self.folder / version.file
        try:
            with path.open("rb") as stream:
                data = stream.read(_MAX_BYTES + 1)
        except OSError as error:
            detail = f"{path} cannot be read: {error.strerror}"
            raise Fault(Faults.TRANSFER_UNUSABLE, detail) from None
        if identify(data) != version.id:
            raise Fault(Faults.TRANSFER_UNUSABLE, f"{path} was altered: it is not {version.id}")
        try:
            return decode(data)
        except Fault as fault:
            raise Fault(fault.kind, f"{path}: {fault.detail}") from None

    def untold(self) -> tuple[Action, ...]:
        """What was done and the audit log does not know yet."""
        return self.read().untold

    def told(self, count: int) -> None:
        """The oldest `count` of them stand in the audit log now."""
        self._ledger.update(functools.partial(told, count=count))
