"""What every transfer method has in common, in scikit-learn's conventions."""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import Any, ClassVar, Protocol, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..problem import TransferError, matrix
from .calibration import Calibrator, RidgeCalibration
from .given import Given, read

Array = NDArray[np.float64]
_M = TypeVar("_M", bound="Method")
_HOW_TO_GIVE = {
    "pairs": "pairs_source and pairs_target, the same samples on both instruments",
    "labels": "labels, the references of at least three transfer samples",
    "unpaired": "unpaired, target spectra of at least eight other samples",
    "standards": "standards_source and standards_target, the same standards on both instruments",
}


class TransferMethod(Protocol):
    """Both instruments on one axis of L channels; k target spectra, m properties."""

    def fit(
        self,
        source_X: ArrayLike,
        source_y: ArrayLike,
        pairs_source: ArrayLike | None = None,
        pairs_target: ArrayLike | None = None,
        *,
        labels: ArrayLike | None = None,
        unpaired: ArrayLike | None = None,
        standards_source: ArrayLike | None = None,
        standards_target: ArrayLike | None = None,
    ) -> TransferMethod:
        """See `Method.fit`."""
        ...

    def transform(self, target_X: ArrayLike) -> Array:
        """(k, L) target spectra on the source's footing; the identity for what maps none."""
        ...

    def predict(self, target_X: ArrayLike) -> Array:
        """(k, L) target spectra -> (k, m), or (k,) where source_y was a vector."""
        ...


class Method(ABC):
    """Checks what goes in and out. Hyperparameters are the fields of a subclass, a dataclass.

    key: in `REGISTRY`; needs: of "pairs", "labels", "unpaired", "standards", what `fit` must be
    given, and "latents" or "gradient" where a field brings an encoder along; least: transfer
    samples. What was fitted stands in attributes that end in an underscore.
    """

    key: ClassVar[str]
    needs: ClassVar[frozenset[str]]
    least: ClassVar[int] = 3

    def fit(
        self: _M,
        source_X: ArrayLike,
        source_y: ArrayLike,
        pairs_source: ArrayLike | None = None,
        pairs_target: ArrayLike | None = None,
        *,
        labels: ArrayLike | None = None,
        unpaired: ArrayLike | None = None,
        standards_source: ArrayLike | None = None,
        standards_target: ArrayLike | None = None,
    ) -> _M:
        """Learn from source spectra (N, L) with references (N, m) or (N,), and what links them.

        pairs_source, pairs_target: (n, L), row i the same sample; labels: (n, m) its references,
        NaN where unknown, and where a pair is a row of source_X they are known anyway. Labelled
        samples may come without pairs_source. unpaired: (u, L) target spectra of other samples;
        standards_source, standards_target: (k, L). What the method has no use for is checked and
        not used. Raises TransferError for bad input and for what is missing.
        """
        standards = (standards_source, standards_target)
        given = read(source_X, source_y, pairs_source, pairs_target, labels, unpaired, standards)
        for need in sorted(self.needs & _HOW_TO_GIVE.keys() - given.has):
            raise TransferError(f"{self.key} needs {need}: give {_HOW_TO_GIVE[need]}")
        if {"pairs", "labels"} & self.needs and len(given.pairs_target) < self.least:
            raise TransferError(
                f"{self.key} needs {self.least} transfer samples and there are "
                f"{len(given.pairs_target)}; measure more, or take a simpler method"
            )
        self._fit(given)
        self.n_features_in_ = given.source.shape[1]
        self._one_property = given.one_property
        return self

    def transform(self, target_X: ArrayLike) -> Array:
        """(k, L) target spectra on the source's footing, where the method maps spectra.

        Otherwise as they are. Raises TransferError before `fit` and for bad input.
        """
        return self._map(self._checked(target_X))

    def predict(self, target_X: ArrayLike) -> Array:
        """(k, L) target spectra -> (k, m), or (k,) where source_y was a vector.

        Raises TransferError before `fit` and for bad input.
        """
        values = self._predict(self._checked(target_X))
        return values[:, 0] if self._one_property else values

    def get_params(self, deep: bool = True) -> dict[str, Any]:  # noqa: ARG002
        """Hyperparameters by name."""
        return {f.name: getattr(self, f.name) for f in fields(self)}  # type: ignore[arg-type]

    def set_params(self: _M, **params: Any) -> _M:
        """Change hyperparameters. Raises TransferError for one that does not exist."""
        for name in params:
            if name not in self.get_params():
                known = ", ".join(self.get_params()) or "none"
                raise TransferError(f"{self.key} has no hyperparameter {name!r}; it has {known}")
        for name, value in params.items():
            setattr(self, name, value)
        return self

    def _checked(self, target_X: ArrayLike) -> Array:
        if not hasattr(self, "n_features_in_"):
            raise TransferError(f"{self.key} is not fitted yet; call fit first")
        return matrix("target_X", target_X, self.n_features_in_)

    @abstractmethod
    def _fit(self, given: Given) -> None:
        """Set the fitted attributes."""

    def _map(self, spectra: Array) -> Array:
        """(k, L) -> (k, L)."""
        return spectra

    @abstractmethod
    def _predict(self, spectra: Array) -> Array:
        """(k, L) -> (k, m)."""


@dataclass(kw_only=True, eq=False)
class SpectrumMap(Method):
    """A method that maps target spectra; a calibration of the source reads what it made.

    calibration: a regression with scikit-learn's fit and predict, fitted to the source as it is. By
    default ridge on the first derivative, its penalty by leave-one-out on the source and, where
    there are pairs, by how much those that the map had not seen move.
    """

    calibration: Calibrator | None = None

    def _fit(self, given: Given) -> None:
        self._fit_map(given)
        source = self._source(given.source)
        if self.calibration is None:
            self.calibration_: Calibrator = RidgeCalibration().fit(
                source, given.y, self._moved(given)
            )
        else:
            self.calibration_ = copy.deepcopy(self.calibration)
            self.calibration_.fit(source, given.y)

    @abstractmethod
    def _fit_map(self, given: Given) -> None:
        """Set what `_map` and `_source` need."""

    def _source(self, spectra: Array) -> Array:
        """(k, L) source spectra as the calibration shall see them."""
        return spectra

    def _moved(self, given: Given) -> Array | None:
        """(n, L) mapped target less source spectrum of each pair, by a map that had not seen it."""
        if "pairs" not in self.needs:
            return None
        moved = np.empty(given.pairs_source.shape)
        for i in range(len(moved)):
            again = copy.copy(self)
            again._fit_map(given.without(i))
            own = again._source(given.pairs_source[i : i + 1])
            moved[i] = (again._map(given.pairs_target[i : i + 1]) - own)[0]
        return moved

    def _predict(self, spectra: Array) -> Array:
        values = np.asarray(self.calibration_.predict(self._map(spectra)), dtype=np.float64)
        return values.reshape(len(spectra), -1)


def positive(method: Method, **values: float) -> None:
    """Raises TransferError for a hyperparameter that is not above zero."""
    _named(method, values, "above zero", lambda value: value > 0)


def not_negative(method: Method, **values: float) -> None:
    """Raises TransferError for a hyperparameter below zero."""
    _named(method, values, "zero or above", lambda value: value >= 0)


def _named(
    method: Method, values: Mapping[str, float], wanted: str, good: Callable[[float], bool]
) -> None:
    for name, value in values.items():
        if not (np.isfinite(value) and good(value)):
            raise TransferError(f"{name} of {method.key} is {value}; it must be {wanted}")
