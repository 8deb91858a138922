from __future__ import annotations

import numpy as np
import ot
import pytest
import torch

from spektron_edge.transfer.divergence import sinkhorn_divergence as numpy_divergence
from spektron_edge.transfer.sinkhorn import sinkhorn
from spektron_train.losses.entropic import entropic_objective, transport_cost, transport_plan
from spektron_train.losses.transport import sinkhorn_divergence, squared_distances

TIGHT = {"tolerance": 1e-10, "max_iterations": 5000}


def clouds(n, m, seed=0, d=128, dtype=torch.float64):
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(n, d, generator=generator, dtype=dtype)
    y = 1.1 * torch.randn(m, d, generator=generator, dtype=dtype) + 0.2
    return x, y


def problem(n=24, m=30, seed=0):
    x, y = clouds(n, m, seed)
    cost = squared_distances(x, y)
    generator = torch.Generator().manual_seed(seed + 1)
    a = torch.rand(n, generator=generator, dtype=torch.float64) + 0.2
    b = torch.rand(m, generator=generator, dtype=torch.float64) + 0.2
    return cost / cost.max(), a / a.sum(), b / b.sum()


@pytest.mark.parametrize("epsilon", [0.1, 0.05, 0.01])
def test_cost_plan_and_gradient_are_pots(epsilon):
    cost, a, b = problem()
    cost.requires_grad_()
    theirs = ot.sinkhorn(
        a, b, cost, epsilon, method="sinkhorn_log", stopThr=1e-13, numItermax=5000, warn=False
    )
    value = (theirs * cost).sum()
    (gradient,) = torch.autograd.grad(value, cost)
    in_numpy = sinkhorn(a.numpy(), b.numpy(), cost.detach().numpy(), epsilon, tolerance=1e-10)
    assert in_numpy.cost == pytest.approx(value.item(), abs=1e-9)
    np.testing.assert_allclose(in_numpy.plan, theirs.detach().numpy(), atol=1e-9)
    plan = transport_plan(cost, a, b, epsilon, **TIGHT)
    torch.testing.assert_close(plan.detach(), theirs.detach(), atol=1e-9, rtol=0)
    ours = transport_cost(cost, a, b, epsilon, **TIGHT)
    assert ours.item() == pytest.approx(value.item(), abs=1e-9)
    (by_cost,) = torch.autograd.grad(ours, cost)
    torch.testing.assert_close(by_cost, gradient, atol=1e-8, rtol=0)
    objective = entropic_objective(cost, a, b, epsilon, **TIGHT)
    assert objective.item() == pytest.approx(in_numpy.objective, abs=1e-9)
    (by_cost,) = torch.autograd.grad(objective, cost)
    torch.testing.assert_close(by_cost, theirs.detach(), atol=1e-9, rtol=0)


@pytest.mark.parametrize("epsilon", [0.1, 0.01])
def test_the_gradient_by_points_is_pots(epsilon):
    x, y = clouds(20, 20, seed=2, d=16)
    x, y = x.requires_grad_() / 10, y / 10
    w = torch.full((20,), 0.05, dtype=torch.float64)
    cost = squared_distances(x, y)
    theirs = ot.sinkhorn2(
        w, w, cost, epsilon, method="sinkhorn_log", stopThr=1e-13, numItermax=3000, warn=False
    )
    (wanted,) = torch.autograd.grad(theirs, x, retain_graph=True)
    (ours,) = torch.autograd.grad(transport_cost(cost, w, w, epsilon, **TIGHT), x)
    torch.testing.assert_close(ours, wanted, atol=1e-7, rtol=0)


@pytest.mark.parametrize("penalty", [0.05, 1.0])
def test_relaxed_plans_are_pots(penalty):
    cost, a, b = (t.numpy() for t in problem(seed=3))
    theirs = ot.unbalanced.sinkhorn_unbalanced(
        a, b, cost, 0.05, penalty, reg_type="kl", stopThr=1e-14, numItermax=20_000
    )
    ours = sinkhorn(a, b, cost, 0.05, tolerance=1e-11, marginal_penalty=penalty)
    assert ours.converged
    np.testing.assert_allclose(ours.plan, theirs, atol=1e-8)


@pytest.mark.parametrize("function", [entropic_objective, transport_cost])
def test_gradients_are_finite_differences(function):
    cost, a, b = problem(5, 4, seed=4)

    def by_logits(cost, p, q):
        return function(cost, p.softmax(0), q.softmax(0), 0.1, tolerance=1e-13)

    inputs = [t.clone().requires_grad_() for t in (cost, a.log(), b.log())]
    assert torch.autograd.gradcheck(by_logits, inputs, atol=1e-6)


def test_the_plan_has_gradients_in_a_batch_too():
    cost, a, b = problem(4, 5, seed=5)
    batch = torch.stack([cost, cost.flip(0) ** 2]).requires_grad_()
    solve = {"tolerance": 1e-13, "max_iterations": 5000}
    assert torch.autograd.gradcheck(lambda c: transport_plan(c, a, b, 0.1, **solve), batch)
    plans = transport_plan(batch, a, b, 0.1, **solve)
    torch.testing.assert_close(plans[1], transport_plan(batch[1], a, b, 0.1, **solve))


