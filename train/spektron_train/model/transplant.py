"""An encoder on another axis: what was learned stays, what belongs to the axis is made anew."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch

from .encoder import Encoder

# Buffers per channel or per property, which another axis or product has to fill itself.
_OF_THE_PRODUCT = ("linear.", "residual")
# Where on the axis the model looks means nothing on the axis of another domain.
_OF_THE_DOMAIN = ("pooling.query", "pooling.log_sharpness")


def on_axis(encoder: Encoder, start: float, step: float, points: int, properties: int) -> Encoder:
    """A copy on another grid of the same unit and pitch, its product's part (y) empty.

    The inputs' standardisation is interpolated, so the grid must lie within the encoder's own.
    Raises ValueError when it does not, or when the pitch differs: convolutions count channels.
    """
    own = encoder.config
    grid = replace(own, start=start, step=step, points=points, properties=properties)
    axis, known = grid.axis(), own.axis()
    if step != own.step:
        raise ValueError(f"the encoder's pitch is {own.step:g} {own.unit}, not {step:g}")
    if axis[0] < known[0] - step / 2 or axis[-1] > known[-1] + step / 2:
        raise ValueError(
            f"{axis[0]:g} to {axis[-1]:g} {own.unit} is not within the encoder's "
            f"{known[0]:g} to {known[-1]:g}"
        )
    result = Encoder(grid)
    _carry(encoder, result, leave=_OF_THE_PRODUCT)
    for name in ("centre", "scales"):
        old, new = getattr(encoder.tokenizer, name), getattr(result.tokenizer, name)
        rows = [np.interp(axis, known, row) for row in old.double().numpy()]
        new.copy_(torch.from_numpy(np.stack(rows)))
    return result.eval()


def new_like(encoder: Encoder) -> Encoder:
    """A new encoder with the grid and standardisation of `encoder`, and nothing learned."""
    result = Encoder(encoder.config)
    result.tokenizer.centre.copy_(encoder.tokenizer.centre)
    result.tokenizer.scales.copy_(encoder.tokenizer.scales)
    return result.eval()


def across_domains(source: Encoder, like: Encoder) -> Encoder:
    """What `source`, of another domain, has learned, on the grid of `like`.

    Positions, pooling and standardisation are those of a new encoder there.
    """
    result = new_like(like)
    _carry(source, result, leave=(*_OF_THE_PRODUCT, *_OF_THE_DOMAIN))
    return result.eval()


def _carry(source: Encoder, target: Encoder, leave: tuple[str, ...]) -> None:
    own = target.state_dict()
    for name, value in source.state_dict().items():
        axis_bound = name in ("positions", "adapter.baseline", "adapter.warp") or name.startswith(
            ("tokenizer.centre", "tokenizer.scales")
        )
        if not axis_bound and not name.startswith(leave):
            own[name] = value
    target.load_state_dict(own)
