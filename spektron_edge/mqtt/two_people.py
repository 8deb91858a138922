"""Commands that are carried out only when a second operator asks for the same."""

from __future__ import annotations

import time
from collections.abc import Callable, Container

from .arguments import canonical_arguments
from .commands import Request

WITHIN_S = 600.0
_MOST = 32


class TwoPeople:
    """Who asked first, and for what. In memory only: after a restart both ask again."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._waiting: dict[tuple[str, bytes], tuple[str, float]] = {}

    def partner(self, command: str, request: Request, may: Container[str]) -> str | None:
        """Who else asked for this, or None: then it waits for somebody else, ten minutes.

        may: the names of those who may ask for it now; the first may not be one of them any more.
        """
        self._forget()
        key = (command, canonical_arguments(request.arguments))
        first = self._waiting.get(key)
        if first is not None and first[0] != request.operator and first[0] in may:
            del self._waiting[key]
            return first[0]
        if len(self._waiting) >= _MOST:
            del self._waiting[next(iter(self._waiting))]
        self._waiting[key] = (request.operator, self._clock())
        return None

    @property
    def waiting(self) -> tuple[str, ...]:
        """The commands that somebody asked for and nobody else yet."""
        self._forget()
        return tuple(f"second person for {command}" for command, _ in self._waiting)

    def _forget(self) -> None:
        now = self._clock()
        self._waiting = {k: w for k, w in self._waiting.items() if now - w[1] < WITHIN_S}
