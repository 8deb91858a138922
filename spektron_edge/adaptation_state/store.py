"""The folder `adaptations/` under the state folder: files, batches, and `adaptations.json`.

What was ever in use stays, with its batch. Of what never was, the latest two hundred stay, and as
many as there is room for.
"""

from __future__ import annotations

import contextlib
import functools
from pathlib import Path
from typing import TYPE_CHECKING

from spektron_edge.adaptation.candidate import Batch
from spektron_edge.faults import Fault, Faults
from spektron_edge.files.kept_states import KeptStates
from spektron_edge.files.state_file import identify

from .adaptations import Adaptations, Approval, Entry, entry_of
from .batch_file import MOST_BYTES as MOST_BATCH_BYTES
from .batch_file import decode_batch, encode_batch
from .decisions import (
    approved,
    installed_by_itself,
    proposed,
    rejected,
    rolled_back,
    thinned,
    tried,
    was_reset,
)
from .file import MOST_BYTES, decode, encode
from .header import Header
from .state import AdaptationState

if TYPE_CHECKING:
    from spektron_edge.inference import Model

FOLDER = "adaptations"
FILE = "adaptations.json"
MOST_KEPT_BYTES = 256 * 2**20


class AdaptationStore(KeptStates[Adaptations]):
    """The folder. Methods raise Fault(STATE_UNWRITABLE, DISK_FULL, ADAPTATION_UNUSABLE)."""

    def __init__(self, state_dir: Path) -> None:
        path = state_dir / FOLDER / FILE
        super().__init__(path, Adaptations(), Faults.ADAPTATION_UNUSABLE, "*.adaptation")

    def propose(self, state: AdaptationState, batch: Batch, who: str = "daemon") -> int:
        """Keep an adaptation and what it was made from; returns its number. It is not in use.

        Raises Fault(ADAPTATION_REFUSED) where it does not go on from what is in use, or there is
        no room; ValueError for a batch that is not the state's.
        """
        data, spectra = encode(state), encode_batch(batch)
        # What could not be read again is not taken in.
        decode(data)
        if batch.scans != state.header.scans:
            raise ValueError("the batch is not the one that the adaptation was made from")
        decode_batch(spectra, state.header)
        size = len(data) + len(spectra)

        def kept(adaptations: Adaptations) -> Adaptations:
            entry = entry_of(state.header, adaptations.latest + 1, identify(data), size)
            after = proposed(adaptations, entry, who)
            return thinned(after, MOST_KEPT_BYTES)

        with self.adding():
            before = self.read()
            entry = kept(before).held[-1]
            self.write(entry.batch_file, spectra)
            self.write(entry.file, data)
            after = self._ledger.update(kept)
            self._throw_away(before, after)
            return after.latest

    def approve(self, number: int, approval: Approval, needed: int, model: Model) -> Adaptations:
        """One more person agrees; in use when as many as needed do.

        Raises Fault(ADAPTATION_MISSING, ADAPTATION_REFUSED), also where the model cannot use it.
        """
        self._check(number, model)
        change = functools.partial(approved, number=number, approval=approval, needed=needed)
        return self._ledger.update(change)

    def install(self, number: int, model: Model, who: str = "auto") -> Adaptations:
        """Use one without asking a person. Raises Fault as `approve`."""
        self._check(number, model)
        return self._ledger.update(functools.partial(installed_by_itself, number=number, who=who))

    def try_in_shadow(self, number: int, against: tuple[str, ...]) -> Adaptations:
        """Its time in shadow is over. Raises Fault(ADAPTATION_MISSING, ADAPTATION_REFUSED)."""
        return self._ledger.update(functools.partial(tried, number=number, against=against))

    def reject(self, number: int, who: str, why: str) -> Adaptations:
        """Never use it. Raises Fault(ADAPTATION_MISSING, ADAPTATION_REFUSED)."""
        return self._ledger.update(functools.partial(rejected, number=number, who=who, why=why))

    def roll_back(
        self, serial: str | None, who: str, why: str = "", seen: int | None = None
    ) -> Adaptations:
        """What was in use before, or the bundle's own calibration.

        serial: of the instrument; None for the only one with an adaptation in use; seen: number
        that is thought to be in use. Raises Fault(ADAPTATION_MISSING, OTHER_THAN_SEEN), and
        ADAPTATION_UNUSABLE where what was in use before cannot be
        read.
        """
        before = self.read()
        serial = serial or before.only_in_use
        change = functools.partial(rolled_back, serial=serial, who=who, why=why, seen=seen)
        back = change(before).active(serial)
        if back is not None:
            self.load(back)
        return self._ledger.update(change)

    def reset(
        self, serial: str | None, who: str, why: str = "", seen: int | None = None
    ) -> Adaptations:
        """The bundle's own calibration, whatever is in use and whatever is damaged of it.

        serial, seen: as in `roll_back`. A damaged `adaptations.json` is set aside: then no
        instrument has an adaptation in use. Raises Fault(OTHER_THAN_SEEN), and ADAPTATION_MISSING
        where several instruments have one and none is named, or others than the named one.
        """
        try:
            before = self.read()
        except Fault as fault:
            if fault.kind is not Faults.ADAPTATION_UNUSABLE:
                raise
            self.begin_anew("adaptations_set_aside", who)
            return self.read()
        if not before.used:
            return before
        serial = serial or before.only_in_use
        if before.active(serial) is None:
            have = ", ".join(before.used)
            detail = f"no adaptation is in use for {serial}; those with one are: {have}"
            raise Fault(Faults.ADAPTATION_MISSING, detail)
        change = functools.partial(was_reset, serial=serial, who=who, why=why, seen=seen)
        return self._ledger.update(change)

    def load(self, entry: Entry) -> AdaptationState:
        """Read and check an adaptation's file."""
        data = self.bytes_of(entry.file, entry.id, MOST_BYTES)
        try:
            return decode(data)
        except Fault as fault:
            raise Fault(fault.kind, f"{self.folder / entry.file}: {fault.detail}") from None

    def load_for(self, entry: Entry, model: Model) -> AdaptationState:
        """The same, usable by this model."""
        from spektron_edge.inference import BackendError

        state = self.load(entry)
        try:
            misfit = state.misfit(model)
        except BackendError as error:
            misfit = str(error)
        if misfit:
            detail = f"adaptation {entry.number} cannot be used: {misfit}"
            raise Fault(Faults.ADAPTATION_UNUSABLE, detail)
        return state

    def batch(self, entry: Entry, header: Header) -> Batch:
        """What it was made from."""
        path = self.folder / entry.batch_file
        data = self.bytes_of(entry.batch_file, entry.batch[:12], MOST_BATCH_BYTES)
        try:
            return decode_batch(data, header)
        except Fault as fault:
            raise Fault(fault.kind, f"{path}: {fault.detail}") from None

    def _check(self, number: int, model: Model) -> None:
        entry = self.read().entry(number)
        try:
            self.load_for(entry, model)
        except Fault as fault:
            if fault.kind is not Faults.ADAPTATION_UNUSABLE:
                raise
            # It is not in use: nothing has to be mended.
            raise Fault(Faults.ADAPTATION_REFUSED, fault.detail) from None

    def _throw_away(self, before: Adaptations, after: Adaptations) -> None:
        """Files of what was forgotten. A cut here leaves files that nothing points at."""
        kept = {entry.batch for entry in after.held}
        numbers = {entry.number for entry in after.held}
        for entry in before.held:
            if entry.number in numbers:
                continue
            with contextlib.suppress(OSError):
                (self.folder / entry.file).unlink(missing_ok=True)
                if entry.batch not in kept:
                    (self.folder / entry.batch_file).unlink(missing_ok=True)
