"""Threads that must make progress, each with what it is doing and by when it is done with it."""

from __future__ import annotations

import time
from dataclasses import dataclass


@dataclass(frozen=True)
class _Step:
    what: str
    within_s: float
    began_s: float


class Beat:
    """One thread's. That thread writes it, others read it."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._step: _Step | None = None

    def doing(self, what: str, within_s: float) -> None:
        """A step begins; within_s: how long it takes at most where nothing hangs, s.

        Waiting for what may never come (an instrument, a broker) is a step for each attempt.
        """
        self._step = _Step(what, within_s, time.monotonic())

    def rest(self) -> None:
        """Nothing has to be done in time: the thread ends."""
        self._step = None

    def late(self, slack_s: float) -> str | None:
        """In words, what takes longer than it may; slack_s: added to what it may take."""
        step = self._step
        if step is None:
            return None
        since_s = time.monotonic() - step.began_s
        if since_s <= step.within_s + slack_s:
            return None
        return f"{self.name} has been {step.what} for {since_s:.0f} s"


class Beats:
    """All of a process. slack_s: what every step may take beside its own time, s: on a machine
    that is busy."""

    def __init__(self, slack_s: float) -> None:
        self._slack_s = slack_s
        self._beats: dict[str, Beat] = {}

    def new(self, name: str) -> Beat:
        """In place of the one of that name, whose thread is not waited for any more."""
        self._beats[name] = beat = Beat(name)
        return beat

    def late(self) -> tuple[str, ...]:
        """In words, which hang."""
        late = (beat.late(self._slack_s) for beat in self._beats.values())
        return tuple(told for told in late if told is not None)
