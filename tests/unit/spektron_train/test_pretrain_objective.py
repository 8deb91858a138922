import numpy as np
import pytest
import torch
from sklearn.linear_model import Ridge

from spektron_train.data.simulate.domain import NIR
from spektron_train.data.simulate.stream import EpisodeSettings, EpisodeStream
from spektron_train.losses.adversary import reverse_gradient
from spektron_train.losses.agreement import instrument_agreement, view_agreement
from spektron_train.losses.few_shot import few_shot_error
from spektron_train.model import Encoder, EncoderConfig
from spektron_train.model.transplant import across_domains, new_like, on_axis
from spektron_train.pretraining.invariance import Budgets, close_latents
from spektron_train.pretraining.objective import EpisodeTensors, PretrainModel, PretrainWeights
from spektron_train.training.few_labels import train_on_few

SMALL = {
    "width": 32,
    "hidden": 32,
    "heads": 2,
    "layers": 1,
    "channels": (8, 8),
    "slots": 4,
    "slot_width": 8,
    "z_chem": 16,
    "z_inst": 8,
}


@pytest.fixture
def nir_encoder():
    torch.manual_seed(0)
    return Encoder(EncoderConfig(start=600.0, points=950, **SMALL)).eval()


@pytest.fixture(scope="module")
def episode():
    settings = EpisodeSettings(samples=12, views=2, windows=((64, 640),))
    return EpisodeTensors.of(EpisodeStream(NIR, settings, 0).episode(0, 0))


def test_reversed_gradient():
    z = torch.randn(3, 2, requires_grad=True)
    assert torch.equal(reverse_gradient(z, 0.5), z)
    reverse_gradient(z, 0.5).sum().backward()
    assert torch.allclose(z.grad, torch.full((3, 2), -0.5))


def test_few_shot_error_is_ridge_on_the_first_view():
    generator = torch.Generator().manual_seed(3)
    z, y = torch.randn(1, 24, 6), torch.randn(24, 1)
    count = int(torch.randint(5, 13, (1,), generator=generator))
    order = torch.randperm(24, generator=generator)
    fitted, rest = order[:count].numpy(), order[count:].numpy()
    x, t = z[0].numpy().astype(float), (y / y.std()).numpy().astype(float)
    centred = x[fitted] - x[fitted].mean(axis=0)
    oracle = Ridge(alpha=0.1 * np.mean(np.sum(centred**2, axis=1))).fit(x[fitted], t[fitted])
    error = np.abs(oracle.predict(x[rest]).reshape(-1, 1) - t[rest])
    expected = np.where(error < 1, 0.5 * error**2, error - 0.5).mean()
    found = few_shot_error(z, y, torch.log(torch.tensor([0.1])), torch.Generator().manual_seed(3))
    assert float(found) == pytest.approx(expected, rel=1e-4)


def test_agreements_are_each_other_s_mirror():
    sample, instrument = torch.randn(6, 4), torch.randn(3, 4)
    by_sample, by_instrument = sample.repeat(3, 1), instrument.repeat_interleave(6, dim=0)
    assert view_agreement(by_sample, 3) < 1e-4 < 0.99 < view_agreement(by_instrument, 3)
    assert instrument_agreement(by_instrument, 3) < 1e-4 < 0.99 < instrument_agreement(by_sample, 3)


def test_terms_depend_on_the_seed_alone(nir_encoder, episode):
    model = PretrainModel(nir_encoder, PretrainWeights())
    torch.manual_seed(1)
    a = model(episode, 0.5, (0, 1, 2))
    torch.manual_seed(2)
    b = model(episode, 0.5, (0, 1, 2))
    assert {k: float(v.detach()) for k, v in a.items()} == {
        k: float(v.detach()) for k, v in b.items()
    }
    assert float(model(episode, 0.5, (0, 1, 3))["few_shot"].detach()) != float(
        a["few_shot"].detach()
    )


def test_every_weight_is_trained(nir_encoder, episode):
    model = PretrainModel(nir_encoder, PretrainWeights())
    torch.stack(list(model(episode, 1.0, (0,)).values())).sum().backward()
    idle = {name for name, p in model.named_parameters() if p.grad is None or not p.grad.any()}
    # What a product decides, and nothing else.
    assert idle == {"encoder.residual.weight", "encoder.residual.bias"}


def test_on_axis_predicts_the_same_latents_there(nir_encoder):
    nir_encoder.tokenizer.centre.normal_()
    x = torch.rand(3, 640)
    there = on_axis(nir_encoder, 600.0 + 64 * 2, 2.0, 640, 3)
    assert there.config.properties == 3
    with torch.no_grad():
        a = nir_encoder.encode(x, nir_encoder.theta, first=64)
        b = there.encode(x, there.theta)
    assert torch.allclose(a.chem, b.chem, atol=1e-4)
    assert torch.allclose(a.inst, b.inst, atol=1e-4)


@pytest.mark.parametrize(
    ("start", "step", "points"), [(500.0, 2.0, 300), (1100.0, 2.0, 900), (1100.0, 4.0, 300)]
)
def test_on_axis_refuses_what_it_has_not_seen(nir_encoder, start, step, points):
    with pytest.raises(ValueError, match=r"within|pitch"):
        on_axis(nir_encoder, start, step, points, 1)


def test_new_like_and_across_domains(nir_encoder):
    nir_encoder.tokenizer.centre.normal_()
    fresh = new_like(nir_encoder)
    assert torch.equal(fresh.tokenizer.centre, nir_encoder.tokenizer.centre)
    assert not torch.equal(fresh.chem.mean.weight, nir_encoder.chem.mean.weight)
    mid = Encoder(EncoderConfig(start=400.0, step=4.0, points=900, unit="cm-1", **SMALL))
    moved = across_domains(mid, nir_encoder)
    assert torch.equal(moved.chem.mean.weight, mid.chem.mean.weight)
    assert torch.equal(moved.positions, nir_encoder.positions)
    assert not torch.equal(moved.pooling.query, mid.pooling.query)


def test_closing_leaves_each_latent_the_directions_that_are_its_own(nir_encoder):
    nir_encoder.tokenizer.scales.fill_(1.0)
    closed = close_latents(nir_encoder, NIR, 5, instruments=40, budgets=Budgets(0.5, 2.0))
    for part, head, budget in zip(
        closed, (nir_encoder.chem, nir_encoder.inst), (0.5, 2.0), strict=True
    ):
        size = head.mean.weight.shape[1]
        rank = torch.linalg.matrix_rank(head.mean.weight.detach(), rtol=1e-4)
        assert rank == part.kept < size
        assert sum(part.lost) <= budget or part.kept == 1
        assert np.all(np.diff(part.lost) >= 0)


def test_few_labels_train_the_encoder_and_leave_the_adapter(nir_encoder):
    rng = np.random.default_rng(0)
    x = rng.random((10, 950))
    before = nir_encoder.theta.detach().clone()
    train_on_few(nir_encoder, x, rng.random((10, 2)), steps=2, rate=1e-3, seed=0)
    assert torch.equal(nir_encoder.theta[:6], before[:6])
    assert not torch.equal(nir_encoder.theta[6:], before[6:])
