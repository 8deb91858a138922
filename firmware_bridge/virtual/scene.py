"""What the virtual detector sees: samples changing scan by scan, a lamp that drifts, the noise."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from firmware_bridge.protocol import Configure, LampState, Position, Scan
from firmware_bridge.virtual.drift import Drift
from firmware_bridge.virtual.optics import Optics

PRESENTED_KEPT = 100_000
# Bright enough to saturate samples up to A = 1.2.
SATURATING_GAIN = 20.0


class Scene:
    """Rows of absorbance, shown one after another to every scan in position SAMPLE.

    The counts of a scan depend on seed, power-on, number, settings and times alone.
    """

    def __init__(
        self,
        spectra: NDArray[np.float64],
        axis: NDArray[np.float64],
        optics: Optics,
        seed: int,
    ) -> None:
        self.optics = optics
        self.drift = Drift.seeded(optics, seed)
        self.shown = 0
        self.presented: dict[int, int] = {}
        self._rows = optics.on_pixels(spectra, axis)
        self._seed = seed

    def scan(
        self,
        settings: Configure,
        number: int,
        *,
        boots: int,
        up_s: float,
        lamp_s: float | None,
        saturate: bool,
    ) -> Scan:
        """Make scan `number`, `up_s` after power-on, with the lamp on for `lamp_s` (None = off)."""
        conditions = self.drift.at(up_s, lamp_s)
        exposure = self.optics.expose(
            self._next_row(number) if settings.position == Position.SAMPLE else None,
            np.random.default_rng([self._seed, boots, number]),
            position=settings.position,
            integration_us=settings.integration_us,
            averages=settings.averages,
            conditions=conditions,
            gain=SATURATING_GAIN if saturate else 1.0,
        )
        return Scan(
            number=number,
            integration_us=settings.integration_us,
            averages=settings.averages,
            lamp=self._lamp_state(lamp_s),
            position=settings.position,
            temperature_c=conditions.temperature_c,
            saturated=exposure.saturated,
            counts=exposure.counts,
        )

    def _next_row(self, number: int) -> NDArray[np.float64]:
        row = self.shown % len(self._rows)
        self.shown += 1
        self.presented[number] = row
        if len(self.presented) > PRESENTED_KEPT:
            del self.presented[next(iter(self.presented))]
        absorbance: NDArray[np.float64] = self._rows[row]
        return absorbance

    def _lamp_state(self, lamp_s: float | None) -> LampState:
        if lamp_s is None:
            return LampState.OFF
        return LampState.STABLE if self.drift.warm(lamp_s) else LampState.WARMING
