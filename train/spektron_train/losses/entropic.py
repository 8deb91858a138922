"""Entropic optimal transport in torch, on the log domain, with gradients that do not unroll.

The problem is that of spektron_edge.transfer.sinkhorn: min <P, C> + epsilon KL(P | a b^T) over
couplings P of a and b. Costs may be a batch (..., n, m) of problems that are solved together.
"""

from __future__ import annotations

from typing import Any, cast

import torch
from torch.autograd.function import once_differentiable

_CHECK_EVERY = 5
# Marginal errors below this many roundings of the exponent cannot be told from zero.
_ROUNDINGS = 4.0
# Keeps the solve apart from exactly singular where parts of the plan are disconnected.
_JITTER = 1e-13


def entropic_objective(
    cost: torch.Tensor,
    a: torch.Tensor,
    b: torch.Tensor,
    epsilon: float,
    *,
    tolerance: float = 1e-5,
    max_iterations: int = 1000,
) -> torch.Tensor:
    """The regularised objective (...) of cost (..., n, m), weights a (..., n) and b (..., m).

    Gradients by the envelope theorem: the plan by cost, the potentials by a and b (up to a
    constant, since weights sum to one). Not differentiable twice. tolerance: the largest L1 error
    of a marginal; where the dtype cannot resolve it, what it can; after max_iterations sweeps the
    potentials are taken as they are. Raises ValueError for shapes or settings that do not fit.
    """
    _check(cost, a, b, epsilon)
    return cast("torch.Tensor", _Objective.apply(cost, a, b, epsilon, tolerance, max_iterations))


def transport_plan(
    cost: torch.Tensor,
    a: torch.Tensor,
    b: torch.Tensor,
    epsilon: float,
    *,
    tolerance: float = 1e-5,
    max_iterations: int = 1000,
) -> torch.Tensor:
    """The plan (..., n, m); arguments as for `entropic_objective`.

    Gradients by implicit differentiation of the marginal constraints, one linear system of size m
    in float64 (Luise et al., NeurIPS 2018); by weights they hold where those are positive.
    """
    _check(cost, a, b, epsilon)
    return cast("torch.Tensor", _Plan.apply(cost, a, b, epsilon, tolerance, max_iterations))


def transport_cost(
    cost: torch.Tensor,
    a: torch.Tensor,
    b: torch.Tensor,
    epsilon: float,
    *,
    tolerance: float = 1e-5,
    max_iterations: int = 1000,
) -> torch.Tensor:
    """<P, C> (...), without the entropy: its gradient takes the change of the plan into account.

    That is what unrolled Sinkhorn sweeps converge to; `entropic_objective` is cheaper to
    differentiate and the better loss.
    """
    plan = transport_plan(cost, a, b, epsilon, tolerance=tolerance, max_iterations=max_iterations)
    return (plan * cost).sum(dim=(-2, -1))


class _Objective(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        cost: torch.Tensor,
        a: torch.Tensor,
        b: torch.Tensor,
        epsilon: float,
        tolerance: float,
        max_iterations: int,
    ) -> torch.Tensor:
        f, g = _potentials(cost, a, b, epsilon, tolerance, max_iterations)
        ctx.save_for_backward(cost, a, b, f, g)
        ctx.epsilon = epsilon
        # The last update made one marginal exact, so that the mass term of the dual is zero.
        return (a * f).sum(dim=-1) + (b * g).sum(dim=-1)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        cost, a, b, f, g = ctx.saved_tensors
        plan = _plan(cost, a, b, f, g, ctx.epsilon) if ctx.needs_input_grad[0] else None
        return (
            None if plan is None else grad[..., None, None] * plan,
            _summed(grad[..., None] * f, a),
            _summed(grad[..., None] * g, b),
            None,
            None,
            None,
        )


class _Plan(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        cost: torch.Tensor,
        a: torch.Tensor,
        b: torch.Tensor,
        epsilon: float,
        tolerance: float,
        max_iterations: int,
    ) -> torch.Tensor:
        f, g = _potentials(cost, a, b, epsilon, tolerance, max_iterations)
        plan = _plan(cost, a, b, f, g, epsilon)
        ctx.save_for_backward(plan, a, b)
        ctx.epsilon = epsilon
        return plan

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        plan, a, b = ctx.saved_tensors
        with torch.autocast(plan.device.type, enabled=False):
            s, t = _adjoint(plan.double(), grad.double())
        by_cost = plan * (s[..., :, None] + t[..., None, :] - grad) / ctx.epsilon
        by_cost = by_cost.to(plan.dtype)
        return by_cost, _summed(s.to(a.dtype), a), _summed(t.to(b.dtype), b), None, None, None


