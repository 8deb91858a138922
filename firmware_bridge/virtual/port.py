"""A pseudo terminal with a virtual instrument behind it, and a hand on the plug."""

from __future__ import annotations

import os
import random
import select
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from pathlib import Path
from queue import Empty, Queue
from types import TracebackType
from typing import Any, Generic, TypeVar

from firmware_bridge.terminal import SPEEDS, Terminal
from firmware_bridge.virtual.instrument import VirtualInstrument

OUT_BYTES = 1 << 18
IDLE_S = 0.5
CALL_S = 30.0
T = TypeVar("T")
Device = TypeVar("Device", bound=VirtualInstrument)


class PtyPort(Generic[Device]):
    """Runs `device` behind a pty in a thread of its own. Open from the start; use as a context.

    `link`, if given, is a symbolic link that always points to the current pty; it is gone while
    unplugged. Touch the device through `call` only. Raises ValueError when the device's baud is no
    standard line speed, OSError when the link cannot be made or a file stands in its place.
    """

    def __init__(
        self,
        device: Device,
        *,
        link: Path | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        if device.baud not in SPEEDS.values():
            raise ValueError(f"{device.baud} is no standard line speed: {sorted(SPEEDS.values())}")
        self.device = device
        self.overflows = 0
        self._terminal = Terminal(link, device.baud)
        self._clock = clock
        self._out: deque[bytes] = deque()
        self._out_bytes = 0
        self._head_begun = False
        self._unplug_at = device.faults.unplug_at_scan
        self._replug_at: float | None = None
        self._calls: Queue[tuple[Callable[[], Any], Future[Any]]] = Queue()
        self._wake_r, self._wake_w = os.pipe()
        self._closing = False
        self._thread = threading.Thread(target=self._run, name="virtual-port", daemon=True)
        self._thread.start()

    def __enter__(self) -> PtyPort[Device]:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def url(self) -> str:
        """What a host opens: the link, or the pty itself."""
        return self._terminal.url

    @property
    def plugged(self) -> bool:
        """Whether there is a pty at the moment."""
        return self._terminal.fd is not None

    def unplug(self) -> None:
        """Pull the plug: the pty vanishes. The instrument keeps its power and goes on."""
        self.call(self._unplug)

    def plug(self) -> None:
        """Plug in again: a new pty, perhaps under another name."""
        self.call(self._plug)

    def power_cycle(self) -> None:
        """Take the instrument's power away for a moment; the port stays."""
        self.call(lambda: self._queue(self.device.power_cycle(self._clock())))

    def call(self, action: Callable[[], T]) -> T:
        """Run `action` in the port's thread, return or raise what it does.

        Raises RuntimeError when the port is closed.
        """
        if threading.current_thread() is self._thread:
            return action()
        if self._closing:
            raise RuntimeError("the virtual port is closed")
        future: Future[Any] = Future()
        self._calls.put((action, future))
        os.write(self._wake_w, b"x")
        result: T = future.result(CALL_S)
        return result

    def close(self) -> None:
        """End the thread, remove pty and link. May be called again."""
        if self._closing:
            return
        self._closing = True
        os.write(self._wake_w, b"x")
        self._thread.join()
        self._run_calls()
        self._unplug()
        os.close(self._wake_r)
        os.close(self._wake_w)

    # ---- everything below runs in the thread (or before it starts, after it ended)

    def _run(self) -> None:
        while not self._closing:
            fd = self._terminal.fd
            readers = [self._wake_r] if fd is None else [self._wake_r, fd]
            writers = [fd] if fd is not None and self._out else []
            ready, _, _ = select.select(readers, writers, [], self._patience_s())
            if self._wake_r in ready:
                os.read(self._wake_r, 1024)
            self._run_calls()
            if fd in ready:
                self._hear()
            self._queue(self.device.poll(self._clock()))
            self._write()
            self._injected_faults()

    def _patience_s(self) -> float:
        times = [t for t in (self.device.next_due, self._replug_at) if t is not None]
        return min([IDLE_S, *(max(0.0, t - self._clock()) for t in times)])

    def _run_calls(self) -> None:
        with suppress(Empty):
            while True:
                action, future = self._calls.get_nowait()
                try:
                    future.set_result(action())
                except Exception as error:  # noqa: BLE001 - it belongs to the caller's thread
                    future.set_exception(error)

    def _hear(self) -> None:
        if data := self._terminal.read():
            self._queue(self.device.feed(self._through_wire(data), self._clock()))

    def _queue(self, data: bytes) -> None:
        """Queue what is to be sent; the oldest pieces give way when the host does not read."""
        if self._terminal.fd is None:
            return
        for piece in self.device.pieces(data):
            self._out.append(piece)
            self._out_bytes += len(piece)
        while self._out_bytes > OUT_BYTES and len(self._out) > 1 + self._head_begun:
            victim = self._out[1] if self._head_begun else self._out[0]
            del self._out[1 if self._head_begun else 0]
            self._out_bytes -= len(victim)
            self.overflows += 1

    def _write(self) -> None:
        while self._out and (fd := self._terminal.fd) is not None:
            head = self._out[0]
            try:
                sent = os.write(fd, self._through_wire(head))
            except BlockingIOError:
                return
            self._out_bytes -= sent
            if sent < len(head):
                self._out[0] = head[sent:]
                self._head_begun = True
                return
            self._out.popleft()
            self._head_begun = False

    def _through_wire(self, data: bytes) -> bytes:
        """Garble `data` when the two ends of the line run at different speeds."""
        speed = self._terminal.baud
        return data if speed == self.device.baud else data.translate(_garble_table(speed))

    def _injected_faults(self) -> None:
        if self._unplug_at is not None and self.device.scans_made > self._unplug_at:
            self._unplug_at = None
            self._unplug()
            if self.device.faults.replug_after_s is not None:
                self._replug_at = self._clock() + self.device.faults.replug_after_s
        if self._replug_at is not None and self._clock() >= self._replug_at:
            self._replug_at = None
            self._plug()

    def _plug(self) -> None:
        self._terminal.plug()

    def _unplug(self) -> None:
        self._terminal.unplug()
        self._out.clear()
        self._out_bytes = 0
        self._head_begun = False
        self._replug_at = None


def _garble_table(speed: int) -> bytes:
    """Return a byte table that leaves zeros (a break is one at any speed) and moves the rest."""
    values = list(range(1, 256))
    random.Random(speed).shuffle(values)  # noqa: S311 - a fixed garbling, no secret
    return bytes([0, *values])
