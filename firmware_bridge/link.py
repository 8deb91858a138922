"""The host's end of the line: open, negotiate, ask, read, reconnect."""

from __future__ import annotations

import secrets
import time
from dataclasses import dataclass, replace
from types import TracebackType

from firmware_bridge.errors import (
    DeviceRefused,
    DeviceSilent,
    InstrumentExchanged,
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
    Event,
    EventCode,
    Hello,
    Info,
    Message,
    Ping,
    Scan,
    Start,
    Stop,
    encode,
    wavelengths,
)
from firmware_bridge.same_instrument import SameInstrument
from firmware_bridge.transport import Transport

__all__ = ["Link", "LinkCounters", "Received"]

ATTEMPTS = 3
# Of a question beside the stream: scans come on meanwhile.
_ATTEMPTS_BESIDE = 5
# Then a streaming instrument is asked again who it is.
SURE_FOR_S = 5.0
_BITS_PER_PIXEL = 40  # 32 bits, with start and stop bits


@dataclass
class _Question:
    """A HELLO under way beside the stream. doubted: a scan that waits for what comes of it."""

    sequence: int
    doubted: Scan | None
    before: LinkCounters
    attempts: int = 0
    deadline: float = 0.0


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
        self._same = SameInstrument()
        self._question: _Question | None = None
        self._sure_at = 0.0
        self._patience_s = reply_timeout_s

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
        self._question = None
        self._transport = Transport(self.url, self.baud)
        try:
            self._transport.drain()
            # The delimiter ends whatever half a frame the instrument may have heard before.
            self._transport.write(DELIMITER + self._frame(Stop(), self._next_sequence()))
            info, received = self._hello()
            check_info(info, self.url)
        except BaseException:
            self.close()
            raise
        self._intake.inbox.clear()
        self._intake.pixels = info.pixels
        self.info = info
        self._version = info.version
        self._sure_at = received.last_byte_at
        boot_id, untold = self._same.answered(
            info, received.header.device_us, received.last_byte_at
        )
        return replace(identity(info), boot_id=boot_id, untold_power_on=untold)

    def close(self) -> None:
        """Close the port. May be called again; never raises."""
        if self._transport is not None:
            self._transport.close()
            self._transport = None

    def configure(self, settings: Configure) -> None:
        """Set up the following scans; raises DeviceRefused and what `open` raises on the line."""
        self._acknowledged(settings)
        # An instrument may hear nothing while it exposes.
        self._patience_s = max(self.reply_timeout_s, self.longest_s(settings))

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

        A SCAN of another size than INFO's is among them, and counted as malformed. While scans come
        the instrument is asked every few seconds who it is; one that does not follow on what came
        before is passed on once that is answered.
        Raises PortLost; LineGarbage when bytes keep coming without a valid frame;
        InstrumentExchanged; and as `configure` where it does not say who it is.
        """
        deadline = time.monotonic() + timeout_s
        last = False
        while True:
            self._hear_answer()
            received = self._next()
            if received is not None or last:
                return received
            left = deadline - time.monotonic()
            last = left <= 0
            self._pump(self._until_asked_again(max(left, 0.0)))

    # ---- who is there

    def _next(self) -> Received | None:
        """Out of the inbox, unless it has to be asked first who sent it."""
        inbox = self._intake.inbox
        if not inbox:
            return None
        received = inbox[0]
        if isinstance(scan := received.message, Scan):
            if self._question is not None and self._question.doubted is not None:
                return None
            if self._same.doubtful(received, scan):
                # Also where it is being asked already: that answer may have been under way.
                self._ask_beside(scan)
                return None
            if self._question is None and time.monotonic() - self._sure_at >= SURE_FOR_S:
                self._ask_beside(None)
            self._same.passed(received, scan)
        elif isinstance(received.message, Event) and received.message.code == EventCode.RESTARTED:
            self._same.restarted()
        return inbox.popleft()

    def _ask_beside(self, doubted: Scan | None) -> None:
        self._question = _Question(self._next_sequence(), doubted, self.counters)
        self._send_question(self._question)

    def _send_question(self, question: _Question) -> None:
        question.attempts += 1
        question.deadline = time.monotonic() + self._patience_s
        self._port().write(self._frame(Hello(MIN_VERSION, MAX_VERSION), question.sequence))

    def _until_asked_again(self, timeout_s: float) -> float:
        if self._question is None:
            return timeout_s
        return min(timeout_s, max(0.0, self._question.deadline - time.monotonic()))

    def _hear_answer(self) -> None:
        """Raises InstrumentExchanged, DeviceRefused, and DeviceSilent where none comes."""
        question = self._question
        if question is None:
            return
        received = self._intake.response(question.sequence)
        if received is None:
            if time.monotonic() < question.deadline:
                return
            if question.attempts >= _ATTEMPTS_BESIDE:
                tried = f"{_ATTEMPTS_BESIDE} times, {self._patience_s:g} s each"
                raise self._unanswered(Hello(MIN_VERSION, MAX_VERSION), question.before, tried)
            self._send_question(question)
            return
        self._question = None
        if not isinstance(received.message, Info):
            self._refuse(Hello(MIN_VERSION, MAX_VERSION), received)
            raise NoReply(f"expected INFO on {self.url}, received {received.message}")
        at, device_us = received.last_byte_at, received.header.device_us
        if told := self._same.confirm(received.message, device_us, at, question.doubted):
            raise InstrumentExchanged(f"{self.url}: {told}.")
        self._sure_at = at

    # ---- requests

    def _hello(self) -> tuple[Info, Received]:
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
        return received.message, received

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
                self._refuse(request, received)
                return received
        tried = f"{ATTEMPTS} times in {ATTEMPTS * self.reply_timeout_s} s"
        raise self._unanswered(request, before, tried)

    def _refuse(self, request: Message, received: Received) -> None:
        """Raise DeviceRefused where the response is an error."""
        if isinstance(said := received.message, ErrorReply):
            name = _error_name(said.code)
            raise DeviceRefused(request.TYPE.name, said.code, name, said.text)

    def _unanswered(self, request: Message, before: LinkCounters, times: str) -> LinkError:
        now = self.counters
        tried = f"tried {request.TYPE.name} {times}"
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
