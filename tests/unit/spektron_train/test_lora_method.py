"""The adapter method on a tiny encoder, in the conventions of every other method."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch

from spektron_edge.transfer import TransferError
from spektron_train.model import Encoder, EncoderConfig
from spektron_train.training.lora_method import LoraTransfer
from tests import transfer_worlds as worlds

TINY = EncoderConfig(
    points=worlds.CHANNELS,
    properties=2,
    width=16,
    hidden=32,
    heads=2,
    layers=2,
    channels=(6, 8),
    slots=6,
    slot_width=6,
    z_chem=8,
    z_inst=4,
)
WORLD = worlds.world(1)


@pytest.fixture(scope="module")
def calibrated():
    """Its linear path reads the source well; the residual is small noise that LoRA may shape."""
    torch.manual_seed(1)
    encoder = Encoder(TINY).eval()
    x, y = WORLD.x[:30], WORLD.y[:30]
    centred = x - x.mean(axis=0)
    slopes = np.linalg.solve(
        centred.T @ centred + 1e-3 * np.eye(len(x.T)), centred.T @ (y - y.mean(0))
    )
    encoder.linear.set(x.mean(axis=0), slopes, y.mean(axis=0))
    encoder.residual_scale.fill_(0.01)
    return encoder


@pytest.fixture
def method(calibrated):
    return LoraTransfer(encoder=calibrated, steps=5)


def arguments(n=8):
    return {
        name: WORLD.arguments(n)[name]
        for name in ("source_X", "source_y", "pairs_target", "labels")
    }


def r2(method, n=8):
    return worlds.r2(method.fit(**arguments(n)).predict(WORLD.t[55:]), WORLD.y[55:])


def test_it_is_better_than_the_encoder_as_it_is(method, calibrated):
    with torch.no_grad():
        y = calibrated(torch.from_numpy(WORLD.t[55:]).float(), calibrated.theta)[0].numpy()
    assert np.all(r2(method) > worlds.r2(y, WORLD.y[55:]))
    assert np.all(r2(method) > 0.5)


def test_the_encoder_that_was_given_stays_as_it_was(method, calibrated):
    before = copy.deepcopy(calibrated.state_dict())
    spectra = torch.from_numpy(WORLD.t[:3]).float()
    y = calibrated(spectra, calibrated.theta)[0]
    method.fit(**arguments())
    assert torch.equal(calibrated(spectra, calibrated.theta)[0], y)
    after = calibrated.state_dict()
    assert all(torch.equal(before[name], after[name]) for name in before)
    assert all(parameter.requires_grad for parameter in calibrated.parameters())


def test_fit_returns_itself_and_repeats_to_the_bit(method):
    assert method.fit(**arguments()) is method
    first = method.predict(WORLD.t)
    np.testing.assert_array_equal(method.fit(**arguments()).predict(WORLD.t), first)
    np.testing.assert_array_equal(method.transform(WORLD.t), WORLD.t)
    assert first.shape == (80, 2)


def test_inputs_are_left_as_they_were(method):
    given = {name: value.copy() for name, value in arguments().items()}
    method.fit(**given)
    for name, value in arguments().items():
        np.testing.assert_array_equal(given[name], value)


def refusal(call, *args, **kwargs):
    with pytest.raises(TransferError) as caught:
        call(*args, **kwargs)
    return str(caught.value)


def test_what_is_missing_or_does_not_fit_is_refused(method, calibrated):
    assert "fit" in refusal(method.predict, WORLD.t)
    less = arguments()
    assert "labels" in refusal(method.fit, less["source_X"], less["source_y"])
    assert "needs 4" in refusal(method.fit, **arguments(3))
    narrow = {n: v[:, :40] if v.shape[1] > 2 else v for n, v in arguments().items()}
    assert "do not fit the encoder" in refusal(method.fit, **narrow)
    one = {**arguments(), "source_y": WORLD.y[:30, 0], "labels": WORLD.y[:8, 0]}
    assert "do not fit the encoder" in refusal(method.fit, **one)
    assert "rank" in refusal(LoraTransfer(encoder=calibrated, rank=0).fit, **arguments())
    silent = copy.deepcopy(calibrated)
    silent.residual_scale.fill_(0.0)
    assert "residual" in refusal(LoraTransfer(encoder=silent).fit, **arguments())


def test_hyperparameters_can_be_read_and_set(method):
    assert method.set_params(rank=1).get_params()["rank"] == 1


def test_without_helpful_latents_the_head_is_next_to_nothing(method):
    rng = np.random.default_rng(0)
    noise = {**arguments(), "labels": WORLD.y[:8] + rng.standard_normal((8, 2))}
    method.fit(**noise)
    assert np.std(method._read(WORLD.t)[1] @ method.head_) < 2.0
