"""Which scan numbers were dealt with: finds gaps, and scans that an instrument sent twice."""

from __future__ import annotations

from dataclasses import dataclass

from spektron_edge.outbox import Outbox, Progress


@dataclass(frozen=True)
class Step:
    """What a scan number means: `repeated`, or the range missing before it (first, last)."""

    repeated: bool = False
    gap: tuple[int, int] | None = None


class Numbering:
    """Follows one instrument's numbers, starting from what the outbox remembers."""

    def __init__(self, outbox: Outbox) -> None:
        self._outbox = outbox
        self._last: Progress | None = None

    def last(self, serial: str) -> Progress | None:
        """The last number of that instrument, from memory or from the outbox."""
        if self._last is None or self._last.serial != serial:
            self._last = self._outbox.progress(serial)
        return self._last

    @property
    def known(self) -> tuple[Progress, ...]:
        """What is known without the outbox."""
        return () if self._last is None else (self._last,)

    def advance(self, progress: Progress) -> Step:
        """Take note of a number.

        Numbers begin again at 0 with every power-on of the instrument. What an instrument did
        before the daemon first met it is no gap.
        """
        last = self.last(progress.serial)
        if last is None:
            expected = progress.number
        elif last.boot_id != progress.boot_id:
            expected = 0
        elif progress.number <= last.number:
            return Step(repeated=True)
        else:
            expected = last.number + 1
        self._last = progress
        if progress.number > expected:
            return Step(gap=(expected, progress.number - 1))
        return Step()
