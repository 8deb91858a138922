import dataclasses

import numpy as np
import pytest
import torch

from spektron_edge.spectra.preprocessing import correlate_valid, savgol_kernel
from spektron_train.model import Encoder, EncoderConfig
from spektron_train.model.adapter import InputAdapter
from spektron_train.model.linear_path import unfilter
from spektron_train.model.positional import axis_encoding
from spektron_train.model.theta import ADAPTER, ThetaLayout
from spektron_train.model.vib import sample
from spektron_train.reference.ridge import fit_ridge


@pytest.fixture
def spectra():
    rng = np.random.default_rng(0)
    return torch.from_numpy(rng.random((5, 20)) @ rng.random((20, 700)) / 20).float()


def test_default_encoder_is_large_enough_for_int8_to_pay():
    encoder = Encoder(EncoderConfig())
    assert encoder.parameter_count >= 2_000_000
    assert len(encoder.config.token_axis()) == 44
    assert (encoder.config.z_chem, encoder.config.z_inst) == (128, 64)


def test_shapes(small_encoder, spectra):
    y, z_chem, z_inst = small_encoder(spectra, small_encoder.theta)
    assert y.shape == (5, 4)
    assert z_chem.shape == (5, 16)
    assert z_inst.shape == (5, 8)
    latent = small_encoder.encode(spectra, small_encoder.theta)
    assert torch.allclose(latent.chem, z_chem, atol=1e-6)
    assert latent.tokens.shape == (5, 44, 32)


def test_rows_do_not_depend_on_each_other(small_encoder, spectra):
    together = small_encoder(spectra, small_encoder.theta)[1]
    alone = small_encoder(spectra[2:3], small_encoder.theta)[1]
    assert torch.allclose(together[2:3], alone, atol=1e-5)


def test_theta_layout(small_encoder):
    layout = small_encoder.layout
    assert layout.names[0] == "adapter"
    assert layout.sizes[0] == len(ADAPTER)
    assert layout.size == len(ADAPTER) + (2 * 2 + 1) * 2 * 32 == small_encoder.theta.numel()
    assert layout == ThetaLayout.of(32, 2)
    initial = layout.initial()
    assert initial.dtype == np.float32
    assert np.all(initial[: len(ADAPTER)] == 0)
    assert initial.sum() == 5 * 32
    parts = layout.split(torch.arange(layout.size))
    assert torch.equal(torch.cat(parts), torch.arange(layout.size))
    with pytest.raises(ValueError, match="theta has shape"):
        layout.split(torch.zeros(3))


def test_no_layer_norm_parameter_is_outside_theta(small_encoder):
    assert not [m for m in small_encoder.modules() if isinstance(m, torch.nn.LayerNorm)]


def test_every_part_of_theta_matters(small_encoder, spectra):
    small_encoder.linear.weight.normal_()
    small_encoder.residual_scale.fill_(1.0)
    theta = small_encoder.theta.detach().clone().requires_grad_()
    y, z_chem, z_inst = small_encoder(spectra, theta)
    (y.square().sum() + z_chem.square().sum() + z_inst.square().sum()).backward()
    for name, part in zip(
        small_encoder.layout.names, small_encoder.layout.split(theta.grad), strict=True
    ):
        assert torch.all(part.abs() > 0) or (part != 0).float().mean() > 0.9, name


def test_gradients_reach_every_parameter(small_encoder, spectra):
    latent = small_encoder.encode(spectra, small_encoder.theta)
    parts = (getattr(latent, field.name) for field in dataclasses.fields(latent))
    total = sum(part.square().sum() for part in parts)
    total = total + small_encoder.residual(latent.chem).square().sum()
    small_encoder.reconstruction.reset(0.1)
    total = total + small_encoder.reconstruction(latent.tokens).square().sum()
    total.backward()
    for name, parameter in small_encoder.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().sum() > 0, name


def test_adapter_is_the_identity_at_zero(spectra):
    adapter = InputAdapter(EncoderConfig())
    assert torch.equal(adapter(spectra, torch.zeros(6)), spectra)


