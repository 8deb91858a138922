"""Plain models of spectra: ridge regression, partial least squares, nearest neighbours.

Each gives predictions at all of its settings at once. Which setting, and which technique, is then
chosen by cross-validation on the training molecules, no formula on both sides.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from spektron_train.physics.molecule import Array

Rows = NDArray[np.int64]
Path = Callable[[Array, Array, Array], Array]
"""(x, y, held) -> (settings, held, m)."""

_FOLDS: Final = 4
_PENALTIES: Final = np.logspace(-6, 0, 13)
_COMPONENTS: Final = 20
_NEIGHBOURS: Final = 10


def ridge(x: Array, y: Array, held: Array) -> Array:
    """Penalties relative to the largest eigenvalue of the covariance."""
    centre, mean = x.mean(axis=0), y.mean(axis=0)
    values, vectors = np.linalg.eigh((x - centre).T @ (x - centre))
    known = vectors.T @ ((x - centre).T @ (y - mean))
    scores = (held - centre) @ vectors
    found = [scores @ (known / (values + p * values[-1])[:, None]) for p in _PENALTIES]
    return mean + np.stack(found)


def partial_least_squares(x: Array, y: Array, held: Array) -> Array:
    """1 to 20 components, each column of y by itself."""
    from sklearn.cross_decomposition import PLSRegression

    most = min(_COMPONENTS, len(x) - 1)
    columns = []
    for target in y.T:
        with warnings.catch_warnings():
            # Components after an exact fit are zero, as they should be.
            warnings.filterwarnings("ignore", "y residual is constant")
            model = PLSRegression(n_components=most, scale=False).fit(x, target)
        # Components are nested: the first k of a fit are the fit of k.
        steps = model.transform(held) * model.y_loadings_[0]
        columns.append(target.mean() + np.cumsum(steps, axis=1).T)
    return np.stack(columns, axis=2)


def nearest(x: Array, y: Array, held: Array) -> Array:
    """Means of the 1 to 10 nearest."""
    distances = (x**2).sum(axis=1) - 2 * held @ x.T
    order = np.argsort(distances, axis=1, kind="stable")[:, :_NEIGHBOURS]
    totals = np.cumsum(y[order], axis=1)
    means: Array = np.swapaxes(totals, 0, 1) / np.arange(1, order.shape[1] + 1)[:, None, None]
    return means


@dataclass(frozen=True, eq=False)
class Predicted:
    """test: (k, m), of molecules never seen. trained: (n, m), of those trained on, out of fold."""

    test: Array
    trained: Array


def predict(path: Path, x: Array, y: Array, formulas: Rows, held: Array, joint: bool) -> Predicted:
    """Choose the setting by cross-validation, for each column or all together, and predict.

    x (n, p), y (n, m), formulas (n,) numbers of formulas, held (k, p).
    """
    parts = list(_folds(formulas))
    first = path(*_but(x, y, parts[0]))
    outer = np.empty((len(first), *y.shape))
    outer[:, parts[0]] = first
    for part in parts[1:]:
        outer[:, part] = path(*_but(x, y, part))
    squares = ((outer - y) ** 2).sum(axis=1)
    best = squares.argmin(axis=0)
    if joint:
        best = np.full(y.shape[1], squares.sum(axis=1).argmin())
    columns = np.arange(y.shape[1])
    rows = np.arange(len(x))[:, None]
    found = path(x, y, held)
    return Predicted(
        found[best, np.arange(len(held))[:, None], columns], outer[best, rows, columns]
    )


def _folds(formulas: Rows) -> Iterator[Rows]:
    """Rows of each fold: formulas in a random order that is always the same."""
    order = np.random.default_rng(0).permutation(np.unique(formulas))
    for part in np.array_split(order, _FOLDS):
        yield np.flatnonzero(np.isin(formulas, part))


def _but(x: Array, y: Array, held: Rows) -> tuple[Array, Array, Array]:
    kept = np.setdiff1d(np.arange(len(x)), held)
    return x[kept], y[kept], x[held]


PATHS: Final[dict[str, Path]] = {
    "ridge": ridge,
    "PLS": partial_least_squares,
    "nearest neighbours": nearest,
}
