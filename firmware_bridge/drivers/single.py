"""An instrument that gives one exposure when it is asked for one, as a stream of averaged scans."""

from __future__ import annotations

import math
import secrets
import time
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from typing import TypeVar

import numpy as np

from firmware_bridge.coadding import Coadd
from firmware_bridge.drivers.dialect import Dialect, Exposure
from firmware_bridge.drivers.line import QUIET_S, REFUSED_ADVICE, Conversation, Line, Port
from firmware_bridge.drivers.talk import Talk
from firmware_bridge.errors import DeviceRefused, LinkError, PortLost
from firmware_bridge.instrument import Identity
from firmware_bridge.intake import LinkCounters, Received
from firmware_bridge.protocol import (
    Capability,
    Configure,
    ErrorCode,
    Header,
    LampState,
    MessageType,
    Position,
    Scan,
)
from firmware_bridge.transport import Transport

MOST_AVERAGES = 65535
_BITS_PER_PIXEL = 40  # 32 bits, with start and stop bits
_ATTEMPTS = 3
_OVERHEAD_S = 1.0
# Then the instrument is asked again who it is, and how it is set up.
SURE_FOR_S = 5.0
T = TypeVar("T")
_NEEDED = {Position.DARK: Capability.SHUTTER, Position.REFERENCE: Capability.REFERENCE}


