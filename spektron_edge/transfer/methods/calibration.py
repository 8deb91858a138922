"""The calibration that reads mapped spectra: ridge on the first derivative."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ..averaging import capped
from ..evaluation import RELATIVE
from ..features import span
from ..filters import Filter, filters_for
from ..penalised_ridge import Rows, solve
from ..problem import TransferError

Array = NDArray[np.float64]


class Calibrator(Protocol):
    """Any regression with scikit-learn's conventions, such as its PLSRegression."""

    def fit(self, X: Array, y: Array) -> Any:
        """Spectra (N, L) with references (N, m)."""
        ...

    def predict(self, X: Array) -> Any:
        """(k, L) -> (k, m)."""
        ...


@dataclass(frozen=True, eq=False)
class Linear:
    """y = intercept (m,) + features (k, p) @ slopes (p, m)."""

    slopes: Array
    intercept: Array

    def predict(self, features: Array) -> Array:
        """(k, p) -> (k, m)."""
        read: Array = self.intercept + features @ self.slopes
        return read


def leave_one_out_ridge(features: Array, y: Array, moved: Array | None = None) -> Linear:
    """Ridge on features (N, p) for y (N, m), each property with the penalty that errs least.

    moved: (n, p) by how much pairs that a transfer had not seen moved; what a penalty makes of them
    counts as error too.
    """
    rest = np.empty((0, features.shape[1])) if moved is None else moved
    basis = span(np.concatenate([features - features.mean(axis=0), rest]))
    nothing = np.empty((0, basis.shape[1]))
    rows = Rows(features @ basis, y, nothing, np.empty((0, y.shape[1])), nothing)
    path = solve(rows, RELATIVE)
    score = np.mean(path.left_out**2, axis=1)
    if len(rest):
        score = score + capped((rest @ basis @ path.coefficients) ** 2)
    best, columns = np.argmin(score, axis=0), np.arange(y.shape[1])
    return Linear(basis @ path.coefficients[best, :, columns].T, path.intercept[best, columns])


@dataclass(kw_only=True, eq=False)
class RidgeCalibration:
    """Ridge on the Savitzky-Golay first derivative, its penalty by leave-one-out.

    Nothing to set. Hoerl and Kennard, Technometrics 12 (1970) 55; leave-one-out in closed form:
    Allen, Technometrics 16 (1974) 125.
    """

    def fit(self, X: Array, y: Array, moved: Array | None = None) -> RidgeCalibration:
        """Spectra (N, L) with references (N, m).

        moved: (n, L) mapped target spectrum less source spectrum of pairs that the map had not
        seen. A calibration of one instrument alone leans on what another does not reproduce, so
        the squared error that these cause is added to the leave-one-out error.
        """
        self.filter_: Filter = derivative_for(X.shape[1])
        rest = None if moved is None else self.filter_.apply(moved)
        self.linear_ = leave_one_out_ridge(self.filter_.apply(X), y, rest)
        return self

    def predict(self, X: Array) -> Array:
        """(k, L) -> (k, m). Raises TransferError before `fit`."""
        if not hasattr(self, "linear_"):
            raise TransferError("the calibration is not fitted yet; call fit first")
        return self.linear_.predict(self.filter_.apply(X))


def derivative_for(channels: int) -> Filter:
    """First derivative over a window that fits."""
    return filters_for(channels)[1]
