"""A fitted transfer: predicts from target spectra and says what to expect of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from spektron_edge.prediction.diagnostics import ApplicabilityModel

from .axes import Overlap
from .linear import LinearPredictor
from .problem import TransferError, matrix
from .quantity import Conversion, convert
from .uncertainty import Expected

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Intervals:
    """Predictions with 90 % intervals, each (k, m); basis: what they rest on."""

    values: Array
    low: Array
    high: Array
    basis: str


@dataclass(frozen=True, eq=False)
class Transfer:
    """What a field engineer takes home.

    method: of each property; valid: whether every property validated; valid_properties: (m,);
    expected: errors to expect; domain: which spectra on the shared axis it is good for; report:
    everything that was weighed, as plain values.
    """

    method: tuple[str, ...]
    valid_properties: NDArray[np.bool_]
    expected: Expected
    report: dict[str, Any]
    predictor: LinearPredictor
    domain: ApplicabilityModel
    overlap: Overlap
    conversion: Conversion
    target_axis: Array
    one_property: bool = field(default=False)

    @property
    def valid(self) -> bool:
        """Whether the calibration may be used at all."""
        return bool(np.all(self.valid_properties))

    @property
    def predicted_rmsep(self) -> Array:
        """(m,) against the reference method, in the properties' units."""
        return self.expected.rmsep

    def predict(self, target_X: ArrayLike) -> Array:
        """(k, P) target spectra -> (k, m), or (k,) where one property came as a vector.

        Raises TransferError for spectra that are no finite table on the target's axis.
        """
        values = self._predict(target_X)
        return values[:, 0] if self.one_property else values

    def predict_intervals(self, target_X: ArrayLike) -> Intervals:
        """The same with 90 % intervals, always (k, m). Raises TransferError as `predict`."""
        values = self._predict(target_X)
        half = self.expected.half_width
        return Intervals(values, values - half, values + half, self.expected.basis)

    def _predict(self, target_X: ArrayLike) -> Array:
        spectra = matrix("target_X", target_X, self.target_axis.size)
        if not len(spectra):
            raise TransferError("target_X holds no spectra; give at least one")
        return self.predictor.predict(self.overlap.target(convert(spectra, self.conversion)))
