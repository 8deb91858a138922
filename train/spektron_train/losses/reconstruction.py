"""Masked reconstruction: predict hidden stretches of the spectrum from what is left."""

from __future__ import annotations

import torch


def span_mask(
    batch: int, points: int, span: int, share: float, generator: torch.Generator
) -> torch.Tensor:
    """(B, L) of 1 where the input is kept and 0 in hidden spans of `span` channels."""
    spans = -(-points // span)
    keep = (torch.rand(batch, spans, generator=generator) >= share).float()
    return keep.repeat_interleave(span, dim=1)[:, :points]


def masked_error(predicted: torch.Tensor, target: torch.Tensor, keep: torch.Tensor) -> torch.Tensor:
    """Mean squared error over the hidden channels, all (B, L)."""
    hidden = 1 - keep
    return ((predicted - target) ** 2 * hidden).sum() / hidden.sum().clamp(min=1)
