"""Carries a driver's talks on over a serial line: sends, waits, repeats, throws old bytes away."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Generic, Protocol, TypeVar

from firmware_bridge.drivers.talk import Exchange, Exchanged, Nonsense, Refused, Step, Talk
from firmware_bridge.errors import (
    DeviceRefused,
    DeviceSilent,
    InstrumentExchanged,
    LineGarbage,
    LinkError,
)
from firmware_bridge.intake import LinkCounters

# Old bytes have all come when none came for so long; an instrument that never pauses has this long.
QUIET_S = 0.05
DRAIN_S = 2.0
# After so many times that it did, nothing will come of more attempts.
RESTLESS = 2
# No reply is longer: what an instrument sends makes nobody allocate more.
MAX_REPLY = 1 << 20
_SHOWN = 24
_SILENT = (
    " Check the instrument's power, the cable (TX and RX crossed), the port's name and the "
    "baud rate."
)
_SILENT_WITHOUT_BAUD = " Check the instrument's power and its cable."
_LATE = " Its answers come too late: the line is shared, or something between delays them."
_GARBAGE = (
    " Check the baud rate, and that `driver` names what is on this line (`spektron-edge probe`)."
)
REFUSED_ADVICE = (
    "Check what is configured against what this instrument can do (docs/instruments.md)."
)
T = TypeVar("T")


class Port(Protocol):
    """What is asked of a port: the face of `firmware_bridge.transport.Transport`."""

    url: str

    def read(self, timeout_s: float) -> bytes:
        """What is there, waiting for the first byte; raises PortLost."""

    def write(self, data: bytes) -> None:
        """Send all; raises PortLost."""

    def close(self) -> None:
        """Close; never raises."""


class Line:
    """One open port and what came over it. `clock` and `sleep` are seconds; baud 0: it has none."""

    def __init__(
        self,
        port: Port,
        baud: int,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.port = port
        self.baud = baud
        self.clock = clock
        self.sleep = sleep
        self.counters = LinkCounters()
        self.last_byte_at = clock()
        self.drained = 0

    def count(self, **more: int) -> None:
        """Add to counters by name."""
        now = {name: getattr(self.counters, name) + value for name, value in more.items()}
        self.counters = replace(self.counters, **now)

    def read(self, timeout_s: float) -> bytes:
        """What is there, waiting up to `timeout_s` for the first byte. Raises PortLost."""
        data = self.port.read(timeout_s)
        if data:
            self.last_byte_at = self.clock()
            self.count(bytes=len(data))
        return data

    def write(self, data: bytes, byte_gap_s: float) -> None:
        """Send; raises PortLost."""
        if not byte_gap_s:
            self.port.write(data)
            return
        for value in data:
            self.port.write(bytes((value,)))
            self.sleep(byte_gap_s)

    def flush(self) -> None:
        """Throw away what has come. Raises PortLost."""
        discarded = 0
        while discarded < MAX_REPLY and (data := self.read(0.0)):
            discarded += len(data)
        self.count(discarded_bytes=discarded)

    def drain(self, quiet_s: float = QUIET_S) -> bool:
        """Throw away what comes until nothing did for `quiet_s`; false where it never ends.

        `drained` counts what that was.
        Raises PortLost.
        """
        until = self.clock() + quiet_s + DRAIN_S
        while data := self.read(quiet_s):
            self.count(discarded_bytes=len(data))
            self.drained += len(data)
            if self.clock() >= until:
                return False
        return True


class Conversation(Generic[T]):
    """One talk under way. `advance` carries it on; `result` is there when it is `done`.

    repeated: whether a request went out more than once, so that a reply was lost.
    """

    def __init__(self, talk: Talk[T], line: Line) -> None:
        self.done = False
        self._talk = talk
        self._line = line
        self.repeated = False
        self._result: T | None = None
        self._received = b""
        self._heard = b""
        self._attempt = 0
        self._restless = 0
        self._drained = line.drained
        self._deadline = 0.0
        self._nonsense = ""
        self._step: Step | None = None
        # What came before nobody asked for it is old.
        line.flush()
        self._next(None)

    @property
    def result(self) -> T:
        """What the talk came to. Raises RuntimeError while it is not done."""
        if not self.done:
            raise RuntimeError("the talk is not over")
        return self._result  # type: ignore[return-value]  # set with `done`

    @property
    def owed_s(self) -> float:
        """How long a reply that nobody may take for another one can still be on its way, s."""
        step = self._step
        if self.done or not isinstance(step, Exchange) or step.numbered or not step.send:
            return 0.0
        return step.timeout_s

    def finish(self) -> T:
        """Carry on to the end. Raises as `advance`."""
        while not self.done:
            self.advance(1.0)
        return self.result

    def advance(self, timeout_s: float) -> None:
        """Carry on for up to `timeout_s`.

        Raises DeviceSilent where nothing answers, LineGarbage where what answers is no reply,
        InstrumentExchanged, DeviceRefused and PortLost.
        """
        until = self._line.clock() + timeout_s
        while not self.done:
            now = self._line.clock()
            if isinstance(self._step, Exchange):
                self._listen(self._step, max(0.0, min(until, self._deadline) - now))
            elif now < self._deadline:
                self._line.sleep(max(0.0, min(until, self._deadline) - now))
                if self._line.clock() >= self._deadline:
                    self._next(b"")
            else:
                self._next(b"")
            if self._line.clock() >= until:
                return

    # ---- inside

    def _next(self, reply: bytes | None) -> None:
        """Give the talk its reply and take up its next step."""
        try:
            step = next(self._talk) if reply is None else self._talk.send(reply)
        except StopIteration as stop:
            self._result, self.done, self._step = stop.value, True, None
            return
        except Refused as error:
            raise DeviceRefused(
                error.request, error.code, "", error.text, advice=REFUSED_ADVICE
            ) from error
        except Exchanged as error:
            raise InstrumentExchanged(self._told(str(error))) from error
        except Nonsense as error:
            raise LineGarbage(self._told(_as_received("a reply that fits", str(error)))) from error
        self._step, self._attempt, self._restless = step, 0, 0
        self._nonsense, self._heard = "", b""
        if isinstance(step, Exchange):
            self._send(step)
        else:
            self._deadline = self._line.clock() + step.seconds

    def _send(self, step: Exchange) -> None:
        self._attempt += 1
        self._received = b""
        if step.send:
            self._line.write(step.send, step.byte_gap_s)
        self._deadline = self._line.clock() + step.timeout_s

    def _listen(self, step: Exchange, timeout_s: float) -> None:
        data = self._line.read(timeout_s)
        self._received += data
        self._heard = (self._heard + data)[:_SHOWN]
        try:
            size = step.whole(self._received) if self._received else None
            if size is None and len(self._received) > MAX_REPLY:
                raise Nonsense(f"{len(self._received)} bytes and no end")
        except Nonsense as error:
            self._line.count(malformed=1)
            self._nonsense = str(error)
            self._again(step)
            return
        if size is not None:
            reply, rest = self._received[:size], len(self._received) - size
            self._line.count(frames=1, discarded_bytes=rest)
            self._next(reply)
        elif self._line.clock() >= self._deadline:
            if step.send or not step.or_nothing:  # else silence is what was hoped for
                self._line.count(stale=1)
            self._again(step)

    def _again(self, step: Exchange) -> None:
        """Try once more, on a quiet line, or give up."""
        last = self._attempt >= step.attempts
        if last and not step.or_nothing:
            raise self._given_up(step)
        if step.send:
            self.repeated = True
            if not self._line.drain(QUIET_S if step.numbered else max(QUIET_S, step.timeout_s)):
                self._restless += 1
            if self._restless >= RESTLESS and not step.or_nothing:
                raise self._given_up(step)
        if last:
            self._next(b"")
            return
        self._send(step)

    def _given_up(self, step: Exchange) -> LinkError:
        tried = f"tried {step.request} {self._attempt} times, {step.timeout_s:g} s each"
        if not self._heard and (late := self._line.drained - self._drained):
            told = f"expected {step.expects} in time, received {late} bytes later, {tried}"
            return DeviceSilent(f"{self._told(told)}{_LATE}")
        if not self._heard:
            return DeviceSilent(
                self._told(f"expected {step.expects}, received no byte, {tried}")
                + (_SILENT if self._line.baud else _SILENT_WITHOUT_BAUD)
            )
        received = self._nonsense or f"{self._heard.hex(' ')}... and no end"
        if self._restless >= RESTLESS:
            received += ", and bytes that never cease"
        return LineGarbage(
            self._told(f"{_as_received(step.expects, received)}; {tried}")
            + (_GARBAGE if self._line.baud else "")
        )

    def _told(self, what: str) -> str:
        baud = self._line.baud
        at = f" at {baud} baud" if baud else ""
        return f"{self._line.port.url}{at}: {what}."


def _as_received(expects: str, received: str) -> str:
    """Most talks say themselves what they expected."""
    return (
        received if received.startswith("expected ") else f"expected {expects}, received {received}"
    )
