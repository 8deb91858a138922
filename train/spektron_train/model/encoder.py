"""The encoder: adapter -> (tokenizer -> Transformer -> VIB) and the linear path -> y, latents."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn

from .adapter import InputAdapter
from .config import EncoderConfig
from .linear_path import LinearPath
from .positional import wavelength_encoding
from .theta import ThetaLayout
from .tokenizer import Tokenizer
from .transformer import Block, Projection, layer_norm
from .vib import GaussianHead


@dataclass(frozen=True)
class Latent:
    """Posteriors of both latents, (B, 128) and (B, 64), and the tokens (B, T, width)."""

    chem: torch.Tensor
    chem_logvar: torch.Tensor
    inst: torch.Tensor
    inst_logvar: torch.Tensor
    tokens: torch.Tensor


class Encoder(nn.Module):
    """forward(x, theta) -> y, z_chem, z_inst.

    x (B, L) absorbance on the configured grid; theta (P,) as `layout` says, learned as
    `self.theta`. y = linear path + residual(z_chem) * residual_scale, with residual_scale (m,) =
    unit of the residual times its shrinkage in [0, 1].
    """

    positions: torch.Tensor
    residual_scale: torch.Tensor

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        self.config = config
        self.layout = ThetaLayout.of(config.width, config.layers)
        self.theta = nn.Parameter(torch.from_numpy(self.layout.initial()))
        self.adapter = InputAdapter(config)
        self.tokenizer = Tokenizer(config)
        encoding = wavelength_encoding(config.token_axis(), config.width)
        self.register_buffer("positions", torch.from_numpy(encoding))
        self.blocks = nn.ModuleList(Block(config) for _ in range(config.layers))
        self.chem = GaussianHead(config.width, config.z_chem)
        self.inst = GaussianHead(config.width, config.z_inst)
        self.linear = LinearPath(config)
        self.residual = Projection(config.z_chem, config.properties, 0.1)
        self.register_buffer("residual_scale", torch.zeros(config.properties))

    def _transform(self, tokens: torch.Tensor, norms: tuple[torch.Tensor, ...]) -> torch.Tensor:
        """Tokens (B, T, width) through the Transformer."""
        x = tokens + self.positions
        for i, block in enumerate(self.blocks):
            x = block(x, norms[4 * i : 4 * i + 4])
        return layer_norm(x, norms[-2], norms[-1])

    def encode(
        self, x: torch.Tensor, theta: torch.Tensor, keep: torch.Tensor | None = None
    ) -> Latent:
        """Posteriors of the latents; `keep` (B, L), 0 where the input is masked."""
        adapter, *norms = self.layout.split(theta)
        channels = self.tokenizer.inputs(self.adapter(x, adapter))
        if keep is not None:
            channels = channels * keep[:, None, :]
        tokens = self._transform(self.tokenizer.tokens(channels), tuple(norms))
        pooled = tokens.mean(dim=1)
        return Latent(*self.chem(pooled), *self.inst(pooled), tokens)

    def forward(
        self, x: torch.Tensor, theta: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Predict: y (B, m), z_chem (B, 128), z_inst (B, 64)."""
        adapter, *norms = self.layout.split(theta)
        corrected = self.adapter(x, adapter)
        pooled = self._transform(self.tokenizer(corrected), tuple(norms)).mean(dim=1)
        z_chem, z_inst = self.chem.mean(pooled), self.inst.mean(pooled)
        y = self.linear(corrected) + self.residual(z_chem) * self.residual_scale
        return y, z_chem, z_inst

    @property
    def parameter_count(self) -> int:
        """Learned scalars, theta included."""
        return sum(p.numel() for p in self.parameters())
