"""At most so many in a while, so that strangers fill neither the way out nor the disk."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable


class Limited:
    """Admits `most` within any `within_s` seconds, and counts the others."""

    def __init__(
        self, most: int, within_s: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._within_s = within_s
        self._clock = clock
        self._admitted: deque[float] = deque(maxlen=most)
        self._left_out = 0

    def admit(self) -> int | None:
        """How many were left out since the last one that was admitted; None: this one is, too."""
        now, admitted = self._clock(), self._admitted
        if len(admitted) == admitted.maxlen and now - admitted[0] < self._within_s:
            self._left_out += 1
            return None
        admitted.append(now)
        left_out, self._left_out = self._left_out, 0
        return left_out
