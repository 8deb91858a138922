"""A TCD1304 behind an STM32F4 with Esben Rossel's firmware."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from firmware_bridge.drivers.tcd1304 import CLOCK_HZ, DARK_PIXELS, FULL, PIXELS
from firmware_bridge.virtual.flaws import Flaws
from firmware_bridge.virtual.instrument import Foreign
from firmware_bridge.virtual.optics import Optics

RING = 12
# ICG periods from a request to the readout: those of the flush are short ones.
FLUSH_PERIODS, EXPOSURE_PERIODS, FLUSH_ICG = 4, 4, 15_000


class VirtualTcd1304(Foreign):
    """Takes requests in rings of twelve bytes, as its DMA does: also those that are none.

    of_2017: the first firmware, which sends once where the start flag is 1; newer one then runs on.
    """

    def __init__(
        self,
        spectra: NDArray[np.float64],
        axis: NDArray[np.float64],
        *,
        of_2017: bool = False,
        **options: Any,
    ) -> None:
        optics = Optics(
            pixels=PIXELS,
            start_nm=350.0,
            end_nm=1000.0,
            curvature=0.0,
            full_scale=FULL,
            white_counts=3000.0,
            dark_counts=150.0,
            noise_absorbance=1e-3,
            default_integration_us=20_000,
            flaws=Flaws(masked=DARK_PIXELS),
        )
        self.of_2017 = of_2017
        super().__init__(spectra, axis, optics, baud=115200, **options)

    def reset(self) -> None:
        """Nothing was asked for."""
        self._request = bytes(RING)
        self._runs_on = False

    def poll(self, now: float) -> bytes:
        """As `Foreign`; where it runs on, the next exposure begins."""
        out = super().poll(now)
        if self._runs_on and not self._due:
            # Not before the last one is out.
            self._begin(2 * PIXELS * 10 / self.baud)
        return out

    def hear(self, received: bytes) -> int:
        """Twelve bytes, whatever they are."""
        if len(received) < RING:
            return 0
        ring = received[:RING]
        # The last one counts, also one that ends where the ring began.
        at = (ring + ring[:1]).rfind(b"ER")
        if at >= 0:
            self._request = ring[at:] + ring[:at]
            # A new request ends the exposure that goes on.
            self._due.clear()
            self._runs_on = not self.of_2017 and self._request[10] == 1
            if not self.of_2017 or self._request[10] == 1:
                self._begin()
        return RING

    def _begin(self, after_s: float = 0.0) -> None:
        sh = int.from_bytes(self._request[2:6], "big")
        icg = int.from_bytes(self._request[6:10], "big")
        integration_us = max(1, sh * 1_000_000 // CLOCK_HZ)
        words = (FULL - self.expose(integration_us).counts).astype("<u2")
        wait = (FLUSH_PERIODS * FLUSH_ICG + EXPOSURE_PERIODS * icg) / CLOCK_HZ
        self.say(words.tobytes(), after_s + wait)
