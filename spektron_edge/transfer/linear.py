"""What a transfer leaves behind: filters and weights that predict from target spectra."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .alignment import Alignment
from .features import Features
from .filters import Filter

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Part:
    """One recipe's share: slopes (p, m) of filtered, aligned target spectra, and offset (m,)."""

    alignment: Alignment
    filter: Filter
    slopes: Array
    offset: Array

    @classmethod
    def of(cls, features: Features, coefficients: Array, intercept: Array) -> Part:
        """coefficients (r, m) in the basis of the features, intercept (m,)."""
        slopes = features.basis @ coefficients
        return cls(
            features.alignment,
            features.filter,
            features.weight[:, None] * slopes,
            intercept + features.shift @ slopes,
        )

    def predict(self, spectra: Array) -> Array:
        """(k, L) target spectra on the shared axis -> (k, m)."""
        read: Array = self.offset + self.filter.apply(self.alignment.target(spectra)) @ self.slopes
        return read


@dataclass(frozen=True, eq=False)
class LinearPredictor:
    """Sum of parts, then a slope and a bias per property: after (2, m)."""

    parts: tuple[Part, ...]
    after: Array

    def predict(self, spectra: Array) -> Array:
        """(k, L) target spectra on the shared axis -> (k, m)."""
        total = np.zeros((len(spectra), self.after.shape[1]))
        for part in self.parts:
            total += part.predict(spectra)
        read: Array = self.after[1] + self.after[0] * total
        return read
