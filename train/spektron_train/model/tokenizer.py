"""The convolutional tokenizer: local peak structure becomes one token per few nm."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

from spektron_edge.preprocessing import FIRST_DERIVATIVE

from .config import EncoderConfig


class Tokenizer(nn.Module):
    """(B, L) absorbance -> (B, tokens, width).

    Sees the standardised spectrum and its Savitzky-Golay derivative; `centre` (L,) and `scales`
    (2, L) are set from the training spectra.
    """

    kernel: torch.Tensor
    centre: torch.Tensor
    scales: torch.Tensor

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        kernel = torch.from_numpy(FIRST_DERIVATIVE).float()
        self.register_buffer("kernel", kernel.reshape(1, 1, -1))
        self.register_buffer("centre", torch.zeros(config.points))
        self.register_buffer("scales", torch.ones(2, config.points))
        sizes = [2, *config.channels, config.width]
        self.convolutions = nn.ModuleList(
            nn.Conv1d(sizes[i], sizes[i + 1], kernel, stride=stride, padding=kernel // 2)
            for i, (kernel, stride) in enumerate(zip(config.kernels, config.strides, strict=True))
        )

    def inputs(self, x: torch.Tensor) -> torch.Tensor:
        """(B, L) -> (B, 2, L): standardised spectrum and derivative."""
        centred = (x - self.centre)[:, None, :]
        slope = functional.conv1d(centred, self.kernel, padding=self.kernel.shape[-1] // 2)
        return torch.cat([centred, slope], dim=1) * self.scales

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Tokenise absorbance."""
        return self.tokens(self.inputs(x))

    def tokens(self, channels: torch.Tensor) -> torch.Tensor:
        """(B, 2, L) -> (B, tokens, width)."""
        last = len(self.convolutions) - 1
        for i, convolution in enumerate(self.convolutions):
            channels = convolution(channels)
            if i < last:
                channels = torch.relu(channels)
        return channels.transpose(1, 2)
