"""The encoder: adapter -> (tokenizer -> Transformer -> VIB) and the linear path -> y, latents."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn

from .adapter import InputAdapter
from .config import EncoderConfig
from .linear_path import LinearPath
from .pooling import PositionalPooling
from .positional import axis_encoding
from .theta import ThetaLayout
from .tokenizer import Tokenizer
from .transformer import Block, Projection, transform
from .vib import GaussianHead


@dataclass(frozen=True)
class Latent:
    """Posteriors of both latents, (B, 128) and (B, 64), and what they are read from.

    pooled: (B, slots * slot_width), linear input of both; tokens: (B, T, width).
    """

    chem: torch.Tensor
    chem_logvar: torch.Tensor
    inst: torch.Tensor
    inst_logvar: torch.Tensor
    pooled: torch.Tensor
    tokens: torch.Tensor


class Encoder(nn.Module):
    """forward(x, theta) -> y, z_chem, z_inst.

    x (B, L) absorbance on the configured grid; theta (P,) as `layout` says, learned as
    `self.theta`. y = linear path + residual(z_chem) * residual_scale, with residual_scale (m,) the
    spread of the residual in the properties' units, 0 where it has no share.
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
        encoding = axis_encoding(config.token_axis(), config.unit, config.width)
        self.register_buffer("positions", torch.from_numpy(encoding))
        self.blocks = nn.ModuleList(Block(config) for _ in range(config.layers))
        self.pooling = PositionalPooling(config)
        pooled = config.slots * config.slot_width
        self.chem = GaussianHead(pooled, config.z_chem)
        self.inst = GaussianHead(pooled, config.z_inst)
        self.linear = LinearPath(config)
        self.residual = Projection(config.z_chem, config.properties, 0.1)
        # Not in `forward`: what pretraining and adaptation on the instrument rebuild spectra with.
        self.reconstruction = Projection(config.width, config.stride, 0.0)
        self.register_buffer("residual_scale", torch.zeros(config.properties))

    def _transform(
        self, tokens: torch.Tensor, norms: tuple[torch.Tensor, ...], first: int = 0
    ) -> torch.Tensor:
        """Tokens (B, T, width), the grid's token `first` first, through the Transformer."""
        placed = tokens + self.positions[first : first + tokens.shape[1]]
        return transform(self.blocks, placed, norms)

    def encode(
        self,
        x: torch.Tensor,
        theta: torch.Tensor,
        keep: torch.Tensor | None = None,
        first: int = 0,
    ) -> Latent:
        """Posteriors of the latents of x (B, L').

        keep (B, L'): 0 where the input is masked. first: the grid's channel that x begins with, a
        multiple of `config.stride`; x may end before the grid does.
        """
        adapter, *norms = self.layout.split(theta)
        # Half precision would round away what tells two samples of a product apart.
        with torch.autocast(x.device.type, enabled=False):
            corrected = self.adapter(x, adapter) if x.shape[1] == self.config.points else x
            channels = self.tokenizer.inputs(corrected, first)
            if keep is not None:
                channels = channels * keep[:, None, :]
            tokens = self.tokenizer.tokens(channels)
        tokens = self._transform(tokens, tuple(norms), first // self.config.stride)
        with torch.autocast(x.device.type, enabled=False):
            tokens = tokens.float()
            position = first // self.config.stride
            pooled = self.pooling(tokens, self.positions[position : position + tokens.shape[1]])
            return Latent(*self.chem(pooled), *self.inst(pooled), pooled, tokens)

    def corrected_inputs(self, x: torch.Tensor, theta: torch.Tensor) -> torch.Tensor:
        """(B, L) -> (B, 3, L): what the tokenizer sees of x, standardised, nothing masked."""
        return self.tokenizer.inputs(self.adapter(x, self.layout.split(theta)[0]))

    def forward(
        self, x: torch.Tensor, theta: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Predict: y (B, m), z_chem (B, 128), z_inst (B, 64)."""
        adapter, *norms = self.layout.split(theta)
        corrected = self.adapter(x, adapter)
        tokens = self._transform(self.tokenizer(corrected), tuple(norms))
        pooled = self.pooling(tokens, self.positions)
        z_chem, z_inst = self.chem.mean(pooled), self.inst.mean(pooled)
        y = self.linear(corrected) + self.residual(z_chem) * self.residual_scale
        return y, z_chem, z_inst

    @property
    def parameter_count(self) -> int:
        """Learned scalars, theta included."""
        return sum(p.numel() for p in self.parameters())
