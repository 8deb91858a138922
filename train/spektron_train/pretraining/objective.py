"""What pretraining asks of the encoder, term by term, on one episode."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from spektron_train.data.simulate.matter import CONSTITUENTS
from spektron_train.data.simulate.optics import TRUTH
from spektron_train.data.simulate.stream import Episode
from spektron_train.losses.adversary import reverse_gradient
from spektron_train.losses.agreement import instrument_agreement, view_agreement
from spektron_train.losses.bottleneck import annealed, kl_to_standard_normal
from spektron_train.losses.few_shot import few_shot_error
from spektron_train.losses.reconstruction import masked_error, span_mask
from spektron_train.losses.transport import sinkhorn_divergence
from spektron_train.model import Encoder, Latent
from spektron_train.model.transformer import Projection
from spektron_train.model.vib import sample


@dataclass(frozen=True)
class PretrainWeights:
    """Weight of each term; bottleneck, adversary, agreement and transport: at the end of a ramp."""

    composition: float = 1.0
    few_shot: float = 1.0
    agreement: float = 1.0
    transport: float = 0.3
    optics: float = 0.5
    instrument: float = 0.2
    adversary: float = 0.1
    reconstruction: float = 0.3
    bottleneck: float = 1e-2


@dataclass(frozen=True)
class EpisodeTensors:
    """An `Episode` in float32: x (v * n, L), view-major; composition (n, K); optics (v, T)."""

    x: torch.Tensor
    composition: torch.Tensor
    optics: torch.Tensor
    views: int
    first: int

    @classmethod
    def of(cls, episode: Episode, device: torch.device | str = "cpu") -> EpisodeTensors:
        """Copy to the device."""
        views, n, points = episode.spectra.shape

        def tensor(values: np.ndarray) -> torch.Tensor:
            return torch.from_numpy(np.ascontiguousarray(values)).float().to(device)

        return cls(
            x=tensor(episode.spectra.reshape(views * n, points)),
            composition=tensor(episode.composition),
            optics=tensor(episode.optics),
            views=views,
            first=episode.first,
        )


class PretrainModel(nn.Module):
    """The encoder with the heads that shape its latents; forward gives the weighted terms.

    A module of its own, so that distributed training sees one forward and one backward.
    """

    composition_centre: torch.Tensor
    composition_spread: torch.Tensor

    def __init__(self, encoder: Encoder, weights: PretrainWeights) -> None:
        super().__init__()
        c = encoder.config
        self.encoder, self.weights = encoder, weights
        self.composition = Projection(c.z_chem, len(CONSTITUENTS), 0.1)
        self.optics = nn.Sequential(Projection(c.z_inst, 64), nn.ReLU(), Projection(64, TRUTH, 0.1))
        self.adversary = nn.Sequential(
            Projection(c.z_chem, 64), nn.ReLU(), Projection(64, TRUTH, 0.1)
        )
        encoder.reconstruction.reset(0.1)
        self.log_ridge = nn.Parameter(torch.tensor([-2.0]))
        self.register_buffer("composition_centre", torch.zeros(len(CONSTITUENTS)))
        self.register_buffer("composition_spread", torch.ones(len(CONSTITUENTS)))

    def forward(
        self, episode: EpisodeTensors, progress: float, seed: tuple[int, ...]
    ) -> dict[str, torch.Tensor]:
        """Weighted terms at `progress` in [0, 1]; every draw comes from `seed`, whole numbers.

        The loss of an episode is their sum, that of a step the mean over its episodes.
        """
        generator = torch.Generator().manual_seed(_torch_seed(seed))
        encoder, x = self.encoder, episode.x
        latent = encoder.encode(x, encoder.theta, first=episode.first)
        hidden = self._hidden(episode, generator)
        # The terms are small, ill-conditioned sums: half precision would be noise in them.
        with torch.autocast(x.device.type, enabled=False):
            return {
                **self._terms(latent, episode, progress, generator),
                "reconstruction": self.weights.reconstruction * self._reconstruction(*hidden),
            }

    def _terms(
        self,
        latent: Latent,
        episode: EpisodeTensors,
        progress: float,
        generator: torch.Generator,
    ) -> dict[str, torch.Tensor]:
        w, views, n = self.weights, episode.views, len(episode.composition)
        z_chem = sample(latent.chem, latent.chem_logvar, generator)
        z_inst = sample(latent.inst, latent.inst_logvar, generator)
        target = (episode.composition - self.composition_centre) / self.composition_spread
        truth = episode.optics.repeat_interleave(n, dim=0)
        reversed_chem = reverse_gradient(z_chem, annealed(progress, w.adversary))
        divergence = kl_to_standard_normal(latent.chem, latent.chem_logvar) + kl_to_standard_normal(
            latent.inst, latent.inst_logvar
        )
        seen = latent.chem.reshape(views, n, -1)
        few_shot = few_shot_error(
            z_chem.reshape(views, n, -1), episode.composition, self.log_ridge, generator
        )
        composition = functional.smooth_l1_loss(self.composition(z_chem), target.repeat(views, 1))
        return {
            "composition": w.composition * composition,
            "few_shot": w.few_shot * few_shot,
            "agreement": annealed(progress, w.agreement) * view_agreement(latent.chem, views),
            "transport": annealed(progress, w.transport) * _between(seen[0], seen[1]),
            "optics": w.optics * functional.smooth_l1_loss(self.optics(z_inst), truth),
            "instrument": w.instrument * instrument_agreement(latent.inst, views),
            "adversary": functional.smooth_l1_loss(self.adversary(reversed_chem), truth),
            "bottleneck": annealed(progress, w.bottleneck) * divergence,
        }

    def _hidden(
        self, episode: EpisodeTensors, generator: torch.Generator
    ) -> tuple[torch.Tensor, EpisodeTensors, torch.Tensor]:
        """Tokens of masked spectra, with the episode and what was kept."""
        # Half a view: hiding is told from a spectrum alone, and a pass costs as much as its rows.
        x = episode.x[: len(episode.composition) // 2]
        keep = span_mask(len(x), x.shape[1], span=32, share=0.4, generator=generator).to(x.device)
        tokens = self.encoder.encode(x, self.encoder.theta, keep, episode.first).tokens
        return tokens, episode, keep

    def _reconstruction(
        self, tokens: torch.Tensor, episode: EpisodeTensors, keep: torch.Tensor
    ) -> torch.Tensor:
        x = episode.x[: len(tokens)]
        target = self.encoder.tokenizer.inputs(x, episode.first)[:, 0]
        predicted = self.encoder.reconstruction(tokens).flatten(1)[:, : x.shape[1]]
        return masked_error(predicted, target, keep)


def _torch_seed(seed: tuple[int, ...]) -> int:
    return int(np.random.SeedSequence(seed).generate_state(1)[0])


def _between(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """Sinkhorn divergence of two instruments' latents (n, d), per dimension.

    In the latent's own units, which the bottleneck holds near the prior's: dividing by the spread
    would give a latent that is still small gradients that drown every other term.
    """
    scale = x.shape[1] ** 0.5
    return sinkhorn_divergence(x / scale, y / scale, 0.1)
