"""Local cubic interpolation with numpy alone."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def local_cubic(axis: Array, rows: Array, at: Array) -> Array:
    """Return `rows` (n, L), given on the increasing `axis` (L,), at the points `at` (m,): (n, m).

    The cubic through the four nearest nodes (two on each side where there are two); exact for
    cubics. Outside the axis its edge values hold. Raises ValueError on fewer than four nodes or an
    axis that does not increase.
    """
    rows = np.atleast_2d(np.asarray(rows, dtype=np.float64))
    axis = np.asarray(axis, dtype=np.float64)
    if axis.size < 4 or rows.shape[1] != axis.size:
        raise ValueError(f"need 4 or more nodes and rows of that length, got {rows.shape}")
    if not np.all(np.diff(axis) > 0):
        raise ValueError("the axis must increase")
    x = np.clip(np.asarray(at, dtype=np.float64), axis[0], axis[-1])
    first = np.clip(np.searchsorted(axis, x, side="right") - 2, 0, axis.size - 4)
    index = first[:, None] + np.arange(4)
    nodes = axis[index]
    out = np.zeros((rows.shape[0], x.size))
    for j in range(4):
        others = [k for k in range(4) if k != j]
        offsets = x[:, None] - nodes[:, others]
        weight = np.prod(offsets / (nodes[:, [j]] - nodes[:, others]), axis=1)
        out += weight * rows[:, index[:, j]]
    return out
