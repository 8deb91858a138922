"""The debiased distance between point clouds, and gradients by their points."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from spektron_edge.transfer.sinkhorn import Coupling, sinkhorn

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Divergence:
    """value in squared units of the points, its gradient by x (n, d), and whether it converged."""

    value: float
    gradient: Array
    converged: bool


def squared_distances(x: ArrayLike, y: ArrayLike) -> Array:
    """|x_i - y_j|^2 for x (n, d) and y (m, d): (n, m).

    Points are centred first, since the expanded square loses digits far from the origin. Raises
    ValueError for anything but two matrices of finite values and one width.
    """
    x_, y_ = _points("x", x), _points("y", y)
    if x_.shape[1] != y_.shape[1]:
        raise ValueError(f"points of {x_.shape[1]} and of {y_.shape[1]} dimensions")
    centre = x_.mean(axis=0)
    x_, y_ = x_ - centre, y_ - centre
    result: Array = x_ @ y_.T
    result *= -2.0
    result += np.einsum("ij,ij->i", x_, x_)[:, None]
    result += np.einsum("ij,ij->i", y_, y_)
    return np.maximum(result, 0.0, out=result)


def point_gradient(coupling: Coupling, x: ArrayLike, y: ArrayLike) -> Array:
    """Gradient (n, d) of the regularised objective by x (n, d), for cost |x - y|^2, y (m, d).

    By the envelope theorem the plan stays fixed: 2 * (P 1 * x - P y).
    """
    x_, y_ = _points("x", x), _points("y", y)
    moved: Array = coupling.plan.sum(axis=1)[:, None] * x_ - coupling.plan @ y_
    return 2.0 * moved


def sinkhorn_divergence(
    x: ArrayLike,
    y: ArrayLike,
    a: ArrayLike,
    b: ArrayLike,
    epsilon: float,
    *,
    tolerance: float = 1e-9,
    max_iterations: int = 10_000,
) -> Divergence:
    """OT(x, y) - OT(x, x) / 2 - OT(y, y) / 2 of the regularised objective, squared Euclidean.

    Points x (n, d) and y (m, d) with weights a (n,) and b (m,) that sum to one. Zero for equal
    measures, positive otherwise (Feydy et al., AISTATS 2019). Raises ValueError as `sinkhorn` and
    `squared_distances` do.
    """
    across = _coupling(x, y, a, b, epsilon, tolerance, max_iterations)
    of_x = _coupling(x, x, a, a, epsilon, tolerance, max_iterations)
    of_y = _coupling(y, y, b, b, epsilon, tolerance, max_iterations)
    return Divergence(
        value=across.objective - (of_x.objective + of_y.objective) / 2,
        # OT(x, x) depends on x twice, which the half takes back.
        gradient=point_gradient(across, x, y) - point_gradient(of_x, x, x),
        converged=across.converged and of_x.converged and of_y.converged,
    )


def _coupling(
    x: ArrayLike,
    y: ArrayLike,
    a: ArrayLike,
    b: ArrayLike,
    epsilon: float,
    tolerance: float,
    max_iterations: int,
) -> Coupling:
    return sinkhorn(
        a,
        b,
        squared_distances(x, y),
        epsilon,
        tolerance=tolerance,
        max_iterations=max_iterations,
    )


def _points(name: str, points: ArrayLike) -> Array:
    result: Array = np.asarray(points, dtype=np.float64)
    if result.ndim != 2 or not result.size or not np.isfinite(result).all():
        raise ValueError(f"{name} must be a matrix of finite values, one point a row")
    return result
