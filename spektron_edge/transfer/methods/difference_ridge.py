"""Ridge that is told how the instruments differ."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..alignment import AsMeasured
from ..features import Aligned, Features, features
from ..penalised_ridge import Rows, solve
from .calibration import derivative_for
from .given import Given
from .method import Method, not_negative, positive

Array = NDArray[np.float64]


@dataclass(kw_only=True, eq=False)
class DifferencePenalisedRidge(Method):
    """Ridge on the first derivative in which the differences of pairs must not matter.

    The mean difference is removed, and what differences leave over becomes rows of a penalty, as
    if they were added to the source's spectra at random (`spektron_edge.transfer.penalised_ridge`).
    penalty: of these rows, 1 for just that; shrinkage: ridge penalty times the number of pairs,
    relative to the source's largest eigenvalue. Maps no spectra: the calibration is made anew.
    """

    key = "difference_ridge"
    needs = frozenset({"pairs"})
    penalty: float = 1.0
    shrinkage: float = 1.5e-3

    def _fit(self, given: Given) -> None:
        not_negative(self, penalty=self.penalty)
        positive(self, shrinkage=self.shrinkage)
        problem = given.problem()
        aligned = Aligned.of(problem, AsMeasured())
        filter_ = derivative_for(given.source.shape[1])
        n = problem.pairs
        self.features_: Features = features(problem, aligned, filter_, 0.0, np.ones(n))
        rows = self.features_.rows
        weighted = np.sqrt(self.penalty) * rows.penalty
        # Labels take no part: this is what pairs alone can do.
        plain = Rows(rows.source, rows.y, rows.target[:0], rows.labels[:0], weighted)
        path = solve(plain, np.array([self.shrinkage / n]), loo=False)
        self.coef_, self.intercept_ = path.coefficients[0], path.intercept[0]

    def _predict(self, spectra: Array) -> Array:
        read: Array = self.intercept_ + self.features_.target(spectra) @ self.coef_
        return read
