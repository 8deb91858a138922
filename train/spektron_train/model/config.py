"""Everything that fixes the encoder's shapes."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class EncoderConfig:
    """Grid (in `unit`), outputs, and sizes. The defaults have 2.6 M parameters and 44 tokens."""

    start: float = 1100.0
    step: float = 2.0
    points: int = 700
    unit: Literal["nm", "cm-1"] = "nm"
    properties: int = 4
    width: int = 256
    hidden: int = 1024
    heads: int = 4
    layers: int = 3
    channels: tuple[int, int] = (48, 96)
    kernels: tuple[int, int, int] = (9, 5, 5)
    strides: tuple[int, int, int] = (4, 2, 2)
    slots: int = 16
    slot_width: int = 32
    z_chem: int = 128
    z_inst: int = 64

    def __post_init__(self) -> None:
        if self.width % self.heads or self.width % 2:
            raise ValueError("width must be even and divisible by the number of heads")
        if any(kernel % 2 == 0 for kernel in self.kernels):
            raise ValueError("the tokenizer's kernels must be odd")
        if min(self.points, self.properties, self.layers, self.z_chem, self.z_inst) < 1:
            raise ValueError("points, properties, layers and latents must be at least 1")
        if self.unit not in ("nm", "cm-1"):
            raise ValueError("the axis unit is nm or cm-1")

    def axis(self) -> NDArray[np.float64]:
        """(points,) positions of the channels in `unit`."""
        return self.start + self.step * np.arange(self.points, dtype=np.float64)

    def token_axis(self) -> NDArray[np.float64]:
        """(tokens,) position of the centre of each token's receptive field, in `unit`.

        Kernels are odd and padded by half, so a stride keeps every s-th centre.
        """
        axis = self.axis()
        for stride in self.strides:
            axis = axis[::stride]
        return axis

    @property
    def stride(self) -> int:
        """Channels per token."""
        return math.prod(self.strides)

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> EncoderConfig:
        """Inverse of `to_json`. Raises ValueError for unknown or unusable values."""
        plain = {k: tuple(v) if isinstance(v, list) else v for k, v in values.items()}
        try:
            return cls(**plain)
        except TypeError as error:
            raise ValueError(f"unusable encoder configuration: {error}") from None
