"""When exposures ended, by the instrument's own clock."""

from __future__ import annotations

import time

from spektron_edge.clock import Stamp
from spektron_edge.detector.device_clock import DeviceClock
from spektron_edge.publishing.notices import Notices
from spektron_edge.publishing.records import DeviceClockInfo
from spektron_edge.publishing.reporter import Ended
from spektron_edge.spectra.scan import Scan


class ExposureEnds:
    """Follows the instrument's clock, scan by scan."""

    def __init__(self, notices: Notices) -> None:
        self._notices = notices
        self._device_clock = DeviceClock()

    def of(self, scan: Scan, now: Stamp) -> Ended | None:
        """When the scan's exposure ended; None where the instrument has no clock."""
        told = self._device_clock.hear(
            scan.device_us, scan.last_byte_at, (scan.serial, scan.boot_id)
        )
        if told is not None:
            self._notices.say("device_clock_jumped", told, "warning")
        reading = self._device_clock.reading
        if reading is None:
            return None
        ago_s = time.monotonic() - reading.at_s
        at = Stamp(now.utc_s - ago_s, now.running_s - ago_s, now.boot)
        return Ended(at, reading.uncertainty_s)

    @property
    def clock_info(self) -> DeviceClockInfo | None:
        """For the state record; None as long as the instrument has told no time."""
        reading = self._device_clock.reading
        if reading is None:
            return None
        return DeviceClockInfo(
            drift_ppm=None if reading.drift_ppm is None else round(reading.drift_ppm, 3),
            uncertainty_s=round(reading.uncertainty_s, 6),
        )
