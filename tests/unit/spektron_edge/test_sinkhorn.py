from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spektron_edge.transfer.divergence import (
    point_gradient,
    sinkhorn_divergence,
    squared_distances,
)
from spektron_edge.transfer.sinkhorn import sinkhorn

pytestmark = pytest.mark.numerics


@st.composite
def problems(draw):
    """Weights, costs of any scale and shape (duplicates, blocks, an outlier), and epsilon."""
    n, m = draw(st.integers(1, 12)), draw(st.integers(1, 12))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    kind = draw(st.sampled_from(["points", "duplicates", "random", "blocks", "outlier", "flat"]))
    if kind in ("points", "duplicates"):
        x, y = rng.standard_normal((n, 3)), rng.standard_normal((m, 3)) + 1
        if kind == "duplicates":
            x[:], y[: m // 2] = x[0], x[0]
        cost = squared_distances(x, y)
    else:
        cost = rng.random((n, m)) if kind != "flat" else np.ones((n, m))
        if kind == "blocks":
            cost += 100.0 * (np.arange(n)[:, None] % 2 != np.arange(m) % 2)
        if kind == "outlier":
            cost[0] += 1e4
    cost *= 10.0 ** draw(st.integers(-8, 8))
    scale = max(float(cost.max()), 1e-300)
    a, b = rng.dirichlet(np.ones(n)), rng.dirichlet(np.ones(m))
    if draw(st.booleans()):
        a[: n // 3], b[m - m // 3 :] = 0.0, 0.0
        a, b = a / a.sum(), b / b.sum()
    return a, b, cost, scale * draw(st.sampled_from([1.0, 0.1, 0.01, 1e-3, 1e-4]))


def marginal_error(plan, a, b):
    return max(np.abs(plan.sum(1) - a).sum(), np.abs(plan.sum(0) - b).sum())


def primal(plan, a, b, cost, epsilon, penalty=math.inf):
    def kl(p, q):
        kept = p > 0
        return np.sum(p[kept] * np.log(p[kept] / q[kept])) - p.sum() + q.sum()

    value = np.vdot(plan, cost) + epsilon * kl(plan, np.outer(a, b))
    if math.isinf(penalty):
        return value
    return value + penalty * (kl(plan.sum(1), a) + kl(plan.sum(0), b))


@settings(deadline=None, max_examples=150)
@given(problems())
def test_the_plan_has_the_marginals_it_reports_and_converges_for_any_cost(problem):
    a, b, cost, epsilon = problem
    c = sinkhorn(a, b, cost, epsilon, tolerance=1e-8, max_iterations=2000)
    for values in (c.plan, c.f, c.g, c.cost, c.objective, c.error):
        assert np.isfinite(values).all()
    assert (c.plan >= 0).all()
    assert marginal_error(c.plan, a, b) == pytest.approx(c.error, abs=1e-11)
    assert c.converged == (c.error <= 1e-8)
    assert c.iterations <= 2000
    # Below, parts may touch only through exp(-100) and exchange mass too slowly for any scaling.
    if epsilon >= 0.1 * np.ptp(cost):
        assert c.converged


@settings(deadline=None, max_examples=100)
@given(problems())
def test_the_potentials_give_the_plan_and_close_the_duality_gap(problem):
    a, b, cost, epsilon = problem
    c = sinkhorn(a, b, cost, epsilon, max_iterations=3000)
    rows, columns = np.nonzero(np.outer(a, b))
    density = np.exp((c.f[rows] + c.g[columns] - cost[rows, columns]) / epsilon)
    assert np.abs(a[rows] * b[columns] * density - c.plan[rows, columns]).max() < 1e-9
    if c.converged:
        gap = primal(c.plan, a, b, cost, epsilon) - c.objective
        assert abs(gap) < 1e-7 * max(float(np.abs(cost).max()), epsilon)


@settings(deadline=None, max_examples=60)
@given(problems(), st.sampled_from([0.05, 1.0, 30.0]))
def test_relaxed_marginals_close_the_gap_too(problem, share):
    a, b, cost, epsilon = problem
    penalty = share * max(float(cost.max()), epsilon)
    mass = 1.7
    c = sinkhorn(mass * a, b, cost, epsilon, max_iterations=1000, marginal_penalty=penalty)
    for values in (c.plan, c.f, c.g, c.cost, c.objective, c.error):
        assert np.isfinite(values).all()
    if c.converged:
        gap = primal(c.plan, mass * a, b, cost, epsilon, penalty) - c.objective
        assert abs(gap) < 1e-6 * max(float(np.abs(cost).max()), penalty)


def test_a_large_penalty_is_no_relaxation_and_a_half_relaxed_plan_keeps_its_exact_side():
    rng = np.random.default_rng(1)
    a, b, cost = rng.dirichlet(np.ones(9)), rng.dirichlet(np.ones(7)), rng.random((9, 7))
    exact = sinkhorn(a, b, cost, 0.05)
    stiff = sinkhorn(a, b, cost, 0.05, marginal_penalty=1e7)
    np.testing.assert_allclose(stiff.plan, exact.plan, atol=1e-7)
    half = sinkhorn(a, b, cost, 0.05, marginal_penalty=(math.inf, 0.1))
    np.testing.assert_allclose(half.plan.sum(axis=1), a, atol=1e-12)
    assert np.abs(half.plan.sum(axis=0) - b).sum() > 1e-2


def test_an_outlier_moves_no_mass_where_leaving_it_is_cheaper():
    cost = np.array([[0.1, 0.2], [0.2, 0.1], [1e6, 1e6]])
    c = sinkhorn(np.full(3, 1 / 3), [0.5, 0.5], cost, 0.05, marginal_penalty=0.5)
    assert c.converged
    assert c.plan[2].sum() == 0
    assert c.plan[:2].sum() > 0.5


@pytest.mark.parametrize("epsilon", [10.0, 1.0, 0.1, 0.01])
def test_two_points_have_the_closed_form(epsilon):
    # P = [[p, 1/2 - p], ...] with (p / (1/2 - p))^2 = exp(2 / epsilon) for the cost 1 - identity.
    c = sinkhorn([0.5, 0.5], [0.5, 0.5], [[0.0, 1.0], [1.0, 0.0]], epsilon)
    p = 0.5 / (1 + math.exp(-1 / epsilon))
    np.testing.assert_allclose(c.plan, [[p, 0.5 - p], [0.5 - p, p]], atol=1e-12)
    assert c.cost == pytest.approx(1 - 2 * p, abs=1e-12)


def test_gaussians_on_a_fine_grid_have_the_closed_form():
    # Janati et al., NeurIPS 2020: with s = sqrt(4 u^2 v^2 + (epsilon / 2)^2) - epsilon / 2 twice
    # the covariance of the plan for variances u^2, v^2.
    u, v, epsilon = 0.6, 0.9, 0.5
    grid = np.linspace(-6, 6, 301)
    a, b = (np.exp(-(grid**2) / (2 * s**2)) for s in (u, v))
    a, b = a / a.sum(), b / b.sum()
    c = sinkhorn(a, b, (grid[:, None] - grid) ** 2, epsilon)
    covariance = (math.sqrt(4 * u**2 * v**2 + (epsilon / 2) ** 2) - epsilon / 2) / 2
    assert c.converged
    assert grid @ c.plan @ grid == pytest.approx(covariance, abs=1e-6)
    assert c.cost == pytest.approx(u**2 + v**2 - 2 * covariance, abs=1e-6)


@pytest.mark.parametrize("relative", [1e-2, 1e-3, 1e-4])
def test_a_small_epsilon_finds_the_sorted_assignment(relative):
    rng = np.random.default_rng(3)
    x, y = np.sort(rng.standard_normal(64)), np.sort(rng.standard_normal(64) + 0.5)
    cost = (x[:, None] - y) ** 2
    w = np.full(64, 1 / 64)
    c = sinkhorn(w, w, cost, relative * cost.max(), tolerance=1e-6)
    assert c.converged
    bound = relative * cost.max() * math.log(64)
    assert -1e-6 <= c.cost - np.mean((x - y) ** 2) <= bound


def test_without_convergence_the_best_plan_and_its_error_come_back():
    rng = np.random.default_rng(4)
    w, cost = np.full(40, 1 / 40), rng.random((40, 40))
    few = sinkhorn(w, w, cost, 1e-3, max_iterations=5)
    many = sinkhorn(w, w, cost, 1e-3, max_iterations=200)
    assert not few.converged
    assert few.iterations <= 5
    assert few.error == pytest.approx(marginal_error(few.plan, w, w), rel=1e-6)
    assert many.error < few.error


def test_weights_of_zero_leave_rows_empty_and_change_nothing_else():
    rng = np.random.default_rng(5)
    a, b, cost = np.array([0.3, 0.0, 0.7]), np.array([0.0, 0.4, 0.6]), rng.random((3, 3))
    c = sinkhorn(a, b, cost, 0.1)
    inner = sinkhorn(a[[0, 2]], b[1:], cost[np.ix_([0, 2], [1, 2])], 0.1)
    assert c.objective == pytest.approx(inner.objective)
    assert not c.plan[1].any()
    # The potential there is what a vanishing weight would have.
    nudged = sinkhorn(np.add(a, [0, 1e-9, -1e-9]), b, cost, 0.1, tolerance=1e-13)
    np.testing.assert_allclose(c.f[1] - c.f[0], nudged.f[1] - nudged.f[0], atol=1e-6)


def test_plan_and_potentials_are_the_gradients_of_the_objective():
    rng = np.random.default_rng(6)
    a, b, cost = rng.dirichlet(np.ones(5)), rng.dirichlet(np.ones(4)), rng.random((5, 4))
    c = sinkhorn(a, b, cost, 0.1, tolerance=1e-12)
    step = 1e-5

    def objective(a, b, cost):
        return sinkhorn(a, b, cost, 0.1, tolerance=1e-13).objective

    for i, j in np.ndindex(cost.shape):
        move = np.zeros_like(cost)
        move[i, j] = step
        slope = (objective(a, b, cost + move) - objective(a, b, cost - move)) / (2 * step)
        assert slope == pytest.approx(c.plan[i, j], abs=1e-8)
    move = np.array([step, -step, 0, 0, 0])
    slope = (objective(a + move, b, cost) - objective(a - move, b, cost)) / (2 * step)
    assert slope == pytest.approx(c.f[0] - c.f[1], abs=1e-7)


def test_gradients_by_points_are_finite_differences():
    rng = np.random.default_rng(7)
    x, y = rng.standard_normal((6, 2)), rng.standard_normal((5, 2)) + 0.5
    a, b = rng.dirichlet(np.ones(6)), rng.dirichlet(np.ones(5))

    def moved(i, k, step):
        at = x.copy()
        at[i, k] += step
        return at

    coupling = sinkhorn(a, b, squared_distances(x, y), 0.5, tolerance=1e-12)
    gradient = point_gradient(coupling, x, y)
    debiased = sinkhorn_divergence(x, y, a, b, 0.5, tolerance=1e-12)
    for i, k in np.ndindex(x.shape):
        ends = [
            (
                sinkhorn(a, b, squared_distances(at, y), 0.5, tolerance=1e-13).objective,
                sinkhorn_divergence(at, y, a, b, 0.5, tolerance=1e-13).value,
            )
            for at in (moved(i, k, 1e-5), moved(i, k, -1e-5))
        ]
        slopes = (np.array(ends[0]) - ends[1]) / 2e-5
        np.testing.assert_allclose(slopes, [gradient[i, k], debiased.gradient[i, k]], atol=1e-7)


def test_the_divergence_is_zero_between_equals_and_the_shift_between_translates():
    rng = np.random.default_rng(8)
    x, w = rng.standard_normal((20, 4)), np.full(20, 1 / 20)
    same = sinkhorn_divergence(x, x, w, w, 0.5)
    assert same.value == pytest.approx(0.0, abs=1e-9)
    assert np.abs(same.gradient).max() < 1e-7
    order = rng.permutation(20)
    assert sinkhorn_divergence(x, x[order], w, w, 0.5).value == pytest.approx(0.0, abs=1e-9)
    # Debiasing makes a translation cost exactly its square, far from the origin as well.
    shift = np.array([1.0, -2.0, 0.5, 0.0])
    moved = sinkhorn_divergence(x + 1e4, x + 1e4 + shift, w, w, 0.5)
    assert moved.value == pytest.approx(shift @ shift, abs=1e-6)
    assert moved.converged


@settings(deadline=None, max_examples=40)
@given(st.integers(1, 10), st.integers(1, 10), st.integers(0, 2**32 - 1))
def test_the_divergence_is_never_negative(n, m, seed):
    rng = np.random.default_rng(seed)
    x, y = rng.standard_normal((n, 2)), rng.standard_normal((m, 2))
    a, b = rng.dirichlet(np.ones(n)), rng.dirichlet(np.ones(m))
    assert sinkhorn_divergence(x, y, a, b, 0.3).value >= -1e-8


def test_the_same_input_gives_the_same_bits_and_is_left_alone():
    rng = np.random.default_rng(9)
    a, b, cost = rng.dirichlet(np.ones(30)), rng.dirichlet(np.ones(20)), rng.random((30, 20))
    before = a.copy(), b.copy(), cost.copy()
    first, second = (sinkhorn(a, b, cost, 1e-3) for _ in range(2))
    assert np.array_equal(first.plan, second.plan)
    for kept, now in zip(before, (a, b, cost), strict=True):
        assert np.array_equal(kept, now)


HALF = [0.5, 0.5]
COST = [[0.0, 1.0], [1.0, 0.0]]


@pytest.mark.parametrize(
    ("arguments", "options", "words"),
    [
        ((HALF, HALF, COST, 0.0), {}, "epsilon"),
        ((HALF, HALF, COST, math.nan), {}, "epsilon"),
        ((HALF, HALF, COST, math.inf), {}, "epsilon"),
        ((HALF, HALF, COST, 1.0), {"tolerance": 0.0}, "tolerance"),
        ((HALF, HALF, COST, 1.0), {"max_iterations": 0}, "max_iterations"),
        ((HALF, HALF, COST, 1.0), {"marginal_penalty": 0.0}, "penalties"),
        ((HALF, HALF, COST, 1.0), {"marginal_penalty": (1.0, math.nan)}, "penalties"),
        (([0.5, 0.6], HALF, COST, 1.0), {}, "sum to"),
        (([1.5, -0.5], HALF, COST, 1.0), {}, "none negative"),
        (([math.nan, 0.5], HALF, COST, 1.0), {}, "finite"),
        (([0.0, 0.0], HALF, COST, 1.0), {"marginal_penalty": 1.0}, "not all zero"),
        (([1.0], HALF, COST, 1.0), {}, "do not fit"),
        ((HALF, HALF, [0.0, 1.0], 1.0), {}, "matrix"),
        ((HALF, HALF, [[0.0, math.nan], [1.0, 0.0]], 1.0), {}, "not finite"),
        ((HALF, HALF, [[0.0, math.inf], [1.0, 0.0]], 1.0), {}, "not finite"),
        ((HALF, HALF, [[-1e5, 1.0], [1.0, 0.0]], 1.0), {"marginal_penalty": 1.0}, "penalty"),
    ],
)
def test_bad_input_is_refused_in_words(arguments, options, words):
    with pytest.raises(ValueError, match=words):
        sinkhorn(*arguments, **options)


def test_points_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="dimensions"):
        squared_distances(np.zeros((2, 3)), np.zeros((2, 4)))
    with pytest.raises(ValueError, match="finite"):
        squared_distances(np.full((2, 3), math.nan), np.zeros((2, 3)))
    with pytest.raises(ValueError, match="matrix"):
        squared_distances(np.zeros(3), np.zeros((2, 3)))
