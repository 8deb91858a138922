"""The information bottleneck: divergence of the posterior from a standard normal."""

from __future__ import annotations

import torch


def kl_to_standard_normal(mean: torch.Tensor, logvar: torch.Tensor) -> torch.Tensor:
    """Mean over (B, d) of KL(N(mean, exp(logvar)) || N(0, 1)), in nats per dimension."""
    return 0.5 * (mean**2 + logvar.exp() - logvar - 1).mean()


def annealed(progress: float, final: float, ramp: float = 0.5) -> float:
    """Weight that rises linearly from 0 to `final` over the first `ramp` of training.

    A bottleneck at full weight from the start collapses the latent (Bowman et al., CoNLL 2016).
    """
    return final * min(1.0, progress / ramp)
