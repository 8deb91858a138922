"""Applicability of a calibration to one spectrum: Hotelling T2, Q residual, nearest neighbour.

A result from a spectrum outside the calibration's domain is invalid (ASTM D6122). The domain is a
principal-component model of the calibration spectra's derivative, shipped in the bundle.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from spektron_edge.spectra.preprocessing import correlate_valid


@dataclass(frozen=True)
class Applicability:
    """Two distances with their limits; both limits are exceeded by 1 % of good spectra.

    neighbour: distance to the nearest calibration spectrum among the scores, each in units of its
    standard deviation, None where the bundle has no spectra. Its limit is the largest distance of
    a calibration spectrum to its own nearest neighbour (ASTM E1655). It is told and makes no result
    invalid: one good spectrum in n + 1 is beyond it.
    """

    t2: float
    t2_limit: float
    q: float
    q_limit: float
    neighbour: float | None = None
    neighbour_limit: float | None = None

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
    mean: (L - w + 1,); loadings: (k, L - w + 1), orthonormal rows; score_std: (k,); neighbours:
    (n, k) scaled scores of the calibration spectra, where they are known.
    """

    kernel: NDArray[np.float64]
    mean: NDArray[np.float64]
    loadings: NDArray[np.float64]
    score_std: NDArray[np.float64]
    t2_limit: float
    q_limit: float
    neighbours: NDArray[np.float64] | None = None
    neighbour_limit: float | None = None

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[np.float64]]) -> ApplicabilityModel:
        """Build from the members `pca_*` of a bundle's source.npz, and `x` where it is there.

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
        return model._with_neighbours(arrays.get("x"))

    def _with_neighbours(self, spectra: NDArray[np.float64] | None) -> ApplicabilityModel:
        """spectra: (n, L) of the calibration; of another shape or too few, they are not used."""
        if spectra is None or spectra.ndim != 2 or len(spectra) < 2:
            return self
        if spectra.shape[1] != self.points or not np.all(np.isfinite(spectra)):
            return self
        scores = np.stack([self._scores(x)[0] for x in np.asarray(spectra, np.float64)])
        scaled = scores / self.score_std
        nearest = [np.partition(np.linalg.norm(scaled - row, axis=1), 1)[1] for row in scaled]
        return replace(self, neighbours=scaled, neighbour_limit=float(np.max(nearest)))

    def _scores(
        self, absorbance: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Scores (k,) of one spectrum (L,), and what they leave of it (L - w + 1,)."""
        residual = correlate_valid(absorbance, self.kernel) - self.mean
        scores = self.loadings @ residual
        return scores, residual - scores @ self.loadings

    @property
    def points(self) -> int:
        """Length of the spectra that it assesses."""
        return self.mean.size + self.kernel.size - 1

    def assess(self, absorbance: NDArray[np.float64]) -> Applicability:
        """The distances of one spectrum, (L,) absorbance on the model's grid."""
        scores, residual = self._scores(absorbance)
        scaled = scores / self.score_std
        neighbour = None
        if self.neighbours is not None:
            neighbour = float(np.min(np.linalg.norm(self.neighbours - scaled, axis=1)))
        return Applicability(
            t2=float(np.sum(scaled**2)),
            t2_limit=self.t2_limit,
            q=float(residual @ residual),
            q_limit=self.q_limit,
            neighbour=neighbour,
            neighbour_limit=self.neighbour_limit,
        )
