"""Scans that are asked for one at a time, each the mean of several where that is configured."""

from __future__ import annotations

import math

from firmware_bridge.protocol import Position
from spektron_edge.spectra.scan import Scan

from .coadds import Coadds
from .exposures import Exposures


class SingleScans:
    """temperature_c: of the detector at the latest scan, in deg C."""

    def __init__(self, exposures: Exposures) -> None:
        self._exposures = exposures
        self.temperature_c = math.nan

    def used_up(self, position: Position, averages: int, scans: int = 1) -> Scan:
        """One that becomes no prediction, and is told as used up. Raises as `take` does."""
        scan = self.take(position, averages, scans)
        self._exposures.consumed(scan)
        return scan

    def take(self, position: Position, averages: int, scans: int = 1) -> Scan:
        """The mean of so many scans; it is for the caller to tell of the last of them.

        Raises Fault(DEVICE_SILENT, REFERENCE_INTERRUPTED) and errors.LinkError.
        """
        together = Coadds(scans)
        while True:
            scan = self._exposures.single(position, averages)
            self.temperature_c = scan.temperature_c
            if (whole := together.add(scan)) is not None:
                return whole
            self._exposures.consumed(scan)
