"""Ridge regression with a penalty per property, and its choice by noisy cross-validation.

Hoerl and Kennard, Technometrics 12 (1970) 55. One singular value decomposition serves every
penalty and every property.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spektron_edge.spectra.preprocessing import correlate_valid
from spektron_train.data.instrument_noise import DetectorNoise

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Ridge:
    """y = y_mean + (x - x_mean) coefficients; x (n, p), coefficients (p, m)."""

    coefficients: Array
    x_mean: Array
    y_mean: Array

    def predict(self, x: Array) -> Array:
        """(n, p) -> (n, m)."""
        prediction: Array = self.y_mean + (x - self.x_mean) @ self.coefficients
        return prediction


@dataclass(frozen=True)
class _Decomposition:
    x_mean: Array
    y_mean: Array
    uty: Array
    s: Array
    vt: Array


def _decompose(x: Array, y: Array) -> _Decomposition:
    x_mean, y_mean = x.mean(axis=0), y.mean(axis=0)
    u, s, vt = np.linalg.svd(x - x_mean, full_matrices=False)
    # Centring leaves n - 1 directions at most; the last is rounding.
    keep = s > s[0] * 1e-12
    return _Decomposition(x_mean, y_mean, u.T[keep] @ (y - y_mean), s[keep], vt[keep])


def fit_ridge(x: Array, y: Array, relative: Array) -> Ridge:
    """Fit (n, p) to (n, m); property j's penalty is relative[j] * s_max^2 of the centred x.

    The penalty is on the sum of squared errors, as scikit-learn's `alpha`. Raises ValueError for
    shapes that do not fit.
    """
    if x.ndim != 2 or y.ndim != 2 or len(x) != len(y) or relative.shape != (y.shape[1],):
        raise ValueError("expected x (n, p), y (n, m) and a penalty for each of the m properties")
    d = _decompose(x, y)
    filtered = d.s[:, None] / (d.s[:, None] ** 2 + relative * d.s[0] ** 2) * d.uty
    return Ridge(d.vt.T @ filtered, d.x_mean, d.y_mean)


def folds(n: int, count: int, rng: np.random.Generator) -> Iterator[NDArray[np.int64]]:
    """`count` disjoint validation sets over a random order of range(n)."""
    yield from np.array_split(rng.permutation(n), count)


@dataclass(frozen=True)
class PenaltySearch:
    """Result of the search: per property the best penalty and its cross-validated error.

    relative: (m,); rmsecv: (m,); grid: (g,); curve: (g, m) root mean squared error;
    residuals: (n, m) reference minus out-of-fold prediction of the clean spectra.
    """

    relative: Array
    rmsecv: Array
    grid: Array
    curve: Array
    residuals: Array


def search_penalties(
    spectra: Array,
    y: Array,
    kernel: Array,
    *,
    noise: DetectorNoise,
    rng: np.random.Generator,
    grid: Array | None = None,
    count: int = 10,
    repeats: int = 5,
    draws: int = 5,
) -> PenaltySearch:
    """Choose penalties for ridge on the filtered spectra by repeated k-fold cross-validation.

    spectra (n, L), y (n, m). Validation spectra carry fresh instrument noise: a penalty that is
    best for clean spectra amplifies the noise of a scan.
    """
    grid = np.geomspace(1e-9, 1e-2, 57) if grid is None else grid
    n, m = y.shape
    squares = np.zeros((grid.size, m))
    out_of_fold = np.zeros((grid.size, n, m))
    x = correlate_valid(spectra, kernel)
    for _ in range(repeats):
        for held in folds(n, count, rng):
            kept = np.setdiff1d(np.arange(n), held)
            d = _decompose(x[kept], y[kept])
            gains = d.s / (d.s**2 + grid[:, None] * d.s[0] ** 2)
            coefficients = gains[:, :, None] * d.uty

            def predict(spectra: Array, d: _Decomposition = d, c: Array = coefficients) -> Array:
                scores = (correlate_valid(spectra, kernel) - d.x_mean) @ d.vt.T
                return d.y_mean + np.einsum("ns,gsm->gnm", scores, c)

            out_of_fold[:, held] += predict(spectra[held]) / repeats
            for _ in range(draws):
                error = predict(noise.add(spectra[held], rng)) - y[held]
                squares += np.sum(error**2, axis=1)
    curve = np.sqrt(squares / (n * repeats * draws))
    best = np.argmin(curve, axis=0)
    columns = np.arange(m)
    return PenaltySearch(
        relative=grid[best],
        rmsecv=curve[best, columns],
        grid=grid,
        curve=curve,
        residuals=y - out_of_fold[best, :, columns].T,
    )
