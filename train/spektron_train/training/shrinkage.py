"""How much of the network's residual to believe, from samples it has not learned from."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def shrinkage(predicted: Array, residual: Array) -> Array:
    """Per property a factor in [0, 1], (m,), for predictions (n, m) of residuals (n, m).

    The least-squares factor less one standard error, so that a residual which cannot be told from
    chance on these samples counts for nothing.
    """
    power = np.sum(predicted**2, axis=0)
    safe = np.where(power > 0, power, 1.0)
    factor = np.sum(predicted * residual, axis=0) / safe
    left = residual - factor * predicted
    error = np.sqrt(np.sum(left**2, axis=0) / (max(len(residual) - 1, 1) * safe))
    return np.where(power > 0, np.clip(factor - error, 0.0, 1.0), 0.0)
