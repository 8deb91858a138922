from dataclasses import fields, replace

import numpy as np
import pytest
import torch

from spektron_train.data.simulate.matter import CONSTITUENTS, Matter
from spektron_train.model import EncoderConfig
from spektron_train.model.fusion import FusedEncoder
from spektron_train.model.theta import ADAPTER
from spektron_train.model.transformer import Projection

MIR = EncoderConfig(
    start=400.0,
    step=16.0,
    points=225,
    unit="cm-1",
    width=16,
    hidden=32,
    heads=2,
    layers=1,
    channels=(6, 8),
    slots=6,
    slot_width=6,
    z_chem=8,
    z_inst=4,
)
# Its tokens, 256 cm-1 apart, fall onto those of the other axis.
RAMAN = replace(MIR, start=144.0, points=213, slots=5)
BOTH = ("mir", "raman")


@pytest.fixture
def encoder():
    torch.manual_seed(0)
    return FusedEncoder({"mir": MIR, "raman": RAMAN}).eval()


@pytest.fixture
def spectra():
    rng = np.random.default_rng(0)
    return {
        "mir": torch.from_numpy(rng.random((5, MIR.points))).float(),
        "raman": torch.from_numpy(rng.random((5, RAMAN.points))).float(),
    }


def close(a, b, atol=1e-5):
    return all(torch.allclose(p, q, atol=atol) for p, q in zip(a, b, strict=True))


def test_shapes_and_token_count(encoder, spectra):
    z_chem, z_inst = encoder(spectra, encoder.theta)
    assert (z_chem.shape, z_inst.shape) == ((5, 8), (5, 4))
    latent = encoder.encode(spectra, encoder.theta)
    assert close((latent.chem, latent.inst), (z_chem, z_inst))
    assert latent.tokens.shape == (5, len(MIR.token_axis()) + len(RAMAN.token_axis()), 16)


@pytest.mark.parametrize("name", BOTH)
def test_a_modality_may_be_missing(encoder, spectra, name):
    encoder.modalities[name].absent.data.normal_()
    alone = {name: spectra[name]}
    other = next(n for n in BOTH if n != name)
    without = encoder(alone, encoder.theta)
    assert without[0].shape == (5, 8)
    assert close(without, encoder({**alone, other: None}, encoder.theta), atol=0)
    assert not close(without, encoder(spectra, encoder.theta))
    tokens = encoder.encode(alone, encoder.theta).tokens
    assert tokens.shape[1] == len(encoder.modalities[name].config.token_axis())


def test_the_stand_in_of_a_missing_modality_counts_only_then(encoder, spectra):
    before = encoder(spectra, encoder.theta), encoder({"mir": spectra["mir"]}, encoder.theta)
    encoder.modalities["raman"].absent.data.normal_()
    after = encoder(spectra, encoder.theta), encoder({"mir": spectra["mir"]}, encoder.theta)
    assert close(before[0], after[0], atol=0)
    assert not close(before[1], after[1])


def test_modalities_see_each_other(encoder, spectra):
    # Beyond what the heads add up: the tokens of one depend on the spectrum of the other.
    count = len(MIR.token_axis())
    together = encoder.encode(spectra, encoder.theta).tokens[:, :count]
    alone = encoder.encode({"mir": spectra["mir"]}, encoder.theta).tokens
    assert not torch.allclose(together, alone, atol=1e-3)


def test_order_of_the_mappings_does_not_matter(encoder, spectra):
    torch.manual_seed(0)
    other = FusedEncoder({"raman": RAMAN, "mir": MIR}).eval()
    assert other.layout == encoder.layout
    mine, own = other.state_dict(), encoder.state_dict()
    assert all(torch.equal(mine[name], value) for name, value in own.items())
    turned = {name: spectra[name] for name in reversed(spectra)}
    assert close(encoder(spectra, encoder.theta), other(turned, encoder.theta), atol=0)


