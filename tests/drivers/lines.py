"""Lines between a driver and a virtual instrument, on a clock made of numbers."""

from __future__ import annotations

import random
from collections import deque

from firmware_bridge.errors import PortLost, PortMissing
from firmware_bridge.virtual.instrument import VirtualInstrument

KINDS = ("clean", "one byte at a time", "20 % lost", "delayed")
LOST = 0.2
DELAY_S = 0.15


class MadeLine:
    """Port, clock and sleep of `SingleExposures`. Bytes take the time that the baud rate gives.

    Of a line that loses, a fifth of all requests and replies does not arrive, or only in part.
    """

    def __init__(self, device: VirtualInstrument, kind: str = "clean", seed: int = 0) -> None:
        self.device = device
        self.url = "made"
        self.kind = kind
        self.now = 0.0
        self.plugged = True
        self._random = random.Random(seed)
        self._coming: deque[tuple[float, bytes]] = deque()
        self._free_at = 0.0
        self._hear(device.poll(self.now))

    # ---- what SingleExposures is given

    def open(self, url: str, baud: int) -> MadeLine:
        if not self.plugged:
            raise PortMissing(f"no usable port at {url}: Expected, received, tried")
        return self

    def clock(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        if seconds < 0.0:
            raise ValueError("sleep length must be non-negative")
        self._pass_until(self.now + seconds)

    # ---- a port

    def read(self, timeout_s: float) -> bytes:
        until = self.now + max(timeout_s, 0.0)
        while not self._arrived():
            times = [t for t in (self._next_arrival(), self.device.next_due) if t is not None]
            if min(times, default=until + 1.0) > until:
                self._pass_until(until)
                break
            self._pass_until(max(min(times), self.now))
        self._check()
        if not self._arrived():
            return b""
        if self.kind == "one byte at a time":
            at, data = self._coming.popleft()
            if len(data) > 1:
                self._coming.appendleft((at, data[1:]))
            return data[:1]
        out = b""
        while self._arrived():
            out += self._coming.popleft()[1]
        return out

    def write(self, data: bytes) -> None:
        self._check()
        self._hear(self.device.feed(self._carried(data), self.now))

    def close(self) -> None:
        """The instrument goes on, and what it says waits in the port."""

    # ---- faults

    def unplug(self) -> None:
        self.plugged = False
        self._coming.clear()

    def plug(self) -> None:
        self.plugged = True

    def leave(self, data: bytes) -> None:
        """Bytes that are on the line already."""
        self._coming.append((self.now, data))

    # ---- inside

    def _check(self) -> None:
        if not self.plugged:
            raise PortLost("made was lost. Expected, received, tried")

    def _carried(self, data: bytes) -> bytes:
        if not data or self.kind != "20 % lost" or self._random.random() >= LOST:
            return data
        return data[: self._random.randrange(len(data))] if self._random.random() < 0.5 else b""

    def _hear(self, out: bytes) -> None:
        for piece in self.device.pieces(out):
            carried = self._carried(piece)
            begin = max(self.now, self._free_at)
            self._free_at = begin + len(piece) * 10 / self.device.baud
            if not carried or not self.plugged:
                continue
            late = DELAY_S if self.kind == "delayed" else 0.0
            step = max(1, len(carried) // 7) if self.kind == "delayed" else len(carried)
            for start in range(0, len(carried), step):
                part = carried[start : start + step]
                share = (start + len(part)) / len(carried)
                self._coming.append((begin + share * (self._free_at - begin) + late, part))

    def _arrived(self) -> bool:
        return bool(self._coming) and self._coming[0][0] <= self.now

    def _next_arrival(self) -> float | None:
        return self._coming[0][0] if self._coming else None

    def _pass_until(self, until: float) -> None:
        """Let time pass, and the instrument do what is due meanwhile."""
        while (due := self.device.next_due) is not None and due <= until:
            self.now = max(self.now, due)
            self._hear(self.device.poll(self.now))
        self.now = until
