"""A linear model however it was written down: y = x W + b."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
# Predictions of the model refitted without the rows that it predicts: features, references -> y.
CrossValidate = Callable[[Array, Array], Array]


@dataclass(frozen=True, eq=False)
class LinearModel:
    """weights: (p, m) on the features that the model takes; intercept: (m,).

    what: how it is called in messages; names: of the m outputs, where they are known; axis_nm: (p,)
    where it is known; predict: the laboratory's own (n, p) -> (n, m), the oracle; cross_validate:
    None where the model cannot be fitted again; sha256: of its file.
    """

    what: str
    weights: Array
    intercept: Array
    names: tuple[str, ...] | None
    units: tuple[str, ...] | None
    axis_nm: Array | None
    predict: Callable[[Array], Array]
    cross_validate: CrossValidate | None
    sha256: str
    versions: dict[str, str]


def as_columns(y: Array) -> Array:
    """(n,) or (n, m) -> (n, m)."""
    y = np.asarray(y, np.float64)
    return y[:, None] if y.ndim == 1 else y
