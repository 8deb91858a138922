"""One sample seen by several instruments has one chemistry, one instrument one signature."""

from __future__ import annotations

import torch

# Below this variance a dimension carries nothing, and its ratio would be noise over noise.
_FLOOR = 1e-6


def view_agreement(z: torch.Tensor, views: int) -> torch.Tensor:
    """Share of a latent's spread that comes from the instrument and not from the sample.

    z (views * n, d), view-major: row v * n + i is sample i seen by instrument v. The mean over
    dimensions of a ratio within each: shrinking the latent does not lower it, and neither does one
    strong dimension among weak ones that tell the instruments apart.
    """
    per_view = z.reshape(views, -1, z.shape[-1])
    within = per_view.var(dim=0, unbiased=False).mean(dim=0)
    between = per_view.mean(dim=0).var(dim=0, unbiased=False)
    return (within / (within + between + _FLOOR)).mean()


def instrument_agreement(z: torch.Tensor, views: int) -> torch.Tensor:
    """The same with the roles exchanged: share of the spread that comes from the sample."""
    per_view = z.reshape(views, -1, z.shape[-1])
    within = per_view.var(dim=1, unbiased=False).mean(dim=0)
    between = per_view.mean(dim=1).var(dim=0, unbiased=False)
    return (within / (within + between + _FLOOR)).mean()
