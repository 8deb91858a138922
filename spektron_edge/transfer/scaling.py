"""Diagonal scaling of a Gibbs kernel: the solver behind `sinkhorn`.

Works on the log of one scaling vector with matrix-vector products, as Sinkhorn's algorithm does,
and mixes past sweeps (Anderson), which takes a tenth of the sweeps where Sinkhorn is slow. Small
epsilon is reached in steps of 4, and potentials are absorbed into the kernel (Schmitzer, SIAM J.
Sci. Comput. 41 (2019) A1443), so that nothing over- or underflows.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spektron_edge.transfer.anderson import AndersonMixing

Array = NDArray[np.float64]

# exp(-200) and its square are far from underflow, so within this range no absorption is needed.
_RANGE = 200.0
_ABSORB = 250.0
_TINY = 1e-300
_STAGE_RATIO = 4.0
_STAGE_TOLERANCE = 1e-4
_STAGE_SWEEPS = 100
# A mixed step may raise the error this much before the plain one is taken instead.
_RISE = 2.0
# A mixed step further than this from the plain one is an extrapolation from rounding.
_LEAP = 100.0
# Sweeps without a gain of a tenth after which what was learned is dropped.
_STALL, _GAIN = 100, 0.9
# Between parts that hardly exchange mass the error stands still while the potentials travel.
_SAME = 1 + 1e-6
# While a plain sweep divides the error by five, mixing would cost more than it saves.
_FAST = 0.2
# Elements of a block of rows that stay in the second-level cache while they are worked on.
_BLOCK = 65536


@dataclass(frozen=True)
class Side:
    """One marginal: weights > 0 (n,), and the penalty for missing them, or infinity."""

    weights: Array
    penalty: float

    def power(self, epsilon: float) -> float:
        """How far a potential follows its soft c-transform: rho / (rho + epsilon), or 1."""
        return 1.0 if math.isinf(self.penalty) else self.penalty / (self.penalty + epsilon)

    def wanted(self, potential: Array) -> Array:
        """The marginal (n,) that is optimal for a potential (n,): weights * exp(-f / rho)."""
        if math.isinf(self.penalty):
            return self.weights
        result: Array = self.weights * np.exp(-potential / self.penalty)
        return result


@dataclass(frozen=True)
class Scaled:
    """plan (n, m), potentials f (n,) and g (m,), mass of the plan, sweeps, L1 error of optimality.

    The error is taken from the plan itself, whatever the iteration believed.
    """

    plan: Array
    f: Array
    g: Array
    mass: float
    iterations: int
    error: float


@dataclass
class _Point:
    """One visited x = log v: its image under a sweep, its row scaling log u, and its error."""

    x: Array
    image: Array
    log_u: Array
    error: float


def scale(
    source: Side,
    target: Side,
    cost: Array,
    epsilon: float,
    tolerance: float,
    max_iterations: int,
) -> Scaled:
    """Solve for cost (n, m), C-contiguous; raises ValueError if it is not finite."""
    low, high = float(cost.min()), float(cost.max())
    if not math.isfinite(high - low):
        raise ValueError("cost holds values that are not finite, or too large")
    kernel = _Kernel(source, target, cost, low)
    stages = [epsilon]
    while high - low > _RANGE * stages[-1]:
        stages.append(stages[-1] * _STAGE_RATIO)
    sweeps = 0
    # Blocked products can overflow on the way to a step that is then refused.
    with np.errstate(all="ignore"):
        for stage in stages[:0:-1]:
            budget = min(_STAGE_SWEEPS, max_iterations - sweeps - 1)
            if budget < 1:
                break
            kernel.build(stage)
            point, used = _iterate(kernel, max(tolerance, _STAGE_TOLERANCE), budget)
            sweeps += used
            kernel.absorb(point)
            kernel.tighten()
        kernel.build(epsilon)
        point, used = _iterate(kernel, tolerance, max_iterations - sweeps)
        plan, f, g = kernel.plan(point)
        # Products with ones are faster sums.
        rows = plan @ np.ones(target.weights.size)
        columns = np.ones(source.weights.size) @ plan
        error = max(_distance(rows, source.wanted(f)), _distance(columns, target.wanted(g)))
    return Scaled(plan, f, g, float(rows.sum()), sweeps + used, error)


def _iterate(kernel: _Kernel, tolerance: float, budget: int) -> tuple[_Point, int]:
    """Sweep until the error is at most the tolerance; the best point and the sweeps used.

    Plain sweeps never raise the error, so that falling back to one keeps the convergence of
    Sinkhorn's algorithm whatever the mixing does.
    """
    best, used = kernel.plain_sweeps(tolerance, budget)
    if best.error <= tolerance:
        return best, used
    mixing = AndersonMixing(kernel.target.weights)
    point, stalled = best, 0
    while best.error > tolerance and used < budget:
        used += 1
        if np.abs(point.image - kernel.start).max() > _ABSORB:
            kernel.absorb(best)
            kernel.build(kernel.epsilon)
            mixing.restart()
            best = point = kernel.sweep(kernel.start)
            continue
        stalled = 0 if point.error < _GAIN * best.error else stalled + 1
        if point.error <= _RISE * best.error and stalled <= _STALL:
            if point.error <= _SAME * best.error:
                best = point
            x = mixing.step(point.image, point.image - point.x)
            if not np.abs(x - point.image).max() <= _LEAP:
                mixing.restart()
                x = point.image
            point = kernel.sweep(x)
        else:
            mixing.restart()
            stalled = 0
            best = point = kernel.sweep(best.image)
        if point.error <= tolerance:
            best = point
    return best, used


class _Kernel:
    """K = exp((f0 + g0 - C) / epsilon) around absorbed potentials f0 (n,), g0 (m,).

    The plan is diag(u) K diag(v) with log u = log a + (f - f0) / epsilon and v alike.
    """

    def __init__(self, source: Side, target: Side, cost: Array, low: float) -> None:
        self.source, self.target = source, target
        self._exact = math.isinf(source.penalty) and math.isinf(target.penalty)
        self.cost = cost
        self.f0 = np.full(cost.shape[0], low)
        self.g0 = np.zeros(cost.shape[1])
        self.log_a, self.start = np.log(source.weights), np.log(target.weights)
        self._matrix = np.empty(cost.shape)
        height = max(1, _BLOCK // cost.shape[1])
        self._blocks = [slice(i, i + height) for i in range(0, cost.shape[0], height)]

    def build(self, epsilon: float) -> None:
        """Fill the matrix for this epsilon, block by block while the block is in the cache."""
        self.epsilon = epsilon
        self._share_level()
        self._powers = self.source.power(epsilon), self.target.power(epsilon)
        self._row_shift, self._column_shift = self.log_a, self.start
        if not self._exact:
            # What the absorbed potentials leave in a relaxed update: f = power * transform(g).
            self._row_shift = self.log_a + (self._powers[0] - 1) * self.f0 / epsilon
            self._column_shift = self.start + (self._powers[1] - 1) * self.g0 / epsilon
        bent = bool(self.g0.any())
        for rows in self._blocks:
            block = self._matrix[rows]
            np.subtract(self.f0[rows, None], self.cost[rows], out=block)
            if bent:
                block += self.g0
            block *= 1 / epsilon
            np.exp(block, out=block)

    def _share_level(self) -> None:
        """Move a constant from f0 to g0, which leaves K alone, to where the dual is largest.

        Sweeps would take rho / epsilon steps to do so (Sejourne, Vialard and Peyre, AISTATS 2022).
        """
        if self._exact:
            return
        weight = 1 / (1 / self.source.penalty + 1 / self.target.penalty)
        level = weight * (
            _log_wanted_mass(self.source, self.f0) - _log_wanted_mass(self.target, self.g0)
        )
        self.f0, self.g0 = self.f0 + level, self.g0 - level

    def plain_sweeps(self, tolerance: float, budget: int) -> tuple[_Point, int]:
        """Sinkhorn as it stands, from the absorbed potentials, for as long as it is fast.

        Relaxed marginals, where scaling vectors can underflow, get one sweep on logarithms.
        """
        if not self._exact:
            return self.sweep(self.start), 1
        a, b, matrix = self.source.weights, self.target.weights, self._matrix
        v, before, used = b, math.inf, 0
        while True:
            u = a / (matrix @ v)
            w = u @ matrix
            used += 1
            error = _distance(v * w, b)
            if error <= tolerance or not error < _FAST * before or used >= budget:
                log_v = np.log(v)
                return _Point(log_v, self.start - np.log(w), np.log(u), error), used
            v, before = b / w, error

    def sweep(self, x: Array) -> _Point:
        """Both updates from x = log v (m,), and the error at (log u, x), whose rows are exact."""
        v = np.exp(x)
        log_u = self._row_shift - self._powers[0] * np.log(np.maximum(self._matrix @ v, _TINY))
        w = np.maximum(np.exp(log_u) @ self._matrix, _TINY)
        image = self._column_shift - self._powers[1] * np.log(w)
        w *= v
        w *= np.expm1((image - x) / self._powers[1])
        error = float(np.abs(w).sum())
        return _Point(x, image, log_u, error if error >= 0 else math.inf)

    def absorb(self, point: _Point) -> None:
        """Move a point's potentials into f0 and g0; the kernel must then be built again."""
        self.f0 = self.f0 + self.epsilon * (point.log_u - self.log_a)
        self.g0 = self.g0 + self.epsilon * (point.x - self.start)

    def tighten(self) -> None:
        """Make g0 and f0 hard c-transforms: K <= 1 for any epsilon, with a 1 in each row, column.

        Potentials of a larger epsilon differ from those by epsilon times a log; kept as they are
        they could overflow once divided by a smaller one.
        """
        slack = np.full(self.g0.size, math.inf)
        for rows in self._blocks:
            block = self.cost[rows] - self.g0
            self.f0[rows] = block.min(axis=1)
            block -= self.f0[rows, None]
            np.minimum(slack, block.min(axis=0), out=slack)
        self.g0 = self.g0 + slack

    def plan(self, point: _Point) -> tuple[Array, Array, Array]:
        """The plan (n, m), in the kernel's own memory, and the potentials f (n,), g (m,)."""
        u, v = np.exp(point.log_u), np.exp(point.x)
        for rows in self._blocks:
            block = self._matrix[rows]
            block *= u[rows, None]
            block *= v
        self.absorb(point)
        return self._matrix, self.f0, self.g0


def _distance(x: Array, y: Array) -> float:
    """The L1 norm of x - y, both (n,)."""
    difference = x - y
    # The reduction itself: `sum` takes as long again to get to it for a few dozen values.
    return float(np.add.reduce(np.abs(difference, out=difference)))


def _log_wanted_mass(side: Side, potential: Array) -> float:
    """The log of the mass that is optimal for a potential (n,), stably."""
    exponent = -potential / side.penalty
    top = float(exponent.max())
    return top + math.log(float(side.weights @ np.exp(exponent - top)))
