"""The adaptable parameters: one flat float32 vector and where each of them lies in it.

It is an argument of `forward`, so an adapted instrument is another vector, not another graph.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

# Input adapter, in this order; all zero is the identity.
ADAPTER = ("gain", "offset", "slope", "curvature", "shift", "stretch")


@dataclass(frozen=True)
class ThetaLayout:
    """Names and sizes of the parts of theta, in order."""

    names: tuple[str, ...]
    sizes: tuple[int, ...]

    @classmethod
    def of(cls, width: int, layers: int) -> ThetaLayout:
        """The adapter, then gain and bias of each layer norm (two per layer, one at the end)."""
        norms = [f"block{i}.{n}" for i in range(layers) for n in ("attention", "feedforward")]
        parts = [f"{norm}.{p}" for norm in [*norms, "final"] for p in ("gain", "bias")]
        return cls(("adapter", *parts), (len(ADAPTER), *([width] * len(parts))))

    @property
    def size(self) -> int:
        """Length of theta."""
        return sum(self.sizes)

    def initial(self) -> NDArray[np.float32]:
        """(size,) with an identity adapter and plain layer norms."""
        values = [
            np.full(size, 1.0 if name.endswith(".gain") else 0.0, np.float32)
            for name, size in zip(self.names, self.sizes, strict=True)
        ]
        return np.concatenate(values)

    def split(self, theta: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """(size,) -> its parts. Raises ValueError for another length."""
        if theta.shape != (self.size,):
            raise ValueError(f"theta has shape {tuple(theta.shape)}, expected ({self.size},)")
        return torch.split(theta, list(self.sizes))
