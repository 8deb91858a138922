"""What the runtime asks of an instrument, whatever that speaks."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from firmware_bridge.errors import LinkError
from firmware_bridge.intake import LinkCounters, Received
from firmware_bridge.printable import printable
from firmware_bridge.protocol import Configure

BACKOFF_MIN_S = 0.2
BACKOFF_MAX_S = 5.0


@dataclass(frozen=True, eq=False)
class Identity:
    """Who the instrument is and what it can do.

    boot_id: new at every power-on; where the instrument cannot tell, new at every connection.
    protocol: version of the Spektron protocol, 0 for any other. axis_nm: (pixels,) wavelengths, nm.
    capabilities: as in INFO. dark_pixels: indices of pixels that see no light. nonlinearity:
    polynomial in counts above dark by which these are divided, from the constant on, as Ocean's
    instruments keep it; empty where none is known. integration_step_us: integrations are whole
    multiples of it. untold_power_on: in words, how it shows that the instrument was switched off
    where it does not tell that itself, as it should; `boot_id` is then the host's own.
    beside_s: what an exposure takes at most beside integration and line, s. What it says in words
    (serial, firmware, model) is printable, other characters are escaped.
    """

    serial: str
    firmware: str
    boot_id: int
    pixels: int
    full_scale: int
    capabilities: int
    axis_nm: NDArray[np.float64] = field(repr=False)
    min_integration_us: int
    max_integration_us: int
    max_averages: int
    protocol: int = 0
    model: str = ""
    dark_pixels: tuple[int, ...] = ()
    nonlinearity: tuple[float, ...] = ()
    integration_step_us: int = 1
    beside_s: float = 0.0
    untold_power_on: str = ""

    def __post_init__(self) -> None:
        for name in ("serial", "firmware", "model"):
            # Some go to a terminal, into a log or a block of configuration to be copied.
            object.__setattr__(self, name, printable(getattr(self, name)))


class Instrument(Protocol):
    """One instrument on one port. Use it from one thread.

    After any LinkError `open()` may be called again. Scans come as the protocol's SCAN, also from
    instruments that do not speak it.
    """

    @property
    def counters(self) -> LinkCounters:
        """A snapshot of all counters, since the object was made."""

    def open(self) -> Identity:
        """Open the port, end whatever still goes on there, find out who answers.

        Raises PortMissing, PortBusy, PortDenied, PortLost, DeviceSilent, NoReply, LineGarbage,
        VersionMismatch, DeviceRefused, InfoInvalid.
        """

    def close(self) -> None:
        """Close the port. May be called again; never raises."""

    def configure(self, settings: Configure) -> None:
        """Set up the following scans; raises DeviceRefused and what `open` raises on the line."""

    def start(self, count: int = 0) -> None:
        """Start `count` scans, 0 = until stop; raises as `configure`."""

    def stop(self) -> None:
        """Stop scanning; raises as `configure`. Scans on the way still come out of `read`."""

    def ping(self) -> float:
        """Return the round trip in seconds; raises NoReply and what `open` raises on the line."""

    def longest_s(self, settings: Configure) -> float:
        """How long one scan of these settings takes at most, once the instrument is open, s."""

    def read(self, timeout_s: float) -> Received | None:
        """Return the next SCAN or EVENT, or None when none came within `timeout_s`.

        Raises as `configure`, and InstrumentExchanged.
        """


def reconnect(
    instrument: Instrument, stop: threading.Event, on_fault: Callable[[LinkError], None]
) -> Identity | None:
    """Try `open` until it works (who answered) or `stop` is set (None).

    Waits 0.2 s to 5 s between attempts, growing and jittered; `on_fault` gets every failure.
    """
    jitter = secrets.SystemRandom()
    wait_s = BACKOFF_MIN_S
    while not stop.is_set():
        try:
            return instrument.open()
        except LinkError as error:
            on_fault(error)
        stop.wait(max(BACKOFF_MIN_S, wait_s * jitter.uniform(0.6, 1.0)))
        wait_s = min(BACKOFF_MAX_S, wait_s * 1.8)
    return None
