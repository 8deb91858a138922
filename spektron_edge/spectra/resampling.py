"""From the instrument's own wavelength axis to the model's grid."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spektron_edge.faults import Fault, Faults

# What coefficients or files round an axis to, in nm.
_ROUNDING_NM = 1e-3


def check_axis(axis_nm: NDArray[np.float64]) -> None:
    """Raise Fault(AXIS_INVALID) unless the axis is finite, positive and strictly increasing."""
    if axis_nm.ndim != 1 or axis_nm.size < 4:
        raise Fault(Faults.AXIS_INVALID, "the wavelength axis has fewer than four channels")
    if not np.all(np.isfinite(axis_nm)):
        raise Fault(Faults.AXIS_INVALID, "the wavelength axis holds values that are not numbers")
    if axis_nm[0] <= 0 or np.any(np.diff(axis_nm) <= 0):
        raise Fault(Faults.AXIS_INVALID, "the wavelength axis does not increase from above 0 nm")


def same_axis(one: NDArray[np.float64], other: NDArray[np.float64]) -> bool:
    """Whether two axes in nm are one but for rounding; more is another instrument, or a change."""
    return one.shape == other.shape and bool(np.all(np.abs(one - other) <= _ROUNDING_NM))


@dataclass(frozen=True)
class Resampler:
    """Local cubic (four-point Lagrange) interpolation as fixed indices and weights, each (L, 4).

    Linear interpolation would cost up to h^2/8 of the curvature, which derivatives then amplify.
    """

    first: NDArray[np.int64]
    weights: NDArray[np.float64]

    @classmethod
    def between(cls, axis_nm: NDArray[np.float64], grid_nm: NDArray[np.float64]) -> Resampler:
        """Prepare for one axis and one grid.

        Raises Fault(AXIS_INVALID) for a broken axis and Fault(AXIS_OUTSIDE_MODEL) when the grid
        reaches beyond the axis: nothing is extrapolated.
        """
        check_axis(axis_nm)
        if axis_nm[0] > grid_nm[0] or axis_nm[-1] < grid_nm[-1]:
            raise Fault(
                Faults.AXIS_OUTSIDE_MODEL,
                f"the instrument covers {axis_nm[0]:.1f} to {axis_nm[-1]:.1f} nm, "
                f"the model needs {grid_nm[0]:.1f} to {grid_nm[-1]:.1f} nm",
            )
        first = np.clip(np.searchsorted(axis_nm, grid_nm, "right") - 2, 0, axis_nm.size - 4)
        nodes = axis_nm[first[:, None] + np.arange(4)]
        weights = np.ones_like(nodes)
        for j in range(4):
            for k in range(4):
                if k != j:
                    weights[:, j] *= (grid_nm - nodes[:, k]) / (nodes[:, j] - nodes[:, k])
        return cls(first, weights)

    def apply(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """(P,) values on the axis -> (L,) values on the grid."""
        resampled: NDArray[np.float64] = np.sum(
            values[self.first[:, None] + np.arange(4)] * self.weights, axis=1
        )
        return resampled
