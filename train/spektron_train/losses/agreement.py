"""One sample seen by several instruments has one chemistry."""

from __future__ import annotations

import torch


def view_agreement(z: torch.Tensor, views: int) -> torch.Tensor:
    """Spread between views relative to the spread between samples.

    z (views * n, d), view-major: row v * n + i is sample i seen by instrument v. The ratio cannot
    be lowered by shrinking the latent.
    """
    per_view = z.reshape(views, -1, z.shape[-1])
    within = per_view.var(dim=0, unbiased=False).mean()
    between = per_view.mean(dim=0).var(dim=0, unbiased=False).mean()
    return within / (within + between + 1e-6)