def _adjoint(plan: torch.Tensor, grad: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Solve [diag(P 1), P; P^T, diag(P^T 1)] (s, t) = marginals of P * grad; (..., n), (..., m).

    The system has the null vector (1, -1); t is the solution whose mean under the weights is zero.
    """
    tiny = torch.finfo(plan.dtype).tiny
    rows, columns = plan.sum(dim=-1).clamp_min(tiny), plan.sum(dim=-2).clamp_min(tiny)
    weighted = plan * grad
    right, below = weighted.sum(dim=-1), weighted.sum(dim=-2)
    root = columns.sqrt()
    scaled = plan / rows.sqrt()[..., :, None] / root[..., None, :]
    schur = torch.eye(root.shape[-1], dtype=plan.dtype, device=plan.device) * (1 + _JITTER)
    schur = schur - scaled.mT @ scaled + root[..., :, None] * root[..., None, :]
    rest = (below - (plan.mT @ (right / rows)[..., None])[..., 0]) / root
    t = torch.linalg.solve(schur, rest[..., None])[..., 0] / root
    s = (right - (plan @ t[..., None])[..., 0]) / rows
    return s, t


@torch.no_grad()
def _potentials(
    cost: torch.Tensor,
    a: torch.Tensor,
    b: torch.Tensor,
    epsilon: float,
    tolerance: float,
    max_iterations: int,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Dual potentials f (..., n) and g (..., m) by Sinkhorn sweeps on logarithms."""
    exponent = cost / -epsilon
    by_row = exponent + b.log()[..., None, :]
    by_column = exponent + a.log()[..., :, None]
    scale = 1 + float(exponent.abs().max())
    tolerance = max(tolerance, _ROUNDINGS * torch.finfo(cost.dtype).eps * scale)
    g = torch.zeros_like(exponent[..., 0, :])
    f = -torch.logsumexp(by_row, dim=-1)
    for sweep in range(1, max_iterations + 1):
        last, g = g, -torch.logsumexp(by_column + f[..., :, None], dim=-2)
        # g is the change that makes the columns exact, so that it tells how far off they were.
        # Asking is a wait for the device, hence not every time.
        if sweep % _CHECK_EVERY == 0:
            error = (b * torch.expm1(last - g).abs()).sum(dim=-1).max()
            if float(error) <= tolerance:
                break
        f = -torch.logsumexp(by_row + g[..., None, :], dim=-1)
    return f * epsilon, g * epsilon


def _plan(
    cost: torch.Tensor,
    a: torch.Tensor,
    b: torch.Tensor,
    f: torch.Tensor,
    g: torch.Tensor,
    epsilon: float,
) -> torch.Tensor:
    exponent = (f[..., :, None] + g[..., None, :] - cost) / epsilon
    # Between two weights of zero the density alone may overflow.
    return (exponent + a.log()[..., :, None] + b.log()[..., None, :]).exp()


def _summed(grad: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    """Gradient by weights that a batch of problems shares."""
    return grad.sum_to_size(weights.shape)


def _check(cost: torch.Tensor, a: torch.Tensor, b: torch.Tensor, epsilon: float) -> None:
    if cost.ndim < 2 or a.shape[-1:] != cost.shape[-2:-1] or b.shape[-1:] != cost.shape[-1:]:
        raise ValueError(
            f"cost {tuple(cost.shape)} needs weights of its last two sizes, "
            f"not {tuple(a.shape)} and {tuple(b.shape)}"
        )
    if not (cost.dtype == a.dtype == b.dtype and cost.dtype in (torch.float32, torch.float64)):
        raise ValueError(
            f"cost and weights must share float32 or float64, not {cost.dtype}, {a.dtype}, "
            f"{b.dtype}"
        )
    if not epsilon > 0:
        raise ValueError(f"epsilon {epsilon} must be positive")
