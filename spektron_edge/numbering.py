"""Which scan numbers were dealt with: finds gaps, and scans that an instrument sent twice."""

from __future__ import annotations

from dataclasses import dataclass

from .outbox import Outbox, Progress


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

    def advance(self, progress: Progress) -> Step:
        """Take note of a number. Numbers before and after a power-on cannot be compared."""
        last = self.last(progress.serial)
        if last is not None and last.boot_id == progress.boot_id:
            if progress.number <= last.number:
                return Step(repeated=True)
            self._last = progress
            if progress.number > last.number + 1:
                return Step(gap=(last.number + 1, progress.number - 1))
        self._last = progress
        return Step()
