"""When the next adaptation may be tried: a budget of energy, and longer waits after refusals."""

from __future__ import annotations

from dataclasses import dataclass

# One core, over long times.
_SHARE = 0.02
# Sound spectra after an attempt that came to nothing; doubled for each one that follows.
_FIRST_WAIT = 200
_MOST_DOUBLED = 6


@dataclass
class Pace:
    """Counts sound spectra, and seconds of the clock that only runs forward."""

    _not_before_s: float = float("-inf")
    _not_before_count: int = 0
    _in_vain: int = 0

    def may(self, now_s: float, count: int) -> bool:
        """Whether one may begin. count: sound spectra so far."""
        return now_s >= self._not_before_s and count >= self._not_before_count

    def ended(self, now_s: float, count: int, processor_s: float, *, in_vain: bool) -> None:
        """One ended after so many seconds of processor time; in_vain: nothing was installed."""
        self._not_before_s = now_s + processor_s / _SHARE
        wait = _FIRST_WAIT << min(self._in_vain, _MOST_DOUBLED)
        self._in_vain = self._in_vain + 1 if in_vain else 0
        self._not_before_count = count + wait

    def fresh(self, count: int) -> None:
        """There is new evidence: a refusal of before says nothing about it. The budget stays."""
        self._in_vain = 0
        self._not_before_count = min(self._not_before_count, count)
