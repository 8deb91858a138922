"""The host's end of the line: open, negotiate, ask, read, reconnect."""

from __future__ import annotations

import secrets
import time
from types import TracebackType

from firmware_bridge.errors import (
    DeviceRefused,
    DeviceSilent,
    LineGarbage,
    LinkError,
    NoReply,
    PortLost,
    VersionMismatch,
)
from firmware_bridge.framing import DELIMITER, encode_frame
from firmware_bridge.info_check import check_info
from firmware_bridge.instrument import Identity
from firmware_bridge.intake import Intake, LinkCounters, Received
from firmware_bridge.protocol import (
    MAX_VERSION,
    MIN_VERSION,
    Ack,
    Configure,
    ErrorCode,
    ErrorReply,
    Hello,
    Info,
    Message,
    Ping,
    Start,
    Stop,
    encode,
    wavelengths,
)
from firmware_bridge.transport import Transport

__all__ = ["Link", "LinkCounters", "Received"]

ATTEMPTS = 3
_BITS_PER_PIXEL = 40  # 32 bits, with start and stop bits


class Link:
    """A session with one instrument over any pyserial URL.

    Use it from one thread. After any LinkError `open()` may be called again.
    """

    def __init__(self, url: str, baud: int = 921600, *, reply_timeout_s: float = 1.0) -> None:
        self.url = url
        self.baud = baud
        self.reply_timeout_s = reply_timeout_s
        self.info: Info | None = None
        self._transport: Transport | None = None
        self._intake = Intake()
        self._sequence = secrets.randbelow(0x10000)
        self._version = MIN_VERSION

    def __enter__(self) -> Link:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def counters(self) -> LinkCounters:
        """A snapshot of all counters, since the link was made."""
        return self._intake.counters

    @property
    def is_open(self) -> bool:
        """Whether a port is held."""
        return self._transport is not None

    def open(self) -> Identity:
        """Open the port, stop a running stream, negotiate; return who answered.

        What was still on the line from before is thrown away. Raises PortMissing, PortBusy,
        PortDenied, PortLost, DeviceSilent, NoReply, LineGarbage, VersionMismatch, DeviceRefused,
        InfoInvalid.
        """
        self.close()
        self._intake.restart()
        self._version = MIN_VERSION
        self._transport = Transport(self.url, self.baud)
        try:
            self._transport.drain()
            # The delimiter ends whatever half a frame the instrument may have heard before.
            self._transport.write(DELIMITER + self._frame(Stop(), self._next_sequence()))
            info = self._hello()
            check_info(info, self.url)
        except BaseException:
            self.close()
            raise
        self._intake.inbox.clear()
        self._intake.pixels = info.pixels
        self.info = info
        self._version = info.version
        return identity(info)

    def close(self) -> None:
        """Close the port. May be called again; never raises."""
        if self._transport is not None:
            self._transport.close()
            self._transport = None

    def configure(self, settings: Configure) -> None:
        """Set up the following scans; raises DeviceRefused and what `open` raises on the line."""
        self._acknowledged(settings)

    def start(self, count: int = 0) -> None:
        """Start `count` scans, 0 = until stop; raises as `configure`."""
        self._acknowledged(Start(count))

    def stop(self) -> None:
        """Stop scanning; raises as `configure`. Scans on the way still come out of `read`."""
        self._acknowledged(Stop())

    def longest_s(self, settings: Configure) -> float:
        """As `Instrument.longest_s`: its exposures, and its way over the line."""
        pixels = 0 if self.info is None else self.info.pixels
        exposure_s = settings.averages * settings.integration_us * 1e-6
        return exposure_s + pixels * _BITS_PER_PIXEL / self.baud

    def ping(self) -> float:
        """Return the round trip in seconds; raises NoReply and what `open` raises on the line."""
        ping = Ping(secrets.randbits(32))
        sent = time.monotonic()
        received = self._ask(ping)
        if received.message != ping:
            raise NoReply(f"expected {ping} back on {self.url}, received {received.message}")
        return received.last_byte_at - sent

    def read(self, timeout_s: float) -> Received | None:
        """Return the next SCAN or EVENT, or None when none came within `timeout_s`.

        A SCAN of another size than INFO's is among them, and counted as malformed.
        Raises PortLost; LineGarbage when bytes keep coming without a valid frame.
        """
        deadline = time.monotonic() + timeout_s
        while not self._intake.inbox:
            left = deadline - time.monotonic()
            self._pump(max(left, 0.0))
            if left <= 0 and not self._intake.inbox:
                return None
        return self._intake.inbox.popleft()

    # ---- requests

    def _hello(self) -> Info:
        try:
            received = self._ask(Hello(MIN_VERSION, MAX_VERSION))
        except DeviceRefused as error:
            if error.code == ErrorCode.UNSUPPORTED_VERSION:
                raise self._version_error(f"received: {error.text!r}") from error
            raise
        if not isinstance(received.message, Info):
            raise NoReply(f"expected INFO on {self.url}, received {received.message}")
        if not MIN_VERSION <= received.message.version <= MAX_VERSION:
            raise self._version_error(f"it chose version {received.message.version}")
        return received.message

    def _version_error(self, received: str) -> VersionMismatch:
        return VersionMismatch(
            f"no common protocol version with the instrument on {self.url}: expected one of "
            f"{MIN_VERSION} to {MAX_VERSION}, {received}. Update this software or the firmware."
        )

    def _acknowledged(self, request: Message) -> None:
        received = self._ask(request)
        if not isinstance(received.message, Ack) or received.message.request != request.TYPE:
            raise NoReply(
                f"expected ACK of {request.TYPE.name} on {self.url}, received {received.message}"
            )

    def _ask(self, request: Message) -> Received:
        """Send `request` up to three times under one sequence; return the response.

        The instrument carries a repeated sequence out once only.
        """
        sequence = self._next_sequence()
        before = self.counters
        for _ in range(ATTEMPTS):
            self._port().write(self._frame(request, sequence))
            deadline = time.monotonic() + self.reply_timeout_s
            while (left := deadline - time.monotonic()) > 0:
                self._pump(left)
                received = self._intake.response(sequence)
                if received is None:
                    continue
                if isinstance(received.message, ErrorReply):
                    code = received.message.code
                    raise DeviceRefused(
                        request.TYPE.name, code, _error_name(code), received.message.text
                    )
                return received
        raise self._unanswered(request, before)

    def _unanswered(self, request: Message, before: LinkCounters) -> LinkError:
        now = self.counters
        tried = f"tried {request.TYPE.name} {ATTEMPTS} times in {ATTEMPTS * self.reply_timeout_s} s"
        if now.bytes == before.bytes:
            return DeviceSilent(
                f"nothing answers on {self.url} at {self.baud} baud: expected a reply, received "
                f"no byte, {tried}. Check the instrument's power, the cable (TX and RX crossed) "
                f"and the port's name."
            )
        if now.frames == before.frames:
            return self._garbage(now.bytes - before.bytes)
        said = self._intake.last_device_error and f" It says {self._intake.last_device_error!r}."
        return NoReply(
            f"the instrument on {self.url} sends frames but does not answer: received "
            f"{now.frames - before.frames} valid frames, "
            f"{now.malformed - before.malformed} malformed, {tried}."
            f"{said} Restart the instrument and check its firmware version."
        )

    def _garbage(self, received: int) -> LineGarbage:
        return LineGarbage(
            f"no valid frame on {self.url} at {self.baud} baud: expected Spektron frames, received "
            f"{received} bytes of something else ({self.counters}). Check the baud rate, and that "
            f"no login console or other instrument uses this line."
        )

    def _next_sequence(self) -> int:
        self._sequence = (self._sequence + 1) & 0xFFFF
        return self._sequence

    def _frame(self, message: Message, sequence: int) -> bytes:
        return encode_frame(encode(message, sequence, version=self._version))

    def _port(self) -> Transport:
        if self._transport is None:
            raise PortLost(f"{self.url} is not open. Expected open() first.")
        return self._transport

    # ---- bytes in

    def _pump(self, timeout_s: float) -> None:
        """Wait for bytes once and sort them."""
        data = self._port().read(timeout_s)
        at = time.monotonic()
        if data and (garbage := self._intake.take(data, at)):
            raise self._garbage(garbage)


def identity(info: Info) -> Identity:
    """What INFO says, as for any instrument."""
    return Identity(
        serial=info.serial,
        firmware=info.firmware,
        boot_id=info.boot_id,
        pixels=info.pixels,
        full_scale=info.full_scale,
        capabilities=info.capabilities,
        axis_nm=wavelengths(info),
        min_integration_us=info.min_integration_us,
        max_integration_us=info.max_integration_us,
        max_averages=info.max_averages,
        protocol=info.version,
    )


def _error_name(code: int) -> str:
    try:
        return ErrorCode(code).name
    except ValueError:
        return "unknown code"
