"""Pooling by position: a few learned windows over the physical axis, each with its own readout.

A plain mean forgets where on the axis a token was, and a calibration is little else than weights
that depend on where.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import nn

from .config import EncoderConfig
from .positional import axis_encoding


class PositionalPooling(nn.Module):
    """(B, T, width) tokens and their (T, width) positions -> (B, slots * slot_width).

    Each slot's weights over the tokens are a softmax of its query against the positions alone, so
    that on a fixed axis they are constants. Queries start at places spread over the axis.
    """

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        axis = config.token_axis()
        anchors = np.linspace(axis[0], axis[-1], config.slots)
        query = axis_encoding(anchors, config.unit, config.width)
        self.query = nn.Parameter(torch.from_numpy(query))
        self.log_sharpness = nn.Parameter(torch.tensor([math.log(0.5)]))
        value = torch.randn(config.slots, config.width, config.slot_width)
        self.value = nn.Parameter(value / math.sqrt(config.width))

    def forward(self, tokens: torch.Tensor, positions: torch.Tensor) -> torch.Tensor:
        """Pool."""
        scores = self.query @ positions.T * torch.exp(self.log_sharpness)
        slots = torch.softmax(scores, dim=-1) @ tokens
        return torch.einsum("bsw,swv->bsv", slots, self.value).flatten(1)
