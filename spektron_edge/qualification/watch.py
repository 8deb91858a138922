"""Performance qualification by schedule: what is due, what has failed, and what follows."""

from __future__ import annotations

from collections.abc import Callable

from spektron_edge.faults import Fault
from spektron_edge.files.ledger import Action
from spektron_edge.publishing.active_faults import QUALIFICATION
from spektron_edge.publishing.notices import Notices

from .book import BookStore, Calibration, Run
from .standing import standing

_EVERY_S = 5.0


class QualificationWatch:
    """On the main path: tells the audit log what was done, and everybody what is due."""

    def __init__(
        self,
        store: BookStore,
        in_use: Callable[[], tuple[str, Calibration] | None],
        every_s: Callable[[], float | None],
        now_s: Callable[[], float],
        notices: Notices,
        audit: Callable[[Action], bool],
    ) -> None:
        """in_use: serial number and calibration, None before an instrument is known; every_s: None
        for no schedule; now_s: UTC, seconds since 1970; audit: false where the disk is full."""
        self._store, self._in_use, self._every_s = store, in_use, every_s
        self._now_s, self._notices, self._audit = now_s, notices, audit
        self._due_s = 0.0
        self._stamp: tuple[int, int] | None = None
        self._before: tuple[str, Calibration] | None = None
        self._runs: tuple[Run, ...] = ()
        self._untold = False
        self.fault: Fault | None = None

    def against(self, now: float) -> Fault | None:
        """What speaks against the values of what is in use; now: time.monotonic()."""
        if self._in_use() != self._before:
            self.look_after(now)
        return self.fault

    def look_after(self, now: float) -> None:
        """In spare time; now: time.monotonic()."""
        in_use, stamp = self._in_use(), self._store.stamp
        if now < self._due_s and in_use == self._before and stamp == self._stamp:
            return
        self._due_s, self._before = now + _EVERY_S, in_use
        if stamp != self._stamp or self._untold:
            # Noted first: what cannot be read now is read again when it is another file.
            self._stamp = stamp
            with self._notices.noticed():
                self._take_up()
        self._judge(in_use)

    def _take_up(self) -> None:
        """Raises Fault."""
        book = self._store.read()
        self._runs = book.runs
        self._untold, done = bool(book.untold), 0
        for action in book.untold:
            if not self._audit(action):
                break
            done += 1
            said = ", ".join(f"{key} {value}" for key, value in action.details.items())
            self._notices.say(action.what, f"{said}, by {action.who}")
        if done:
            self._store.told(done)
            self._untold = done < len(book.untold)

    def _judge(self, in_use: tuple[str, Calibration] | None) -> None:
        every_s, before = self._every_s(), self.fault
        if every_s is None:
            self.fault = None
        elif in_use is not None:
            self.fault = standing(self._runs, *in_use, every_s, self._now_s())
        fault = self.fault
        self._notices.end(kind for kind in QUALIFICATION if fault is None or kind is not fault.kind)
        if fault is None:
            return
        if before is not None and before.kind is fault.kind and before.detail != fault.detail:
            # Another reason is news.
            self._notices.end((fault.kind,))
        self._notices.begin(fault)
