"""What boards/mps2_an385/optics.c must show, once more in numpy: so that every count is checked."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

PIXELS = 700
_BANDS = ((120, 30, 20000), (380, 55, 45000), (560, 40, 30000))


def sample_counts(number: int) -> NDArray[np.uint16]:
    """Counts of a scan of one exposure of 1000 us in position SAMPLE, without loaded samples."""
    pixel = np.arange(PIXELS, dtype=np.int64)
    loss = np.full(PIXELS, 65536, np.int64)
    for centre, width, height in _BANDS:
        share = height * (number % 4 + 1) // 4
        loss += share * width**2 // (width**2 + (pixel - centre) ** 2)
    passed = (2**32 - 1) // loss
    white = 52000 - (pixel - PIXELS // 2) ** 2 * 20000 // 122500
    level = 600 + 3 * (pixel % 7) + (white * passed >> 16)
    # C divides towards zero.
    return (level + np.trunc(_noise(number) / 16)).astype(np.uint16)


def _noise(number: int) -> NDArray[np.int64]:
    x = np.uint32(number * 0x9E3779B1 & 0xFFFFFFFF) ^ (
        np.arange(PIXELS, dtype=np.uint32) * np.uint32(0xC2B2AE3D)
    )
    x = (x ^ (x >> 15)) * np.uint32(0x2C1B3C6D)
    x = (x ^ (x >> 12)) * np.uint32(0x297A2D39)
    x ^= x >> 15
    return sum((x >> shift & 0xFF).astype(np.int64) for shift in (0, 8, 16, 24)) - 510
