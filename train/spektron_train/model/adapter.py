"""The input adapter: what may differ between two instruments, to first order.

x' = x + gain x + offset + slope u + curvature (u^2 - 1/3) + (shift + stretch u) dx/dlambda, with u
from -1 to 1 over the axis. Linear in its six parameters, and the identity when they are zero.
"""

from __future__ import annotations

import torch
from torch import nn

from .config import EncoderConfig
from .theta import ADAPTER


class InputAdapter(nn.Module):
    """(B, L) absorbance and (6,) parameters -> (B, L) absorbance.

    gain is relative; offset, slope and curvature are absorbance (slope and curvature as reached at
    the ends); shift and stretch move the axis in its own unit (stretch as reached at the ends).
    """

    baseline: torch.Tensor
    warp: torch.Tensor

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        self._step = config.step
        u = torch.linspace(-1.0, 1.0, config.points)
        self.register_buffer("baseline", torch.stack([torch.ones_like(u), u, u**2 - 1 / 3]))
        self.register_buffer("warp", torch.stack([torch.ones_like(u), u]))

    def derivative(self, x: torch.Tensor) -> torch.Tensor:
        """dx/dlambda per unit of the axis, (B, L): central differences, one-sided at the ends."""
        first = (x[:, 1:2] - x[:, 0:1]) * 2
        last = (x[:, -1:] - x[:, -2:-1]) * 2
        return torch.cat([first, x[:, 2:] - x[:, :-2], last], dim=1) / (2 * self._step)

    def forward(self, x: torch.Tensor, parameters: torch.Tensor) -> torch.Tensor:
        """Correct the spectra."""
        gain, baseline, warp = torch.split(parameters, [1, 3, len(ADAPTER) - 4])
        shifted = x + x * gain + baseline @ self.baseline
        return shifted + self.derivative(x) * (warp @ self.warp)
