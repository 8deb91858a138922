"""The folder `transfer-session/` under the state folder: `session.json`, and a folder a session.

Spectra come in under a name made of their contents before `session.json` points at them, and are
never written to. When a session ends its folder stays, with its own `session.json`, for the record,
until fifty others have ended.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from spektron_edge.bundle.arrays import read_npz
from spektron_edge.bundle.canonical import canonical
from spektron_edge.faults import Fault, Faults
from spektron_edge.files.durable import share_with_owner, sync_folder, write_durably
from spektron_edge.files.ledger import Action, Ledger, told
from spektron_edge.files.lock_files import is_locked
from spektron_edge.files.set_aside import set_aside
from spektron_edge.files.state_folder import storage_fault

from .work import Added, Sessions, Work, ended, removed

Array = NDArray[np.float64]
FOLDER = "transfer-session"
FILE = "session.json"
# About half a megabyte each.
KEPT = 50
_FIT_LOCK = "fit.lock"
_MAX_BYTES = 32 * 2**20


class SessionStore:
    """The folder. Methods raise Fault(STATE_UNWRITABLE, DISK_FULL, STATE_DAMAGED)."""

    def __init__(self, state_dir: Path) -> None:
        self.folder = state_dir / FOLDER
        self._ledger = Ledger(self.folder / FILE, Sessions())

    def read(self) -> Sessions:
        """What is open."""
        try:
            return self._ledger.read()
        except Fault as fault:
            if fault.kind is not Faults.STATE_DAMAGED:
                raise
            detail = f"{fault.detail}; `spektron-edge transfer discard` sets it aside"
            raise Fault(Faults.STATE_DAMAGED, detail) from None

    def set_aside(self) -> Path:
        """Keep a damaged `session.json` under another name; what it pointed at stays."""
        try:
            return set_aside(self.folder / FILE)
        except OSError as error:
            raise storage_fault(error, self.folder) from None

    def update(self, change: Callable[[Sessions], Sessions]) -> Sessions:
        """As `Ledger.update`."""
        return self._ledger.update(change)

    def folder_of(self, work: Work) -> Path:
        """Where a session's spectra and its report are."""
        return self.folder / work.id

    def keep(self, work: Work, axis: Array, scans: Array) -> str:
        """Store scans (r, P) on axis (P,) nm; returns the file's name."""
        stream = io.BytesIO()
        np.savez(stream, axis_nm=axis, absorbance=scans)
        data = stream.getvalue()
        # Names are made of the numbers, since an archive holds the time at which it was made.
        name = _name_of(axis, scans)
        self.write(work, name, data)
        return name

    def write(self, work: Work, name: str, data: bytes) -> Path:
        """Write a file of a session durably."""
        folder = self.folder_of(work)
        try:
            if not folder.is_dir():
                folder.mkdir(parents=True, exist_ok=True)
                share_with_owner(folder)
                sync_folder(folder.parent)
            write_durably(folder / name, data)
        except OSError as error:
            raise storage_fault(error, folder) from None
        return folder / name

    def scans(self, work: Work, added: Added) -> tuple[Array, Array]:
        """(r, P) absorbance and (P,) nm of a sample. Raises Fault(STATE_DAMAGED)."""
        path = self.folder_of(work) / added.file
        try:
            with path.open("rb") as stream:
                arrays = read_npz(stream.read(_MAX_BYTES))
            scans = arrays["absorbance"].astype(np.float64)
            axis = arrays["axis_nm"].astype(np.float64)
            if scans.ndim != 2 or axis.shape != scans.shape[1:] or len(scans) != added.scans:
                raise ValueError("its arrays do not fit")
            if _name_of(arrays["axis_nm"], arrays["absorbance"]) != added.file:
                raise ValueError("its numbers are not those that were added")
        except OSError as error:
            raise storage_fault(error, path) from None
        except Exception as error:  # noqa: BLE001  numpy and zipfile raise a dozen types
            detail = f"{path} is damaged ({error}); add sample {added.sample} again"
            raise Fault(Faults.STATE_DAMAGED, detail) from None
        return scans, axis

    @contextlib.contextmanager
    def fitting(self) -> Iterator[None]:
        """One fit at a time. Raises Fault(TRANSFER_BUSY)."""
        with contextlib.ExitStack() as held:
            try:
                held.enter_context(self._ledger.locked(_FIT_LOCK, wait=False))
            except BlockingIOError:
                raise Fault(Faults.TRANSFER_BUSY, "a transfer is being fitted already") from None
            yield

    @property
    def is_fitting(self) -> bool:
        """Whether a fit goes on, in whatever process."""
        return is_locked(self.folder / _FIT_LOCK)

    def end(self, work: Work, how: str, who: str, **details: str | int) -> Sessions:
        """Close what is open; its folder stays. Raises Fault(TRANSFER_FAILED) if it changed."""
        # The copy comes first: a power cut in between leaves the session open, and whole.
        self.write(work, FILE, canonical(work.model_dump(mode="json")))
        after = self.update(lambda sessions: ended(sessions, work, how, who, **details))
        return self._thinned(after, KEPT, who)

    def thin(self, keep: int, who: str) -> int:
        """Remove the folders of all ended sessions but the latest; how many went."""
        before = self.read()
        return len(before.ended) - len(self._thinned(before, keep, who).ended)

    def _thinned(self, sessions: Sessions, keep: int, who: str) -> Sessions:
        gone = sessions.ended[:-keep]
        if not gone:
            return sessions
        for session in gone:
            # What cannot be removed lies about; it is no reason to keep a session open.
            shutil.rmtree(self.folder / session, ignore_errors=True)
        return self.update(lambda now: removed(now, gone, who))

    def untold(self) -> tuple[Action, ...]:
        """What the audit log does not know yet."""
        return self.read().untold

    def told(self, count: int) -> None:
        """The oldest `count` of these stand in the audit log."""
        self.update(lambda sessions: told(sessions, count))


def _name_of(axis: Array, scans: Array) -> str:
    return hashlib.sha256(axis.tobytes() + scans.tobytes()).hexdigest()[:12] + ".npz"
