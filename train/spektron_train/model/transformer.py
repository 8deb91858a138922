"""Pre-LN Transformer blocks with explicit matrix products.

Fused attention has no ONNX form for its backward pass, and only products with constant weights are
quantised, so both kinds stay visible. Xiong et al., ICML 2020 (pre-LN).
"""

from __future__ import annotations

import math
from collections.abc import Iterable

import torch
from torch import nn
from torch.nn import functional

from .config import EncoderConfig


class Projection(nn.Module):
    """x @ weight + bias; weight (inputs, outputs). A MatMul with a constant, as ONNX sees it."""

    def __init__(self, inputs: int, outputs: int, scale: float = 1.0) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(inputs, outputs))
        self.bias = nn.Parameter(torch.zeros(outputs))
        if scale:
            self.reset(scale)

    def reset(self, scale: float) -> None:
        """New random weights; their products with unit inputs have a spread of `scale`."""
        with torch.no_grad():
            inputs = self.weight.shape[0]
            self.weight.copy_(torch.randn(self.weight.shape) * scale / math.sqrt(inputs))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(..., inputs) -> (..., outputs)."""
        return x @ self.weight + self.bias


def layer_norm(x: torch.Tensor, gain: torch.Tensor, bias: torch.Tensor) -> torch.Tensor:
    """Layer norm over the last axis with gain and bias from theta."""
    return functional.layer_norm(x, (x.shape[-1],), gain, bias)


class Block(nn.Module):
    """Attention and feed-forward, each behind a layer norm whose gain and bias come from theta."""

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        self._heads = config.heads
        self._size = config.width // config.heads
        # Residual branches start small, so that depth does not scale the stream.
        small = 1 / math.sqrt(2 * config.layers)
        self.qkv = Projection(config.width, 3 * config.width)
        self.out = Projection(config.width, config.width, small)
        self.expand = Projection(config.width, config.hidden, math.sqrt(2))
        self.contract = Projection(config.hidden, config.width, small)

    def attend(self, x: torch.Tensor) -> torch.Tensor:
        """(B, T, width) -> (B, T, width)."""
        tokens, width = x.shape[1], x.shape[2]
        qkv = self.qkv(x).reshape(-1, tokens, 3, self._heads, self._size).permute(2, 0, 3, 1, 4)
        query, key, value = qkv.unbind(0)
        weights = torch.softmax((query @ key.transpose(-1, -2)) / math.sqrt(self._size), dim=-1)
        return self.out((weights @ value).permute(0, 2, 1, 3).reshape(-1, tokens, width))

    def forward(self, x: torch.Tensor, norms: tuple[torch.Tensor, ...]) -> torch.Tensor:
        """(B, T, width) with (gain, bias, gain, bias) -> (B, T, width)."""
        x = x + self.attend(layer_norm(x, norms[0], norms[1]))
        return x + self.contract(torch.relu(self.expand(layer_norm(x, norms[2], norms[3]))))


def transform(
    blocks: Iterable[nn.Module], tokens: torch.Tensor, norms: tuple[torch.Tensor, ...]
) -> torch.Tensor:
    """Tokens (B, T, width) through the blocks and the last layer norm.

    norms: four per block and two at the end, in the order of `ThetaLayout`.
    """
    for i, block in enumerate(blocks):
        tokens = block(tokens, norms[4 * i : 4 * i + 4])
    return layer_norm(tokens, norms[-2], norms[-1])
