"""What operators ask of the instrument, handed from the main path to the acquisition thread."""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass
from typing import Literal

What = Literal["take-dark", "take-reference", "scan-now", "set-integration", "auto-range"]


@dataclass(frozen=True)
class Order:
    """One thing to do. integration_us: of `set-integration`; None goes back to the configuration.

    ticket: names it in the answer.
    """

    ticket: int
    what: What
    integration_us: int | None = None


class Orders:
    """A queue between two threads; what the instrument has not begun can be withdrawn."""

    def __init__(self) -> None:
        self._waiting: deque[Order] = deque()
        self._lock = threading.Lock()

    def put(self, order: Order) -> None:
        """Have it done after those before it."""
        with self._lock:
            self._waiting.append(order)

    def take(self, only: tuple[What, ...] | None = None) -> Order | None:
        """The oldest, which is begun with that; only: None where it is of another kind."""
        with self._lock:
            if not self._waiting or (only is not None and self._waiting[0].what not in only):
                return None
            return self._waiting.popleft()

    @property
    def any(self) -> bool:
        """Whether one waits."""
        return bool(self._waiting)

    def withdraw(self, ticket: int) -> bool:
        """Forget one that was not begun; false where it was."""
        with self._lock:
            for order in self._waiting:
                if order.ticket == ticket:
                    self._waiting.remove(order)
                    return True
        return False
