"""Takes up what was asked for on the device: an operator's counter begins anew."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from spektron_edge.files.ledger import Action
from spektron_edge.mqtt.counters import Resets, resets
from spektron_edge.publishing.notices import Notices

_EVERY_S = 1.0


class CounterResets:
    """Belongs to the main path."""

    def __init__(
        self,
        state_dir: Path,
        put: Callable[[str, int], None],
        now_s: Callable[[], float],
        audit: Callable[[Action], bool],
        notices: Notices,
    ) -> None:
        """put: the counter that an operator's next one has to be beyond; now_s: UTC since 1970;
        audit: writes a line, false when the disk does not take it."""
        self._ledger = resets(state_dir)
        self._put, self._now_s, self._audit, self._notices = put, now_s, audit, notices
        self._due = 0.0
        self._seen: tuple[int, int] | None = None

    def look_after(self, now: float) -> None:
        """In spare time; now: time.monotonic(). Raises OutboxError; it is done later then."""
        if now < self._due:
            return
        self._due = now + _EVERY_S
        stamp = self._ledger.stamp
        if stamp == self._seen:
            return
        with self._notices.noticed():
            if self._take_up():
                self._seen = stamp

    def _take_up(self) -> bool:
        """Whether nothing waits any more. Raises Fault."""
        waiting = self._ledger.read().waiting
        for reset in waiting:
            # Not to 0: what was recorded until today stays used.
            counter = max(1, int(self._now_s() * 1e9))
            self._put(reset.operator, counter)
            details: dict[str, str | int | bool | None] = {
                "operator": reset.operator,
                "counter": counter,
            }
            if not self._audit(Action(what="counter_reset", who=reset.by, details=details)):
                return False
            told = f"the counter of {reset.operator} begins anew at {counter}, by {reset.by}"
            self._notices.say("counter_reset", told, "warning")
        if waiting:
            self._ledger.update(
                lambda now: Resets(waiting=tuple(r for r in now.waiting if r not in waiting))
            )
        return not waiting
