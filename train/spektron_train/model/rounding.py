"""What INT8 will make of the encoder, in torch, and weights that lose less by it.

The products of the Transformer's blocks are rounded as `spektron_export.quantise` does it:
symmetric, activations to 8 bits by the largest seen, weights to 7 bits by the largest of their
column, and the mean error that this makes of the latents taken out of their biases.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import nn

from .encoder import Encoder
from .transformer import Projection

_ACTIVATIONS, _WEIGHTS = 127, 63
# A unit that hardly fires on the spectra seen may fire on others: the louder it was made, the more
# of everyone's range it would then take.
_MOST_AMPLIFIED = 4.0
Inputs = tuple[torch.Tensor, ...]


@contextmanager
def rounded_as_int8(encoder: Encoder, x: torch.Tensor) -> Iterator[None]:
    """Inside, the encoder computes as its INT8 graph calibrated on spectra x (n, L) would.

    Jacob et al., CVPR 2018 (simulated quantisation).
    """
    products = [m for m in encoder.blocks.modules() if isinstance(m, Projection)]
    largest = [seen.max() for seen in _largest_inputs(encoder, products, x)]
    weights = [product.weight.detach().clone() for product in products]
    ends = (encoder.chem.mean, encoder.inst.mean)
    biases = [end.bias.detach().clone() for end in ends]
    exact = _latents(encoder, x)
    hooks = []
    with torch.no_grad():
        for product, weight, most in zip(products, weights, largest, strict=True):
            product.weight.copy_(_round(weight, weight.abs().amax(dim=0), _WEIGHTS))
            hooks.append(product.register_forward_pre_hook(_rounding(most)))
        for end, rounded, latent in zip(ends, _latents(encoder, x), exact, strict=True):
            end.bias -= (rounded - latent).mean(dim=0)
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()
        with torch.no_grad():
            for product, weight in zip(products, weights, strict=True):
                product.weight.copy_(weight)
            for end, bias in zip(ends, biases, strict=True):
                end.bias.copy_(bias)


def equalise(encoder: Encoder, x: torch.Tensor) -> None:
    """Scale hidden channels in place so that none is rounded by another's range; x (n, L).

    What a block's values and hidden units are divided by, the weights behind them are multiplied
    by: attention is linear in values and ReLU in positive scales, so nothing else changes. Half
    of the range goes to either side (Nagel et al., ICCV 2019; Xiao et al., ICML 2023), but none
    is made much louder than the median one.
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
    factor = (most / weight.clamp_min(1e-12)).sqrt()
    fires = factor > 0
    if not fires.any():
        return
    factor = (factor / factor[fires].median()).clamp_min(1 / _MOST_AMPLIFIED)
    before.weight[:, columns] /= factor
    before.bias[columns] /= factor
    behind.weight *= factor[:, None]


def _latents(encoder: Encoder, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    with torch.no_grad():
        _, chem, inst = encoder(x, encoder.theta)
    return chem, inst


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