def test_positions_are_shared_wavenumbers(encoder):
    axes = {name: encoder.modalities[name].config.token_axis() for name in BOTH}
    shared = np.intersect1d(*axes.values())
    places = [encoder.modalities[n].positions[np.isin(axes[n], shared)] for n in BOTH]
    assert len(shared) > 10
    assert torch.equal(*places)


def test_the_embedding_tells_equal_axes_apart():
    torch.manual_seed(0)
    twins = FusedEncoder({"a": MIR, "b": MIR})
    a, b = twins.modalities["a"], twins.modalities["b"]
    assert torch.equal(a.positions, b.positions)
    b.tokenizer.load_state_dict(a.tokenizer.state_dict())
    x, still = torch.rand(2, MIR.points), torch.zeros(len(ADAPTER))
    gap = b.tokens(x, still) - a.tokens(x, still)
    assert torch.allclose(gap, (b.embedding - a.embedding).expand_as(gap), atol=1e-5)
    assert gap.abs().max() > 1e-2


def test_rows_do_not_depend_on_each_other(encoder, spectra):
    row = {name: x[2:3] for name, x in spectra.items()}
    together = [z[2:3] for z in encoder(spectra, encoder.theta)]
    assert close(together, encoder(row, encoder.theta))


def test_theta_layout(encoder):
    layout = encoder.layout
    assert layout.names[:2] == ("mir.adapter", "raman.adapter")
    assert layout.size == 2 * len(ADAPTER) + (2 * 1 + 1) * 2 * 16 == encoder.theta.numel()
    initial = layout.initial()
    assert np.all(initial[: 2 * len(ADAPTER)] == 0)
    assert initial.sum() == 3 * 16


def test_each_adapter_moves_its_own_spectrum(encoder, spectra):
    theta = encoder.theta.detach().clone()
    theta[len(ADAPTER)] = 0.1
    scaled = {**spectra, "raman": 1.1 * spectra["raman"]}
    assert close(encoder(spectra, theta), encoder(scaled, encoder.theta))


def test_gradients_reach_every_parameter(encoder, spectra):
    total = torch.zeros(())
    for given in (spectra, *({name: x} for name, x in spectra.items())):
        latent = encoder.encode(given, encoder.theta)
        total = total + sum(getattr(latent, f.name).square().sum() for f in fields(latent))
    total.backward()
    for name, parameter in encoder.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().sum() > 0, name
    assert (encoder.theta.grad != 0).float().mean() > 0.9


def test_works_under_bfloat16(encoder, spectra):
    exact = encoder.encode(spectra, encoder.theta)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        latent = encoder.encode(spectra, encoder.theta)
    assert latent.chem.dtype == torch.float32
    assert torch.allclose(latent.chem, exact.chem, atol=0.1 * float(exact.chem.detach().std()))


def test_exports_with_a_free_number_of_rows(encoder, spectra):
    batch = {0: torch.export.Dim("batch")}
    theta = encoder.theta.detach()
    for given in (spectra, {"raman": spectra["raman"]}):
        shapes = (dict.fromkeys(given, batch), None)
        program = torch.export.export(encoder, (given, theta), dynamic_shapes=shapes)
        fewer = {name: x[:3] for name, x in given.items()}
        assert close(program.module()(fewer, theta), encoder(fewer, theta))


def test_three_modalities():
    nir = replace(MIR, start=1100.0, step=4.0, points=350, unit="nm")
    encoder = FusedEncoder({"nir": nir, "mir": MIR, "raman": RAMAN})
    assert list(encoder.modalities) == ["mir", "nir", "raman"]
    x = {"raman": torch.rand(2, RAMAN.points), "nir": torch.rand(2, nir.points)}
    assert encoder(x, encoder.theta)[0].shape == (2, 8)


