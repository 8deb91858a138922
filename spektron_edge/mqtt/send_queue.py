"""What waits for the network thread: in order, bounded, and able to wake it."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from .message import Message


@dataclass(frozen=True)
class Numbered:
    """A message under the number its publisher knows it by."""

    number: int
    message: Message


class Waker:
    """A file descriptor that other threads make readable."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._read: socket.socket | None = None
        self._write: socket.socket | None = None

    def open(self) -> None:
        """Before the network thread begins."""
        self._read, self._write = socket.socketpair()
        self._read.setblocking(False)
        self._write.setblocking(False)

    def wake(self) -> None:
        """Make `fileno` readable."""
        with self._lock, contextlib.suppress(BlockingIOError):
            if self._write is not None:
                self._write.send(b"\0")

    def quiet(self) -> None:
        """Make it unreadable until the next `wake`."""
        with contextlib.suppress(BlockingIOError):
            if self._read is not None:
                self._read.recv(4096)

    def fileno(self) -> int:
        """For select; -1 when it is not open."""
        return -1 if self._read is None else self._read.fileno()

    def close(self) -> None:
        """After the network thread has ended."""
        with self._lock:
            for end in (self._read, self._write):
                if end is not None:
                    end.close()
            self._read = self._write = None


class SendQueue(Waker):
    """Many threads put, the network thread takes. `fileno` is readable once something was put."""

    def __init__(self, most: int) -> None:
        """most: messages that were put and are not finished."""
        super().__init__()
        self._most = most
        self._waiting: deque[Numbered] = deque()
        self._unfinished = 0
        self._last = 0

    def put(self, message: Message, *, beyond: bool = False) -> int | None:
        """The message's number, rising; None when too many are unfinished, unless `beyond`."""
        with self._lock:
            if self._unfinished >= self._most and not beyond:
                return None
            self._unfinished += 1
            self._last += 1
            number = self._last
            self._waiting.append(Numbered(number, message))
        self.wake()
        return number

    def take(self) -> Numbered | None:
        """The first that waits."""
        with self._lock:
            return self._waiting.popleft() if self._waiting else None

    def put_back(self, taken: Sequence[Numbered]) -> None:
        """These were taken and not sent for certain: they are the first again, in their order."""
        with self._lock:
            self._waiting.extendleft(reversed(taken))

    def finish(self) -> None:
        """One that was taken is acknowledged or given up."""
        with self._lock:
            self._unfinished -= 1

    @property
    def waiting(self) -> int:
        """How many wait to be taken."""
        with self._lock:
            return len(self._waiting)
