"""Single scans of one negotiated instrument, and what comes over the wire as scans."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np

from firmware_bridge.instrument import Identity, Instrument
from firmware_bridge.intake import Received
from firmware_bridge.protocol import Configure, Event, EventCode, LampState, Position
from firmware_bridge.protocol import Scan as WireScan
from spektron_edge.config.instrument import Serial
from spektron_edge.detector.dark_level import level
from spektron_edge.faults import Fault, Faults
from spektron_edge.inbox import Consumed, FaultRaised
from spektron_edge.spectra.scan import Scan

from .pixels import Pixels

_REPLY_MARGIN_S = 2.0


class Exposures:
    """Asks for scans at `integration_us`. Scans nobody asked for are told as `Consumed`."""

    def __init__(
        self,
        info: Identity,
        pixels: Pixels,
        serial: Serial,
        integration_us: int,
        link: Instrument,
        post: Callable[[Consumed | FaultRaised], None],
        warm_at_s: float = 0.0,
    ) -> None:
        """warm_at_s: time.monotonic() before which no lamp counts as warm."""
        self.info = info
        self._pixels = pixels
        self._warm_at_s = warm_at_s
        # Channels that are not believed: they may be full.
        self.bad = pixels.configured
        self.integration_us = integration_us
        self.axis_nm = pixels.axis_nm
        self._serial = serial
        self._link = link
        self._post = post

    def configure(self, position: Position, averages: int) -> None:
        """Set up what follows. Raises errors.LinkError."""
        self._link.configure(self._settings(position, averages))

    def longest_s(self, averages: int) -> float:
        """How long one scan takes at most, s."""
        return self._link.longest_s(self._settings(Position.SAMPLE, averages))

    def single(self, position: Position, averages: int) -> Scan:
        """Take one scan; it is for the caller to tell of it.

        Raises Fault(DEVICE_SILENT) for a sample and Fault(REFERENCE_INTERRUPTED) for the rest where
        none comes, and errors.LinkError.
        """
        sample = position is Position.SAMPLE
        failed = Faults.DEVICE_SILENT if sample else Faults.REFERENCE_INTERRUPTED
        # Samples come at the instrument's own pace; `silence_s` is what that may be.
        margin_s = max(_REPLY_MARGIN_S, self._serial.silence_s) if sample else _REPLY_MARGIN_S
        self.configure(position, averages)
        self._link.start(1)
        deadline = time.monotonic() + self.longest_s(averages) + margin_s
        while (left := deadline - time.monotonic()) > 0:
            received = self._link.read(left)
            if received is None:
                break
            message = received.message
            if isinstance(message, Event) and message.code == EventCode.RESTARTED:
                raise Fault(Faults.REFERENCE_INTERRUPTED, "the instrument restarted meanwhile")
            if isinstance(message, Event) and message.code == EventCode.STREAM_ENDED:
                break
            if isinstance(message, WireScan) and self.fits(message):
                scan = self.read(message, received)
                if scan.position is position:
                    return scan
                self.consumed(scan)
        raise Fault(failed, f"the instrument gave no {position.name.lower()} scan")

    def _settings(self, position: Position, averages: int) -> Configure:
        return Configure(self.integration_us, averages, 1, position)

    def consumed(self, scan: Scan) -> None:
        """Tell that a scan number was used up."""
        self._post(Consumed(scan.serial, scan.boot_id, scan.number))

    def fits(self, message: WireScan) -> bool:
        """Whether a scan has the detector's size; one that has not is told.

        Its number is not told: what comes after it shows that it is missing.
        """
        size, pixels = message.counts.size, self.info.pixels
        if size != pixels:
            told = f"scan {message.number} has {size} pixels, expected the detector's {pixels}"
            self._post(FaultRaised(Fault(Faults.SCAN_INVALID, told)))
        return size == pixels

    def read(self, message: WireScan, received: Received) -> Scan:
        """A scan as it came. Raises Fault(VERSION_MISMATCH)."""
        counts = np.asarray(message.counts, np.float64)
        lit = ~self._pixels.masked
        full = counts >= self.info.full_scale
        good = full[lit] & ~self.bad
        good_full = int(np.count_nonzero(good))
        lamp = lamp_state(message.lamp)
        if lamp is LampState.STABLE and time.monotonic() < self._warm_at_s:
            lamp = LampState.WARMING
        return Scan(
            counts=counts[lit],
            axis_nm=self.axis_nm,
            number=message.number,
            boot_id=self.info.boot_id,
            serial=self.info.serial,
            integration_us=message.integration_us,
            averages=message.averages,
            lamp=lamp,
            position=position_of(message),
            temperature_c=message.temperature_c,
            # The instrument also counts pixels that were full in one of several exposures.
            saturated=max(message.saturated - (int(np.count_nonzero(full)) - good_full), good_full),
            device_us=received.header.device_us,
            last_byte_at=received.last_byte_at,
            variance=None if received.variance is None else received.variance[lit],
            dark_level=level(counts, self._pixels.masked),
            full=good,
        )


def position_of(message: WireScan) -> Position:
    """What the detector looked at. Raises Fault(VERSION_MISMATCH)."""
    try:
        return Position(message.position)
    except ValueError:
        raise Fault(
            Faults.VERSION_MISMATCH,
            f"scan {message.number} was taken in position {message.position}, which is unknown",
        ) from None


def lamp_state(state: int) -> LampState:
    """State of the lamp; one that this version does not know is no reason to trust it."""
    return LampState(state) if state in LampState._value2member_map_ else LampState.OFF
