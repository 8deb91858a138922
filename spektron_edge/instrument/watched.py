"""An instrument's link that says what it is doing: a driver that hangs is found out."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from firmware_bridge.instrument import BACKOFF_MAX_S, Identity, Instrument
from firmware_bridge.intake import LinkCounters, Received
from firmware_bridge.protocol import Configure
from spektron_edge.service.beats import Beat

# Names are looked up and instruments on USB restarted; a port may wait half a minute for its last
# bytes to go out.
_OPENING_S, _CLOSING_S = 120.0, 60.0
_ANSWERING_S = 30.0
# Between two calls: what came is handed on, references are stored, or the next attempt is awaited.
_BETWEEN_S = 2 * BACKOFF_MAX_S


class Watched:
    """Everything goes to `link`; every call is a step of `beat`. As `Instrument`."""

    def __init__(self, link: Instrument, beat: Beat) -> None:
        self._link, self._beat = link, beat
        self._longest_s = 0.0

    @property
    def counters(self) -> LinkCounters:
        """A snapshot of all counters, since the object was made."""
        return self._link.counters

    def open(self) -> Identity:
        """As `Instrument.open`."""
        with self._step("connecting to the instrument", _OPENING_S):
            return self._link.open()

    def close(self) -> None:
        """As `Instrument.close`."""
        with self._step("closing the port", _CLOSING_S):
            self._link.close()

    def configure(self, settings: Configure) -> None:
        """As `Instrument.configure`."""
        with self._step("setting up exposures", self._answering_s):
            self._link.configure(settings)
            self._longest_s = self._link.longest_s(settings)

    def start(self, count: int = 0) -> None:
        """As `Instrument.start`."""
        with self._step("starting scans", self._answering_s):
            self._link.start(count)

    def stop(self) -> None:
        """As `Instrument.stop`."""
        with self._step("stopping scans", self._answering_s):
            self._link.stop()

    def ping(self) -> float:
        """As `Instrument.ping`."""
        with self._step("asking the instrument", self._answering_s):
            return self._link.ping()

    def longest_s(self, settings: Configure) -> float:
        """As `Instrument.longest_s`."""
        return self._link.longest_s(settings)

    def read(self, timeout_s: float) -> Received | None:
        """As `Instrument.read`."""
        with self._step("waiting for a scan", timeout_s + self._longest_s):
            return self._link.read(timeout_s)

    @property
    def _answering_s(self) -> float:
        # It may hear nothing while it exposes, and is asked three times.
        return _ANSWERING_S + 3 * self._longest_s

    @contextmanager
    def _step(self, what: str, within_s: float) -> Iterator[None]:
        self._beat.doing(what, within_s)
        try:
            yield
        finally:
            self._beat.doing("handing on what came", _BETWEEN_S)
