"""Savitzky-Golay filters as coefficients (scipy.signal costs 75 MB and a second to import)."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray


def savgol_kernel(window: int, order: int, derivative: int) -> NDArray[np.float64]:
    """Coefficients c such that sum(c * x[i-h:i+h+1]) is the filtered value or derivative at i.

    Least-squares fit of a polynomial of `order` over an odd `window` of samples; the derivative is
    per sample step. Savitzky and Golay, Anal. Chem. 36 (1964) 1627. Raises ValueError for an even
    window, or one too short for the order.
    """
    if window % 2 == 0 or window <= order or derivative > order:
        raise ValueError(
            f"window {window} must be odd and longer than the order {order} >= derivative"
        )
    half = window // 2
    powers = np.vander(np.arange(-half, half + 1, dtype=np.float64), order + 1, increasing=True)
    kernel: NDArray[np.float64] = np.linalg.pinv(powers)[derivative] * math.factorial(derivative)
    return kernel


# The derivative that linear path, tokenizer and applicability share.
FIRST_DERIVATIVE = savgol_kernel(15, 2, 1)


def correlate_valid(x: NDArray[np.float64], kernel: NDArray[np.float64]) -> NDArray[np.float64]:
    """Filter the last axis: (..., L) -> (..., L - w + 1); no padding is invented at the ends."""
    windows = np.lib.stride_tricks.sliding_window_view(x, kernel.size, axis=-1)
    return windows @ kernel
