"""Recalibration on source and labelled target spectra together."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..evaluation import RELATIVE
from ..features import span
from ..filters import Filter
from ..penalised_ridge import Path, Rows, solve
from .calibration import derivative_for
from .given import Given
from .method import Method, positive

Array = NDArray[np.float64]


@dataclass(kw_only=True, eq=False)
class JointUpdate(Method):
    """One ridge for both instruments, labelled target spectra with `weight` each.

    Weighted spiking: Capron, Walczak, de Noord and Massart, Chemom. Intell. Lab. Syst. 76 (2005)
    205. Each instrument has an intercept of its own, so that a constant difference costs nothing.
    The penalty is that of the least leave-one-out error on both. Maps no spectra: slopes_ (p, m),
    intercept_ (m,), of the first derivative.
    """

    key = "joint_update"
    needs = frozenset({"labels"})
    weight: float = 3.0

    def _fit(self, given: Given) -> None:
        positive(self, weight=self.weight)
        self.filter_: Filter = derivative_for(given.source.shape[1])
        x, y = self.filter_.apply(given.source), given.y
        t = self.filter_.apply(given.pairs_target[given.labelled])
        labels = given.labels[given.labelled]
        basis = span(np.concatenate([x - x.mean(axis=0), t - t.mean(axis=0)]))
        x, t = x @ basis, t @ basis
        path = self._solved(x, y, t, labels)
        error = np.mean(path.left_out**2, axis=1)
        for i in range(len(t)):
            kept = np.arange(len(t)) != i
            again = self._solved(x, y, t[kept], labels[kept])
            away = (t[i] - t[kept].mean(axis=0)) @ again.coefficients
            error += (labels[i] - labels[kept].mean(axis=0) - away) ** 2 / len(t)
        best, columns = np.argmin(error, axis=0), np.arange(y.shape[1])
        chosen = path.coefficients[best, :, columns].T
        self.slopes_: Array = basis @ chosen
        self.intercept_: Array = labels.mean(axis=0) - t.mean(axis=0) @ chosen

    def _solved(self, x: Array, y: Array, t: Array, labels: Array) -> Path:
        """Both groups centred on their own means, which is an intercept for each."""
        rows = Rows(
            x - x.mean(axis=0),
            y - y.mean(axis=0),
            t - t.mean(axis=0),
            labels - labels.mean(axis=0),
            np.empty((0, x.shape[1])),
        )
        return solve(rows, RELATIVE, self.weight)

    def _predict(self, spectra: Array) -> Array:
        read: Array = self.intercept_ + self.filter_.apply(spectra) @ self.slopes_
        return read
