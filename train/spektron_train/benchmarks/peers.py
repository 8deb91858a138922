"""Tuned classical regressions: what a network has to beat on the same split.

Each `fit_predict` function maps x_train (n, L) absorbance, y_train (n, m), x_test (k, L) and a
generator to predictions (k, m). Everything is chosen by cross-validation on the training samples,
property by property; the generator draws the folds. Axes are taken as evenly spaced.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.cross_decomposition import PLSRegression
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVR

from spektron_edge.spectra.preprocessing import FIRST_DERIVATIVE, correlate_valid
from spektron_train.reference.ridge import fit_ridge, folds

Array = NDArray[np.float64]
FitPredict = Callable[[Array, Array, Array, np.random.Generator], Array]
FOLDS = 5
COMPONENTS = 20
PENALTIES = np.geomspace(1e-9, 1e-1, 33)
# Per standardised property and mean squared distance 2 of standardised spectra.
SVR_C = (1.0, 10.0, 100.0, 1000.0)
SVR_EPSILON = (0.01, 0.1)
SVR_GAMMA = (1e-2, 1e-1, 1.0)


def raw(x: Array) -> Array:
    """(n, L) as it is."""
    return x


def derivative(x: Array) -> Array:
    """(n, L) -> (n, L - 14): Savitzky-Golay first derivative, 15 channels, second order."""
    return correlate_valid(x, FIRST_DERIVATIVE)


def snv_derivative(x: Array) -> Array:
    """The same after standard normal variate (Barnes et al., Appl. Spectrosc. 43 (1989) 772)."""
    centred = x - x.mean(axis=1, keepdims=True)
    return derivative(centred / centred.std(axis=1, keepdims=True))


PREPROCESSINGS: tuple[Callable[[Array], Array], ...] = (raw, derivative, snv_derivative)


@dataclass(frozen=True, eq=False)
class _Search:
    """Squared errors of cross-validation, (settings, m), for one preprocessing."""

    preprocess: Callable[[Array], Array]
    squares: Array


def _searches(
    x: Array,
    y: Array,
    rng: np.random.Generator,
    predictions: Callable[[Array, Array, Array], Array],
) -> list[_Search]:
    """Cross-validate each preprocessing on the same folds.

    predictions: (x_kept, y_kept, x_held) -> (settings, held, m).
    """
    parts = list(folds(len(x), min(FOLDS, len(x)), rng))
    found = []
    for preprocess in PREPROCESSINGS:
        z = preprocess(x)
        squares: Array | float = 0.0
        for held in parts:
            kept = np.setdiff1d(np.arange(len(x)), held)
            error = predictions(z[kept], y[kept], z[held]) - y[held]
            squares = squares + np.sum(error**2, axis=1)
        found.append(_Search(preprocess, np.asarray(squares)))
    return found


def _best(searches: list[_Search], column: int) -> tuple[Callable[[Array], Array], int]:
    search = min(searches, key=lambda s: float(s.squares[:, column].min()))
    return search.preprocess, int(search.squares[:, column].argmin())


def pls(x_train: Array, y_train: Array, x_test: Array, rng: np.random.Generator) -> Array:
    """Partial least squares, 1 to 20 components (Wold et al., Chemom. 58 (2001) 109)."""
    most = min(COMPONENTS, len(x_train) - -(-len(x_train) // FOLDS) - 2)
    searches = _searches(x_train, y_train, rng, lambda x, y, held: _pls_path(x, y, held, most))
    columns = []
    for j in range(y_train.shape[1]):
        preprocess, best = _best(searches, j)
        y = y_train[:, [j]]
        columns.append(_pls_path(preprocess(x_train), y, preprocess(x_test), best + 1)[best])
    return np.concatenate(columns, axis=1)


def _pls_path(x: Array, y: Array, held: Array, most: int) -> Array:
    """(most, k, m): predictions with 1 to `most` components, each property on its own."""
    out = np.empty((most, len(held), y.shape[1]))
    for j in range(y.shape[1]):
        with warnings.catch_warnings():
            # Components after an exact fit are zero, as they should be.
            warnings.filterwarnings("ignore", "y residual is constant")
            model = PLSRegression(n_components=most, scale=False).fit(x, y[:, j])
        # Components are nested: the first k of a fit are the fit of k.
        scores = model.transform(held)
        out[:, :, j] = y[:, j].mean() + np.cumsum(scores * model.y_loadings_[0], axis=1).T
    return out


def ridge(x_train: Array, y_train: Array, x_test: Array, rng: np.random.Generator) -> Array:
    """Ridge regression, penalty relative to the largest squared singular value."""

    def path(x: Array, y: Array, held: Array) -> Array:
        centre, mean = x.mean(axis=0), y.mean(axis=0)
        u, s, vt = np.linalg.svd(x - centre, full_matrices=False)
        gains = s / (s**2 + PENALTIES[:, None] * s[0] ** 2)
        scores = (held - centre) @ vt.T
        predicted: Array = mean + np.einsum("ks,gs,sm->gkm", scores, gains, u.T @ (y - mean))
        return predicted

    searches = _searches(x_train, y_train, rng, path)
    columns = []
    for j in range(y_train.shape[1]):
        preprocess, best = _best(searches, j)
        model = fit_ridge(preprocess(x_train), y_train[:, [j]], PENALTIES[[best]])
        columns.append(model.predict(preprocess(x_test)))
    return np.concatenate(columns, axis=1)


def svr(x_train: Array, y_train: Array, x_test: Array, rng: np.random.Generator) -> Array:
    """Support vector regression with a Gaussian kernel on standardised spectra.

    C, epsilon and gamma (relative to 1 over the number of channels) by cross-validation (Smola and
    Schoelkopf, Stat. Comput. 14 (2004) 199).
    """
    grid = [(c, e, g) for g in SVR_GAMMA for c in SVR_C for e in SVR_EPSILON]

    def path(x: Array, y: Array, held: Array) -> Array:
        fits = [_svr(x, y, held, setting) for setting in grid]
        return np.stack(fits)

    searches = _searches(x_train, y_train, rng, path)
    columns = []
    for j in range(y_train.shape[1]):
        preprocess, best = _best(searches, j)
        z, held = preprocess(x_train), preprocess(x_test)
        columns.append(_svr(z, y_train[:, [j]], held, grid[best]))
    return np.concatenate(columns, axis=1)


def _svr(x: Array, y: Array, held: Array, setting: tuple[float, float, float]) -> Array:
    c, epsilon, gamma = setting
    scaler = StandardScaler().fit(x)
    z, w = scaler.transform(x), scaler.transform(held)
    centre, width = y.mean(axis=0), y.std(axis=0)
    columns = []
    for j in range(y.shape[1]):
        model = SVR(C=c, epsilon=epsilon, gamma=gamma / x.shape[1])
        model.fit(z, (y[:, j] - centre[j]) / width[j])
        columns.append(centre[j] + width[j] * model.predict(w))
    return np.stack(columns, axis=1)
