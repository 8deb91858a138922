"""What an instrument adds to an absorbance spectrum, drawn for training and for honest validation.

Absorbance A = -log10((S - D) / (R - D)); counts carry shot noise (variance proportional to the
counts) and read noise. Propagated to first order the variance of A grows as 10^A and 10^2A. There
is no gain here: scaling absorbance changes concentration, which is what is to be measured.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
NOISE_SEEDS = 20
# Training draws come from seeds near the run's own; these stay clear of them.
_FIRST_NOISE_SEED = 1_000_000


@dataclass(frozen=True)
class DetectorNoise:
    """Noise of one scan against its references, in absorbance.

    rms: at A = 0; shot, read: their shares of the variance there; reference_averages: scans
    averaged into the white and dark reference, whose noise a set of scans shares.
    """

    rms: float = 1e-4
    shot: float = 0.8
    read: float = 0.2
    reference_averages: int = 64

    def sigma(self, absorbance: Array) -> Array:
        """Standard deviation per channel, same shape as `absorbance`."""
        counts = 10.0**absorbance
        return self.rms * np.sqrt(self.shot * counts + self.read * counts**2)

    def add(self, absorbance: Array, rng: np.random.Generator) -> Array:
        """One scan of each spectrum of a set, (n, L), under one white and dark reference."""
        own = self.sigma(absorbance) * rng.standard_normal(absorbance.shape)
        scale = 1 / np.sqrt(self.reference_averages)
        white = self.sigma(np.zeros(absorbance.shape[-1]))
        # The dark count is subtracted from sample and white alike: nothing is left at A = 0.
        dark = self.rms * np.sqrt(self.read) * rng.standard_normal(absorbance.shape[-1])
        shared = white * rng.standard_normal(absorbance.shape[-1]) + dark * (10.0**absorbance - 1)
        noisy: Array = absorbance + own + scale * shared
        return noisy


@dataclass(frozen=True)
class Nuisance:
    """Slow differences between instruments and days; standard deviations.

    offset: absorbance; slope: absorbance from the middle to either end of the axis; shift_nm: nm.
    """

    offset: float = 3e-3
    slope: float = 3e-3
    shift_nm: float = 0.1

    def add(self, absorbance: Array, step_nm: float, rng: np.random.Generator) -> Array:
        """Disturb each spectrum of (n, L) on its own."""
        n, points = absorbance.shape
        u = np.linspace(-1.0, 1.0, points)
        offset, slope, shift = rng.standard_normal((3, n, 1))
        derivative = np.gradient(absorbance, step_nm, axis=1)
        disturbed: Array = (
            absorbance
            + self.offset * offset
            + self.slope * slope * u
            + self.shift_nm * shift * derivative
        )
        return disturbed


def noisy_scans(x: Array, noise: DetectorNoise, seeds: int = NOISE_SEEDS) -> list[Array]:
    """The same held-out scans in every report: (n, L) under `seeds` noise seeds."""
    return [noise.add(x, np.random.default_rng(_FIRST_NOISE_SEED + seed)) for seed in range(seeds)]