def test_refusals(encoder, spectra):
    with pytest.raises(ValueError, match="at least two"):
        FusedEncoder({"mir": MIR})
    with pytest.raises(ValueError, match="same width, z_chem"):
        FusedEncoder({"mir": MIR, "raman": replace(RAMAN, width=32, z_chem=16)})
    for wrong, message in (
        ({}, "expected spectra of mir, raman"),
        ({"mir": None}, "expected spectra"),
        ({**spectra, "nir": None}, "expected spectra"),
        ({**spectra, "mir": spectra["mir"][:2]}, "numbers of rows"),
        ({**spectra, "mir": spectra["raman"]}, "not its grid's"),
    ):
        with pytest.raises(ValueError, match=message):
            encoder(wrong, encoder.theta)
    with pytest.raises(ValueError, match="theta has shape"):
        encoder(spectra, encoder.theta[1:])


# Learning from two modalities ------------------------------------------------------------------


def learn(encoder, x, y, steps, rows):
    """Train with each modality off in turn; held-out mean squared error by what was on, (m,)."""
    spectra = {name: torch.from_numpy(v).float() for name, v in x.items()}
    target = torch.from_numpy((y - y[:rows].mean(axis=0)) / y[:rows].std(axis=0)).float()
    with torch.no_grad():
        for name, modality in encoder.modalities.items():
            channels = modality.tokenizer.raw(spectra[name][:rows])
            modality.tokenizer.centre.copy_(channels.mean(dim=0))
            modality.tokenizer.scales.copy_(1 / channels.std(dim=0))
    head = Projection(8, y.shape[1], 0.1)
    optimiser = torch.optim.Adam([*encoder.parameters(), *head.parameters()])
    patterns = [BOTH, *((name,) for name in BOTH)]

    def error(pattern, part):
        given = {name: spectra[name][part] for name in pattern}
        return (head(encoder(given, encoder.theta)[0]) - target[part]).square()

    for step in range(steps):
        optimiser.param_groups[0]["lr"] = 1e-2 * (1 - step / steps)
        loss = error(patterns[step % 3], slice(rows)).mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    with torch.no_grad():
        return {p: error(p, slice(rows, None)).mean(dim=0).numpy() for p in patterns}


def test_fused_latent_knows_what_each_modality_alone_cannot_see(encoder):
    # Constituent 0 absorbs but does not scatter, constituent 1 the other way round.
    rng = np.random.default_rng(0)
    y = rng.random((120, 2))

    def band(axis, at):
        return np.exp(-(((axis - at) / 120) ** 2))

    x = {
        "mir": y[:, :1] * band(MIR.axis(), 1650) + band(MIR.axis(), 2900),
        "raman": y[:, 1:] * band(RAMAN.axis(), 1000) + band(RAMAN.axis(), 2900),
    }
    x = {name: v + 1e-2 * rng.standard_normal(v.shape) for name, v in x.items()}
    held_out = learn(encoder, x, y, steps=120, rows=80)
    assert np.all(held_out[BOTH] < 0.25)
    assert held_out["mir",][0] < 0.2
    assert held_out["raman",][1] < 0.2
    # Blind to the other one: no better than its mean.
    assert held_out["mir",][1] > 0.7
    assert held_out["raman",][0] > 0.7


def test_fused_latent_is_at_least_as_good_on_simulated_spectra_of_one_set(encoder):
    def draw(matter, raman):
        # The same seed draws the same samples: what they are made of comes before how they look.
        rng = np.random.default_rng(0)
        return (matter.draw_raman if raman else matter.draw)(160, rng, "dairy powder")

    mir = draw(Matter(MIR.axis()), raman=False)
    raman = draw(Matter(RAMAN.axis()), raman=True)
    assert np.array_equal(mir.composition, raman.composition)
    assert np.array_equal(mir.temperature_c, raman.temperature_c)
    contents = [CONSTITUENTS.index(name) for name in ("water", "sugars", "protein", "fat")]
    x = {"mir": mir.absorbance, "raman": raman.absorbance}
    held_out = learn(encoder, x, mir.composition[:, contents], steps=120, rows=120)
    fused, *alone = (error.mean() for error in held_out.values())
    assert fused < 0.3
    assert fused < min(alone)
