"""Maps of whole spectra learned from pairs: direct standardisation, spectral-space transform."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..subspace import Direct, SpectralSpace
from .given import Given
from .method import SpectrumMap, positive

Array = NDArray[np.float64]


@dataclass(kw_only=True, eq=False)
class DirectStandardisation(SpectrumMap):
    """Every source channel from all target channels, by ridge on centred pairs: map_.

    Wang, Veltkamp and Kowalski, Anal. Chem. 63 (1991) 2750. ridge: relative to the largest
    eigenvalue of the target's scatter. Only what the pairs span is mapped, and what lies outside
    is lost, so it needs many of them.
    """

    key = "ds"
    needs = frozenset({"pairs"})
    ridge: float = 1e-4

    def _fit_map(self, given: Given) -> None:
        positive(self, ridge=self.ridge)
        self.map_ = Direct(ridge=self.ridge).fit(given.pairs_source, given.pairs_target)

    def _map(self, spectra: Array) -> Array:
        return self.map_.target(spectra)


@dataclass(kw_only=True, eq=False)
class SpectralSpaceTransform(SpectrumMap):
    """Scores of the target become those of the source, in a space common to pairs: map_.

    Du et al., Anal. Chim. Acta 690 (2011) 64. components: at most, and one less than the pairs.
    """

    key = "sst"
    needs = frozenset({"pairs"})
    components: int = 2

    def _fit_map(self, given: Given) -> None:
        positive(self, components=self.components)
        method = SpectralSpace(components=self.components)
        self.map_ = method.fit(given.pairs_source, given.pairs_target)

    def _map(self, spectra: Array) -> Array:
        return self.map_.target(spectra)
