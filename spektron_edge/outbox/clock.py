"""A clock for ages that no wall clock moves and no reboot turns back.

It counts the seconds that certainly passed: within a boot of the host the running clock's, whether
a daemon ran or not; across boots the running time since the newer one began. Time without power is
not seen, so a record is never taken for older than it is.
"""

from __future__ import annotations

from dataclasses import dataclass

from spektron_edge.clock import Clock, Stamp


@dataclass(frozen=True)
class Reading:
    """What was on the outbox's clock at an instant of the running clock of a boot."""

    boot: str
    running_s: float
    outbox_s: float


class OutboxClock:
    """Goes on from the last reading that was kept."""

    def __init__(self, clock: Clock, last: Reading | None) -> None:
        self._clock = clock
        self._last = last or _at(clock.now(), 0.0)

    def read(self) -> Reading:
        """What it shows."""
        now, last = self._clock.now(), self._last
        passed = now.running_s
        # A boot that cannot be named may be another one: then less time is counted, not more.
        if now.boot == last.boot and now.running_s >= last.running_s:
            passed -= last.running_s
        return _at(now, last.outbox_s + passed)

    @property
    def now_s(self) -> int:
        """Whole seconds, for the database."""
        return int(self.read().outbox_s)


def _at(now: Stamp, outbox_s: float) -> Reading:
    return Reading(now.boot, now.running_s, outbox_s)
