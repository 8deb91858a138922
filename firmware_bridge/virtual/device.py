"""The virtual spectrometer's firmware: bytes in, bytes out, driven by the caller's clock."""

from __future__ import annotations

import secrets
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from firmware_bridge.framing import DELIMITER, Framer, encode_frame
from firmware_bridge.protocol import (
    MAX_VERSION,
    MIN_VERSION,
    Ack,
    Configure,
    ErrorCode,
    ErrorReply,
    Event,
    EventCode,
    Flags,
    Header,
    Hello,
    Info,
    Message,
    MessageType,
    Ping,
    Position,
    ProtocolError,
    Start,
    Stop,
    decode,
    encode,
)
from firmware_bridge.virtual.faults import InjectedFaults
from firmware_bridge.virtual.limits import describe, refusal
from firmware_bridge.virtual.optics import Optics
from firmware_bridge.virtual.scene import Scene

ALL_SHOWN = Event(EventCode.STREAM_ENDED, "all samples shown")
AT_POWER_ON = Configure(1000, 1, lamp=0, position=Position.DARK)


class VirtualSpectrometer:
    """A spectrometer that shows `spectra` (n, L absorbance on `axis` (L,) nm) one after another.

    Every scan in position SAMPLE shows the next row, for ever, or until `scans` of them were made:
    then it stops by itself. SAMPLE scans are `interval_s` apart, and no scan is faster than its
    exposures or than its frame takes at `baud`. Scan n of a seed gives the same counts for the
    same conditions.
    """

    boot_id: int
    _booted_at: float | None
    _framer: Framer
    _settings: Configure
    _number: int
    _left: int | None
    _next_at: float | None
    _lamp_on_at: float | None
    _stable_at: float | None
    _last_request: bytes
    _last_answer: Message | None
    _events: list[Event]

    def __init__(
        self,
        spectra: NDArray[np.float64],
        axis: NDArray[np.float64],
        optics: Optics | None = None,
        *,
        serial: str = "VIRT-0001",
        seed: int = 0,
        scans: int | None = None,
        interval_s: float = 0.0,
        baud: int = 921600,
        faults: InjectedFaults | None = None,
    ) -> None:
        self.optics = optics or Optics()
        self.serial = serial
        self.baud = baud
        self.faults = faults or InjectedFaults()
        self._scene = Scene(spectra, axis, self.optics, seed)
        self._scans = scans
        self._interval_s = interval_s
        self._boots = 0
        self._lost_power = False
        self._power_on()

    # ---- state that others may read

    @property
    def scans_made(self) -> int:
        """Scans since power-on: the number that the next scan will bear."""
        return self._number

    @property
    def samples_shown(self) -> int:
        """SAMPLE scans made since this object was made, power cycles included."""
        return self._scene.shown

    @property
    def presented(self) -> dict[int, int]:
        """Scan number -> row of the spectra, since power-on; the latest 100,000."""
        return self._scene.presented

    @property
    def streaming(self) -> bool:
        """Whether scans are being made."""
        return self._next_at is not None

    @property
    def next_due(self) -> float | None:
        """When `poll` has something to do, on the caller's clock; None = only when fed."""
        times = [t for t in (self._next_at, self._stable_at) if t is not None]
        return min(times, default=None)

    def info(self) -> Info:
        """Return what INFO says."""
        nan_axis = self.faults.nan_axis
        return describe(self.optics, self.serial, self.boot_id, nan_axis=nan_axis)

    # ---- the caller's three doors

    def feed(self, data: bytes, now: float) -> bytes:
        """Take bytes from the host at time `now` (s); return the bytes to send."""
        out = self.poll(now)
        bad = self._framer.counters.bad_frames
        for body in self._framer.feed(data):
            out += self._receive(body, now)
        if self._framer.counters.bad_frames > bad:
            out += self._send(ErrorReply(ErrorCode.BAD_FRAME, "frame not readable"), now)
        return b"" if self.faults.silent else out

    def poll(self, now: float) -> bytes:
        """Return the scans and events due at `now` (s)."""
        self._booted_at = now if self._booted_at is None else self._booted_at
        out = b""
        if self._stable_at is not None and now >= self._stable_at:
            self._stable_at = None
            out += self._send(Event(EventCode.LAMP_STABLE, "lamp is stable"), now)
        while self._next_at is not None and now >= self._next_at:
            at = self._next_at
            self._next_at = at + self._period_s()
            out += self._scan(at)
        return b"" if self.faults.silent else out

    def power_cycle(self, now: float) -> bytes:
        """Power fails and returns: new boot_id, cold lamp, not streaming, numbers from 0.

        Returns the event that announces it. The row shown next goes on where it was.
        """
        self._power_on()
        self._booted_at = now
        # The host may hold half a frame from before.
        return DELIMITER + self._send(Event(EventCode.RESTARTED, "power on"), now)

    def pieces(self, out: bytes) -> list[bytes]:
        """Whole frames: of these the oldest are lost where the host does not read."""
        return [frame + DELIMITER for frame in out.split(DELIMITER)[:-1]]

    # ---- inside

    def _power_on(self) -> None:
        self._boots += 1
        self.boot_id = secrets.randbits(32)
        self.presented.clear()
        self._booted_at = None
        self._framer = Framer()
        self._settings = AT_POWER_ON
        self._number = 0
        self._left = None
        self._next_at = None
        self._lamp_on_at = None
        self._stable_at = None
        self._last_request = b""
        self._last_answer = None
        self._events = []

    def _send(self, message: Message, now: float, sequence: int = 0, flags: int = 0) -> bytes:
        up_s = now - (now if self._booted_at is None else self._booted_at)
        return encode_frame(encode(message, sequence, max(0, round(up_s * 1e6)), flags))

    def _receive(self, body: bytes, now: float) -> bytes:
        try:
            header, message = decode(body)
        except ProtocolError as error:
            return self._send(ErrorReply(ErrorCode.MALFORMED, str(error)[:100]), now)
        # A repeated request means that our answer was lost: answer again, act once.
        if body != self._last_request or self._last_answer is None:
            self._last_answer = self._answer(header, message, now)
            self._last_request = body
        out = self._send(self._last_answer, now, header.sequence, Flags.RESPONSE)
        out += b"".join(self._send(event, now) for event in self._events)
        self._events.clear()
        return out

    def _answer(self, header: Header, message: Message | None, now: float) -> Message:
        if isinstance(message, Hello):
            return self._hello(message)
        if isinstance(message, Ping):
            return message
        if isinstance(message, Configure):
            return self._configure(message, now)
        if isinstance(message, Start):
            self._left = message.count or None
            self._begin(now)
            return Ack(MessageType.START)
        if isinstance(message, Stop):
            self._next_at = None
            return Ack(MessageType.STOP)
        return ErrorReply(ErrorCode.UNKNOWN_TYPE, f"no request of type {header.type}")

    def _hello(self, hello: Hello) -> Message:
        if self.faults.refuse_version:
            return ErrorReply(ErrorCode.UNSUPPORTED_VERSION, "this firmware speaks 200 to 201")
        version = min(hello.max_version, MAX_VERSION)
        if version < max(hello.min_version, MIN_VERSION):
            text = f"this firmware speaks {MIN_VERSION} to {MAX_VERSION}"
            return ErrorReply(ErrorCode.UNSUPPORTED_VERSION, text)
        return replace(self.info(), version=version)

    def _configure(self, wish: Configure, now: float) -> Message:
        if self.faults.error_on_configure:
            return ErrorReply(ErrorCode.HARDWARE, "shutter does not move")
        if (no := refusal(wish)) is not None:
            return no
        self._settings = wish
        if not wish.lamp:
            self._lamp_on_at = self._stable_at = None
        elif self._lamp_on_at is None:
            self._switch_lamp_on(now)
        if self._next_at is not None:
            self._begin(now)
        return Ack(MessageType.CONFIGURE)

    def _switch_lamp_on(self, now: float) -> None:
        self._lamp_on_at = now
        if self._scene.drift.warm(0.0):
            self._events.append(Event(EventCode.LAMP_STABLE, "lamp is stable"))
            return
        self._stable_at = now + self.optics.warmup_s
        text = f"lamp is warming up for {self.optics.warmup_s:g} s"
        self._events.append(Event(EventCode.LAMP_WARMING, text))

    def _begin(self, now: float) -> None:
        if self._exhausted():
            self._next_at = None
            self._events.append(ALL_SHOWN)
        else:
            self._next_at = now + self._period_s()

    def _exhausted(self) -> bool:
        sampling = self._settings.position == Position.SAMPLE
        return sampling and self._scans is not None and self._scene.shown >= self._scans

    def _period_s(self) -> float:
        settings = self._settings
        exposure_s = settings.integration_us * settings.averages * 1e-6
        wire_s = (2 * self.optics.pixels + 64) * 10 / self.baud
        pace_s = self._interval_s if settings.position == Position.SAMPLE else 0.0
        return max(exposure_s, wire_s, pace_s)

    def _scan(self, at: float) -> bytes:
        """Make the scan that ends at `at`; return its frame and the events it causes."""
        if self._settings.position == Position.REFERENCE and self._fails_now():
            return self.power_cycle(at)
        number, faults = self._number, self.faults
        scan = self._scene.scan(
            self._settings,
            number,
            boots=self._boots,
            up_s=at - (self._booted_at or 0.0),
            lamp_s=None if self._lamp_on_at is None else at - self._lamp_on_at,
            saturate=number in faults.saturate_at,
        )
        self._number += 1
        out = b"" if number in faults.drop_numbers else self._send(scan, at)
        if out and number in faults.flip_bits_at:
            # A flip that would make a delimiter takes another bit.
            out = out[:40] + bytes([out[40] ^ 0x10 or 0x11]) + out[41:]
        if scan.saturated:
            text = f"{scan.saturated} pixels saturated in scan {number}"
            out += self._send(Event(EventCode.SATURATED, text), at)
        return out + self._after(at)

    def _after(self, at: float) -> bytes:
        """Count down, and end the stream where it ends."""
        if self._left is not None:
            self._left -= 1
            if self._left == 0:
                self._left = self._next_at = None
        if self._exhausted():
            self._next_at = None
            return self._send(ALL_SHOWN, at)
        return b""

    def _fails_now(self) -> bool:
        fails = self.faults.power_loss_in_reference and not self._lost_power
        self._lost_power = self._lost_power or fails
        return fails
