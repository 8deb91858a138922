"""Keeps the state folder within its budget, as far as anything may go by itself."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path

from spektron_edge.clock import Clock
from spektron_edge.config.retention import Retention
from spektron_edge.faults import Fault, Faults
from spektron_edge.files.state_folder import StateFolder, storage_fault
from spektron_edge.publishing.notices import Notices
from spektron_edge.transfer_session.session_store import SessionStore

from .shares import measured

_EVERY_S = 600.0
_MB = 2**20
FEWEST_SESSIONS = 5


class Upkeep:
    """Belongs to the main path, in spare time."""

    def __init__(
        self,
        settings: Callable[[], Retention],
        state: StateFolder,
        clock: Clock,
        notices: Notices,
    ) -> None:
        """settings: what the configuration says now."""
        self._settings, self._state = settings, state
        self._clock, self._notices = clock, notices
        self._due = 0.0

    def look_after(self, now: float) -> None:
        """now: time.monotonic(). Trouble with the disk becomes a notice."""
        if now < self._due:
            return
        self._due = now + _EVERY_S
        with self._notices.noticed():
            try:
                self._long_log()
                self._budget()
            except OSError as error:
                raise storage_fault(error, self._state.folder) from None

    def _long_log(self) -> None:
        if self._state.audit.size > self._settings().audit_segment_mb * _MB:
            segment = self._state.begin_audit_segment(self._clock.now())
            told = f"lines up to {self._state.audit.first - 1} lie in audit/{segment.name}"
            self._notices.say("audit_continued", told)

    def _budget(self) -> None:
        folder, most = self._state.folder, self._settings().total_mb * _MB
        taken = measured(folder)
        if taken.total() > most and self._fewer_sessions(folder):
            taken = measured(folder)
        if taken.total() > most:
            self._notices.begin(Fault(Faults.BUDGET_EXCEEDED, _told(taken, most)))
        else:
            self._notices.end((Faults.BUDGET_EXCEEDED,))

    def _fewer_sessions(self, folder: Path) -> bool:
        """Whether spectra of transfers that ended long ago went; the transfers themselves stay."""
        return bool(SessionStore(folder).thin(FEWEST_SESSIONS, "daemon"))


def _told(taken: Counter[str], most: float) -> str:
    largest = ", ".join(f"{name} {size / _MB:.0f} MB" for name, size in taken.most_common(3))
    total = f"{taken.total() / _MB:.0f} MB of {most / _MB:.0f} MB (`retention.total_mb`)"
    return f"the state folder takes {total}; most of it: {largest}"
