"""Piecewise direct standardisation: a banded, regularised map of channels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ..piecewise import Piecewise, window_sums
from ..problem import TransferError
from .given import Given
from .method import SpectrumMap, not_negative, positive

Array = NDArray[np.float64]
_LEAST_RIDGE = 1e-12


@dataclass(frozen=True, eq=False)
class Banded:
    """Each channel of the source from a window of the target, in dual form.

    centre_source, centre_target: (L,); pairs: (n, L) centred target spectra; dual: (n, L).
    """

    centre_source: Array
    centre_target: Array
    pairs: Array
    dual: Array
    half: int

    @classmethod
    def fit(cls, source: Array, target: Array, half: int, ridge: float) -> Banded:
        """(n, L) pairs; ridge: relative to the mean eigenvalue of each window's kernel."""
        centre_s, centre_t = source.mean(axis=0), target.mean(axis=0)
        pairs, n = target - centre_t, len(target)
        kernel = np.moveaxis(window_sums(pairs, pairs, half), -1, 0)
        level = np.maximum(np.trace(kernel, axis1=1, axis2=2) / n, 1e-300)
        regular = kernel + (max(ridge, _LEAST_RIDGE) * level)[:, None, None] * np.eye(n)
        dual = np.linalg.solve(regular, (source - centre_s).T[:, :, None])[:, :, 0].T
        return cls(centre_s, centre_t, pairs, dual, half)

    def apply(self, spectra: Array) -> Array:
        """(k, L) -> (k, L)."""
        kernel = window_sums(spectra - self.centre_target, self.pairs, self.half)
        read: Array = self.centre_source + np.einsum("kil,il->kl", kernel, self.dual)
        return read


@dataclass(kw_only=True, eq=False)
class PiecewiseDirectStandardisation(SpectrumMap):
    """PDS: each source channel from `half` target channels either side, by ridge.

    Wang, Veltkamp and Kowalski, Anal. Chem. 63 (1991) 2750, ridge in place of their PCR. towards:
    where the ridge pulls each channel. "smooth correction": with few pairs the map is a physical
    correction and no noise (`spektron_edge.transfer.piecewise`; where the target is the coarser
    instrument, the source's calibration is made from spectra as coarse). "mean": the mean of the
    pairs, as in the paper, where a ridge of 0 is least squares of least norm. ridge: relative to
    the mean eigenvalue of each window.
    """

    key = "pds"
    needs = frozenset({"pairs"})
    half: int = 5
    ridge: float = 0.1
    towards: Literal["smooth correction", "mean"] = "smooth correction"

    def _fit_map(self, given: Given) -> None:
        positive(self, half=self.half)
        not_negative(self, ridge=self.ridge)
        s, t = given.pairs_source, given.pairs_target
        self._smooth = self.towards == "smooth correction"
        if self._smooth:
            # The module maps its first instrument towards its second one.
            self.map_ = Piecewise(half=self.half, ridge=max(self.ridge, _LEAST_RIDGE)).fit(t, s)
        elif self.towards == "mean":
            self.banded_ = Banded.fit(s, t, self.half, self.ridge)
        else:
            raise TransferError(
                f'towards of pds is {self.towards!r}; it must be "smooth correction" or "mean"'
            )

    def _map(self, spectra: Array) -> Array:
        return self.map_.source(spectra) if self._smooth else self.banded_.apply(spectra)

    def _source(self, spectra: Array) -> Array:
        return self.map_.target(spectra) if self._smooth else spectra
