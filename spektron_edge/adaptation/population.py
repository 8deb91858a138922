"""What is known of the source's spectra, and how far the mean of others may be from theirs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
# The composition that runs today may have another mean than the calibration set, by a sixth of
# the spread of samples.
TODAY = 0.03
# Dark and white reference are averages of so many scans, and all spectra since share their noise.
_REFERENCE_SCANS = 64
_COMPARED = 350
_MARGIN = 0.03


@dataclass(frozen=True, eq=False)
class Population:
    """mean (L,) absorbance of `count` source spectra; factors (k, L): their covariance is
    factors' factors; noise: standard deviation in absorbance of what is no component.
    """

    mean: Array
    factors: Array
    count: int
    noise: float

    @classmethod
    def of(cls, spectra: Array) -> Population:
        """Of source spectra (N, L), N at least 3."""
        mean = spectra.mean(axis=0)
        _, sizes, axes = np.linalg.svd(spectra - mean, full_matrices=False)
        factors = sizes[:-1, None] / np.sqrt(len(spectra) - 1) * axes[:-1]
        return cls(mean, factors, len(spectra), noise_of(spectra))

    @property
    def level(self) -> float:
        """Root mean square absorbance of the mean."""
        return float(np.sqrt(np.mean(self.mean**2)))

    def seen(self, view: View) -> Population:
        """On the channels that are compared."""
        noise = self.noise / np.sqrt(view.width)
        return Population(view(self.mean), view(self.factors), self.count, noise)

    def scatter(self, count: float, noise: float, today: float = TODAY) -> Array:
        """(L, L) covariance of the mean of `count` independent spectra less `mean`.

        noise: of theirs, standard deviation; today: by how much of the samples' variance the
        composition may have another mean now.
        """
        covariance = self.factors.T @ self.factors * (1 / count + 1 / self.count + today)
        floor = noise**2 * (1 / count + 1 / _REFERENCE_SCANS) + self.noise**2 / self.count
        covariance[np.diag_indices_from(covariance)] += floor
        scatter: Array = covariance
        return scatter


def noise_of(spectra: Array) -> float:
    """Standard deviation of the channels' noise: of third differences, which no spectrum has.

    Spectra (n, L) absorbance. What they have in common is taken off as their mean.
    """
    steep = np.diff(spectra, n=3, axis=1)
    # Of the mean, not of the median: what is left then is normal, as 1.4826 below takes it to be.
    steep = steep - steep.mean(axis=0)
    # 1, 3, 3, 1 squared and added; MAD to standard deviation; the mean took one degree away.
    spread = 1.4826 * np.median(np.abs(steep)) / np.sqrt(20)
    return float(max(spread * np.sqrt(len(spectra) / max(len(spectra) - 1, 1)), 1e-7))


@dataclass(frozen=True)
class View:
    """Channels that are compared: means of `width` neighbours, without `margin` at either end,
    where a shift or a wider line shape reads what was not measured.
    """

    width: int
    margin: int

    @classmethod
    def of(cls, points: int) -> View:
        """350 channels at most, of a grid of so many points."""
        return cls(-(-points // _COMPARED), round(_MARGIN * points))

    def __call__(self, spectra: Array) -> Array:
        """(..., L) -> (..., c); what is left over at the end is dropped."""
        inner = spectra[..., self.margin : spectra.shape[-1] - self.margin]
        kept = inner.shape[-1] // self.width * self.width
        inner = inner[..., :kept].reshape(*spectra.shape[:-1], -1, self.width)
        means: Array = inner.mean(axis=-1)
        return means
