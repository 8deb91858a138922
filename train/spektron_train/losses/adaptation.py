"""What an instrument minimises over theta when it adapts to spectra without references.

After Sun et al., ICML 2020 (training at test time by self-supervision) and Liu et al., NeurIPS
2021 (aligning the latent's moments with those of the source).
"""

from __future__ import annotations

import torch
from torch import nn

from spektron_train.model import Encoder

from .bottleneck import kl_to_standard_normal
from .reconstruction import masked_error

# Keeps the slope of the root finite where a batch has no variance.
_SMALLEST_VARIANCE = 1e-7


class AdaptationLoss(nn.Module):
    """forward(x, keep, theta, theta0, centre, spread, weights) -> loss (), terms (5,).

    x (B, L) absorbance; keep (B, L): 0 where a channel is hidden from the encoder, else 1; theta,
    theta0 (P,); centre, spread (128,): mean and standard deviation of the source's z_chem;
    weights (5,). loss = weights @ terms, and the terms are, as `spektron_edge` names them:

    - reconstruction: mean squared error of the hidden channels of the corrected spectrum, each in
      units of its spread over the spectra the encoder was standardised on;
    - bottleneck: divergence of both posteriors from the standard normal, in nats per dimension;
    - centre: mean over z_chem of the squared distance between the batch's mean and `centre`. In
      the latent's units, as in pretraining: in units of its spread, a dimension that hardly varies
      would be all rounding;
    - spread: the same of the standard deviation over the batch and `spread`; a batch of one has
      none and no gradient of it;
    - anchor: sum of the squares of theta - theta0.

    All but the first are of whole spectra, since a masked one has another latent. What is to be
    rebuilt is the corrected spectrum: the adapter shall bring spectra to where the encoder knows
    them, and the gradient goes through both sides.
    """

    def __init__(self, encoder: Encoder) -> None:
        super().__init__()
        self.encoder = encoder

    def forward(
        self,
        x: torch.Tensor,
        keep: torch.Tensor,
        theta: torch.Tensor,
        theta0: torch.Tensor,
        centre: torch.Tensor,
        spread: torch.Tensor,
        weights: torch.Tensor,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Loss and its terms."""
        # Masked and whole spectra as one batch: a single spectrum takes a tenth less time so.
        both = self.encoder.encode(
            torch.cat([x, x]), theta, torch.cat([keep, torch.ones_like(keep)])
        )
        target = self.encoder.corrected_inputs(x, theta)[:, 0]
        predicted = self.encoder.reconstruction(_half(both.tokens, 0)).flatten(1)
        divergence = kl_to_standard_normal(_half(both.chem, 1), _half(both.chem_logvar, 1))
        divergence = divergence + kl_to_standard_normal(
            _half(both.inst, 1), _half(both.inst_logvar, 1)
        )
        terms = torch.stack(
            [
                masked_error(predicted[:, : x.shape[1]], target, keep),
                divergence,
                *_moment_errors(_half(both.chem, 1), centre, spread),
                ((theta - theta0) ** 2).sum(),
            ]
        )
        return (weights * terms).sum(), terms


def _half(rows: torch.Tensor, which: int) -> torch.Tensor:
    """(2 B, ...) -> (B, ...): the masked ones (0) or the whole ones (1)."""
    return rows.unflatten(0, (2, -1))[which]


def _moment_errors(
    latent: torch.Tensor, centre: torch.Tensor, spread: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """(B, d), (d,), (d,) -> (), (): of the mean and of the standard deviation over the batch."""
    mean = latent.mean(dim=0)
    # Counted in the graph, where the number of rows is free.
    degrees = (torch.ones_like(latent[:, 0]).sum() - 1).clamp(min=1)
    variance = ((latent - mean) ** 2).sum(dim=0) / degrees
    deviation = torch.sqrt(variance + _SMALLEST_VARIANCE)
    return ((mean - centre) ** 2).mean(), ((deviation - spread) ** 2).mean()
