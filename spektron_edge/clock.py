"""Two clocks: one that only runs forward, and the wall clock, which may be wrong or jump.

Ages and intervals use the first (CLOCK_BOOTTIME: it also counts a suspended machine). The wall
clock is only ever written into records, with a word on whether it can be believed.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


@dataclass(frozen=True)
class Stamp:
    """One instant on both clocks.

    utc_s: wall clock, seconds since 1970; running_s: seconds since `boot`; boot: id of the host's
    boot, since `running_s` of two boots cannot be compared.
    """

    utc_s: float
    running_s: float
    boot: str

    @property
    def iso(self) -> str:
        """UTC in ISO 8601 with milliseconds."""
        moment = datetime.fromtimestamp(self.utc_s, timezone.utc)
        return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


class Clock:
    """The host's clocks."""

    def __init__(self) -> None:
        try:
            self._boot = _BOOT_ID.read_text("ascii").strip()
        except OSError:
            self._boot = "unknown"

    def now(self) -> Stamp:
        """Both clocks, read together."""
        return Stamp(time.time(), time.clock_gettime(time.CLOCK_BOOTTIME), self._boot)


def age_s(stamp: Stamp, now: Stamp) -> float | None:
    """Seconds between two stamps, or None when a reboot lies between them.

    Across a reboot only the wall clock could tell, and it may be wrong on a machine without a
    battery-backed clock: an unknown age is treated as expired by those who ask.
    """
    if stamp.boot != now.boot:
        return None
    return now.running_s - stamp.running_s


@dataclass
class ClockWatch:
    """Judges the wall clock against the running one.

    floor_utc_s: an instant that is certainly past (the bundle's creation); awaited: whether the
    wall clock has still to be set after the host's start.
    """

    floor_utc_s: float
    tolerance_s: float = 2.0
    awaited: Callable[[Stamp], bool] = lambda _now: False
    _offset: float | None = None

    def suspect(self, now: Stamp) -> bool:
        """Whether the wall clock is not to be believed."""
        return self.why_suspect(now) is not None

    def why_suspect(self, now: Stamp) -> str | None:
        """The reason, or None: it shows a time before something that already happened, or nobody
        has set it since the host's start on a machine where somebody does."""
        if now.utc_s < self.floor_utc_s:
            return f"the clock shows {now.iso}, before the model was made"
        if self.awaited(now):
            return f"the clock shows {now.iso}, and nothing has set it since this machine started"
        return None

    def jump_s(self, now: Stamp) -> float | None:
        """By how much the wall clock was set since the last call; None when it ran on."""
        offset = now.utc_s - now.running_s
        before, self._offset = self._offset, offset
        if before is None or abs(offset - before) <= self.tolerance_s:
            return None
        return offset - before
