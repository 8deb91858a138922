"""Entropic optimal transport between two weighted point sets, in numpy.

The objective, for weights a (n,), b (m,) and a cost C (n, m), is

    min over P >= 0 of  <P, C> + epsilon * KL(P | a b^T)   with  P 1 = a,  P^T 1 = b

(Cuturi, NeurIPS 2013; Peyre and Cuturi, Computational Optimal Transport, 2019). With a finite
marginal penalty rho a constraint becomes the term rho * KL(P 1 | a) (Chizat et al., Math. Comp. 87
(2018) 2563). KL(p | q) = sum p log(p / q) - p + q, so that unequal masses are allowed there.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from spektron_edge.transfer.scaling import Scaled, Side, scale

Array = NDArray[np.float64]

# Weights that were float32 once sum to one only so far; more than that is a mistake.
_MASS_ROUNDING = 1e-5
# Less than this part of all weight is nothing; its logarithm would leave the safe range.
_NOTHING = 1e-60
# A negative cost of rho * x makes up to exp(x) of mass, which must stay within float64.
_GAIN_LIMIT = 300.0


@dataclass(frozen=True)
class Coupling:
    """A transport plan and its dual potentials.

    plan (n, m), float64: the mass moved from i to j.
    cost: <plan, C>, in the units of C.
    objective: the regularised objective, from the dual. Its derivatives, by the envelope theorem,
        are the plan (by C), f (by a) and g (by b), these two up to a constant while masses are
        fixed.
    f (n,), g (m,): dual potentials, in the units of C: plan = a b^T exp((f + g - C) / epsilon).
    iterations: Sinkhorn sweeps used, of two matrix-vector products each.
    error: L1 distance of a marginal of the plan from the weights (the larger of both); with a
        penalty, from the marginal that optimality asks for, a exp(-f / rho).
    converged: whether `error` reached the tolerance.
    """

    plan: Array
    cost: float
    objective: float
    f: Array
    g: Array
    iterations: int
    error: float
    converged: bool


def sinkhorn(
    a: ArrayLike,
    b: ArrayLike,
    cost: ArrayLike,
    epsilon: float,
    *,
    tolerance: float = 1e-9,
    max_iterations: int = 10_000,
    marginal_penalty: float | tuple[float, float] = math.inf,
) -> Coupling:
    """The entropic coupling of weights a (n,) and b (m,) under cost (n, m).

    epsilon > 0 and marginal_penalty > 0 are in the units of the cost; a pair of penalties is for
    (a, b), and infinity keeps a marginal exact. While both are exact, each of a and b must sum to
    one within 1e-5, and what rounding is left is divided out. Weights may be zero, though not all
    of them: no mass goes there, and the potential is the soft c-transform of the other one. Below
    1e-60 of their sum they are taken as zero.

    Where no convergence is reached within max_iterations sweeps the best coupling found comes
    back with converged False and its error. Raises ValueError for shapes that do not fit, values
    that are not finite, negative weights, or an epsilon, tolerance, penalty or iteration limit
    that is not positive, and for a penalty below 1/300 of a negative cost.
    """
    penalties = _pair(marginal_penalty)
    _check_settings(epsilon, tolerance, max_iterations, penalties)
    cost_ = _cost(cost)
    exact = all(math.isinf(penalty) for penalty in penalties)
    if not exact and float(cost_.min()) < -_GAIN_LIMIT * min(penalties):
        raise ValueError(f"a marginal penalty of {min(penalties)} is too small for negative costs")
    a_ = _weights("a", a, cost_.shape[0], exact)
    b_ = _weights("b", b, cost_.shape[1], exact)
    sides = (Side(a_, penalties[0]), Side(b_, penalties[1]))
    if np.count_nonzero(a_) + np.count_nonzero(b_) == a_.size + b_.size:
        scaled = scale(*sides, cost_, epsilon, tolerance, max_iterations)
    else:
        rows, columns = a_ > 0, b_ > 0
        inner = (Side(a_[rows], penalties[0]), Side(b_[columns], penalties[1]))
        part = cost_[np.ix_(rows, columns)]
        scaled = scale(*inner, part, epsilon, tolerance, max_iterations)
        scaled = _extended(scaled, sides, rows, columns, cost_, epsilon)
    return Coupling(
        plan=scaled.plan,
        cost=float(np.vdot(scaled.plan, cost_)),
        objective=_dual(sides, scaled, epsilon),
        f=scaled.f,
        g=scaled.g,
        iterations=scaled.iterations,
        error=scaled.error,
        converged=scaled.error <= tolerance,
    )


def _extended(
    inner: Scaled,
    sides: tuple[Side, Side],
    rows: NDArray[np.bool_],
    columns: NDArray[np.bool_],
    cost: Array,
    epsilon: float,
) -> Scaled:
    """The solution on the support of both weights, on all points: f (n,), g (m,), plan (n, m)."""
    plan = np.zeros(cost.shape)
    plan[np.ix_(rows, columns)] = inner.plan
    f, g = np.empty(rows.size), np.empty(columns.size)
    f[rows], g[columns] = inner.f, inner.g
    source, target = sides
    f[~rows] = source.power(epsilon) * _soft_transform(
        cost[np.ix_(~rows, columns)], inner.g, target.weights[columns], epsilon
    )
    g[~columns] = target.power(epsilon) * _soft_transform(
        cost[np.ix_(rows, ~columns)].T, inner.f, source.weights[rows], epsilon
    )
    return Scaled(plan, f, g, inner.mass, inner.iterations, inner.error)


def _soft_transform(cost: Array, g: Array, b: Array, epsilon: float) -> Array:
    """-epsilon log sum_j b_j exp((g_j - C_ij) / epsilon) for cost (n, m), stably; (n,)."""
    exponent = (g - cost) / epsilon
    top = exponent.max(axis=1, keepdims=True)
    result: Array = -epsilon * (top[:, 0] + np.log(np.exp(exponent - top) @ b))
    return result


def _dual(sides: tuple[Side, Side], scaled: Scaled, epsilon: float) -> float:
    """The dual objective at (f, g): a lower bound of the primal, equal to it at the optimum."""
    value = 0.0
    for side, potential in zip(sides, (scaled.f, scaled.g), strict=True):
        if math.isinf(side.penalty):
            value += float(side.weights @ potential)
        else:
            value -= side.penalty * float(side.weights @ np.expm1(-potential / side.penalty))
    # A plan with an exact marginal has the mass of the product, and the last term is zero.
    if all(math.isinf(side.penalty) for side in sides):
        return value
    product = float(sides[0].weights.sum()) * float(sides[1].weights.sum())
    return value - epsilon * (scaled.mass - product)


def _pair(penalty: float | tuple[float, float]) -> tuple[float, float]:
    return penalty if isinstance(penalty, tuple) else (penalty, penalty)


def _check_settings(
    epsilon: float, tolerance: float, max_iterations: int, penalties: tuple[float, float]
) -> None:
    if not (epsilon > 0 and math.isfinite(epsilon)):
        raise ValueError(f"epsilon {epsilon} must be positive and finite")
    if not tolerance > 0:
        raise ValueError(f"tolerance {tolerance} must be positive")
    if max_iterations < 1:
        raise ValueError(f"max_iterations {max_iterations} must be at least 1")
    if not all(penalty > 0 for penalty in penalties):
        raise ValueError(f"marginal penalties {penalties} must be positive")


def _cost(cost: ArrayLike) -> Array:
    """Finiteness is checked by the solver, which needs the extremes of the cost anyway."""
    result: Array = np.ascontiguousarray(cost, dtype=np.float64)
    if result.ndim != 2 or not result.size:
        raise ValueError(f"cost must be a matrix with points on both sides, not {result.shape}")
    return result


def _weights(name: str, weights: ArrayLike, points: int, exact: bool) -> Array:
    result: Array = np.ascontiguousarray(weights, dtype=np.float64)
    if result.shape != (points,):
        raise ValueError(f"weights {name} of shape {result.shape} do not fit {points} points")
    total, least = float(result.sum()), float(result.min())
    if not (least >= 0 and 0 < total < math.inf):
        raise ValueError(f"weights {name} must be finite, none negative, not all zero")
    if least < _NOTHING * total:
        result = np.where(result < _NOTHING * total, 0.0, result)
    if not exact:
        return result
    if abs(total - 1) > _MASS_ROUNDING:
        raise ValueError(f"weights {name} sum to {total}, not to one")
    return result / total
