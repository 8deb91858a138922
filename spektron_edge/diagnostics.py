"""Applicability of a calibration to one spectrum: Hotelling T2 and the Q residual.

A result from a spectrum outside the calibration's domain is invalid (ASTM D6122). The domain is a
principal-component model of the calibration spectra's derivative, shipped in the bundle.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .preprocessing import correlate_valid


@dataclass(frozen=True)
class Applicability:
    """Two distances with their limits; both limits are exceeded by 1 % of good spectra."""

    t2: float
    t2_limit: float
    q: float
    q_limit: float

    @property
    def reasons(self) -> tuple[str, ...]:
        """Reason codes of the limits that are exceeded; empty inside the domain."""
        # Written as "not <=" so that a NaN distance counts as outside.
        out = []
        if not self.t2 <= self.t2_limit:
            out.append("t2_above_limit")
        if not self.q <= self.q_limit:
            out.append("q_above_limit")
        return tuple(out)


@dataclass(frozen=True)
class ApplicabilityModel:
    """PCA of the filtered calibration spectra.

    kernel: (w,) filter applied before the PCA (Savitzky-Golay first derivative).
    mean: (L - w + 1,); loadings: (k, L - w + 1), orthonormal rows; score_std: (k,).
    """

    kernel: NDArray[np.float64]
    mean: NDArray[np.float64]
    loadings: NDArray[np.float64]
    score_std: NDArray[np.float64]
    t2_limit: float
    q_limit: float

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[np.float64]]) -> ApplicabilityModel:
        """Build from the members `pca_*` of a bundle's source.npz.

        Raises ValueError when a member is missing, is not finite or does not fit the others.
        """
        try:
            model = cls(
                kernel=np.asarray(arrays["pca_kernel"], np.float64),
                mean=np.asarray(arrays["pca_mean"], np.float64),
                loadings=np.asarray(arrays["pca_loadings"], np.float64),
                score_std=np.asarray(arrays["pca_score_std"], np.float64),
                t2_limit=float(np.asarray(arrays["pca_t2_limit"], np.float64).item()),
                q_limit=float(np.asarray(arrays["pca_q_limit"], np.float64).item()),
            )
        except KeyError as missing:
            raise ValueError(f"the applicability model lacks {missing}") from None
        shape = (model.score_std.size, model.mean.size)
        vectors = (model.kernel, model.mean, model.score_std)
        if model.loadings.shape != shape or any(v.ndim != 1 for v in vectors):
            raise ValueError("the applicability model's shapes do not fit together")
        numbers = (*vectors, model.loadings, model.t2_limit, model.q_limit)
        if not all(np.all(np.isfinite(n)) for n in numbers) or not np.all(model.score_std > 0):
            raise ValueError("the applicability model holds unusable numbers")
        return model

    @property
    def points(self) -> int:
        """Length of the spectra that it assesses."""
        return self.mean.size + self.kernel.size - 1

    def assess(self, absorbance: NDArray[np.float64]) -> Applicability:
        """T2 and Q of one spectrum, (L,) absorbance on the model's grid."""
        residual = correlate_valid(absorbance, self.kernel) - self.mean
        scores = self.loadings @ residual
        residual = residual - scores @ self.loadings
        return Applicability(
            t2=float(np.sum((scores / self.score_std) ** 2)),
            t2_limit=self.t2_limit,
            q=float(residual @ residual),
            q_limit=self.q_limit,
        )
