"""Commands that are carried out only when a second operator asks for the same."""

from __future__ import annotations

import time
from collections.abc import Callable, Container

from .arguments import canonical_arguments
from .asked import Asked

WITHIN_S = 600.0
_MOST = 32


class TwoPeople:
    """Who asked first, and for what. In memory only: after a restart both ask again."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._waiting: dict[tuple[str, bytes], tuple[Asked, float]] = {}

    def partner(self, command: str, asked: Asked, may: Container[str]) -> str | None:
        """Who else asked for this, or None: then it waits for somebody else, ten minutes.

        may: the operators who may ask for it over MQTT now; the first may not be one of them any
        more. One name is one person, whichever way it comes.
        """
        self._forget()
        key = (command, canonical_arguments(asked.arguments))
        first, _ = self._waiting.get(key, (None, 0.0))
        other = first is not None and not _same(first, asked)
        # Rights at the page are the page's to give, and were checked when it was asked there.
        if first is not None and other and (first.through == "page" or first.operator in may):
            del self._waiting[key]
            return first.operator
        if len(self._waiting) >= _MOST:
            del self._waiting[next(iter(self._waiting))]
        self._waiting[key] = (asked, self._clock())
        return None

    @property
    def waiting(self) -> tuple[str, ...]:
        """The commands that somebody asked for and nobody else yet."""
        self._forget()
        return tuple(f"second person for {command}" for command, _ in self._waiting)

    def _forget(self) -> None:
        now = self._clock()
        self._waiting = {k: w for k, w in self._waiting.items() if now - w[1] < WITHIN_S}


def _same(one: Asked, other: Asked) -> bool:
    if "page" in (one.through, other.through):
        return one.operator.casefold() == other.operator.casefold()
    return one.operator == other.operator