class SingleExposures:
    """A `Dialect` on a port, as an `Instrument`. Scans are numbered from each `open`."""

    def __init__(
        self,
        dialect: Callable[[], Dialect],
        url: str,
        baud: int,
        *,
        open_port: Callable[[str, int], Port] = Transport,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """open_port, clock, sleep: of tests, whose time does not pass by itself."""
        self.url = url
        self.baud = baud
        self._make = dialect
        self._open_port = open_port
        self._clock = clock
        self._sleep = sleep
        self._line: Line | None = None
        self._past = LinkCounters()
        self._dialect = dialect()
        self._identity: Identity | None = None
        self._settings: Configure | None = None
        self._exposure: Conversation[Exposure] | None = None
        # An exposure after which it must be shown that the instrument is still the same one.
        self._doubtful: tuple[Exposure, float] | None = None
        self._check: Conversation[None] | None = None
        self._sure_at = 0.0
        # Until then a reply may come that could be taken for another one.
        self._owed_until = 0.0
        self._left: int | None = 0
        self._number = 0
        self._begin_scan()
        self._inbox: deque[Received] = deque()

    @property
    def counters(self) -> LinkCounters:
        """A snapshot of all counters, since the object was made."""
        return self._past if self._line is None else self._line.counters

    def open(self) -> Identity:
        """As `Instrument.open`."""
        self.close()
        self._inbox.clear()
        self._settings, self._left, self._number = None, 0, 0
        port = self._open_port(self.url, self.baud)
        self._line = Line(port, self.baud, clock=self._clock, sleep=self._sleep)
        self._line.counters = self._past
        self._dialect = self._make()
        try:
            self._line.drain(max(QUIET_S, self._owed_until - self._clock()))
            found = self._finish(self._dialect.identify(), self._line)
        except BaseException:
            self.close()
            raise
        self._sure_at = self._clock()
        # Nobody knows whether it was switched off meanwhile: so it counts as if it had been.
        boot_id = found.boot_id or secrets.randbits(32)
        self._identity = replace(found, boot_id=boot_id, max_averages=MOST_AVERAGES)
        return self._identity

    def close(self) -> None:
        """Close the port. May be called again; never raises."""
        if self._line is not None:
            self._past = self._line.counters
            if self._exposure is not None:
                self._owe(self._exposure.owed_s)
            self._line.port.close()
        self._line = self._exposure = self._doubtful = self._check = None

    def configure(self, settings: Configure) -> None:
        """As `Instrument.configure`."""
        line, identity = self._opened()
        refusal = _refusal(settings, identity)
        if refusal is not None:
            raise refusal
        self._end_exposure()
        if self._is_doubtful():
            self._finish(self._dialect.ping(), line)
            self._sure_at = self._clock()
        self._settings = None
        self._finish(self._dialect.set_up(settings), line)
        self._settings = settings
        self._begin_scan()

    def start(self, count: int = 0) -> None:
        """As `Instrument.start`."""
        self._opened()
        if self._settings is None:
            raise DeviceRefused(
                "START", ErrorCode.OUT_OF_RANGE, "OUT_OF_RANGE", "nothing is configured"
            )
        self._left = count or None
        self._begin_scan()

    def stop(self) -> None:
        """As `Instrument.stop`: the exposure under way comes to its end first."""
        self._opened()
        self._end_exposure()
        self._left = 0

    def ping(self) -> float:
        """As `Instrument.ping`."""
        line, _ = self._opened()
        self._end_exposure()
        begun = self._clock()
        self._finish(self._dialect.ping(), line)
        self._sure_at = self._clock()
        return self._clock() - begun

    def longest_s(self, settings: Configure) -> float:
        """As `Instrument.longest_s`: every exposure over the line, and each asked for in vain.

        Between two attempts the line is quiet for as long as one takes.
        """
        pixels = 0 if self._identity is None else self._identity.pixels
        beside_s = 0.0 if self._identity is None else self._identity.beside_s
        exposure_s = settings.integration_us * 1e-6 + pixels * _BITS_PER_PIXEL / self.baud
        attempts_s = (2 * _ATTEMPTS - 1) * (exposure_s + _OVERHEAD_S)
        return settings.averages * (attempts_s + beside_s)

    def read(self, timeout_s: float) -> Received | None:
        """As `Instrument.read`. Raises what ends the connection."""
        line, _ = self._opened()
        until = self._clock() + timeout_s
        while not self._inbox:
            left = until - self._clock()
            if self._left == 0 or self._settings is None:
                # Nothing is asked for: what comes all the same is thrown away, a lost port noticed.
                line.count(discarded_bytes=len(line.read(max(left, 0.0))))
            else:
                self._carry_on(line, max(left, 0.0))
            if left <= 0:
                break
        return self._inbox.popleft() if self._inbox else None

    # ---- inside

    def _opened(self) -> tuple[Line, Identity]:
        if self._line is None or self._identity is None:
            raise PortLost(f"{self.url} is not open. Expected open() first.")
        return self._line, self._identity

    def _owe(self, seconds: float) -> None:
        self._owed_until = max(self._owed_until, self._clock() + seconds)

    def _finish(self, talk: Talk[T], line: Line) -> T:
        conversation = Conversation(talk, line)
        try:
            return conversation.finish()
        except LinkError:
            self._owe(conversation.owed_s)
            raise

    def _begin_scan(self) -> None:
        self._coadd: Coadd | None = None
        self._full: np.ndarray[tuple[int], np.dtype[np.bool_]] | None = None

    def _carry_on(self, line: Line, timeout_s: float) -> None:
        """Some of an exposure, and what comes of it when it is whole."""
        settings = self._settings
        if settings is None:
            return
        if self._doubtful is not None:
            if self._check is None:
                self._check = Conversation(self._dialect.ping(), line)
            self._check.advance(timeout_s)
            if self._check.done:
                (exposure, at), self._doubtful, self._check = self._doubtful, None, None
                self._sure_at = self._clock()
                self._take(exposure, settings, at)
            return
        if self._exposure is None:
            self._exposure = Conversation(self._dialect.expose(settings), line)
        self._exposure.advance(timeout_s)
        if self._exposure.done:
            done, self._exposure = self._exposure, None
            if self._is_doubtful(done.repeated):
                self._doubtful = done.result, line.last_byte_at
            else:
                self._take(done.result, settings, line.last_byte_at)

    def _is_doubtful(self, repeated: bool = False) -> bool:
        """Whether the instrument may have been exchanged or switched off unnoticed."""
        overdue = self._clock() - self._sure_at >= SURE_FOR_S
        return not self._dialect.anonymous and (repeated or overdue)

    def _end_exposure(self) -> None:
        """Wait for an exposure under way: its reply must not be taken for that of the next.

        What comes of it is part of a scan only where the scan is whole by that.
        """
        line, _ = self._opened()
        try:
            while self._exposure is not None or self._doubtful is not None:
                self._carry_on(line, 1.0)
        except PortLost:
            raise
        except LinkError:
            if self._check is not None:
                raise
            # Nobody knows why it failed.
            self._sure_at = -math.inf
            owed_s = self._exposure.owed_s if self._exposure is not None else 0.0
            self._exposure = None
            line.drain(max(QUIET_S, owed_s))

    def _take(self, exposure: Exposure, settings: Configure, at: float) -> None:
        identity = self._identity
        if identity is None or self._left == 0:
            return
        full = exposure.full
        if full is None:
            full = exposure.counts >= identity.full_scale
        if self._coadd is None:
            self._coadd, self._full = Coadd(exposure.counts.size), full
        else:
            self._full = full if self._full is None else self._full | full
        self._coadd.add(exposure.counts)
        if self._coadd.count < settings.averages:
            return
        scan = Scan(
            number=self._number,
            integration_us=settings.integration_us,
            averages=settings.averages,
            lamp=LampState(exposure.lamp),
            position=settings.position,
            temperature_c=exposure.temperature_c,
            saturated=int(np.count_nonzero(self._full)),
            counts=self._coadd.mean,
        )
        header = Header(0, MessageType.SCAN, 0, 0, exposure.device_us)
        variance = self._coadd.variance_of_mean
        self._inbox.append(Received(header, scan, at, variance))
        self._number += 1
        self._begin_scan()
        if self._left is not None:
            self._left -= 1


def _refusal(settings: Configure, identity: Identity) -> DeviceRefused | None:
    """Why an instrument cannot do this, as our own firmware would say it."""
    least, most = identity.min_integration_us, identity.max_integration_us
    needed = _NEEDED.get(Position(settings.position))
    code = ErrorCode.OUT_OF_RANGE
    if not least <= settings.integration_us <= most:
        text = f"integration is {least} to {most} us"
    elif not 1 <= settings.averages <= MOST_AVERAGES:
        text = f"averages are 1 to {MOST_AVERAGES}"
    elif needed is not None and not identity.capabilities & needed:
        code = ErrorCode.NOT_CAPABLE
        text = f"this instrument has no {needed.name.lower() if needed.name else needed}"
    else:
        return None
    return DeviceRefused("CONFIGURE", code, code.name, text, REFUSED_ADVICE)
