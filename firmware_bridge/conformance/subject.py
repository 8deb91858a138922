"""The instrument that requirements are tried on: raw frames out, whatever comes back decoded."""

from __future__ import annotations

import math
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass

from firmware_bridge.drivers.line import Port
from firmware_bridge.framing import DELIMITER, Framer, encode_frame
from firmware_bridge.protocol import (
    Ack,
    Configure,
    Decoded,
    Event,
    Hello,
    Info,
    Message,
    Ping,
    Position,
    ProtocolError,
    Scan,
    Start,
    Stop,
    decode,
    encode,
)

PATIENCE_S = 2.0
USUAL_US = 10_000
_PIECE = 2048
_SLICE_S = 0.05
# After power-on nothing may come of its own accord; more slowly than this nobody streams.
_UNASKED_S = 2.0
# Of what an instrument sends unasked, so many messages are kept.
_MOST_HEARD = 10_000


class Broken(Exception):
    """A promise was not kept."""

    def __init__(self, expected: str, received: object) -> None:
        super().__init__(f"expected {expected}, received {received}")
        self.expected = expected
        self.received = str(received)


class NoInfo(Exception):
    """A requirement needs to know what INFO says, and INFO never came."""


class Undecided(Exception):
    """Nothing on this instrument shows whether a requirement is kept. Says why."""


@dataclass
class Heard:
    """What the instrument sent since the beginning that no receiver could have read."""

    bad_frames: int = 0
    malformed: int = 0
    latest: str = ""


