"""What every other method has to beat."""

from __future__ import annotations

import copy
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from .calibration import Calibrator, RidgeCalibration
from .given import Given
from .method import Method, SpectrumMap

Array = NDArray[np.float64]


@dataclass(kw_only=True, eq=False)
class NoTransfer(SpectrumMap):
    """The source's calibration as it is."""

    key = "none"
    needs = frozenset()

    def _fit_map(self, given: Given) -> None:
        """Nothing to fit."""


@dataclass(kw_only=True, eq=False)
class MeanShift(SpectrumMap):
    """Adds the mean difference of pairs, source less target: shift_ (L,)."""

    key = "mean_shift"
    needs = frozenset({"pairs"})

    def _fit_map(self, given: Given) -> None:
        self.shift_ = (given.pairs_source - given.pairs_target).mean(axis=0)

    def _map(self, spectra: Array) -> Array:
        moved: Array = spectra + self.shift_
        return moved


@dataclass(kw_only=True, eq=False)
class MeanMatch(SpectrumMap):
    """Adds the difference of population means, source less target: shift_ (L,).

    It takes a difference in composition for one of the instruments.
    """

    key = "mean_match"
    needs = frozenset({"unpaired"})

    def _fit_map(self, given: Given) -> None:
        self.shift_ = given.source.mean(axis=0) - given.unpaired.mean(axis=0)

    def _map(self, spectra: Array) -> Array:
        moved: Array = spectra + self.shift_
        return moved


@dataclass(kw_only=True, eq=False)
class SlopeBias(Method):
    """Predictions corrected by a straight line through references: slope_, bias_ (m,).

    Bouveresse, Hartmann, Massart, Last and Prebble, Anal. Chem. 68 (1996) 982. A slope below zero
    is no correction of an instrument: then only the bias is corrected. Maps no spectra.
    """

    key = "slope_bias"
    needs = frozenset({"labels"})
    calibration: Calibrator = field(default_factory=RidgeCalibration)

    def _fit(self, given: Given) -> None:
        self.calibration_ = copy.deepcopy(self.calibration)
        self.calibration_.fit(given.source, given.y)
        read = self._raw(given.pairs_target[given.labelled])
        wanted = given.labels[given.labelled]
        x, y = read - read.mean(axis=0), wanted - wanted.mean(axis=0)
        power, cross = np.sum(x * x, axis=0), np.sum(x * y, axis=0)
        rising = (power > 0) & (cross > 0)
        self.slope_ = np.where(rising, cross / np.where(power > 0, power, 1.0), 1.0)
        self.bias_ = wanted.mean(axis=0) - self.slope_ * read.mean(axis=0)

    def _raw(self, spectra: Array) -> Array:
        values = np.asarray(self.calibration_.predict(spectra), dtype=np.float64)
        return values.reshape(len(spectra), -1)

    def _predict(self, spectra: Array) -> Array:
        corrected: Array = self.bias_ + self.slope_ * self._raw(spectra)
        return corrected
