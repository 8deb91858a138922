"""The folder `transfers/` under the state folder: files of transfers, and `transfers.json`.

No file is ever removed: what an instrument predicted with stays on record.
"""

from __future__ import annotations

import functools
from pathlib import Path

from spektron_edge.faults import Fault, Faults
from spektron_edge.files.kept_states import KeptStates
from spektron_edge.files.state_file import identify

from .file import decode, encode
from .state import TransferState
from .versions import Version, Versions, activated, added, rolled_back

FOLDER = "transfers"
FILE = "transfers.json"
_MAX_BYTES = 32 * 2**20


class StateStore(KeptStates[Versions]):
    """The folder. Methods raise Fault(STATE_UNWRITABLE, DISK_FULL, TRANSFER_UNUSABLE)."""

    def __init__(self, state_dir: Path) -> None:
        path = state_dir / FOLDER / FILE
        super().__init__(path, Versions(), Faults.TRANSFER_UNUSABLE, "*.transfer")

    def set_aside(self, who: str) -> Path:
        """Begin anew where `transfers.json` is damaged; returns where it is kept."""
        return self.begin_anew("transfers_set_aside", who)

    def add(self, state: TransferState, who: str) -> int:
        """Keep a transfer; returns its number. It is not in use before it is activated."""
        data = encode(state)
        name = identify(data)

        def kept(versions: Versions) -> Versions:
            number = versions.following
            file = f"{number:04d}-{name}.transfer"
            version = Version(number=number, id=name, file=file, header=state.header)
            return added(versions, version, who)

        with self.adding():
            self.write(kept(self.read()).held[-1].file, data)
            return self._ledger.update(kept).held[-1].number

    def activate(self, number: int, who: str) -> Versions:
        """Use a version for its instrument. Raises Fault(TRANSFER_MISSING)."""
        self.load(self.read().version(number))
        return self._ledger.update(functools.partial(activated, number=number, who=who))

    def roll_back(self, serial: str, who: str, seen: int | None = None) -> Versions:
        """The version before, or the bundle's own calibration. seen: number that is thought to be
        in use. Raises Fault(TRANSFER_MISSING, OTHER_THAN_SEEN)."""
        return self._ledger.update(
            functools.partial(rolled_back, serial=serial, who=who, seen=seen)
        )

    def load(self, version: Version) -> TransferState:
        """Read and check a version's file."""
        data = self.bytes_of(version.file, version.id, _MAX_BYTES)
        try:
            return decode(data)
        except Fault as fault:
            raise Fault(fault.kind, f"{self.folder / version.file}: {fault.detail}") from None
