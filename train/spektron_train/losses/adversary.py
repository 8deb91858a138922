"""Gradient reversal: what one head learns to tell, the features learn to hide."""

from __future__ import annotations

from typing import Any

import torch


class _Reverse(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, z: torch.Tensor, strength: float) -> torch.Tensor:
        ctx.strength = strength
        return z.view_as(z)

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor, None]:
        return -ctx.strength * gradient, None


def reverse_gradient(z: torch.Tensor, strength: float) -> torch.Tensor:
    """z unchanged; its gradient times -strength (Ganin et al., JMLR 17 (2016) 59)."""
    result: torch.Tensor = _Reverse.apply(z, strength)
    return result
