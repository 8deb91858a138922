"""The learning rate over a run."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Schedule:
    """Optimisation: AdamW, linear warm-up, cosine decay to zero."""

    rate: float
    decay: float
    warmup: float
    clip: float

    def factor(self, progress: float) -> float:
        """Share of the rate at `progress` in [0, 1]."""
        if progress < self.warmup:
            return progress / self.warmup
        return 0.5 * (1 + math.cos(math.pi * (progress - self.warmup) / (1 - self.warmup)))
