"""Maps that put spectra of two instruments on one footing, fitted on pairs.

An alignment may move source spectra towards the target (and the calibration is then made anew from
moved spectra, which amplifies no noise), or target spectra towards the source. Either way
`source(X)` and `target(X)` are comparable afterwards, up to a mean that is removed later.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


class Alignment(Protocol):
    """Fitted on pairs; both methods take (k, L) to (k, L)."""

    def source(self, spectra: Array) -> Array:
        """Source spectra on the common footing."""
        ...

    def target(self, spectra: Array) -> Array:
        """Target spectra on the common footing."""
        ...


class AlignmentMethod(Protocol):
    """Fits an `Alignment`; name: in reports; least: pairs that it needs."""

    @property
    def name(self) -> str:
        """In reports."""
        ...

    @property
    def least(self) -> int:
        """Pairs without which it is not tried."""
        ...

    def fit(self, source: Array, target: Array) -> Alignment:
        """(n, L) pairs on one axis."""
        ...


@dataclass(frozen=True)
class AsMeasured:
    """No map: instruments of one kind differ by little more than a mean spectrum."""

    name: str = "as measured"
    least: int = 1

    def fit(self, source: Array, target: Array) -> AsMeasured:  # noqa: ARG002
        """Nothing to fit."""
        return self

    def source(self, spectra: Array) -> Array:
        """As it is."""
        return spectra

    def target(self, spectra: Array) -> Array:
        """As it is."""
        return spectra


@dataclass(frozen=True, eq=False)
class Affine:
    """target(x) = centre_source + (x - centre_target) matrix; the source stays as it is."""

    centre_source: Array
    centre_target: Array
    matrix: Array

    def source(self, spectra: Array) -> Array:
        """As it is."""
        return spectra

    def target(self, spectra: Array) -> Array:
        """(k, L) towards the source."""
        moved: Array = self.centre_source + (spectra - self.centre_target) @ self.matrix
        return moved
