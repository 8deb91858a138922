"""Plays the instrument's side of a recording to whatever host opens the terminal."""

from __future__ import annotations

import select
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from firmware_bridge.framing import Framer, encode_frame
from firmware_bridge.protocol import Ack, Flags, Hello, Info, Message, Ping, Stop, encode
from firmware_bridge.recording.file import BACK, LOST, Note, Recording
from firmware_bridge.recording.script import (
    Piece,
    Renumbered,
    Request,
    parsed,
    speaks_spektron,
    steps,
    unframed,
    without_questions,
)
from firmware_bridge.terminal import Terminal

_WAIT_S = 0.02
# A host that reads no more loses what does not fit its terminal.
_WRITE_S = 1.0
_MOST_TOLD = 50
_MOST_HELD = 1 << 16


@dataclass
class Played:
    """How far it came. differing: requests that were not those recorded, the first of them."""

    requests: int = 0
    bytes: int = 0
    extra: int = 0
    whole: bool = False
    differing_count: int = 0
    differing: list[str] = field(default_factory=list)

    def differs(self, told: str) -> None:
        """Count, and keep the first ones in words."""
        self.differing_count += 1
        if len(self.differing) < _MOST_TOLD:
            self.differing.append(told)


class Player:
    """`by_time`: pieces come when they came, whatever the host asks, from its first byte on.

    Otherwise a piece comes once the requests before it have come, and no sooner after them than it
    did. Requests of our own protocol are known by what they ask: sequences, and a PING's number,
    are today's. An additional PING or STOP is answered, as it changes nothing; so is HELLO while
    scans come: hosts ask it now and then, and nobody waits for the recorded ones.
    """

    def __init__(
        self,
        recording: Recording,
        terminal: Terminal,
        *,
        speed: float = 1.0,
        by_time: bool = False,
        tell: Callable[[str], None] = lambda _told: None,
    ) -> None:
        """speed: of time, above 0. tell: hears of requests that differ."""
        self.played = Played()
        self._terminal = terminal
        self._speed = speed
        self._by_time = by_time
        self._tell = tell
        self._spektron = speaks_spektron(recording)
        self._steps = steps(recording, framed=self._spektron)
        self._beside: frozenset[int] = frozenset()
        if self._spektron:
            self._steps, self._beside = without_questions(self._steps)
        self._info: Info | None = None
        self._device_us = 0
        self._host: _Frames | _Bytes = _Frames() if self._spektron else _Bytes()
        self._renumbered = Renumbered()
        self._latest = b""
        self._called = False
        self._awaited: Request | None = None

    def play(self, stop: threading.Event) -> Played:
        """To the end, or until `stop`."""
        first = next((n for n, s in enumerate(self._steps) if isinstance(s, Request)), None)
        if first is not None:
            # What came before the host's first word, a host throws away as it opens the port.
            self._await_host(stop)
        then = self._steps[first].t if first is not None else 0.0
        awaited = deque(step for step in self._steps if isinstance(step, Request))
        for step in self._steps[first:]:
            self._awaited = awaited[0] if awaited else None
            if self._by_time and isinstance(step, Request):
                continue
            self._pass(max(0.0, (step.t - then) / self._speed), stop)
            then = step.t
            if isinstance(step, Request):
                self._meet(step, stop)
                awaited.popleft()
            elif isinstance(step, Piece):
                self._piece(step.data)
            else:
                self._note(step)
            if stop.is_set():
                return self.played
        self.played.whole = True
        return self.played

    def linger(self, stop: threading.Event) -> None:
        """Keep the terminal, silent but for PING and STOP, until `stop`."""
        while not stop.is_set():
            self._hear(_WAIT_S)
            while (request := self._host.next(0)) is not None:
                self._additional(request)

    # ---- inside

    def _pass(self, seconds: float, stop: threading.Event) -> None:
        """Let so much time pass, but none while the host waits for an answer that is to come."""
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0 and not stop.is_set():
            self._hear(min(left, _WAIT_S))
            if not self._by_time and self._host.waiting and not self._answered_beside():
                return

    def _answered_beside(self) -> bool:
        """Answer what waits and changes nothing, unless it is what the recording waits for."""
        if not isinstance(self._host, _Frames):
            return False
        now = unframed(self._host.first)
        then = unframed(self._awaited.data) if self._awaited is not None else None
        if now is None or (then is not None and then[0].type == now[0].type):
            return False
        if not self._additional(self._host.first):
            return False
        self._host.next(0)
        return True

    def _await_host(self, stop: threading.Event) -> None:
        while not stop.is_set() and not self._called:
            self._hear(_WAIT_S)

    def _hear(self, seconds: float) -> None:
        fd = self._terminal.fd
        if fd is None:
            time.sleep(seconds)
        elif select.select([fd], [], [], seconds)[0]:
            data = self._terminal.read()
            self._called = self._called or bool(data)
            self._host.take(data)

    def _meet(self, step: Request, stop: threading.Event) -> None:
        """Wait for the host to ask this."""
        while not stop.is_set():
            request = self._host.next(len(step.data))
            if request is None:
                self._hear(_WAIT_S)
            elif self._is(request, step):
                self.played.requests += 1
                return

    def _is(self, request: bytes, step: Request) -> bool:
        """Whether this is what is waited for; one that differs in its values is taken for it."""
        if not self._spektron:
            if request != step.data:
                self._differ(step.t, step.data.hex(" "), request.hex(" "))
            return True
        then, now = unframed(step.data), unframed(request)
        if then is None or now is None:
            return False
        if then[0].type != now[0].type:
            if request == self._latest:
                self.played.extra += 1
            elif not self._additional(request):
                self._differ(step.t, str(then[1]), str(now[1]))
            return False
        if then[1] != now[1] and not isinstance(now[1], Ping):
            self._differ(step.t, str(then[1]), str(now[1]))
        self._latest = request
        self._renumbered.asked(then[0], *now)
        return True

    def _differ(self, t: float, expected: str, received: str) -> None:
        told = f"at {t:.3f} s the recording has {expected}, this host sent {received}"
        self.played.differs(told)
        self._tell(told)

    def _additional(self, request: bytes) -> bool:
        """Answer what changes nothing. Whether it was that."""
        said = unframed(request)
        if said is None:
            return False
        header, message = said
        if isinstance(message, Hello) and self._info is not None:
            answer: Message = self._info
        elif isinstance(message, Ping):
            answer = message
        elif isinstance(message, Stop):
            answer = Ack(header.type)
        else:
            return False
        self.played.extra += 1
        self._send(encode_frame(encode(answer, header.sequence, self._device_us, Flags.RESPONSE)))
        return True

    def _send(self, data: bytes) -> None:
        self.played.bytes += self._terminal.write(data, _WRITE_S)

    def _piece(self, data: bytes) -> None:
        """Send it, unless today's host did not ask for it."""
        if not self._spektron:
            self._send(data)
            return
        if (said := unframed(data)) is not None:
            header, message = said
            self._device_us = header.device_us
            if isinstance(message, Info):
                self._info = message
                if header.sequence in self._beside:
                    return
        self._send(self._renumbered.answer(data))

    def _note(self, note: Note) -> None:
        if note.text == LOST:
            self._terminal.unplug()
            self._host.forget()
        elif note.text == BACK:
            self._terminal.plug()


class _Frames:
    """What the host sends, frame by frame."""

    def __init__(self) -> None:
        self._framer = Framer()
        self._requests: deque[bytes] = deque()

    @property
    def waiting(self) -> bool:
        return bool(self._requests)

    @property
    def first(self) -> bytes:
        return self._requests[0]

    def take(self, data: bytes) -> None:
        for body in self._framer.feed(data):
            if parsed(body) is not None:
                self._requests.append(encode_frame(body))

    def next(self, _size: int) -> bytes | None:
        """The next request, whatever was expected."""
        return self._requests.popleft() if self._requests else None

    def forget(self) -> None:
        self._framer.reset()
        self._requests.clear()


class _Bytes:
    """What the host sends, as long as what is expected."""

    def __init__(self) -> None:
        self._data = b""

    @property
    def waiting(self) -> bool:
        return bool(self._data)

    def take(self, data: bytes) -> None:
        self._data = (self._data + data)[-_MOST_HELD:]

    def next(self, size: int) -> bytes | None:
        """As many bytes as were expected, once they are there."""
        if not size or len(self._data) < size:
            return None
        request, self._data = self._data[:size], self._data[size:]
        return request

    def forget(self) -> None:
        self._data = b""
