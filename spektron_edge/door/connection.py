"""One connection of the door: what waits to be sent, and what has been read."""

from __future__ import annotations

import contextlib
import socket
from collections import deque

from .lines import MOST_READ, Lines
from .telling import Telling

# A spectrum of thousands of channels fits many times; who lets more than this wait does not read.
MOST_WAITING = 4 * 2**20
SILENT_S = 10.0
MOST_OPEN = 32
_LINES_AT_ONCE = 32
_APART_S = 0.1
_CHUNK = 2**16


class Connection:
    """Belongs to the door's thread. open: commands and notes whose last answer is still due;
    known: what it was sent when it came, and is not sent again."""

    def __init__(self, stream: socket.socket, number: int, now: float) -> None:
        stream.setblocking(False)
        self.stream, self.number = stream, number
        self.open = 0
        self.known: tuple[Telling, ...] = ()
        self._out: deque[memoryview] = deque()
        self._waiting = 0
        self._spectrum: bytes | None = None
        self._moved_at = now
        self._lines = Lines(MOST_READ)
        self._read: deque[bytes | None] = deque()
        self._next_at = now

    # ---- out

    def send(self, line: bytes) -> None:
        """Queue a line."""
        self._out.append(memoryview(line))
        self._waiting += len(line)

    def offer(self, line: bytes) -> bool:
        """Queue a spectrum once nothing else waits; false where an older one gave way to it."""
        fresh = self._spectrum is None
        self._spectrum = line
        return fresh

    def flush(self, now: float) -> None:
        """Send what the other side takes now. Raises OSError where it is gone."""
        while True:
            if not self._out:
                if self._spectrum is None:
                    self._moved_at = now
                    return
                self.send(self._spectrum)
                self._spectrum = None
            try:
                sent = self.stream.send(self._out[0])
            except BlockingIOError:
                return
            self._moved_at = now
            self._waiting -= sent
            rest = self._out.popleft()[sent:]
            if rest:
                self._out.appendleft(rest)

    @property
    def sending(self) -> bool:
        """Whether something waits."""
        return bool(self._out)

    def deaf(self, now: float, silent_s: float) -> bool:
        """Whether it does not read what it is sent."""
        stuck = self.sending and now - self._moved_at > silent_s
        return stuck or self._waiting > MOST_WAITING

    # ---- in

    @property
    def reading(self) -> bool:
        """Whether more may be read: what was read is done with."""
        return not self._read

    def receive(self) -> bool:
        """Read what has come; false at the end. Raises OSError."""
        with contextlib.suppress(BlockingIOError):
            data = self.stream.recv(_CHUNK)
            self._read.extend(self._lines.feed(data))
            return bool(data)
        return True

    def lines(self, now: float) -> list[bytes | None]:
        """A few of the lines that were read, seldom enough to keep nobody from anything."""
        if not self._read or now < self._next_at:
            return []
        self._next_at = now + _APART_S
        return [self._read.popleft() for _ in range(min(_LINES_AT_ONCE, len(self._read)))]
