"""Work that may wait until a scan's result is out, and children that are stopped until then."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Protocol

from spektron_edge.inbox import Inbox, Measured
from spektron_edge.mqtt.client import MqttClient
from spektron_edge.publishing.delivery import Delivery

# A broker that is far away is not waited for with what may wait; nor are scans without a pause.
ON_ITS_WAY_S = 0.02
_AT_LEAST_EVERY_S = 0.5


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


class Lull:
    """Whether there is spare time now."""

    def __init__(self, inbox: Inbox, client: MqttClient, delivery: Delivery) -> None:
        self._inbox, self._client, self._delivery = inbox, client, delivery
        self._scan_at = self._spare_at = float("-inf")

    def scanned(self) -> None:
        """A scan's record was handed to the outbox."""
        self._scan_at = time.monotonic()

    def here(self, now: float) -> bool:
        """Whether no scan waits for its PUBACK; true now and then in any case. now: of the
        monotonic clock."""
        if now - self._spare_at < _AT_LEAST_EVERY_S:
            if self._inbox.has(Measured):
                return False
            waits = self._client.connected and self._delivery.under_way
            if waits and now - self._scan_at < ON_ITS_WAY_S:
                return False
        self._spare_at = now
        return True
