"""What the daemon's threads tell its main path. Frozen, and passed through one inbox."""

from __future__ import annotations

import queue
import threading
from collections import Counter
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from firmware_bridge.protocol import MAX_VERSION
from spektron_edge.door.asking import AtDoor
from spektron_edge.spectra.acquisition import References
from spektron_edge.spectra.scan import Scan

from .faults import Fault, Faults


@dataclass(frozen=True)
class InstrumentReady:
    """The instrument answered and said who it is. axis_nm: (P,) wavelengths in nm; protocol: the
    version agreed on, 0 for another protocol, which knows of no power-on. untold: `boot_id` is the
    host's own, since the clock did not go on as it should; numbers may do so all the same.
    """

    serial: str
    firmware: str
    boot_id: int
    axis_nm: NDArray[np.float64]
    capabilities: tuple[str, ...] = ()
    protocol: int = MAX_VERSION
    untold: bool = False


@dataclass(frozen=True)
class Streaming:
    """Everything a scan needs is there; sample scans follow. `measured`: references are new.

    integration_us: of one exposure; by_hand: references are taken when an operator asks for them;
    lacking: the commands that wait for that.
    """

    references: References | None
    measured: bool
    integration_us: int | None = None
    by_hand: bool = False
    lacking: tuple[str, ...] = ()


@dataclass(frozen=True)
class Measured:
    """A sample scan with the references that belong to it; `ticket` of the order it answers."""

    scan: Scan
    references: References | None
    ticket: int | None = None


@dataclass(frozen=True)
class Consumed:
    """A scan number used for a dark, a reference, a look at the lamp, or a mean of several."""

    serial: str
    boot_id: int
    number: int


@dataclass(frozen=True)
class OrderDone:
    """What came of an order: a fault, or what was done and the integration in us from now on."""

    ticket: int
    fault: Fault | None
    told: str = ""
    integration_us: int | None = None


@dataclass(frozen=True)
class Told:
    """Something that is no fault and that somebody should be able to read later: an event."""

    code: str
    message: str


@dataclass(frozen=True)
class FaultRaised:
    """A fault began, or goes on."""

    fault: Fault


@dataclass(frozen=True)
class FaultsOver:
    """These do not go on."""

    kinds: tuple[Faults, ...]


@dataclass(frozen=True)
class Connected:
    """The broker accepted the session."""


@dataclass(frozen=True)
class Acknowledged:
    """PUBACK for what `publish` numbered `mid`, at time.monotonic() `at`; `error` when the broker
    refused it."""

    mid: int
    at: float
    error: str | None


@dataclass(frozen=True)
class CommandReceived:
    """A request on a command topic; correlation data and response topic are MQTT 5's."""

    name: str
    payload: bytes
    correlation: bytes | None
    response_topic: str | None = None


Item = (
    InstrumentReady
    | Streaming
    | Measured
    | Consumed
    | OrderDone
    | Told
    | FaultRaised
    | FaultsOver
    | Connected
    | Acknowledged
    | CommandReceived
    | AtDoor
)

_MAX_COMMANDS = 64
_MAX_AT_DOOR = 256


class Inbox:
    """Many writers, one reader. What comes from outside is bounded: what is too much is dropped.

    A dropped scan's number is missing from what is committed, so it shows as a gap. A dropped
    command is not answered.
    """

    def __init__(self, max_scans: int) -> None:
        self._items: queue.Queue[Item] = queue.Queue()
        self._most: dict[type, int] = {Measured: max_scans, CommandReceived: _MAX_COMMANDS}
        self._most[AtDoor] = _MAX_AT_DOOR
        self._waiting: Counter[type] = Counter()
        self._lock = threading.Lock()
        self.dropped: Counter[type] = Counter()

    def put(self, item: Item) -> None:
        """Add an item; never blocks."""
        kind = type(item)
        if kind in self._most:
            with self._lock:
                if self._waiting[kind] >= self._most[kind]:
                    self.dropped[kind] += 1
                    return
                self._waiting[kind] += 1
        self._items.put(item)

    def has(self, kind: type) -> bool:
        """Whether an item of a bounded kind waits."""
        with self._lock:
            return self._waiting[kind] > 0

    def take(self, timeout_s: float, most: int) -> list[Item]:
        """Wait for one item, then take what else is there, up to `most`; may be empty."""
        items: list[Item] = []
        try:
            items.append(self._items.get(timeout=timeout_s))
            while len(items) < most:
                items.append(self._items.get_nowait())
        except queue.Empty:
            pass
        with self._lock:
            self._waiting.subtract(type(item) for item in items if type(item) in self._most)
        return items
