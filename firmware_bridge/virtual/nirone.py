"""A NIRONE sensor of Spectral Engines, 1550 to 1950 nm."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
from numpy.typing import NDArray

from firmware_bridge.drivers.nirone import FULL, MOST_POINTS
from firmware_bridge.protocol import Position
from firmware_bridge.virtual.instrument import Foreign
from firmware_bridge.virtual.optics import Optics

SCAN_S = 0.4


class VirtualNirone(Foreign):
    """Its optics stand at 201 points; between them, set points get what lies between."""

    def __init__(
        self,
        spectra: NDArray[np.float64],
        axis: NDArray[np.float64],
        *,
        serial: str = "S2-00417",
        **options: Any,
    ) -> None:
        optics = Optics(
            pixels=201, start_nm=1550.0, end_nm=1950.0, curvature=0.0, full_scale=FULL,
            white_counts=40_000.0, dark_counts=300.0, default_integration_us=20_000,
        )  # fmt: skip
        self.serial = serial
        super().__init__(spectra, axis, optics, baud=115200, **options)

    def reset(self) -> None:
        """The lamp is off, and the set points are those of the maker."""
        self.lamp = 0
        self.points = np.linspace(1550.0, 1950.0, MOST_POINTS)
        self._signal = np.zeros(MOST_POINTS)
        self._busy_until = 0.0

    def hear(self, received: bytes) -> int:
        """A line that ends with CR or LF; an empty one says nothing."""
        end = re.search(rb"[\r\n]", received)
        if end is None:
            return 0
        if command := received[: end.start()].decode("ascii", "replace"):
            reply = self._act(command)
            self.say(reply, max(0.0, self._busy_until - self._now))
        return end.end()

    def _act(self, command: str) -> bytes:
        if found := re.fullmatch(r"W(\d+),(\d+(?:\.\d+)?)", command):
            index = int(found[1])
            if index >= MOST_POINTS:
                return b"Error: index\r\n"
            self.points[index] = float(found[2])
            return f"Wavelength {index}: {self.points[index]:.1f}\r\n".encode()
        if found := re.fullmatch(r"LI(\d+)", command):
            self.lamp = int(found[1])
            return f"Light source power level: {self.lamp}\r\n".encode()
        if found := re.fullmatch(r"Xm0,(\d+)", command):
            return self._signal[: int(found[1])].astype("<f4").tobytes()
        if command == "XM":
            return self._measure()
        said = {
            "h2": f"Serial number: {self.serial}",
            "h3": "Minimum wavelength: 1550.0",
            "h4": "Maximum wavelength: 1950.0",
            "E0": f"Measurement time: {1000.0 * SCAN_S:.0f}",
            "St": "Temperature: 31.25",
            "V100,1": "Averaging: 100,1",
        }.get(command, "Error: unknown command")
        return said.encode() + b"\r\n"

    def _measure(self) -> bytes:
        position = self.beam if self.lamp else Position.DARK
        counts = self.expose(20_000, position).counts
        self._signal = np.interp(self.points, self.optics.wavelengths, counts)
        self._busy_until = self._now + SCAN_S
        return b"Measurement ready\r\n"
