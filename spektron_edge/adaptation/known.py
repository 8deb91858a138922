"""Services and stability samples, as the daemon holds them in memory while it runs."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path

from spektron_edge.clock import Clock, Stamp
from spektron_edge.faults import Fault, Faults
from spektron_edge.files.ledger import Action
from spektron_edge.publishing.notices import Notices
from spektron_edge.said import Sayings

from .evidence import EvidenceFile, StabilitySample
from .evidence_store import EvidenceStore

# Spectra between two notes of how many there were: a cut loses at most so many.
_NOTED_EVERY = 100
_AGAIN_S = 60.0


class Known:
    """Methods raise Fault for trouble with the file."""

    def __init__(self, state_dir: Path, notices: Notices, audit: Callable[[Action], bool]) -> None:
        self.store = EvidenceStore(state_dir)
        self._notices, self._audit, self._clock = notices, audit, Clock()
        self._file = EvidenceFile()
        self._stamp: tuple[int, int] | None = None
        self._counted = 0
        self._tried: set[tuple[str, str]] = set()
        self._not_before_s = float("-inf")

    def look(self) -> bool:
        """Take up what was changed, on the command line too; whether a service is new."""
        now_s = time.monotonic()
        if self.store.stamp == self._stamp or now_s < self._not_before_s:
            return False
        # What cannot be read or written now is not tried again in every turn.
        self._not_before_s = now_s + _AGAIN_S
        try:
            new = self._taken_up()
        except Fault as fault:
            if fault.kind is not Faults.STATE_DAMAGED:
                raise
            self._set_aside(fault)
            return False
        self._not_before_s = float("-inf")
        return new

    def _set_aside(self, fault: Fault) -> None:
        try:
            kept = self.store.set_aside()
        except OSError as error:
            raise Fault(Faults.STATE_UNWRITABLE, f"{fault.detail}, and {error}") from None
        self._file, self._stamp = EvidenceFile(), self.store.stamp
        detail = f"{fault.detail}; it is kept as {kept.name}, and services and stability samples "
        self._notices.begin(Fault(fault.kind, detail + "have to be told again"))

    def _taken_up(self) -> bool:
        for action in self.store.untold():
            if not self._audit(action):
                break
            self.store.told(1)
            said = ", ".join(f"{k} {v}" for k, v in action.details.items() if v is not None)
            self._notices.say(action.what, f"{said}, by {action.who}")
        before = {(e.utc, e.what) for e in self._file.services}
        self._stamp = self.store.stamp
        self._file = self.store.read()
        return bool({(e.utc, e.what) for e in self._file.services} - before)

    def count(self, spectra: int, now: Stamp) -> None:
        """So many sound spectra were measured."""
        self._counted += spectra
        if self._counted >= _NOTED_EVERY and self._file.services:
            counted, self._counted = self._counted, 0
            self._file = self.store.count(counted, now)
            self._stamp = self.store.stamp

    @property
    def samples(self) -> Sequence[StabilitySample]:
        """All stability samples."""
        return self._file.samples

    @property
    def services(self) -> tuple[str, ...]:
        """Those that have not expired, in words."""
        now = self._clock.now()
        return tuple(
            str(Sayings.SERVICED.of(what=e.what, who=e.who))
            for e in self._file.services
            if e.holds(now)
        )

    @property
    def untried(self) -> bool:
        """Whether there is a service after which no adaptation was tried."""
        now = self._clock.now()
        return any(e.holds(now) and (e.utc, e.what) not in self._tried for e in self._file.services)

    def try_services(self) -> None:
        """An adaptation is tried that takes them all into account."""
        self._tried = {(e.utc, e.what) for e in self._file.services}

    def astray(self, serial: str, calibration: str) -> tuple[str, ...]:
        """Stability samples of an instrument under a `Model.calibration` whose latest values are
        outside their intervals."""
        key = (serial, calibration)
        return tuple(s.name for s in self._file.samples if (s.serial, s.bundle) == key and s.astray)
