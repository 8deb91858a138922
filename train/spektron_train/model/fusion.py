"""Several kinds of instrument on one sample, mid-infrared and Raman say: one latent for all.

Tokens of all modalities attend to each other (mid-level fusion; cf. Nagrani et al., Attention
Bottlenecks for Multimodal Fusion, NeurIPS 2021). Positions are wavenumbers, so a Raman shift and an
infrared band of the same vibration lie at the same place; a learned embedding tells them apart.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import nn

from .adapter import InputAdapter
from .config import EncoderConfig
from .encoder import Latent
from .pooling import PositionalPooling
from .positional import axis_encoding
from .theta import ADAPTER, ThetaLayout
from .tokenizer import Tokenizer
from .transformer import Block, transform
from .vib import GaussianHead

_SHARED = ("width", "hidden", "heads", "layers", "z_chem", "z_inst")


class Modality(nn.Module):
    """What belongs to one axis: adapter, tokenizer, positions, embedding and pooling.

    `absent` (pooled width,) stands in for the pooled tokens when there is no spectrum.
    """

    positions: torch.Tensor

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        self.config = config
        self.adapter = InputAdapter(config)
        self.tokenizer = Tokenizer(config)
        encoding = axis_encoding(config.token_axis(), config.unit, config.width)
        self.register_buffer("positions", torch.from_numpy(encoding))
        self.embedding = nn.Parameter(0.1 * torch.randn(config.width))
        self.pooling = PositionalPooling(config)
        self.absent = nn.Parameter(torch.zeros(config.slots * config.slot_width))

    def tokens(self, x: torch.Tensor, adapter: torch.Tensor) -> torch.Tensor:
        """(B, L) and the adapter's (6,) -> (B, T, width), placed on the axis."""
        return self.tokenizer(self.adapter(x, adapter)) + self.positions + self.embedding


class FusedEncoder(nn.Module):
    """forward({name: x or None}, theta) -> z_chem, z_inst.

    x (B, L) in absorbance or relative intensity on the grid of its modality. None, or no entry,
    means that the instrument is off: its tokens are left out. theta (P,): an adapter per modality,
    then the layer norms, as `layout` says. Modalities are kept in the order of their names, so the
    order of a mapping never matters. Raises ValueError for fewer than two modalities and for
    configurations that differ in what the Transformer and the latents need.
    """

    def __init__(self, configs: Mapping[str, EncoderConfig]) -> None:
        super().__init__()
        names = sorted(configs)
        if len(names) < 2:
            raise ValueError("fusion needs at least two modalities")
        first = configs[names[0]]
        for name in names[1:]:
            odd = [f for f in _SHARED if getattr(configs[name], f) != getattr(first, f)]
            if odd:
                raise ValueError(f"{names[0]} and {name} must have the same {', '.join(odd)}")
        self.modalities = nn.ModuleDict({name: Modality(configs[name]) for name in names})
        norms = ThetaLayout.of(first.width, first.layers)
        self.layout = ThetaLayout(
            (*(f"{name}.adapter" for name in names), *norms.names[1:]),
            (*(len(ADAPTER) for _ in names), *norms.sizes[1:]),
        )
        self.theta = nn.Parameter(torch.from_numpy(self.layout.initial()))
        self.blocks = nn.ModuleList(Block(first) for _ in range(first.layers))
        pooled = sum(c.slots * c.slot_width for c in configs.values())
        self.chem = GaussianHead(pooled, first.z_chem)
        self.inst = GaussianHead(pooled, first.z_inst)

    def encode(self, spectra: Mapping[str, torch.Tensor | None], theta: torch.Tensor) -> Latent:
        """Posteriors of both latents, and the tokens of all present modalities, by name.

        Raises ValueError as `forward`.
        """
        with torch.autocast(theta.device.type, enabled=False):
            parts, norms = self._tokens(spectra, theta)
        tokens = transform(self.blocks, torch.cat(list(parts.values()), dim=1), norms)
        # As in Encoder: only the products of the Transformer may be in half precision.
        with torch.autocast(theta.device.type, enabled=False):
            tokens = tokens.float()
            pooled = self._pool(tokens, {name: part.shape[1] for name, part in parts.items()})
            return Latent(*self.chem(pooled), *self.inst(pooled), pooled, tokens)

    def forward(
        self, spectra: Mapping[str, torch.Tensor | None], theta: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Means of the latents: z_chem (B, 128), z_inst (B, 64).

        Raises ValueError when no spectrum is given, for names and shapes that are not the model's,
        and when the numbers of rows differ.
        """
        parts, norms = self._tokens(spectra, theta)
        tokens = transform(self.blocks, torch.cat(list(parts.values()), dim=1), norms)
        pooled = self._pool(tokens, {name: part.shape[1] for name, part in parts.items()})
        return self.chem.mean(pooled), self.inst.mean(pooled)

    def _tokens(
        self, spectra: Mapping[str, torch.Tensor | None], theta: torch.Tensor
    ) -> tuple[dict[str, torch.Tensor], tuple[torch.Tensor, ...]]:
        """Tokens (B, T, width) of each present modality, by name, and the layer norms."""
        names = list(self.modalities)
        given = {name: x for name, x in spectra.items() if x is not None}
        unknown = sorted(set(spectra) - set(names))
        if unknown or not given:
            raise ValueError(f"expected spectra of {', '.join(names)}, got {sorted(given)}")
        # Compared one by one: an exporter can follow that with a free number of rows.
        first, *others = given.values()
        if any(x.shape[0] != first.shape[0] for x in others):
            raise ValueError("the modalities have different numbers of rows")
        parts = self.layout.split(theta)
        tokens = {}
        for name, adapter in zip(names, parts, strict=False):
            if name not in given:
                continue
            modality, x = self.modalities[name], given[name]
            if x.shape[1:] != (modality.config.points,):
                raise ValueError(f"{name} has shape {tuple(x.shape)}, not its grid's")
            tokens[name] = modality.tokens(x, adapter)
        return tokens, parts[len(names) :]

    def _pool(self, tokens: torch.Tensor, counts: Mapping[str, int]) -> torch.Tensor:
        """Tokens (B, T, width), `counts` of each present modality in turn -> (B, pooled width)."""
        split = dict(zip(counts, torch.split(tokens, list(counts.values()), dim=1), strict=True))
        pooled = [
            modality.pooling(split[name], modality.positions)
            if name in split
            else modality.absent.expand(tokens.shape[0], -1)
            for name, modality in self.modalities.items()
        ]
        return torch.cat(pooled, dim=1)
