"""Absorbance -> detector counts: throughput, dark current, lamp, noise, quantisation. Pure.

`counts = dark(T) + lamp * throughput(pixel) * integration * 10^-A`, plus Gaussian noise, rounded
and clipped to full scale.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from math import log

import numpy as np
from numpy.typing import NDArray

from firmware_bridge.protocol import COEFFICIENTS, Position
from firmware_bridge.virtual.flaws import Flaws
from firmware_bridge.virtual.resample import local_cubic

Array = NDArray[np.float64]


NO_FLAWS = Flaws()


@dataclass(frozen=True)
class Conditions:
    """State of lamp and detector during an exposure.

    lamp: intensity relative to a warm lamp, 0 = off; tilt: relative change of intensity from the
    middle of the axis to its long-wave end (colour); temperature_c: of the detector.
    """

    lamp: float = 1.0
    tilt: float = 0.0
    temperature_c: float = 25.0


@dataclass(frozen=True)
class Exposure:
    """One reported scan: counts (pixels,) and how many pixels reached full scale.

    counts: uint16, uint32 where full scale is above 65535.
    """

    counts: NDArray[np.uint16] | NDArray[np.uint32]
    saturated: int


@dataclass(frozen=True)
class Optics:
    """What the instrument is made of.

    Wavelengths run from `start_nm` to `end_nm`, bowed by `curvature` nm per pixel squared.
    `white_counts` is the brightest pixel's white level above dark at `default_integration_us`,
    `dark_counts` the dark level at that integration and 25 deg C. `noise_absorbance` is the rms per
    channel of one scan at A = 0 and default integration; `shot_share` of its variance goes with
    the light, the rest stays. The lamp needs `warmup_s`, then drifts by about `drift` in 10 min.
    `flaws` are the detector's.
    """

    pixels: int = 720
    start_nm: float = 1096.0
    end_nm: float = 2502.0
    curvature: float = -2e-5
    full_scale: int = 65535
    white_counts: float = 52000.0
    default_integration_us: int = 1000
    dark_counts: float = 600.0
    dark_doubling_k: float = 8.0
    noise_absorbance: float = 1e-4
    shot_share: float = 0.8
    warmup_s: float = 0.0
    warmup_deficit: float = 0.05
    drift: float = 1e-3
    temperature_c: float = 25.0
    flaws: Flaws = NO_FLAWS

    @property
    def coefficients(self) -> tuple[float, ...]:
        """Wavelength polynomial in the pixel index, nm, as INFO carries it."""
        last = self.pixels - 1
        slope = (self.end_nm - self.start_nm) / last - self.curvature * last
        return (self.start_nm, slope, self.curvature) + (0.0,) * (COEFFICIENTS - 3)

    @cached_property
    def wavelengths(self) -> Array:
        """Wavelength of every pixel, nm, shape (pixels,)."""
        c0, c1, c2 = self.coefficients[:3]
        pixel = np.arange(self.pixels, dtype=np.float64)
        nm: Array = c0 + pixel * (c1 + pixel * c2)
        return nm

    @cached_property
    def _place(self) -> Array:
        """Position on the detector, -1 to 1."""
        return np.linspace(-1.0, 1.0, self.pixels)

    @cached_property
    def white(self) -> Array:
        """Counts above dark of a perfect white at default integration and warm lamp, (pixels,)."""
        throughput: Array = 0.55 + 0.45 * np.exp(-(((self._place + 0.15) / 0.55) ** 2))
        white: Array = self.white_counts * throughput / throughput.max()
        return white

    def dark(self, temperature_c: float, integration_us: int) -> Array:
        """Counts without light, (pixels,); doubles every `dark_doubling_k`, goes with time."""
        level = self.dark_counts * integration_us / self.default_integration_us
        level *= 2.0 ** ((temperature_c - 25.0) / self.dark_doubling_k)
        pattern: Array = 1.0 + 0.02 * np.sin(37.0 * self._place)
        dark: Array = level * pattern
        return dark

    def on_pixels(self, spectra: Array, axis: Array) -> Array:
        """Return absorbance (n, L) given on `axis` (L,) nm at the pixels' wavelengths (n, pixels);
        outside the axis its edge values hold.
        """
        return local_cubic(axis, spectra, self.wavelengths)

    def expose(
        self,
        absorbance: Array | None,
        rng: np.random.Generator,
        *,
        position: int = Position.SAMPLE,
        integration_us: int | None = None,
        averages: int = 1,
        conditions: Conditions | None = None,
        gain: float = 1.0,
    ) -> Exposure:
        """Simulate one reported scan of `absorbance` (pixels,); None is a perfect white.

        REFERENCE sees the white and DARK no light, whatever the absorbance. `gain` multiplies the
        light. Averaging divides the noise's variance before the mean is rounded.
        """
        state = conditions or Conditions(temperature_c=self.temperature_c)
        time_us = self.default_integration_us if integration_us is None else integration_us
        light = np.zeros(self.pixels)
        if position != Position.DARK and state.lamp > 0.0:
            lamp = state.lamp * (1.0 + state.tilt * self._place)
            light = gain * lamp * self.white * (time_us / self.default_integration_us)
            if position == Position.SAMPLE and absorbance is not None:
                light = light * 10.0**-absorbance
        sigma = self.noise_absorbance * log(10.0) * self.white
        variance = self.shot_share * light / self.white + (1.0 - self.shot_share)
        noise = rng.standard_normal(self.pixels) * sigma * np.sqrt(variance / averages)
        dark = self.dark(state.temperature_c, time_us)
        if self.flaws is not NO_FLAWS:
            dark = self.flaws.dark(dark, self.full_scale)
            light = self.flaws.light(light, self.full_scale)
        level = np.rint(dark + light + noise)
        saturated = int(np.count_nonzero(level >= self.full_scale))
        clipped = np.clip(level, 0, self.full_scale)
        if self.full_scale > np.iinfo(np.uint16).max:
            return Exposure(clipped.astype(np.uint32), saturated)
        return Exposure(clipped.astype(np.uint16), saturated)
