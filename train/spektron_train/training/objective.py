"""The objective of supervised training, term by term."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn
from torch.nn import functional

from spektron_train.losses.agreement import view_agreement
from spektron_train.losses.bottleneck import annealed, kl_to_standard_normal
from spektron_train.losses.reconstruction import masked_error, span_mask
from spektron_train.model import Encoder
from spektron_train.model.transformer import Projection
from spektron_train.model.vib import sample


@dataclass(frozen=True)
class Weights:
    """Weight of each term; `bottleneck` is the final value of the annealed beta."""

    residual: float = 1.0
    regression: float = 1.0
    instrument: float = 0.3
    agreement: float = 0.3
    reconstruction: float = 0.3
    bottleneck: float = 3e-2


@dataclass(frozen=True)
class Batch:
    """Spectra (views * n, L), view-major; the first view is the source instrument.

    targets (n, m) standardised references; residuals (n, m) standardised out-of-fold residuals of
    the linear path on the source instrument.
    """

    x: torch.Tensor
    targets: torch.Tensor
    residuals: torch.Tensor
    views: int


class AuxiliaryHeads(nn.Module):
    """Heads that shape the latents in training and are then dropped."""

    def __init__(self, encoder: Encoder, views: int) -> None:
        super().__init__()
        c = encoder.config
        stride = -(-c.points // len(c.token_axis()))
        self.regression = Projection(c.z_chem, c.properties, 0.1)
        self.instrument = Projection(c.z_inst, views, 0.1)
        self.reconstruction = Projection(c.width, stride, 0.1)
        self._points = c.points

    def spectrum(self, tokens: torch.Tensor) -> torch.Tensor:
        """(B, T, width) -> (B, L) standardised spectrum."""
        spectrum: torch.Tensor = self.reconstruction(tokens).flatten(1)[:, : self._points]
        return spectrum


class Objective:
    """Loss of one batch: masked reconstruction and everything on the latents, in one pass each."""

    def __init__(
        self, encoder: Encoder, heads: AuxiliaryHeads, weights: Weights, generator: torch.Generator
    ) -> None:
        self._encoder, self._heads = encoder, heads
        self._weights, self._generator = weights, generator

    def terms(self, batch: Batch, progress: float) -> dict[str, torch.Tensor]:
        """Weighted terms at `progress` in [0, 1] through training; the loss is their sum."""
        w, n = self._weights, len(batch.targets)
        latent = self._encoder.encode(batch.x, self._encoder.theta)
        z_chem = sample(latent.chem, latent.chem_logvar, self._generator)
        z_inst = sample(latent.inst, latent.inst_logvar, self._generator)
        labels = torch.arange(batch.views).repeat_interleave(n)
        divergence = kl_to_standard_normal(latent.chem, latent.chem_logvar) + kl_to_standard_normal(
            latent.inst, latent.inst_logvar
        )
        return {
            # Smooth L1: one odd sample of fifty must not steer the residual.
            "residual": w.residual
            * functional.smooth_l1_loss(self._encoder.residual(z_chem[:n]), batch.residuals),
            "regression": w.regression
            * functional.mse_loss(
                self._heads.regression(z_chem), batch.targets.repeat(batch.views, 1)
            ),
            "instrument": w.instrument
            * functional.cross_entropy(self._heads.instrument(z_inst), labels),
            "agreement": w.agreement * view_agreement(latent.chem, batch.views),
            "reconstruction": w.reconstruction * self._reconstruction(batch),
            "bottleneck": annealed(progress, w.bottleneck) * divergence,
        }

    def _reconstruction(self, batch: Batch) -> torch.Tensor:
        # One view per step, in turn by chance: a third of the cost.
        n = len(batch.targets)
        view = int(torch.randint(batch.views, (1,), generator=self._generator))
        x = batch.x[view * n : (view + 1) * n]
        keep = span_mask(n, x.shape[1], span=32, share=0.4, generator=self._generator)
        latent = self._encoder.encode(x, self._encoder.theta, keep)
        target = self._encoder.tokenizer.inputs(x)[:, 0]
        return masked_error(self._heads.spectrum(latent.tokens), target, keep)
