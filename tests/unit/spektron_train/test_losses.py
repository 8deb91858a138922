import numpy as np
import pytest
import torch
from torch.distributions import Normal, kl_divergence

from spektron_edge.bundle.merit import median_merits, merit, merits
from spektron_train.losses.agreement import view_agreement
from spektron_train.losses.bottleneck import annealed, kl_to_standard_normal
from spektron_train.losses.reconstruction import masked_error, span_mask
from spektron_train.pretraining.schedule import Schedule
from spektron_train.training.few_labels import blend_weights


def test_kl_equals_torch():
    mean, logvar = torch.randn(7, 3), torch.randn(7, 3)
    oracle = kl_divergence(Normal(mean, (logvar / 2).exp()), Normal(0.0, 1.0)).mean()
    assert torch.allclose(kl_to_standard_normal(mean, logvar), oracle, atol=1e-6)


def test_annealing():
    assert [annealed(p, 0.2) for p in (0.0, 0.25, 0.5, 1.0)] == [0.0, 0.1, 0.2, 0.2]


def test_agreement_is_zero_for_equal_views_and_one_for_pure_instrument():
    z = torch.randn(5, 4)
    assert view_agreement(z.repeat(3, 1), 3) < 1e-6
    instruments = torch.randn(3, 4).repeat_interleave(5, dim=0)
    assert view_agreement(instruments, 3) > 0.99
    mixed = z.repeat(3, 1) + 0.3 * torch.randn(15, 4)
    assert torch.allclose(view_agreement(mixed, 3), view_agreement(mixed * 0.1, 3), atol=0.02)


def test_masked_error_sees_hidden_channels_only():
    keep = span_mask(4, 70, span=32, share=0.5, generator=torch.Generator().manual_seed(1))
    assert keep.shape == (4, 70)
    assert set(keep.unique().tolist()) == {0.0, 1.0}
    assert torch.equal(keep[:, 0], keep[:, 31])
    target = torch.randn(4, 70)
    assert masked_error(target + keep, target, keep) == 0
    assert torch.isclose(masked_error(target + (1 - keep) * 2, target, keep), torch.tensor(4.0))


def test_blends_are_consistent_in_spectra_and_references():
    rng = np.random.default_rng(0)
    mixing = rng.random((4, 50))
    y = rng.random((10, 4))
    weights = blend_weights(rng.permutation(10), 0.25, rng)
    assert np.allclose(weights.sum(axis=1), 1)
    assert weights.min() >= -0.25
    assert np.allclose(weights @ (y @ mixing), (weights @ y) @ mixing)
    assert (weights != 0).sum(axis=1).max() == 2


def test_schedule():
    schedule = Schedule(rate=1.0, decay=0.0, warmup=0.1, clip=1.0)
    assert schedule.factor(0.05) == 0.5
    assert np.isclose(schedule.factor(0.1), 1)
    assert schedule.factor(1.0) < 1e-9


def test_figures_of_merit():
    reference = np.array([1.0, 2.0, 3.0, 4.0])
    m = merit(reference + np.array([0.1, 0.3, 0.1, 0.3]), reference)
    assert m.bias == pytest.approx(0.2)
    assert m.rmsep == pytest.approx(np.sqrt(0.05))
    assert m.sep == pytest.approx(np.sqrt(0.04 / 3))
    assert m.rpd == pytest.approx(reference.std(ddof=1) / m.sep)
    assert m.r2 == pytest.approx(1 - 0.2 / 5)
    with pytest.raises(ValueError, match="one length"):
        merit(reference, reference[:3])
    two = np.stack([reference, reference], axis=1)
    runs = [merits(two + shift, two, ("a", "b")) for shift in (0.0, 0.1, 5.0)]
    assert median_merits(runs)["b"].rmsep == pytest.approx(0.1)
