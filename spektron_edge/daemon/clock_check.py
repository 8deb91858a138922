"""Whether the wall clock can be believed: said when it cannot, and when it was set."""

from __future__ import annotations

from spektron_edge.clock import Clock
from spektron_edge.clock_sync import kernel_synchronised
from spektron_edge.faults import Fault, Faults

from .opening import Opened


class ClockCheck:
    """Looks at the clock now and then."""

    def __init__(self, clock: Clock, opened: Opened) -> None:
        self._clock, self._watch = clock, opened.watch
        self._notices, self._audit = opened.notices, opened.audit

    def look_after(self) -> None:
        """In spare time."""
        now = self._clock.now()
        if (jump := self._watch.jump_s(now)) is not None:
            self._audit("clock_jumped", by_s=round(jump))
            self._notices.once(Fault(Faults.CLOCK_JUMPED, f"the clock was set by {jump:+.1f} s"))
        if (why := self._watch.why_suspect(now)) is not None:
            self._notices.begin(Fault(Faults.CLOCK_SUSPECT, why))
        else:
            self._notices.end((Faults.CLOCK_SUSPECT,))

    def trusted_now_s(self) -> float | None:
        """UTC in seconds since 1970, where the kernel keeps the clock in step with others."""
        now = self._clock.now()
        return now.utc_s if kernel_synchronised() and not self._watch.suspect(now) else None
