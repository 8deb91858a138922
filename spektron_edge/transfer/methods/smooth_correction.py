"""Physical corrections: offset, gain, axis shift and stretch, band-pass, as smooth functions."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..smooth import Smooth
from .given import Given
from .method import SpectrumMap

Array = NDArray[np.float64]
# Offset and gain of degree one, shift and stretch; standards say nothing of chemistry's band-pass.
_OF_STANDARDS = (2, 1, 2, 0, 0)


@dataclass(kw_only=True, eq=False)
class SmoothCorrection(SpectrumMap):
    """Target spectra as the source would have read them, by a dozen coefficients: map_.

    See `spektron_edge.transfer.smooth`. Where the target is the coarser instrument, source spectra
    are made as coarse before the calibration, since nothing brings lost resolution back.
    remainder: whether the mean difference that the smooth correction leaves between pairs, such as
    that of two reference tiles, is added as well: remainder_ (L,).
    """

    key = "smooth_correction"
    needs = frozenset({"pairs"})
    remainder: bool = True

    def _fit_map(self, given: Given) -> None:
        # The module maps its first instrument towards its second one.
        self.map_ = Smooth().fit(given.pairs_target, given.pairs_source)
        left = self.map_.target(given.pairs_source) - self.map_.source(given.pairs_target)
        self.remainder_ = left.mean(axis=0) if self.remainder else np.zeros(left.shape[1])

    def _map(self, spectra: Array) -> Array:
        return self.map_.source(spectra) + self.remainder_

    def _source(self, spectra: Array) -> Array:
        return self.map_.target(spectra)


@dataclass(kw_only=True, eq=False)
class StandardsCorrection(SpectrumMap):
    """Offset, gain, axis shift and stretch from standards measured on both: map_.

    Glass or wavelength standards, one spectrum at least. They say nothing of what an instrument
    does to a sample alone (scatter, cup, temperature): Wang, Dean and Kowalski, Anal. Chem. 67
    (1995) 2379, for how far this reaches.
    """

    key = "standards"
    needs = frozenset({"standards"})

    def _fit_map(self, given: Given) -> None:
        method = Smooth(terms=_OF_STANDARDS, search=False)
        self.map_ = method.fit(given.standards_target, given.standards_source)

    def _map(self, spectra: Array) -> Array:
        return self.map_.source(spectra)