@pytest.mark.parametrize(("n", "m"), [(20, 20), (20, 13)])
def test_the_divergence_and_its_gradient_are_those_in_numpy(n, m):
    x, y = clouds(n, m, seed=6, d=8)
    x.requires_grad_()
    ours = sinkhorn_divergence(x, y, 4.0, **TIGHT)
    (gradient,) = torch.autograd.grad(ours, x)
    wanted = numpy_divergence(
        x.detach().numpy(), y.numpy(), np.full(n, 1 / n), np.full(m, 1 / m), 4.0, tolerance=1e-10
    )
    assert wanted.converged
    assert ours.item() == pytest.approx(wanted.value, abs=1e-9)
    np.testing.assert_allclose(gradient.numpy(), wanted.gradient, atol=1e-9)


def test_the_divergence_is_differentiable_in_points_and_weights():
    x, y = clouds(4, 5, seed=7, d=2)
    p, q = torch.zeros(4, dtype=torch.float64), torch.ones(5, dtype=torch.float64)

    def loss(x, y, p, q):
        weights = p.softmax(0), q.softmax(0)
        return sinkhorn_divergence(x, y, 5.0, *weights, tolerance=1e-13)

    inputs = [t.requires_grad_() for t in (x, y, p, q)]
    assert torch.autograd.gradcheck(loss, inputs, atol=1e-6)


def test_equal_clouds_have_no_divergence_and_no_gradient():
    x, _ = clouds(32, 32, dtype=torch.float32)
    x.requires_grad_()
    loss = sinkhorn_divergence(x, x.detach(), 25.0)
    loss.backward()
    assert abs(loss.item()) < 1e-3
    assert x.grad.abs().max() < 1e-3


def test_single_precision_agrees_with_double():
    x, y = clouds(48, 64, seed=8)
    double = sinkhorn_divergence(x, y, 12.0, tolerance=1e-12)
    single = sinkhorn_divergence(x.float() + 100, y.float() + 100, 12.0)
    assert single.dtype == torch.float32
    assert single.item() == pytest.approx(double.item(), rel=1e-3)


def test_autocast_changes_nothing():
    x, y = clouds(32, 32, seed=9, dtype=torch.float32)
    x.requires_grad_()

    def loss_and_gradient():
        loss = sinkhorn_divergence(x, y, 12.0)
        plan = transport_cost(
            squared_distances(x, y).float(), *[torch.full((32,), 1 / 32)] * 2, 12.0
        )
        return loss.detach(), *torch.autograd.grad(loss, x), plan.dtype

    plain = loss_and_gradient()
    with torch.autocast("cpu", torch.bfloat16):
        cast = loss_and_gradient()
        half = sinkhorn_divergence(x.bfloat16(), y.bfloat16(), 12.0)
    assert half.dtype == cast[0].dtype == cast[2] == torch.float32
    assert torch.equal(plain[0], cast[0])
    assert torch.equal(plain[1], cast[1])


def test_the_loss_is_the_same_bits_each_time():
    x, y = clouds(32, 32, seed=10, dtype=torch.float32)
    assert torch.equal(sinkhorn_divergence(x, y, 12.0), sinkhorn_divergence(x, y, 12.0))


def test_descending_the_divergence_moves_one_cloud_onto_the_other():
    x, y = clouds(16, 16, seed=11, d=4, dtype=torch.float32)
    x = (x + 3).requires_grad_()
    start = sinkhorn_divergence(x, y, 1.0).item()
    for _ in range(60):
        (gradient,) = torch.autograd.grad(sinkhorn_divergence(x, y, 1.0), x)
        # The gradient of a cloud of n points is 1/n of a step per point.
        x = (x - 4 * gradient).detach().requires_grad_()
    assert sinkhorn_divergence(x, y, 1.0).item() < 0.01 * start


def test_weights_of_zero_take_part_in_nothing():
    cost = 100 * problem(3, 3, seed=12)[0]
    a = torch.tensor([0.4, 0.0, 0.6], dtype=torch.float64)
    b = torch.tensor([0.0, 0.7, 0.3], dtype=torch.float64)
    # Between the two zeros alone the potentials promise exp(1000).
    cost[1, 0] -= 1000
    cost.requires_grad_()
    whole = transport_cost(cost, a, b, 1.0, **TIGHT)
    part = transport_cost(cost[[0, 2]][:, 1:], a[[0, 2]], b[1:], 1.0, **TIGHT)
    assert whole.item() == pytest.approx(part.item(), abs=1e-9)
    for value in (whole, entropic_objective(cost, a, b, 1.0, **TIGHT)):
        (gradient,) = torch.autograd.grad(value, cost)
        assert torch.isfinite(gradient).all()
        assert not gradient[1].any()
        assert not gradient[:, 0].any()


def test_bad_input_is_refused_in_words():
    cost, a, b = problem(3, 4)
    with pytest.raises(ValueError, match="needs weights"):
        entropic_objective(cost, b, a, 0.1)
    with pytest.raises(ValueError, match="share"):
        transport_plan(cost.float(), a, b, 0.1)
    with pytest.raises(ValueError, match="epsilon"):
        transport_cost(cost, a, b, 0.0)
    with pytest.raises(ValueError, match="one space"):
        sinkhorn_divergence(cost, cost.T, 0.1)
