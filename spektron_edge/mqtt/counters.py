"""Counters of commands: none that nothing could follow, and a way out for one that was.

An operator's tool counts by its own wall clock in nanoseconds. One request from a machine whose
clock is years ahead would shut its operator out for years.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from spektron_edge.files.ledger import Ledger

from .commands import CommandRefused

FOLDER = "counters"
_DAY_NS = 86_400 * 10**9
_AHEAD = (
    "the counter is more than a day ahead of the instrument's clock in nanoseconds, so that none "
    "could follow it: set the clock of the machine that sent this"
)


class PlausibleCounters:
    """Refuses what is too far ahead, where the instrument's own clock is known to be right."""

    def __init__(
        self, accept: Callable[[str, int], bool], trusted_now_s: Callable[[], float | None]
    ) -> None:
        """accept: remembers an operator's counter, false when it is not a new one; trusted_now_s:
        UTC in seconds since 1970, None where nobody vouches for it."""
        self._accept = accept
        self._trusted_now_s = trusted_now_s

    def accept(self, operator: str, counter: int) -> bool:
        """The same as what it was made with. Raises CommandRefused."""
        now_s = self._trusted_now_s()
        if now_s is not None and counter > now_s * 1e9 + _DAY_NS:
            raise CommandRefused(_AHEAD, operator)
        return self._accept(operator, counter)


class Reset(BaseModel):
    """operator: whose counter begins anew; by: who says so on the device."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    operator: str
    by: str


class Resets(BaseModel):
    """What the daemon has not taken up."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    waiting: tuple[Reset, ...] = ()


def resets(state_dir: Path) -> Ledger[Resets]:
    """The ledger of a state folder."""
    return Ledger(state_dir / FOLDER / "resets.json", Resets())


def ask(state_dir: Path, reset: Reset) -> None:
    """Leave a request. Raises Fault(STATE_UNWRITABLE, DISK_FULL, STATE_DAMAGED)."""

    def added(before: Resets) -> Resets:
        others = (r for r in before.waiting if r.operator != reset.operator)
        return Resets(waiting=(*others, reset))

    resets(state_dir).update(added)
