"""An instrument on a clock made of numbers: asked, waited for, and what it says decoded."""

from __future__ import annotations

from typing import Protocol

from firmware_bridge.framing import Framer, encode_frame
from firmware_bridge.protocol import (
    Configure,
    Decoded,
    Event,
    Flags,
    Message,
    Position,
    Scan,
    decode,
    encode,
)

SAMPLE = Configure(1000, 1, lamp=1, position=Position.SAMPLE)
REFERENCE = Configure(1000, 1, lamp=1, position=Position.REFERENCE)
DARK = Configure(1000, 1, lamp=1, position=Position.DARK)


class Device(Protocol):
    """The face of VirtualSpectrometer."""

    def feed(self, data: bytes, now: float) -> bytes:
        """Take bytes from the host at time `now` (s); return the bytes to send."""

    def poll(self, now: float) -> bytes:
        """Return what is due at `now` (s)."""


class ClockedPort:
    """Port, clock and sleep for a device: time passes while somebody waits."""

    url = "clocked"
    STEP_S = 0.005

    def __init__(self, device: Device) -> None:
        self.device = device
        self.now = 100.0
        self._out = device.poll(self.now)

    def clock(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        self._out += self.device.poll(self.now)

    def read(self, timeout_s: float) -> bytes:
        until = self.now + timeout_s
        while not self._out and self.now < until:
            self.sleep(min(self.STEP_S, until - self.now))
        out, self._out = self._out, b""
        return out

    def write(self, data: bytes) -> None:
        self._out += self.device.feed(data, self.now)

    def close(self) -> None:
        """Nothing is held."""


class Bench:
    """A device and its clock. `events`: those that came with the last response."""

    def __init__(self, device: Device) -> None:
        self.device = device
        self.now = 100.0
        self.sequence = 0
        self.framer = Framer()
        self.events: list[Event] = []
        device.poll(self.now)

    def hear(self, data: bytes) -> list[Decoded]:
        """Everything that the device answers to these bytes."""
        out = self.device.feed(data, self.now)
        return [decode(body) for body in self.framer.feed(out)]

    def ask(self, message: Message) -> Message | None:
        """Return the response, leaving out events."""
        self.sequence += 1
        return self.ask_again(message)

    def ask_again(self, message: Message) -> Message | None:
        """The same under the sequence of the request before it."""
        out = self.hear(encode_frame(encode(message, self.sequence)))
        (answer,) = [m for h, m in out if h.flags & Flags.RESPONSE]
        self.events = [m for _, m in out if isinstance(m, Event)]
        return answer

    def received(self, seconds: float) -> list[Decoded]:
        """What comes by itself while so much time passes."""
        self.now += seconds
        return [decode(body) for body in self.framer.feed(self.device.poll(self.now))]

    def wait(self, seconds: float) -> list[Message | None]:
        """The messages alone."""
        return [message for _, message in self.received(seconds)]

    def scans(self, seconds: float) -> list[Scan]:
        """The scans alone."""
        return [m for m in self.wait(seconds) if isinstance(m, Scan)]
