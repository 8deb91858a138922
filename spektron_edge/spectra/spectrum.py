"""A spectrum on a wavelength axis."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Spectrum:
    """Absorbance on an axis.

    absorbance: (L,) float64, log10(1/T) or log10(1/R), dimensionless.
    axis_nm: (L,) float64, strictly increasing wavelengths in nm.
    variance: (L,) of the absorbance, None where nobody knows it.
    """

    absorbance: NDArray[np.float64]
    axis_nm: NDArray[np.float64]
    variance: NDArray[np.float64] | None = None

    def __post_init__(self) -> None:
        if self.absorbance.ndim != 1 or self.absorbance.shape != self.axis_nm.shape:
            raise ValueError(
                f"absorbance {self.absorbance.shape} and axis {self.axis_nm.shape} "
                "must be vectors of one length"
            )
