"""When a run has learned what it will: a record of validations that survives a restart."""

from __future__ import annotations

from dataclasses import dataclass

_SMOOTHED_OVER = 3


@dataclass(frozen=True)
class StopRecord:
    """Validations so far. `recent`: the last totals; `since`: validations since the best one."""

    recent: tuple[float, ...] = ()
    best: float | None = None
    best_step: int = 0
    since: int = 0

    @property
    def smoothed(self) -> float | None:
        """Mean of the last three totals: one lucky draw of noise is no progress."""
        return sum(self.recent) / len(self.recent) if self.recent else None

    def after(self, total: float, step: int) -> StopRecord:
        """The record with one more validation."""
        recent = (*self.recent, total)[-_SMOOTHED_OVER:]
        smoothed = sum(recent) / len(recent)
        if self.best is None or smoothed < self.best:
            return StopRecord(recent, smoothed, step, 0)
        return StopRecord(recent, self.best, self.best_step, self.since + 1)

    def exhausted(self, patience: int) -> bool:
        """Whether nothing has improved for `patience` validations; never with 0."""
        return 0 < patience <= self.since
