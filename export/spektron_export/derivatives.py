"""Backward passes in operators that ONNX, onnxruntime and TensorRT all have.

The exporter knows none for convolutions; scattering, which it makes of slices, and layer norms
with three outputs are refused by TensorRT. Only inputs and theta have gradients here: of weights
there is none to compute.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

_aten = torch.ops.aten


def convolution(
    gradient: Tensor,
    x: Tensor,
    weight: Tensor,
    _bias_sizes: Sequence[int],
    stride: Sequence[int],
    padding: Sequence[int],
    dilation: Sequence[int],
    _transposed: bool,
    _output_padding: Sequence[int],
    groups: int,
    _wanted: Sequence[bool],
) -> tuple[Tensor, None, None]:
    """The gradient of the input: a transposed convolution that gives the input's size back."""
    missing = [
        size - ((out - 1) * s - 2 * p + d * (kernel - 1) + 1)
        for size, out, kernel, s, p, d in zip(
            x.shape[2:],
            gradient.shape[2:],
            weight.shape[2:],
            stride,
            padding,
            dilation,
            strict=True,
        )
    ]
    result = _aten.convolution.default(
        gradient, weight, None, stride, padding, dilation, True, missing, groups
    )
    return result, None, None


def part(
    gradient: Tensor, sizes: Sequence[int], dim: int, start: int, end: int, _step: int
) -> Tensor:
    """Of a slice with step one: zeros around it."""
    dim, whole = dim % len(sizes), sizes[dim]
    # The end of an open slice is the largest whole number.
    first, last = start % whole, whole if end >= whole else end % whole
    return _padded(gradient, len(sizes) - 1 - dim, first, whole - last)


def one(gradient: Tensor, sizes: Sequence[int], dim: int, index: int) -> Tensor:
    """Of one element along a dimension: zeros around it."""
    dim, whole = dim % len(sizes), sizes[dim]
    index %= whole
    return _padded(gradient.unsqueeze(dim), len(sizes) - 1 - dim, index, whole - 1 - index)


def _padded(x: Tensor, behind: int, before: int, after: int) -> Tensor:
    """Zeros along the dimension with `behind` more dimensions behind it."""
    return _aten.constant_pad_nd.default(x, [0, 0] * behind + [before, after])


def norm(
    x: Tensor, shape: Sequence[int], gain: Tensor | None, bias: Tensor | None, epsilon: float
) -> tuple[Tensor, Tensor, Tensor]:
    """Layer norm: the result, the plain norm and the deviation, the latter two for `norm_backward`.

    The mean of x times its plain norm n is m = v / sqrt(v + e), with v the variance and e epsilon,
    so the deviation sqrt(v + e) is (m + sqrt(m^2 + 4 e)) / 2. It is taken here and not where it is
    needed, so that x need not be kept till then.
    """
    if gain is None or bias is None:
        return NotImplemented
    normal = _aten.native_layer_norm.default(x, shape, None, None, epsilon)[0]
    m = (x * normal).mean(-1, keepdim=True)
    return normal * gain + bias, normal, (m + torch.sqrt(m * m + 4 * epsilon)) / 2


def norm_backward(
    gradient: Tensor,
    _x: Tensor,
    _shape: Sequence[int],
    normal: Tensor,
    deviation: Tensor,
    gain: Tensor,
    _bias: Tensor,
    _wanted: Sequence[bool],
) -> tuple[Tensor, Tensor, Tensor]:
    """Gradients of x, gain and bias, with what `norm` gave in place of mean and inverse."""
    scaled = gradient * gain
    across = scaled.mean(-1, keepdim=True) + normal * (scaled * normal).mean(-1, keepdim=True)
    rows = list(range(gradient.dim() - 1))
    return (scaled - across) / deviation, (gradient * normal).sum(rows), gradient.sum(rows)


DECOMPOSITIONS: dict[Any, Callable[..., Any]] = {
    _aten.convolution_backward.default: convolution,
    _aten.slice_backward.default: part,
    _aten.select_backward.default: one,
    _aten.native_layer_norm.default: norm,
    _aten.native_layer_norm_backward.default: norm_backward,
}