class Subject:
    """One instrument at the end of a port.

    It believes little: an answer is the next frame that is neither SCAN nor EVENT, whatever its
    sequence and flags, so that one broken promise does not look like many.
    """

    def __init__(
        self,
        port: Port,
        baud: int,
        *,
        patience_s: float = PATIENCE_S,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """patience_s: for an answer that comes at once, on a line that takes no time."""
        self.baud = baud
        self.heard = Heard()
        self.bytes_heard = 0
        self.frames_heard = 0
        self.echoes_heard = 0
        self.said: Info | None = None
        self.answered = False
        # Of all scans heard since power-on. Of all PINGs: when sent and answered, s, and the stamp.
        self.numbers: list[int] = []
        self.pings: list[tuple[float, float, int]] = []
        self.brightest: dict[int, Scan] = {}
        self.switched_at = -math.inf
        self.streamed = 0
        self._port = port
        self._patience_s = patience_s
        self._clock = clock
        self._sleep = sleep
        self._framer = Framer()
        self._sequence = secrets.randbelow(0x10000)
        # An instrument may take longer than its exposures: a belt that moves, a wheel that turns.
        self._late_s = 0.0
        self._latest: list[Decoded] = []

    @property
    def now(self) -> float:
        """The host's clock, s."""
        return self._clock()

    def switched(self, port: Port, since: float) -> None:
        """It was switched off and on, not before `since`, and is there again, at this port.

        Listens for a while: `streamed` is how many scans came. Raises PortLost.
        """
        self._port, self._framer, self.switched_at = port, Framer(), since
        self.numbers.clear()
        self.pings.clear()
        self._latest.clear()
        # Now: who is asked for anything at all is told to stop first.
        self.streamed = sum(map(_is_scan, self.listen(_UNASKED_S)))

    # ---- what INFO says

    @property
    def info(self) -> Info:
        """What the latest INFO said. Raises NoInfo."""
        if self.said is None:
            raise NoInfo
        return self.said

    @property
    def wire_s(self) -> float:
        """How long the line is busy with one scan, at the least."""
        return 0.0 if self.said is None else (2 * self.said.pixels + 40) * 10 / self.baud

    @property
    def patience_s(self) -> float:
        """How long an answer may take behind two scans that are on their way."""
        return self._patience_s + 4 * self.wire_s

    def settings(
        self,
        integration_us: int = USUAL_US,
        averages: int = 1,
        *,
        lamp: int = 0,
        position: Position = Position.SAMPLE,
    ) -> Configure:
        """Settings that the instrument must accept, as near to these as its limits are."""
        info = self.info
        within = min(max(integration_us, info.min_integration_us), info.max_integration_us)
        return Configure(within, min(averages, info.max_averages), lamp, position)

    # ---- talking

    def next_sequence(self) -> int:
        """A sequence that no frame before it had."""
        self._sequence = (self._sequence + 1) & 0xFFFF
        return self._sequence

    def frame(self, message: Message, sequence: int | None = None) -> bytes:
        """A frame around `message`, delimiter included."""
        return encode_frame(
            encode(message, self.next_sequence() if sequence is None else sequence, version=1)
        )

    def send(self, data: bytes) -> None:
        """No faster than the line carries it; what comes meanwhile is kept. Raises PortLost."""
        for start in range(0, len(data), _PIECE):
            piece = data[start : start + _PIECE]
            self._port.write(piece)
            if len(data) > _PIECE:
                self._take(self._port.read(0.0))
                self._sleep(len(piece) * 10 / self.baud)

    def ask(self, message: Message, sequence: int | None = None) -> Decoded:
        """The answer. Raises Broken where none comes."""
        return self.answer_to(self.frame(message, sequence), message.TYPE.name)

    def answer_to(self, frame: bytes, name: str) -> Decoded:
        """The answer to these bytes. Raises Broken where none comes."""
        self._latest.clear()
        self.send(frame)
        found = self.until(_is_answer, self.patience_s)
        if found is None:
            raise Broken(f"an answer to {name}", f"none within {self.patience_s:.1f} s")
        return found

    def said_to(self, data: bytes) -> list[Decoded]:
        """All that comes for these bytes, up to the answer to a PING that is sent behind them.

        `answered` says whether that came.
        """
        ping, sequence = Ping(secrets.randbits(32)), self.next_sequence()
        self._latest.clear()
        sent = self._clock()
        self.send(data + self.frame(ping, sequence))
        heard: list[Decoded] = []

        def last(decoded: Decoded) -> bool:
            ours = decoded.header.sequence == sequence or decoded.message == ping
            if isinstance(decoded.message, Ping) and ours:
                return True
            heard.append(decoded)
            return False

        answer = self.until(last, self.patience_s)
        self.answered = answer is not None
        if answer is not None:
            self.pings.append((sent, self._clock(), answer.header.device_us))
        return heard

    def until(self, wanted: Callable[[Decoded], bool], seconds: float) -> Decoded | None:
        """The first message heard that is `wanted`; None where none comes in time."""
        until = self._clock() + seconds
        while True:
            for at, decoded in enumerate(self._latest):
                if wanted(decoded):
                    del self._latest[: at + 1]
                    return decoded
            self._latest.clear()
            left = until - self._clock()
            if left <= 0:
                return None
            self._take(self._port.read(min(left, _SLICE_S)))

    # ---- common steps

    def begin(self) -> bool:
        """A quiet line and no stream. Whether anything answers."""
        before = self.frames_heard
        self.said_to(DELIMITER + self.frame(Stop()))
        return self.frames_heard > before

    def hello(self) -> Info:
        """What it says of itself. Raises Broken."""
        answer = self.ask(Hello(1, 1)).message
        if not isinstance(answer, Info):
            raise Broken("INFO in answer to HELLO", answer)
        self.said = answer
        return answer

    def set_up(self, settings: Configure) -> None:
        """Raises Broken where they are not accepted."""
        answer = self.ask(settings).message
        if not isinstance(answer, Ack):
            raise Broken(f"ACK of {settings}", answer)

    def start(self, count: int) -> None:
        """Raises Broken where it is not accepted."""
        answer = self.ask(Start(count)).message
        if not isinstance(answer, Ack):
            raise Broken(f"ACK of START({count})", answer)

    def stop(self) -> None:
        """Raises Broken where it is not accepted."""
        answer = self.ask(Stop()).message
        if not isinstance(answer, Ack):
            raise Broken("ACK of STOP", answer)

    def stream(self, settings: Configure, count: int) -> list[Decoded]:
        """So many SCANs, as they came. Raises Broken where fewer come in time."""
        self.set_up(settings)
        self.start(count)
        return self.scans(settings, count)

    def scans(self, settings: Configure, count: int) -> list[Decoded]:
        """SCANs of a running stream. Raises Broken where fewer come in time."""
        found: list[Decoded] = []
        for _ in range(count):
            begun = self._clock()
            scan = self.until(_is_scan, self.period_s(settings) + self.patience_s)
            if scan is None:
                raise Broken(f"{count} scans", f"{len(found)}, then none")
            late_s = self._clock() - begun - self._exposure_s(settings)
            self._late_s = max(self._late_s, late_s)
            found.append(scan)
        return found

    def period_s(self, settings: Configure) -> float:
        """From one scan to the next, by what such scans took so far."""
        return self._exposure_s(settings) + self._late_s

    def _exposure_s(self, settings: Configure) -> float:
        return max(settings.integration_us * settings.averages * 1e-6, self.wire_s)

    def listen(self, seconds: float) -> list[Decoded]:
        """All that comes in this time."""
        heard: list[Decoded] = []

        def keep(decoded: Decoded) -> bool:
            heard.append(decoded)
            return False

        self.until(keep, seconds)
        return heard

    # ---- inside

    def _take(self, data: bytes) -> None:
        self.bytes_heard += len(data)
        bad = self._framer.counters.bad_frames
        for body in self._framer.feed(data):
            self._hear(body)
        if self._framer.counters.bad_frames > bad:
            self.heard.bad_frames += self._framer.counters.bad_frames - bad
            self.heard.latest = f"{len(data)} bytes that end {data[-16:].hex(' ')}"

    def _hear(self, body: bytes) -> None:
        try:
            decoded = decode(body)
        except ProtocolError as error:
            self.heard.malformed += 1
            self.heard.latest = str(error)
            return
        self.frames_heard += 1
        if isinstance(decoded.message, Scan):
            self._note(decoded.message)
        # Only a host sends these.
        self.echoes_heard += isinstance(decoded.message, Hello | Configure | Start | Stop)
        if len(self._latest) < _MOST_HEARD:
            self._latest.append(decoded)

    def _note(self, scan: Scan) -> None:
        self.numbers.append(scan.number)
        most = self.brightest.get(scan.position)
        if scan.counts.size and (most is None or _shows(scan) > _shows(most)):
            self.brightest[scan.position] = scan


def _shows(scan: Scan) -> tuple[bool, float]:
    """Of full pixels nobody sees what was counted."""
    return not scan.saturated, float(scan.counts.mean())


def _is_answer(decoded: Decoded) -> bool:
    return not isinstance(decoded.message, Scan | Event | None)


def _is_scan(decoded: Decoded) -> bool:
    return isinstance(decoded.message, Scan)
