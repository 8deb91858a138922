"""Training data without end: samples seen by several instruments at once, with their truth.

Episode `index` of step `step` depends on nothing but (seed, step, index): a run resumes exactly
without saving a generator, and any number of processes may share the episodes of a step.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .domain import Domain
from .families import FAMILIES
from .matter import Matter
from .optics import random_instrument

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Episode:
    """The same n samples through v instruments, on a window of the domain's grid.

    spectra: (v, n, L); composition: (n, K) mass fractions; scatter: (n,) path length or relative
    scatter; temperature_c: (n,); optics: (v, TRUTH) of each instrument; first: the window's first
    channel on the grid; one_product: whether all samples are of one product.
    """

    spectra: Array
    composition: Array
    scatter: Array
    temperature_c: Array
    optics: Array
    first: int
    one_product: bool


@dataclass(frozen=True)
class EpisodeSettings:
    """Size of an episode. windows: (first channel, channels) choices, drawn evenly."""

    samples: int = 32
    views: int = 3
    one_product: float = 0.6
    spread: float = 1.0
    windows: tuple[tuple[int, int], ...] = ((0, 950),)


class EpisodeStream:
    """`stream.episode(step, index)`; cheap to make, safe to share between processes."""

    def __init__(self, domain: Domain, settings: EpisodeSettings, seed: int) -> None:
        self.domain, self.settings, self.seed = domain, settings, seed
        self._matter = Matter.within(domain)

    def episode(self, step: int, index: int) -> Episode:
        """Draw one."""
        rng = np.random.default_rng([self.seed, step, index])
        s = self.settings
        one_product = bool(rng.random() < s.one_product)
        family = str(rng.choice(list(FAMILIES))) if one_product else None
        draw = self._matter.draw_raman if self.domain.name == "raman" else self._matter.draw
        samples = draw(s.samples, rng, family)
        instruments = [random_instrument(self.domain, rng, s.spread) for _ in range(s.views)]
        first, points = s.windows[int(rng.integers(len(s.windows)))]
        window = slice(first, first + points)
        spectra = [instrument.measure(samples.absorbance, rng) for instrument in instruments]
        return Episode(
            spectra=np.stack(spectra)[:, :, window],
            composition=samples.composition,
            scatter=samples.scatter,
            temperature_c=samples.temperature_c,
            optics=np.stack([i.optics.truth(self.domain) for i in instruments]),
            first=first,
            one_product=one_product,
        )
