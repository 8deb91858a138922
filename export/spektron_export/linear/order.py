"""What was asked for, and the laboratory's model once it was read."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from spektron_edge.bundle.observability import Observability

from ..protection import Protection
from .calibration_set import Asked
from .regression import LinearModel
from .smoothing import Filtering, Savgol

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Order:
    """What was asked for. properties: in the order of the model's outputs, or none."""

    model: Path
    spectra: Path
    output: Path
    name: str
    version: int = 1
    properties: tuple[Asked, ...] = ()
    savgol: Savgol | None = None
    held_out: Path | None = None
    keep: Protection = field(default_factory=Protection)
    observed: tuple[Observability, ...] = ()


@dataclass(frozen=True, eq=False)
class Wrapped:
    """The laboratory's model on the grid.

    weights: (L, m) of absorbance; x_mean: (L,) mean of the calibration spectra.
    """

    model: LinearModel
    filtering: Filtering
    weights: Array
    x_mean: Array

    @property
    def y_mean(self) -> Array:
        """The value at x_mean, (m,)."""
        mean: Array = self.x_mean @ self.weights + self.model.intercept
        return mean

    def predict(self, x: Array) -> Array:
        """What the laboratory's own model gives, (n, L) -> (n, m)."""
        return self.model.predict(self.filtering.apply(x))
