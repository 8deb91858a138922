"""Few-shot error: how well ridge on the latent, fitted on a few samples, predicts the others.

A ridge regression inside the loss is differentiable in closed form (Bertinetto et al., ICLR 2019);
what it rewards is the use the latent is made for: calibration from a handful of references.
"""

from __future__ import annotations

import torch
from torch.nn import functional

FEWEST, MOST = 5, 20


def few_shot_error(
    z: torch.Tensor, targets: torch.Tensor, log_ridge: torch.Tensor, generator: torch.Generator
) -> torch.Tensor:
    """Error of the samples not fitted, in units of the targets' spread within the episode.

    z (v, n, d), targets (n, k). Ridge is fitted on view 0 of 5 to 20 samples and predicts the rest
    in every view; its penalty is exp(log_ridge) times the mean squared norm of the fitted latents.
    """
    views, n, _ = z.shape
    count = int(torch.randint(FEWEST, min(MOST, n // 2) + 1, (1,), generator=generator))
    order = torch.randperm(n, generator=generator).to(z.device)
    fitted, rest = order[:count], order[count:]
    spread = targets.std(dim=0)
    varied = (spread > 1e-3).float()
    y = (targets - targets[fitted].mean(dim=0)) / spread.clamp(min=1e-3)
    z = z.float()
    mean = z[0, fitted].mean(dim=0)
    support = z[0, fitted] - mean
    gram = support @ support.T
    penalty = torch.exp(log_ridge) * gram.diagonal().mean() + 1e-9
    system = gram + penalty * torch.eye(count, device=z.device)
    weights = support.T @ torch.linalg.solve(system, y[fitted])
    predicted = (z[:, rest] - mean) @ weights
    error = functional.smooth_l1_loss(predicted, y[rest].expand(views, -1, -1), reduction="none")
    return (error.mean(dim=(0, 1)) * varied).sum() / varied.sum().clamp(min=1.0)
