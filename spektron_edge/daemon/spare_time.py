"""Work that may wait until a scan's result is out, and children that are stopped until then."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from typing import Protocol


class Pausable(Protocol):
    """A child, as far as this module is concerned."""

    def pause(self) -> None:
        """Stop it."""

    def proceed(self) -> None:
        """Let it go on."""


class SpareTime:
    """The time between scans. All but `over` belongs to the main path's thread."""

    def __init__(self, children: Callable[[], Sequence[Pausable]]) -> None:
        """children: those that run now."""
        self._children = children
        self._waiting: deque[Callable[[], None]] = deque()

    def later(self, work: Callable[[], None]) -> None:
        """Have this done in spare time, or by `finish`."""
        self._waiting.append(work)

    def over(self) -> None:
        """A scan has come: children stop. From any thread; may be called again."""
        for child in self._children():
            child.pause()

    def finish(self) -> None:
        """Do what waits, because something comes that must not happen before it."""
        while self._waiting:
            self._waiting.popleft()()

    def begin(self) -> None:
        """Nothing is under way: do what waits, and let children go on."""
        self.finish()
        for child in self._children():
            child.proceed()
