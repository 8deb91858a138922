"""What INT8 will make of the encoder, in torch, and weights that lose less by it.

The products of the Transformer's blocks are rounded as `spektron_export.quantise` does it:
symmetric, activations to 8 bits by the largest seen, weights to 7 bits by the largest of their
column, and what that shifts the latents by on average taken back.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import nn

from .encoder import Encoder
from .transformer import Projection

_ACTIVATIONS, _WEIGHTS = 127, 63
Inputs = tuple[torch.Tensor, ...]


@contextmanager
def rounded_as_int8(encoder: Encoder, x: torch.Tensor) -> Iterator[None]:
    """Inside, the encoder computes as its INT8 graph calibrated on spectra x (n, L) would.

    Jacob et al., CVPR 2018 (simulated quantisation); Nagel et al., ICCV 2019 (bias correction).
    """
    products = [m for m in encoder.blocks.modules() if isinstance(m, Projection)]
    largest = [seen.max() for seen in _largest_inputs(encoder, products, x)]
    heads = (encoder.chem.mean, encoder.inst.mean)
    touched = [*(product.weight for product in products), *(head.bias for head in heads)]
    before = [parameter.detach().clone() for parameter in touched]
    hooks = []
    with torch.no_grad():
        exact = encoder(x, encoder.theta)[1:]
        for product, most in zip(products, largest, strict=True):
            weight = product.weight
            weight.copy_(_round(weight, weight.abs().amax(dim=0), _WEIGHTS))
            hooks.append(product.register_forward_pre_hook(_rounding(most)))
        for head, was, now in zip(heads, exact, encoder(x, encoder.theta)[1:], strict=True):
            head.bias += (was - now).mean(dim=0)
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()
        with torch.no_grad():
            for parameter, value in zip(touched, before, strict=True):
                parameter.copy_(value)


def equalise(encoder: Encoder, x: torch.Tensor) -> None:
    """Scale hidden channels in place so that none is rounded by another's range; x (n, L).

    What a block's values and hidden units are divided by, the weights behind them are multiplied
    by: attention is linear in values and ReLU in positive scales, so nothing else changes. Half
    of the range goes to either side (Nagel et al., ICCV 2019; Xiao et al., ICML 2023).
    """
    blocks = list(encoder.blocks)
    behind = [product for block in blocks for product in (block.out, block.contract)]
    largest = iter(_largest_inputs(encoder, behind, x))
    with torch.no_grad():
        for block in blocks:
            width = block.out.weight.shape[0]
            _share(block.qkv, slice(2 * width, None), block.out, next(largest))
            _share(block.expand, slice(None), block.contract, next(largest))


def _share(before: Projection, columns: slice, behind: Projection, most: torch.Tensor) -> None:
    weight = behind.weight.abs().amax(dim=1)
    # A unit that was silent on these spectra may wake up on others: it is not made loud.
    factor = (_floored(most) / _floored(weight)).sqrt()
    factor = factor / factor.log().mean().exp()
    before.weight[:, columns] /= factor
    before.bias[columns] /= factor
    behind.weight *= factor[:, None]


def _floored(largest: torch.Tensor) -> torch.Tensor:
    return largest.clamp_min(max(1e-2 * float(largest.max()), 1e-12))


def _largest_inputs(
    encoder: Encoder, products: list[Projection], x: torch.Tensor
) -> list[torch.Tensor]:
    """Per product the largest magnitude of each of its inputs."""
    seen: dict[nn.Module, torch.Tensor] = {}

    def note(module: nn.Module, inputs: Inputs) -> None:
        seen[module] = inputs[0].abs().flatten(0, -2).amax(dim=0)

    hooks = [product.register_forward_pre_hook(note) for product in products]
    try:
        with torch.no_grad():
            encoder(x, encoder.theta)
    finally:
        for hook in hooks:
            hook.remove()
    return [seen[product] for product in products]


def _rounding(most: torch.Tensor) -> Callable[[nn.Module, Inputs], Inputs]:
    def hook(_: nn.Module, inputs: Inputs) -> Inputs:
        return (_round(inputs[0], most, _ACTIVATIONS), *inputs[1:])

    return hook


def _round(x: torch.Tensor, most: torch.Tensor, levels: int) -> torch.Tensor:
    unit = most.clamp_min(torch.finfo(x.dtype).tiny) / levels
    return (x / unit).round().clamp(-levels, levels) * unit
