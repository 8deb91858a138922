"""Wrong passwords: each makes the next try of that user, and from that address, wait longer."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

FREE = 4
LONGEST_S = 300.0
_FORGOTTEN_S = 3600.0
_MOST = 1024
_MOST_KNOWN = 256


@dataclass
class _Failures:
    count: int
    until: float
    last: float


class Tries:
    """Waits of 1, 2, 4, ... 300 s after four wrong ones; forgotten an hour after the last.

    At most 1024 names and addresses are remembered; those with the fewest failures give way.
    """

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._held: OrderedDict[str, _Failures] = OrderedDict()
        self._known: OrderedDict[tuple[str, str], None] = OrderedDict()

    def keys(self, name: str, address: str) -> tuple[str, str]:
        """What a try of this name from this address counts against. An address that the name came
        from before has a count of its own: guesses from elsewhere do not keep it waiting."""
        at = f" at {address}" if (name, address) in self._known else ""
        return f"user {name}{at}", f"address {address}"

    def came(self, name: str, address: str) -> None:
        """By a right password. Kept in memory, the latest 256."""
        self._known[name, address] = None
        self._known.move_to_end((name, address))
        if len(self._known) > _MOST_KNOWN:
            self._known.popitem(last=False)

    def wait_s(self, *keys: str) -> float:
        """Seconds until somebody of these may try again; 0 at once."""
        now = self._now()
        waits = (self._held[key].until - now for key in keys if key in self._held)
        return max(0.0, *waits, 0.0)

    def failed(self, *keys: str) -> None:
        """A wrong one."""
        now = self._now()
        for key in keys:
            before = self._held.pop(key, None)
            old = before is None or now - before.last > _FORGOTTEN_S
            count = 1 if old or before is None else before.count + 1
            self._held[key] = _Failures(count, now + _wait_s(count), now)
        while len(self._held) > _MOST:
            least = min(self._held, key=lambda key: self._held[key].count)
            del self._held[least]

    def right(self, own: str, shared: str) -> None:
        """What was counted was a right one. Nothing is held against `own` any more; `shared`, from
        where others guess as well, is only where it was before."""
        self._held.pop(own, None)
        held = self._held.get(shared)
        if held is None:
            return
        held.count -= 1
        held.until = held.last + _wait_s(held.count)
        if held.count <= 0:
            del self._held[shared]


def _wait_s(count: int) -> float:
    return 0.0 if count < FREE else min(LONGEST_S, 2.0 ** min(count - FREE, 16))
