"""How lamp and detector change with time: warm-up, slow wander, colour. Functions of time only."""

from __future__ import annotations

from dataclasses import dataclass
from math import exp, pi, sin

import numpy as np

from firmware_bridge.virtual.optics import Conditions, Optics

# Incommensurate periods, so that the wander does not repeat within a working day.
PERIODS_S = (2340.0, 4020.0, 9060.0)
TEMPERATURE_PERIOD_S = 1860.0
TEMPERATURE_SWING_K = 0.05
TILT_SHARE = 0.2
# Makes the rms change of the three waves together within 10 minutes equal to Optics.drift.
WAVE_SHARE = 0.8


@dataclass(frozen=True)
class Drift:
    """The wander of one instrument; its phases come from the seed."""

    optics: Optics
    phases: tuple[float, ...]

    @classmethod
    def seeded(cls, optics: Optics, seed: int) -> Drift:
        """Return the drift that belongs to `seed`."""
        rng = np.random.default_rng([seed, 0xD21F7])
        return cls(optics, tuple(float(p) for p in rng.uniform(0.0, 2.0 * pi, 5)))

    def at(self, up_s: float, lamp_s: float | None) -> Conditions:
        """Conditions `up_s` seconds after power-on with the lamp on for `lamp_s` (None = off)."""
        swing = sin(2.0 * pi * up_s / TEMPERATURE_PERIOD_S + self.phases[4])
        temperature = self.optics.temperature_c + TEMPERATURE_SWING_K * swing
        if lamp_s is None:
            return Conditions(lamp=0.0, temperature_c=temperature)
        waves = [
            sin(2.0 * pi * up_s / period + phase)
            for period, phase in zip(PERIODS_S, self.phases, strict=False)
        ]
        tilt = TILT_SHARE * self.optics.drift * sin(2.0 * pi * up_s / 5340.0 + self.phases[3])
        return Conditions(
            lamp=self._warmth(lamp_s) * (1.0 + WAVE_SHARE * self.optics.drift * sum(waves)),
            tilt=tilt,
            temperature_c=temperature,
        )

    def warm(self, lamp_s: float) -> bool:
        """Whether a lamp on for `lamp_s` counts as stable."""
        return lamp_s >= self.optics.warmup_s

    def _warmth(self, lamp_s: float) -> float:
        if self.optics.warmup_s <= 0.0:
            return 1.0
        return 1.0 - self.optics.warmup_deficit * exp(-5.0 * lamp_s / self.optics.warmup_s)
