"""What a soak finds."""

from __future__ import annotations

from dataclasses import dataclass, field

from tests.soak.account import Account
from tests.soak.memory import Life, Sample


@dataclass(frozen=True)
class Done:
    """A fault as it was, s by time.monotonic(). recovery_s: from its end to when the first
    prediction came of a scan that was made after it; None where none did."""

    kind: str
    began_s: float
    over_s: float
    recovery_s: float | None = None


@dataclass
class Soak:
    """What a soak has found. trouble: lines of logs, and whatever else must not be."""

    seed: int
    seconds: float
    every_s: float
    began_s: float
    done: list[Done] = field(default_factory=list)
    samples: list[Sample] = field(default_factory=list)
    lives: list[Life] = field(default_factory=list)
    account: Account | None = None
    missing_before_replay: int = 0
    repeats_before_replay: int = 0
    settled_s: float | None = None
    trouble: list[str] = field(default_factory=list)
    told: dict[str, int] = field(default_factory=dict)
    counters: dict[str, int] = field(default_factory=dict)
    cpu_s: float = 0.0
    load: float = 0.0

    @property
    def longest(self) -> Life | None:
        """The daemon's life in which memory is followed."""
        found = [life for life in self.lives if life.of == "daemon"]
        return max(found, key=lambda life: life.seconds, default=None)
