"""The linear path: ridge on the derivative spectrum, folded into one product with absorbance.

Filtering and regression are both linear, so y = y_mean + (x - x_mean) W with W = K^T b, where K is
the filter as a matrix. Centring first keeps float32 from losing digits. Not quantised.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from .config import EncoderConfig

Array = NDArray[np.float64]


def unfilter(coefficients: Array, kernel: Array) -> Array:
    """(L - w + 1, m) on the filtered axis -> (L, m) on the absorbance axis."""
    return np.stack([np.convolve(c, kernel) for c in coefficients.T], axis=1)


class LinearPath(nn.Module):
    """(B, L) absorbance -> (B, m) in the properties' units. Buffers, fitted outside of SGD."""

    x_mean: torch.Tensor
    weight: torch.Tensor
    y_mean: torch.Tensor

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        self.register_buffer("x_mean", torch.zeros(config.points))
        self.register_buffer("weight", torch.zeros(config.points, config.properties))
        self.register_buffer("y_mean", torch.zeros(config.properties))

    def set(self, x_mean: Array, weight: Array, y_mean: Array) -> None:
        """Install a fitted regression: (L,), (L, m), (m,)."""
        for name, value in (("x_mean", x_mean), ("weight", weight), ("y_mean", y_mean)):
            getattr(self, name).copy_(torch.from_numpy(np.asarray(value)))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Predict."""
        return (x - self.x_mean) @ self.weight + self.y_mean
