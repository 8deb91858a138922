"""Ridge regression that is told how two instruments differ.

Source spectra with references, target spectra with references (weighted), and the differences of
pairs as directions that must not matter:

    b = argmin sum_i w_i (y_i - b0 - x_i b)^2 + sum_k |row_k b|^2 + alpha |b|^2

A row of differences is what adding that difference to the samples at random would add to the
squared error, so the penalty is that of training on both instruments (Bishop, Neural Computation 7
(1995) 108); as a projection it is external parameter orthogonalisation (Roger, Chauchard and
Bellon-Maurel, Chemom. Intell. Lab. Syst. 66 (2003) 191). One eigendecomposition serves every alpha
and every property.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
# A hat value of one would make a left out residual infinite.
_LEAST = 1e-6


@dataclass(frozen=True, eq=False)
class Rows:
    """What a solution rests on, in r features.

    source: (N, r) with references y (N, m); target: (k, r) labelled target spectra on the source's
    footing, with references labels (k, m); penalty: (q, r) differences, each already weighted.
    """

    source: Array
    y: Array
    target: Array
    labels: Array
    penalty: Array


@dataclass(frozen=True, eq=False)
class Path:
    """Solutions for g values of alpha: coefficients (g, r, m) and intercept (g, m).

    left_out: (g, N, m) reference - prediction of each source sample by the fit without it.
    """

    coefficients: Array
    intercept: Array
    left_out: Array

    def predict(self, features: Array) -> Array:
        """(k, r) -> (g, k, m)."""
        predicted: Array = self.intercept[:, None] + np.einsum(
            "kr,grm->gkm", features, self.coefficients, optimize=True
        )
        return predicted


def solve(rows: Rows, relative: Array, label_weight: float = 1.0, *, loo: bool = True) -> Path:
    """Solutions for alpha = `relative` (g,) times the largest eigenvalue of the centred source's.

    label_weight: of a labelled target spectrum against a source spectrum. loo: whether left_out is
    wanted; it is empty otherwise.
    """
    size = len(rows.source)
    weights = np.concatenate([np.ones(size), np.full(len(rows.target), label_weight)])
    x = np.concatenate([rows.source, rows.target])
    y = np.concatenate([rows.y, rows.labels])
    total = float(weights.sum())
    x_mean, y_mean = weights @ x / total, weights @ y / total
    centred, target = x - x_mean, y - y_mean
    weighted = weights[:, None] * centred
    own = rows.source - rows.source.mean(axis=0)
    # The source alone sets the unit, so that a penalty means the same whatever stands beside it.
    gram = own.T @ own if own.shape[1] < size else own @ own.T
    top = max(float(np.linalg.eigvalsh(gram)[-1]), 1e-300)
    normal = centred.T @ weighted + rows.penalty.T @ rows.penalty
    values, vectors = np.linalg.eigh(normal)
    inverse = 1 / (np.clip(values, 0.0, None) + np.maximum(relative, 1e-14)[:, None] * top)
    moved = vectors.T @ (weighted.T @ target)
    coefficients = np.einsum("ij,gj,jm->gim", vectors, inverse, moved, optimize=True)
    intercept = y_mean - np.einsum("r,grm->gm", x_mean, coefficients)
    if not loo:
        return Path(coefficients, intercept, np.empty((len(relative), 0, y.shape[1])))
    scores = centred[:size] @ vectors
    leverage = inverse @ (scores**2).T + 1 / total
    residual = target[:size] - np.einsum("nr,grm->gnm", centred[:size], coefficients, optimize=True)
    left_out = residual / np.maximum(1 - leverage, _LEAST)[:, :, None]
    return Path(coefficients, intercept, left_out)