def test_adapter_is_linear_in_theta(spectra):
    adapter = InputAdapter(EncoderConfig()).double()
    spectra = spectra.double()
    a, b = torch.randn(2, 6, dtype=torch.float64)

    def change(p):
        return adapter(spectra, p) - spectra

    assert torch.allclose(change(2 * a - 3 * b), 2 * change(a) - 3 * change(b), atol=1e-10)


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("gain", 0.02, lambda axis: 1.02 * np.sin(axis / 100)),
        ("offset", 0.01, lambda axis: np.sin(axis / 100) + 0.01),
        ("shift", 0.5, lambda axis: np.sin((axis + 0.5) / 100)),
        (
            "stretch",
            0.5,
            lambda axis: np.sin((axis + 0.5 * np.linspace(-1, 1, 700)) / 100),
        ),
        ("slope", 0.01, lambda axis: np.sin(axis / 100) + 0.01 * np.linspace(-1, 1, 700)),
        (
            "curvature",
            0.01,
            lambda axis: np.sin(axis / 100) + 0.01 * (np.linspace(-1, 1, 700) ** 2 - 1 / 3),
        ),
    ],
)
def test_adapter_parameters_mean_what_they_say(name, value, expected):
    config = EncoderConfig()
    axis = config.axis()
    parameters = torch.zeros(6)
    parameters[ADAPTER.index(name)] = value
    out = InputAdapter(config)(torch.from_numpy(np.sin(axis / 100)).float()[None], parameters)
    assert np.allclose(out[0].numpy(), expected(axis), atol=1e-4)


def test_positions_are_physical():
    # Two models whose tokens lie at the same wavelengths share their encoding there.
    coarse = EncoderConfig(points=350, step=4.0, strides=(2, 2, 2)).token_axis()
    fine = EncoderConfig().token_axis()
    shared = np.intersect1d(coarse, fine)
    assert len(shared) > 40
    a = axis_encoding(coarse, "nm", 32)[np.isin(coarse, shared)]
    b = axis_encoding(fine, "nm", 32)[np.isin(fine, shared)]
    assert np.array_equal(a, b)
    # And a wavelength is the wavenumber it stands for.
    assert np.allclose(axis_encoding(1e7 / shared, "cm-1", 32), a)


def test_a_window_of_the_grid_is_the_grid_there(small_encoder, spectra):
    # Tokens away from the window's ends see the same spectrum at the same positions.
    encoder = small_encoder
    encoder.tokenizer.centre.normal_()
    whole = encoder.tokenizer.inputs(spectra)
    part = encoder.tokenizer.inputs(spectra[:, 160:480], 160)
    inner = slice(16, -16)
    assert torch.allclose(part[:, :2, inner], whole[:, :2, 160:480][:, :, inner], atol=1e-6)
    latent = encoder.encode(spectra[:, 160:480], encoder.theta, first=160)
    assert latent.chem.shape == (5, 16)
    assert latent.tokens.shape == (5, 20, 32)


def test_photometric_scale_leaves_the_third_input(small_encoder, spectra):
    raw = small_encoder.tokenizer.raw
    assert torch.allclose(raw(3 * spectra)[:, 2], raw(spectra)[:, 2], atol=1e-4)


def test_token_axis_counts_tokens(small_encoder, spectra):
    tokens = small_encoder.tokenizer(spectra)
    assert tokens.shape[1] == len(small_encoder.config.token_axis())


def test_linear_path_equals_ridge_on_the_derivative(small_encoder):
    rng = np.random.default_rng(0)
    x, y = rng.random((30, 20)) @ rng.random((20, 700)), rng.random((30, 4))
    kernel = savgol_kernel(15, 2, 1)
    ridge = fit_ridge(correlate_valid(x, kernel), y, np.full(4, 1e-4))
    small_encoder.linear.set(x.mean(axis=0), unfilter(ridge.coefficients, kernel), ridge.y_mean)
    folded = small_encoder.linear(torch.from_numpy(x).float()).numpy()
    assert np.allclose(folded, ridge.predict(correlate_valid(x, kernel)), atol=1e-4)
    theta = small_encoder.theta
    assert np.allclose(small_encoder(torch.from_numpy(x).float(), theta)[0].detach(), folded)


def test_configuration_round_trip_and_refusals():
    config = EncoderConfig()
    assert EncoderConfig.from_json(config.to_json()) == config
    as_lists = {k: list(v) if isinstance(v, tuple) else v for k, v in config.to_json().items()}
    assert EncoderConfig.from_json(as_lists) == config
    for wrong in ({"width": 30, "heads": 4}, {"kernels": [8, 5, 5]}, {"layers": 0}, {"depth": 1}):
        with pytest.raises(ValueError, match=r"width|odd|at least 1|unusable"):
            EncoderConfig.from_json({**config.to_json(), **wrong})


def test_sampling_has_the_posterior_moments():
    generator = torch.Generator().manual_seed(0)
    mean, logvar = torch.full((20000, 1), 2.0), torch.full((20000, 1), np.log(0.25))
    draws = sample(mean, logvar, generator)
    assert abs(draws.mean() - 2) < 0.02
    assert abs(draws.std() - 0.5) < 0.02
