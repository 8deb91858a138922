"""A calibration at two wavelengths from labelled target spectra alone, as filter photometers have.

Ten labels are too few for a calibration of hundreds of channels, but where a property follows two
absorbances almost exactly they are plenty, and no source is needed: two channels and an offset,
found among all pairs of channels by least squares (Norris, NIR news 3 (1992) 14, for calibrations
at few wavelengths found by trying). Whether it is so for a property, held-out labels say: channels
are looked for anew without each of them.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .alignment import AsMeasured
from .averaging import Average
from .filters import Filter
from .linear import LinearPredictor, Part
from .problem import Problem

Array = NDArray[np.float64]
# All pairs of so many channels are tried; of more, every other one or fewer.
_CHANNELS = 1000
# Channels whose squared correlation is this close to one are one channel.
_DISTINCT = 1e-5


def photometer(problem: Problem, trust: Array) -> Average:
    """Two channels a property; errors are of references left out, so the source's are in them."""
    n, m = problem.labels.shape
    channels = np.arange(0, problem.axis.size, -(-problem.axis.size // _CHANNELS))
    x, y = problem.pairs_target[:, channels], problem.labels
    used = np.isfinite(y).all(axis=1) & (trust > 0)
    target_error = np.full((n, m), np.nan)
    for i in np.flatnonzero(np.isfinite(y).all(axis=1)):
        others = used & (np.arange(n) != i)
        slopes, offset = two_channels(x[others], y[others])
        target_error[i] = y[i] - (x[i] @ slopes + offset)
    found, offset = two_channels(x[used], y[used])
    slopes = np.zeros((problem.axis.size, m))
    slopes[channels] = found
    part = Part(AsMeasured(), Filter("spectrum", 0, 1), slopes, offset)
    return Average(
        "two channels",
        LinearPredictor((part,), np.stack([np.ones(m), np.zeros(m)])),
        np.zeros((0, m)),
        np.zeros_like(problem.y),
        -target_error,
        target_error,
    )


def two_channels(x: Array, y: Array) -> tuple[Array, Array]:
    """Least squares of y (n, m) on the best two channels of x (n, p): slopes (p, m), offset (m,).

    A channel that does not vary is never chosen; slopes are zero where no two channels differ.
    """
    x_mean, y_mean = x.mean(axis=0), y.mean(axis=0)
    a, b = x - x_mean, y - y_mean
    length = np.sqrt(np.sum(a * a, axis=0))
    varies = length > 1e-12 * max(float(length.max()), 1e-300)
    a = a / np.where(varies, length, 1.0)
    cross = a.T @ a
    free = 1 - cross**2
    # A channel beside itself, or one that does not vary, can explain nothing.
    free[(free < _DISTINCT) | ~varies[:, None] | ~varies[None]] = np.inf
    slopes = np.zeros((x.shape[1], y.shape[1]))
    if not np.isfinite(free).any():
        return slopes, y_mean
    for j, along in enumerate((a.T @ b).T):
        square = along**2
        explained = np.multiply.outer(-2 * along, along)
        explained *= cross
        explained += square[:, None]
        explained += square
        explained /= free
        first, second = np.unravel_index(int(np.argmax(explained)), explained.shape)
        if first == second:  # nothing is explained: the references do not vary
            continue
        r = cross[first, second]
        slopes[first, j] = (along[first] - r * along[second]) / ((1 - r * r) * length[first])
        slopes[second, j] = (along[second] - r * along[first]) / ((1 - r * r) * length[second])
    return slopes, y_mean - x_mean @ slopes
