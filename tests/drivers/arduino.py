"""The C12880MA on an Arduino that `examples/c12880ma` is for: prints line after line by itself."""

from __future__ import annotations

from typing import Any

from firmware_bridge.virtual.instrument import Foreign
from firmware_bridge.virtual.optics import Optics

PERIOD_S = 0.15


class VirtualArduino(Foreign):
    """288 counts of 10 bits a line, without being asked."""

    def __init__(self, spectra: Any, axis: Any, **options: Any) -> None:
        optics = Optics(
            pixels=288, start_nm=340.0, end_nm=850.0, full_scale=1023, white_counts=800.0,
            dark_counts=50.0, default_integration_us=20_000,
        )  # fmt: skip
        super().__init__(spectra, axis, optics, baud=115200, **options)

    def reset(self) -> None:
        """Prints from the first look at the clock on."""
        self._begun = False

    def hear(self, received: bytes) -> int:
        """Nothing is understood."""
        return len(received)

    def poll(self, now: float) -> bytes:
        """A line whenever one is due."""
        if not self._begun:
            self._begun, self._now = True, now
            self.say(b"")
        out = b""
        while self.next_due is not None and self.next_due <= now:
            self._now = self.next_due
            super().poll(self._now)
            counts = self.expose(20_000).counts
            out += b"".join(b"%d," % int(count) for count in counts) + b"\r\n"
            self.say(b"", PERIOD_S)
        self._now = now
        return b"" if self.faults.silent else out
