"""Ridge in which what varies differently on the two instruments must not matter."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..evaluation import RELATIVE
from ..penalised_ridge import Rows, solve
from .given import Given
from .invariance import Populations
from .method import Method, not_negative

Array = NDArray[np.float64]


@dataclass(kw_only=True, eq=False)
class DomainInvariantRidge(Method):
    """Ridge on the first derivative, without a single pair or label of the target.

    Population means are made equal, and directions in which one population varies more than the
    other are penalised, by `penalty` times the difference of variances: the linear form of Nikzad-
    Langerodi, Zellinger, Lughofer and Saminger-Platz, Anal. Chem. 90 (2018) 6693. The ridge
    penalty is that of the least leave-one-out error plus the excess of the predictions' variance on
    the target. Maps no spectra: coef_ (r, m), intercept_ (m,), in the basis of populations_.
    """

    key = "invariant_ridge"
    needs = frozenset({"unpaired"})
    penalty: float = 0.3

    def _fit(self, given: Given) -> None:
        not_negative(self, penalty=self.penalty)
        both = Populations.of(given.source, given.unpaired)
        size = np.sqrt(self.penalty * len(both.source) * np.abs(both.eigenvalues))
        nothing = np.empty((0, both.source.shape[1]))
        rows = Rows(
            both.source,
            given.y,
            nothing,
            np.empty((0, given.y.shape[1])),
            size[:, None] * both.directions.T,
        )
        path = solve(rows, RELATIVE)
        more = path.predict(both.target).var(axis=1) - path.predict(both.source).var(axis=1)
        score = np.mean(path.left_out**2, axis=1) + np.maximum(more, 0.0)
        best, columns = np.argmin(score, axis=0), np.arange(given.y.shape[1])
        self.populations_ = both
        self.coef_: Array = path.coefficients[best, :, columns].T
        self.intercept_: Array = path.intercept[best, columns]

    def _predict(self, spectra: Array) -> Array:
        read: Array = self.intercept_ + self.populations_.read(spectra) @ self.coef_
        return read
