"""Which scan numbers were dealt with: finds gaps, and scans that an instrument sent twice."""

from __future__ import annotations

from dataclasses import dataclass

from spektron_edge.outbox import Outbox, Progress

# Days of scans at ten a second, while nobody listened, are a gap; what is beyond is no count.
MOST_MISSING = 1 << 24
# A number from farther behind is no scan sent twice: the instrument counts anew.
MOST_REPEATED = 16


@dataclass(frozen=True)
class Step:
    """What a scan number means: `repeated`, or the range missing before it (first, last).

    jumped_from: the last number, where no count leads from it to this one, which begins anew.
    """

    repeated: bool = False
    gap: tuple[int, int] | None = None
    jumped_from: int | None = None


class Numbering:
    """Follows one instrument's numbers, starting from what the outbox remembers."""

    def __init__(self, outbox: Outbox) -> None:
        self._outbox = outbox
        self._last: Progress | None = None
        self._before_jump: Progress | None = None
        self._untold: tuple[str, int] | None = None

    def untold(self, serial: str, boot_id: int) -> None:
        """A power-on that the instrument did not tell, or a halt: numbers may go on through it."""
        self._untold = serial, boot_id

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
        before the daemon first met it is no gap. After a jump they count from there, or go on from
        before it where they come back.
        """
        last = self.last(progress.serial)
        if last is None:
            expected = progress.number
        elif last.boot_id != progress.boot_id:
            goes_on = self._untold == (progress.serial, progress.boot_id)
            expected = last.number + 1 if goes_on and progress.number > last.number else 0
        elif last.number - MOST_REPEATED <= progress.number <= last.number:
            return Step(repeated=True)
        else:
            expected = last.number + 1
        self._last = progress
        jumped_from = None
        if not 0 <= progress.number - expected <= MOST_MISSING:
            jumped_from = None if last is None else last.number
            expected = self._expected_after_jump(progress)
            self._before_jump = last
        gap = (expected, progress.number - 1) if progress.number > expected else None
        return Step(gap=gap, jumped_from=jumped_from)

    def _expected_after_jump(self, progress: Progress) -> int:
        before = self._before_jump
        if before is not None and (before.serial, before.boot_id) == (
            progress.serial,
            progress.boot_id,
        ):
            expected = before.number + 1
            if 0 <= progress.number - expected <= MOST_MISSING:
                return expected
        return progress.number
