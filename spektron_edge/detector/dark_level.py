"""Pixels behind a mask see no light: they tell how far the dark level has moved since the dark."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from spektron_edge.faults import Fault, Faults

Array = NDArray[np.float64]


def masked(pixels: int, dark_pixels: tuple[int, ...]) -> NDArray[np.bool_]:
    """(pixels,) which of them see no light.

    Raises Fault(AXIS_INVALID) for an index that the detector does not have, or where fewer than
    four pixels see light.
    """
    found = np.zeros(pixels, np.bool_)
    for index in dark_pixels:
        if not 0 <= index < pixels:
            told = f"masked pixel {index}; the detector has {pixels}, from 0 on"
            raise Fault(Faults.AXIS_INVALID, told)
        found[index] = True
    if pixels - np.count_nonzero(found) < 4:
        raise Fault(Faults.AXIS_INVALID, f"of {pixels} pixels fewer than four see light")
    return found


def level(counts: Array, mask: NDArray[np.bool_]) -> float:
    """Counts of the masked pixels, NaN where there are none: the mean of the middle half.

    Steadier than the median, and as deaf to a hot pixel.
    """
    found = np.sort(counts[mask])
    if found.size == 0:
        return float("nan")
    cut = found.size // 4
    return float(np.mean(found[cut : found.size - cut]))


def drift(now: float, then: float) -> float:
    """Counts by which the dark level has risen; 0 where either level is not known."""
    moved = now - then
    return moved if np.isfinite(moved) else 0.0
