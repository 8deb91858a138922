from __future__ import annotations

import numpy as np
import pytest
import torch

from spektron_edge.inference.gradient import TERMS
from spektron_train.losses.adaptation import AdaptationLoss
from spektron_train.losses.bottleneck import kl_to_standard_normal
from spektron_train.losses.reconstruction import masked_error, span_mask


@pytest.fixture
def loss(small_encoder):
    small_encoder.reconstruction.reset(0.1)
    return AdaptationLoss(small_encoder.requires_grad_(False))


def spectra(n=6):
    return torch.rand(n, 700, generator=torch.Generator().manual_seed(1))


def mask(n=6):
    return span_mask(n, 700, 32, 0.4, torch.Generator().manual_seed(2))


def evaluate(loss, x, keep=None, theta=None, weights=None, centre=None, spread=None):
    encoder = loss.encoder
    theta0 = encoder.theta.detach()
    d = encoder.config.z_chem
    return loss(
        x,
        mask(len(x)) if keep is None else keep,
        theta0 if theta is None else theta,
        theta0,
        torch.zeros(d) if centre is None else centre,
        torch.ones(d) if spread is None else spread,
        torch.ones(len(TERMS)) if weights is None else weights,
    )


def term(loss, name, *arguments, **settings):
    return evaluate(loss, *arguments, **settings)[1][TERMS.index(name)]


def test_the_loss_is_its_terms_times_their_weights(loss):
    weights = torch.tensor([0.5, 2.0, 3.0, 0.25, 7.0])
    theta = loss.encoder.theta.detach() + 0.01
    total, terms = evaluate(loss, spectra(), theta=theta, weights=weights)
    assert terms.shape == (5,)
    assert total.item() == pytest.approx((weights * terms).sum().item(), rel=1e-6)
    assert (terms > 0).all()


def test_terms_are_what_pretraining_and_the_docstring_say(loss):
    encoder, x, keep = loss.encoder, spectra(), mask()
    theta = encoder.theta.detach()
    masked, whole = encoder.encode(x, theta, keep), encoder.encode(x, theta)
    predicted = encoder.reconstruction(masked.tokens).flatten(1)[:, :700]
    error = masked_error(predicted, encoder.tokenizer.inputs(x)[:, 0], keep)
    assert term(loss, "reconstruction", x).item() == pytest.approx(error.item(), rel=1e-5)
    divergence = kl_to_standard_normal(whole.chem, whole.chem_logvar)
    divergence += kl_to_standard_normal(whole.inst, whole.inst_logvar)
    assert term(loss, "bottleneck", x).item() == pytest.approx(divergence.item(), rel=1e-5)
    mean, deviation = whole.chem.mean(dim=0), whole.chem.std(dim=0)
    of_mean = (mean**2).mean()
    assert term(loss, "centre", x).item() == pytest.approx(of_mean.item(), rel=1e-4)
    of_deviation = ((deviation - 1) ** 2).mean()
    assert term(loss, "spread", x).item() == pytest.approx(of_deviation.item(), rel=1e-3)
    assert term(loss, "centre", x, centre=mean).item() < 1e-10
    assert term(loss, "spread", x, spread=deviation).item() < 1e-6
    assert term(loss, "anchor", x, theta=theta + 0.1).item() == pytest.approx(
        0.01 * len(theta), rel=1e-3
    )


def test_what_is_kept_is_not_rebuilt_and_what_is_hidden_is_not_seen(loss):
    x = spectra(2)
    assert term(loss, "reconstruction", x, torch.ones_like(x)) == 0
    keep = mask(2)
    full = evaluate(loss, x, torch.ones_like(x))[1]
    hidden = evaluate(loss, x, keep)[1]
    # Only reconstruction sees the mask: a masked spectrum has another latent.
    assert torch.allclose(full[1:], hidden[1:], rtol=1e-5)


def test_a_batch_of_one_has_no_spread_and_no_gradient_of_it(loss):
    theta = loss.encoder.theta.detach().clone().requires_grad_()
    value = term(loss, "spread", spectra(1), theta=theta)
    (gradient,) = torch.autograd.grad(value, theta)
    assert value.item() == pytest.approx(1, rel=1e-2)
    assert torch.equal(gradient, torch.zeros_like(gradient))


def test_the_gradient_is_that_of_the_loss(loss):
    rng = np.random.default_rng(0)
    theta = loss.encoder.theta.detach().clone()
    direction = torch.from_numpy(rng.standard_normal(len(theta)).astype(np.float32))
    direction[:6] /= 100
    moved = theta.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(evaluate(loss, spectra(), theta=moved)[0], moved)
    step = 1e-3
    ahead, behind = (
        evaluate(loss, spectra(), theta=theta + sign * step * direction)[0].item()
        for sign in (1, -1)
    )
    assert (gradient @ direction).item() == pytest.approx((ahead - behind) / (2 * step), rel=0.02)


def test_descent_brings_a_shifted_instrument_back(loss):
    x = spectra()
    encoder = loss.encoder
    source = encoder.encode(x, encoder.theta.detach())
    moments = {"centre": source.chem.mean(dim=0), "spread": source.chem.std(dim=0)}
    weights = torch.tensor([0.0, 0.0, 1.0, 1.0, 0.0])
    theta = encoder.theta.detach().clone()
    values = []
    for _ in range(20):
        moved = theta.clone().requires_grad_()
        value, _ = evaluate(loss, x + 0.05, theta=moved, weights=weights, **moments)
        (gradient,) = torch.autograd.grad(value, moved)
        # The offset of the adapter is what was changed.
        theta[1] -= 0.005 * torch.sign(gradient[1])
        values.append(value.item())
    assert values[-1] < 0.1 * values[0]
    assert theta[1].item() == pytest.approx(-0.05, abs=0.01)
