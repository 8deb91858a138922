"""Low-rank adaptation: an instrument as a small change of the Transformer's products.

Hu et al., LoRA: Low-Rank Adaptation of Large Language Models, ICLR 2022. Host only: the factors
hang on the encoder as hooks, so that its own names and weights stay as they are, and `merge` folds
them into the weights before an export.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.utils.hooks import RemovableHandle

from .encoder import Encoder
from .transformer import Projection

TARGETS = ("qkv", "out", "expand", "contract")


class LoraAdapters(nn.Module):
    """Factors of every adapted projection, W + alpha / rank * down @ up, and an offset of y.

    Projection `sites[i]`, such as "block0.qkv", has `down[i]` (inputs, rank) and `up[i]` (rank,
    outputs); offset (m,) in the properties' units. Made by `add_lora`, active until `merge` or
    `remove`. Raises ValueError for a rank below 1 and for targets that a block does not have.
    """

    def __init__(
        self, encoder: Encoder, rank: int, alpha: float, seed: int, targets: Sequence[str]
    ) -> None:
        super().__init__()
        if rank < 1:
            raise ValueError(f"the rank is {rank}, it must be at least 1")
        if not targets or not set(targets) <= set(TARGETS):
            raise ValueError(f"targets {list(targets)} are not among {', '.join(TARGETS)}")
        self.rank, self.alpha = rank, float(alpha)
        chosen = [name for name in TARGETS if name in targets]
        # In a tuple, so that the base does not become part of this module.
        self._projections: tuple[Projection, ...] = tuple(
            getattr(block, name) for block in encoder.blocks for name in chosen
        )
        self.sites = tuple(f"block{i}.{n}" for i in range(len(encoder.blocks)) for n in chosen)
        self._linear = (encoder.linear,)
        generator = torch.Generator().manual_seed(seed)
        self.down, self.up = nn.ParameterList(), nn.ParameterList()
        for projection in self._projections:
            inputs, outputs = projection.weight.shape
            down = torch.randn(inputs, rank, generator=generator) / math.sqrt(inputs)
            self.down.append(nn.Parameter(down))
            self.up.append(nn.Parameter(torch.zeros(rank, outputs)))
        self.offset = nn.Parameter(torch.zeros(encoder.config.properties))
        self.to(encoder.theta.device)
        self._thawed = [p for p in encoder.parameters() if p.requires_grad]
        for parameter in self._thawed:
            parameter.requires_grad_(False)
        self._handles: list[RemovableHandle] = [
            projection.register_forward_hook(self._hook(i))
            for i, projection in enumerate(self._projections)
        ]
        self._handles.append(
            encoder.linear.register_forward_hook(lambda _module, _inputs, y: y + self.offset)
        )

    def _hook(self, index: int) -> Callable[..., torch.Tensor]:
        def add(
            _module: nn.Module, inputs: tuple[torch.Tensor, ...], output: torch.Tensor
        ) -> torch.Tensor:
            low = inputs[0] @ self.down[index]
            return output + (low @ self.up[index]) * (self.alpha / self.rank)

        return add

    def merge(self) -> None:
        """Fold into the base weights and detach; the encoder's graph has its usual form again.

        Raises RuntimeError when already merged or removed.
        """
        self._require_active()
        with torch.no_grad():
            for projection, down, up in zip(self._projections, self.down, self.up, strict=True):
                projection.weight += (self.alpha / self.rank) * (down @ up)
            self._linear[0].y_mean += self.offset
        self.remove()

    def remove(self) -> None:
        """Detach; the encoder is as it was before `add_lora`. Raises RuntimeError as `merge`."""
        self._require_active()
        for handle in self._handles:
            handle.remove()
        self._handles.clear()
        for parameter in self._thawed:
            parameter.requires_grad_(True)

    def _require_active(self) -> None:
        if not self._handles:
            raise RuntimeError("these adapters are no longer on an encoder")

    def state(self) -> dict[str, NDArray[Any]]:
        """Copies of all there is to keep: "block0.qkv.down", "block0.qkv.up", offset, alpha, ..."""
        state = {name: p.detach().cpu().numpy().copy() for name, p in self._named().items()}
        return {**state, "alpha": np.array(self.alpha)}

    def load(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Take over a `state`. Raises ValueError when names or shapes are not this model's."""
        own = self._named()
        shapes = {name: tuple(p.shape) for name, p in own.items()} | {"alpha": ()}
        given = {name: np.shape(value) for name, value in arrays.items()}
        if given != shapes:
            odd = sorted(n for n in given.keys() | shapes.keys() if given.get(n) != shapes.get(n))
            raise ValueError(f"the adapter does not fit this encoder: {', '.join(odd)}")
        with torch.no_grad():
            for name, parameter in own.items():
                parameter.copy_(torch.from_numpy(np.array(arrays[name], np.float32)))
        self.alpha = float(arrays["alpha"])

    def _named(self) -> dict[str, nn.Parameter]:
        named = {f"{site}.down": p for site, p in zip(self.sites, self.down, strict=True)}
        named |= {f"{site}.up": p for site, p in zip(self.sites, self.up, strict=True)}
        return {**named, "offset": self.offset}


def add_lora(
    encoder: Encoder, rank: int, alpha: float, seed: int, targets: Sequence[str] = TARGETS
) -> LoraAdapters:
    """Freeze the encoder and put adapters on the projections named `targets` of every block.

    Without effect at first, since `up` is zero. Errors as `LoraAdapters`.
    """
    return LoraAdapters(encoder, rank, alpha, seed, targets)
