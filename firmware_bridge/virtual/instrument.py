"""What a virtual instrument is to the port it sits behind, and what those of other makers share."""

from __future__ import annotations

import heapq
from abc import ABC, abstractmethod
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from firmware_bridge.protocol import Configure, Position, Scan
from firmware_bridge.virtual.faults import InjectedFaults
from firmware_bridge.virtual.optics import Optics
from firmware_bridge.virtual.scene import Scene

MADE_KEPT = 1000


class VirtualInstrument(Protocol):
    """Bytes in, bytes out, at times on the caller's clock, s."""

    baud: int
    faults: InjectedFaults

    @property
    def scans_made(self) -> int:
        """Scans since power-on."""

    @property
    def next_due(self) -> float | None:
        """When `poll` has something to do; None = only when fed."""

    def feed(self, data: bytes, now: float) -> bytes:
        """Take bytes from the host at time `now`; return the bytes to send."""

    def poll(self, now: float) -> bytes:
        """Return the bytes due at `now`."""

    def power_cycle(self, now: float) -> bytes:
        """Power fails and returns; what is sent at power-on."""

    def pieces(self, out: bytes) -> list[bytes]:
        """`out` in pieces of which each may be lost where the host does not read."""


class Foreign(ABC):
    """An instrument of another maker: hears requests, answers them after a while. Lamp always warm.

    `beam` is what a person holds into it; `made` are the counts of its latest exposures by number.
    Of `InjectedFaults` it knows `silent`, `saturate_at` and unplugging.
    """

    def __init__(
        self,
        spectra: NDArray[np.float64],
        axis: NDArray[np.float64],
        optics: Optics,
        *,
        baud: int,
        seed: int = 0,
        faults: InjectedFaults | None = None,
    ) -> None:
        """spectra: (n, L) absorbance shown one after the other; axis: (L,) nm."""
        self.optics = optics
        self.baud = baud
        self.faults = faults or InjectedFaults()
        self._scene = Scene(spectra, axis, optics, seed)
        self.beam = Position.SAMPLE
        self.made: dict[int, NDArray[Any]] = {}
        self._number = 0
        self._received = b""
        self._due: list[tuple[float, int, bytes]] = []
        self._said = 0
        self._now = 0.0
        self.reset()

    @property
    def scans_made(self) -> int:
        """As `VirtualInstrument`."""
        return self._number

    @property
    def next_due(self) -> float | None:
        """As `VirtualInstrument`."""
        return self._due[0][0] if self._due else None

    def feed(self, data: bytes, now: float) -> bytes:
        """As `VirtualInstrument`."""
        self._now = now
        self._received += data
        while self._received and (used := self.hear(self._received)):
            self._received = self._received[used:]
        return self.poll(now)

    def poll(self, now: float) -> bytes:
        """As `VirtualInstrument`."""
        self._now = now
        out = b""
        while self._due and self._due[0][0] <= now:
            out += heapq.heappop(self._due)[2]
        return b"" if self.faults.silent else out

    def power_cycle(self, now: float) -> bytes:
        """As `VirtualInstrument`."""
        self._now = now
        self._received, self._number = b"", 0
        self.made.clear()
        self._due.clear()
        self.reset()
        return b""

    def pieces(self, out: bytes) -> list[bytes]:
        """As `VirtualInstrument`."""
        return [out] if out else []

    def say(self, reply: bytes, after_s: float = 0.0) -> None:
        """Send `reply` so much later."""
        self._said += 1
        heapq.heappush(self._due, (self._now + after_s, self._said, reply))

    def expose(self, integration_us: int, position: Position | None = None) -> Scan:
        """The next exposure: its counts, and in `saturated` how many pixels were full.

        position: where the instrument has put something into the beam itself.
        """
        number = self._number
        self._number += 1
        scan = self._scene.scan(
            Configure(integration_us, 1, 1, self.beam if position is None else position),
            number,
            boots=1,
            up_s=self._now,
            lamp_s=self._now,
            saturate=number in self.faults.saturate_at,
        )
        self.made[number] = scan.counts
        if len(self.made) > MADE_KEPT:
            del self.made[next(iter(self.made))]
        return scan

    @abstractmethod
    def hear(self, received: bytes) -> int:
        """Act on what `received` begins with: how many bytes that was, 0 = more are needed."""

    @abstractmethod
    def reset(self) -> None:
        """The state at power-on."""
