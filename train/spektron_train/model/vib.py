"""Variational information bottleneck head: a Gaussian posterior per latent.

Alemi et al., ICLR 2017. Inference uses the mean; training samples.
"""

from __future__ import annotations

import torch
from torch import nn

from .transformer import Projection


class GaussianHead(nn.Module):
    """(B, width) -> mean and log variance, (B, size) each."""

    def __init__(self, width: int, size: int) -> None:
        super().__init__()
        self.mean = Projection(width, size)
        self.logvar = Projection(width, size, 0.1)
        # Posteriors start narrow: noise as large as the signal would teach the latent to be silent.
        nn.init.constant_(self.logvar.bias, -4.0)

    def forward(self, pooled: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Parameters of the posterior."""
        return self.mean(pooled), self.logvar(pooled).clamp(-10.0, 4.0)


def sample(mean: torch.Tensor, logvar: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """One reparametrised draw."""
    noise = torch.randn(mean.shape, generator=generator, dtype=mean.dtype)
    return mean + noise * torch.exp(0.5 * logvar)
