"""Fit the applicability model: PCA of the filtered calibration spectra, limits of T2 and Q.

Limits at 99 %: T2 of a new observation from the F distribution (Tracy, Young and Mason, J. Qual.
Technol. 24 (1992) 88); Q from a scaled chi-square with the mean and variance of cross-validated
residuals (Box, Ann. Math. Stat. 25 (1954) 290): those of the fitted spectra are too small.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from spektron_edge.prediction.diagnostics import ApplicabilityModel
from spektron_edge.spectra.preprocessing import correlate_valid
from spektron_train.data.instrument_noise import DetectorNoise

from .ridge import folds

Array = NDArray[np.float64]


def t2_limit(components: int, samples: int, level: float = 0.99) -> float:
    """Hotelling's T2 limit for a new observation when `samples` estimated the model."""
    k, n = components, samples
    quantile = float(stats.f.ppf(level, k, n - k))
    return k * (n**2 - 1) / (n * (n - k)) * quantile


def q_limit(q: Array, level: float = 0.99) -> float:
    """Limit of Q from observed values, (n,): g chi2(h) with their mean and variance."""
    mean, variance = float(np.mean(q)), float(np.var(q, ddof=1))
    scale, freedom = variance / (2 * mean), 2 * mean**2 / variance
    return scale * float(stats.chi2.ppf(level, freedom))


def components_for(x: Array, explained: float) -> int:
    """Fewest principal components of (n, p) that explain that share of the variance."""
    s = np.linalg.svd(x - x.mean(axis=0), compute_uv=False)
    share = np.cumsum(s**2) / np.sum(s**2)
    return int(np.searchsorted(share, explained) + 1)


def fit_applicability(
    spectra: Array,
    kernel: Array,
    *,
    noise: DetectorNoise,
    rng: np.random.Generator,
    explained: float = 0.99,
    draws: int = 20,
    count: int = 10,
    most: int | None = None,
) -> ApplicabilityModel:
    """Fit on (n, L) calibration spectra, each seen through `draws` noisy scans.

    most: components at most; the rest of the variance is left to Q.
    """
    n = len(spectra)
    noisy = np.stack([correlate_valid(noise.add(spectra, rng), kernel) for _ in range(draws)])
    k = components_for(noisy.reshape(draws * n, -1), explained)
    k = k if most is None else min(k, most)
    q = np.zeros((draws, n))
    for held in folds(n, count, rng):
        kept = np.setdiff1d(np.arange(n), held)
        mean, loadings, _ = _pca(noisy[:, kept].reshape(-1, noisy.shape[2]), k)
        residual = noisy[:, held] - mean
        residual -= residual @ loadings.T @ loadings
        q[:, held] = np.sum(residual**2, axis=2)
    mean, loadings, std = _pca(noisy.reshape(draws * n, -1), k)
    return ApplicabilityModel(kernel, mean, loadings, std, t2_limit(k, n), q_limit(q.ravel()))


def _pca(x: Array, k: int) -> tuple[Array, Array, Array]:
    mean = x.mean(axis=0)
    _, s, vt = np.linalg.svd(x - mean, full_matrices=False)
    return mean, vt[:k], s[:k] / np.sqrt(len(x) - 1)


def applicability_arrays(model: ApplicabilityModel) -> dict[str, Array]:
    """The members `pca_*` that the runtime reads."""
    return {
        "pca_kernel": model.kernel,
        "pca_mean": model.mean,
        "pca_loadings": model.loadings,
        "pca_score_std": model.score_std,
        "pca_t2_limit": np.array(model.t2_limit),
        "pca_q_limit": np.array(model.q_limit),
    }
