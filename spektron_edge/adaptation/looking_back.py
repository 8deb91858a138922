"""Whether an adaptation in use does good: each sample with it, and with what was in use before."""

from __future__ import annotations

from collections import deque

from .gauge import Gauge

_OF = 20
# Of twenty; by chance, were both equally good, fifteen or more come in one of fifty.
_TOO_MANY = 15


class LookingBack:
    """Over the last twenty distinct samples."""

    def __init__(self, t2_limit: float, q_limit: float) -> None:
        self._limits = t2_limit, q_limit
        self._worse: deque[bool] = deque(maxlen=_OF)

    def take(self, with_it: Gauge, without: Gauge) -> str:
        """One sample; why the adaptation should be left, or empty."""
        self._worse.append(self._apart(with_it) > self._apart(without))
        count = sum(self._worse)
        if len(self._worse) < _OF or count < _TOO_MANY:
            return ""
        return f"{count} of the last {_OF} samples lie nearer to the source without it"

    def _apart(self, measured: Gauge) -> float:
        t2, q = self._limits
        return measured.t2 / t2 + measured.q / q
