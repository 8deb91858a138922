"""How far one batch of latents is from another, as distributions."""

from __future__ import annotations

from functools import partial
from typing import Any, cast

import torch
from torch.autograd.function import once_differentiable

from spektron_train.losses.entropic import entropic_objective


def sinkhorn_divergence(
    x: torch.Tensor,
    y: torch.Tensor,
    epsilon: float,
    a: torch.Tensor | None = None,
    b: torch.Tensor | None = None,
    *,
    tolerance: float = 1e-5,
    max_iterations: int = 1000,
) -> torch.Tensor:
    """OT(x, y) - OT(x, x) / 2 - OT(y, y) / 2 for points x (n, d), y (m, d); a scalar.

    OT is the entropic objective under |x_i - y_j|^2, and epsilon is in those units. Weights a (n,)
    and b (m,) sum to one and are equal where None. Zero for equal measures, positive otherwise
    (Feydy et al., AISTATS 2019), and differentiable in points and weights. Halves, and whatever
    autocast would make of them, are taken in float32. Raises ValueError for shapes that do not
    fit or an epsilon that is not positive.
    """
    if x.ndim != 2 or y.ndim != 2 or x.shape[1] != y.shape[1]:
        raise ValueError(f"points {tuple(x.shape)} and {tuple(y.shape)} are not of one space")
    with torch.autocast(x.device.type, enabled=False):
        dtype = torch.float64 if x.dtype == torch.float64 else torch.float32
        # Moving both clouds changes no distance, and digits are lost far from the origin.
        centre = x.detach().to(dtype).mean(dim=0)
        points = [x.to(dtype) - centre, y.to(dtype) - centre]
        weights = [
            torch.full_like(p[:, 0], 1 / p.shape[0]) if w is None else w.to(dtype)
            for p, w in zip(points, (a, b), strict=True)
        ]
        pairs = ((0, 1), (0, 0), (1, 1))
        costs = [squared_distances(points[i], points[j]) for i, j in pairs]
        solve = partial(
            entropic_objective,
            epsilon=epsilon,
            tolerance=tolerance,
            max_iterations=max_iterations,
        )
        if x.shape == y.shape:
            # Three problems of one size cost little more than one.
            across, of_x, of_y = solve(
                torch.stack(costs),
                torch.stack([weights[i] for i, _ in pairs]),
                torch.stack([weights[j] for _, j in pairs]),
            ).unbind()
        else:
            across, of_x, of_y = (
                solve(cost, weights[i], weights[j])
                for cost, (i, j) in zip(costs, pairs, strict=True)
            )
        return across - (of_x + of_y) / 2


def squared_distances(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """|x_i - y_j|^2 for x (n, d) and y (m, d): (n, m), in their dtype even under autocast.

    Not differentiable twice.
    """
    return cast("torch.Tensor", _SquaredDistances.apply(x, y))


class _SquaredDistances(torch.autograd.Function):
    """A Function since a backward pass called under autocast would multiply in half precision."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        ctx.save_for_backward(x, y)
        with torch.autocast(x.device.type, enabled=False):
            return (x**2).sum(dim=1)[:, None] + (y**2).sum(dim=1) - 2 * x @ y.T

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        x, y = ctx.saved_tensors
        with torch.autocast(x.device.type, enabled=False):
            by_x = 2 * (grad.sum(dim=1)[:, None] * x - grad @ y)
            by_y = 2 * (grad.sum(dim=0)[:, None] * y - grad.T @ x)
        return by_x, by_y
