"""How long to wait before the next attempt to connect."""

from __future__ import annotations

import random
from collections.abc import Callable

LONGEST_S = 30.0
# Twice the longest wait: of two clients with one id, each throws the other out within that wait, so
# neither ever counts as steady and both stay slow.
STEADY_S = 2 * LONGEST_S


class Backoff:
    """Waits that double up to `LONGEST_S`, half of each by chance, so that a fleet spreads out.

    They begin again only after a connection that lasted for `STEADY_S`: being accepted means
    nothing while another client takes the session at once.
    """

    def __init__(self, chance: Callable[[], float] = random.random) -> None:
        """chance: draws from [0, 1)."""
        self._chance = chance
        self._failures = 0

    def wait_s(self, lasted_s: float) -> float:
        """Seconds to wait after a connection that lasted so long; 0 for one that never was."""
        if lasted_s >= STEADY_S:
            self._failures = 0
        longest = min(LONGEST_S, 2.0**self._failures)
        self._failures = min(self._failures + 1, 10)
        return longest * (0.5 + 0.5 * self._chance())
