"""The convolutional tokenizer: local peak structure becomes one token per few nm."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

from spektron_edge.spectra.preprocessing import FIRST_DERIVATIVE

from .config import EncoderConfig

INPUTS = 3


class Tokenizer(nn.Module):
    """(B, L) absorbance -> (B, tokens, width).

    Sees the standardised spectrum, its Savitzky-Golay derivative, and the derivative divided by its
    own root mean square, which no photometric scale changes. `centre` and `scales`, (3, L), are set
    from spectra of the kind the model is for.
    """

    kernel: torch.Tensor
    centre: torch.Tensor
    scales: torch.Tensor

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        kernel = torch.from_numpy(FIRST_DERIVATIVE).float()
        self.register_buffer("kernel", kernel.reshape(1, 1, -1))
        self.register_buffer("centre", torch.zeros(INPUTS, config.points))
        self.register_buffer("scales", torch.ones(INPUTS, config.points))
        sizes = [INPUTS, *config.channels, config.width]
        self.convolutions = nn.ModuleList(
            nn.Conv1d(sizes[i], sizes[i + 1], kernel, stride=stride, padding=kernel // 2)
            for i, (kernel, stride) in enumerate(zip(config.kernels, config.strides, strict=True))
        )

    def raw(self, x: torch.Tensor) -> torch.Tensor:
        """(B, L) -> (B, 3, L): spectrum, derivative per channel, derivative over its RMS."""
        half = self.kernel.shape[-1] // 2
        # The end values stand beyond the ends: zeros there would be a step.
        first, last = x[:, :1].expand(-1, half), x[:, -1:].expand(-1, half)
        padded = torch.cat([first, x, last], dim=1)[:, None, :]
        slope = functional.conv1d(padded, self.kernel)
        scale = torch.sqrt(slope.square().mean(dim=2, keepdim=True) + 1e-12)
        return torch.cat([x[:, None, :], slope, slope / scale], dim=1)

    def inputs(self, x: torch.Tensor, first: int = 0) -> torch.Tensor:
        """(B, L') -> (B, 3, L') standardised; channel `first` of the grid comes first in x."""
        window = slice(first, first + x.shape[1])
        return (self.raw(x) - self.centre[:, window]) * self.scales[:, window]

    def standardise(self, x: torch.Tensor) -> None:
        """Zero mean and unit variance at every channel of each input, over spectra (n, L)."""
        with torch.no_grad():
            channels = self.raw(x)
            self.centre.copy_(channels.mean(dim=0))
            self.scales.copy_(1 / channels.std(dim=0).clamp(min=1e-6))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Tokenise absorbance."""
        return self.tokens(self.inputs(x))

    def tokens(self, channels: torch.Tensor) -> torch.Tensor:
        """(B, 3, L) -> (B, tokens, width)."""
        last = len(self.convolutions) - 1
        for i, convolution in enumerate(self.convolutions):
            channels = convolution(channels)
            if i < last:
                channels = torch.relu(channels)
        return channels.transpose(1, 2)
