"""A scikit-learn model from a .skops file, as one product with a matrix.

skops builds only types that it knows to be harmless; nothing that the file names is called. A
pickle (.pkl, .joblib) would run whatever it holds, so none is opened.
https://skops.readthedocs.io/en/stable/persistence.html
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import ExportError
from .regression import Array, LinearModel, as_columns

_PICKLES = frozenset({".pkl", ".pickle", ".joblib", ".sav"})
_FOLDS = 10
_ROWS = 512
# A model that is linear differs by rounding only; relative to the largest value.
_LINEAR = 1e-6
_HOW = (
    "import skops.io; skops.io.dump(model, 'model.skops')  # pip install skops; or write its "
    "coefficients to a CSV (docs/export.md)"
)


def refuse_pickle(path: Path) -> None:
    """Raises ExportError for a file whose name says pickle, with what to do instead."""
    if path.suffix.lower() in _PICKLES:
        raise ExportError(
            f"{path} is a pickle, which can run code when it is read, and is not opened; where the "
            f"model was made, save it as .skops: {_HOW}"
        )


@dataclass(frozen=True, eq=False)
class Loaded:
    """A fitted estimator from a file; features: how many it takes; sha256: of the file."""

    path: Path
    estimator: Any
    features: int
    sha256: str

    @property
    def name(self) -> str:
        """Classes of its steps."""
        steps = getattr(self.estimator, "steps", None)
        parts = [step for _, step in steps] if steps else [self.estimator]
        return " + ".join(type(part).__name__ for part in parts)

    def predict(self, x: Array) -> Array:
        """(n, p) -> (n, m)."""
        return as_columns(self.estimator.predict(x))


def load_skops(path: Path) -> Loaded:
    """Raises ExportError for what is no such file, or holds other types or no regression."""
    refuse_pickle(path)
    estimator, raw = _load(path)
    loaded = Loaded(
        path, estimator, getattr(estimator, "n_features_in_", 0), hashlib.sha256(raw).hexdigest()
    )
    if not callable(getattr(estimator, "predict", None)) or loaded.features < 1:
        raise ExportError(f"{path} holds {loaded.name}, which is no fitted regression")
    return loaded


def linear_of(loaded: Loaded, calibration: Array) -> LinearModel:
    """The model as a matrix, shown on (n, p) features `calibration` to be no more than that.

    Raises ExportError for a model that predicts no numbers or is not linear in its features.
    """
    path = loaded.path
    try:
        weights, intercept = _probe(loaded)
        tried = (calibration, 2 * calibration, calibration + 0.5)
        # Also well outside of the calibration: a tree would be constant there.
        pairs = [(x @ weights + intercept, loaded.predict(x)) for x in tried]
    except (ValueError, TypeError, AttributeError) as error:
        raise ExportError(f"{path}: {loaded.name} does not predict ({error})") from None
    for linear, expected in pairs:
        if not np.abs(linear - expected).max() <= _LINEAR * max(1.0, np.abs(expected).max()):
            raise ExportError(
                f"{path}: {loaded.name} is not linear in the spectrum; only linear models "
                "(PLSRegression, Ridge, LinearRegression, pipelines of a StandardScaler and one of "
                "them) can be wrapped"
            )
    return LinearModel(
        what=loaded.name,
        weights=weights,
        intercept=intercept,
        names=None,
        units=None,
        axis_nm=None,
        predict=loaded.predict,
        cross_validate=lambda x, y: _cross_validate(loaded.estimator, x, y),
        sha256=loaded.sha256,
        versions={name: metadata.version(name) for name in ("scikit-learn", "skops")},
    )


def _load(path: Path) -> tuple[Any, bytes]:
    try:
        from skops import io
    except ModuleNotFoundError:
        raise ExportError("skops is not installed: pip install 'spektron-edge[export]'") from None
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise ExportError(f"cannot read {path}: {error.strerror}") from None
    try:
        if unknown := io.get_untrusted_types(data=raw):
            raise ExportError(
                f"{path} holds {unknown[0]}, which skops does not know to be harmless; save the "
                "regression alone"
            )
        return io.loads(raw, trusted=[]), raw
    except ExportError:
        raise
    except Exception as error:  # noqa: BLE001  skops raises whatever the zip or a type raises
        raise ExportError(
            f"{path} is no .skops file ({error}); save the model with: {_HOW}"
        ) from None


def _probe(loaded: Loaded) -> tuple[Array, Array]:
    """W and b of an affine function from its values at zero and at unit vectors."""
    p = loaded.features
    intercept = loaded.predict(np.zeros((1, p)))[0]
    rows = [
        loaded.predict(np.eye(min(_ROWS, p - first), p, first)) - intercept
        for first in range(0, p, _ROWS)
    ]
    return np.concatenate(rows), intercept


def _cross_validate(estimator: Any, x: Array, y: Array) -> Array:
    from sklearn.base import clone
    from sklearn.model_selection import KFold, cross_val_predict

    folds = KFold(min(_FOLDS, len(x)), shuffle=True, random_state=0)
    # Some estimators take one property as a vector only.
    given = y[:, 0] if y.shape[1] == 1 else y
    return as_columns(cross_val_predict(clone(estimator), x, given, cv=folds))
