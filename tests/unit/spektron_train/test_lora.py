import copy
import io

import numpy as np
import pytest
import torch

from spektron_train.archive import pack_arrays
from spektron_train.model import Encoder, EncoderConfig
from spektron_train.model.lora import TARGETS, add_lora
from spektron_train.training.lora_transfer import lora_transfer

TINY = EncoderConfig(
    points=120,
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


@pytest.fixture
def encoder():
    torch.manual_seed(1)
    encoder = Encoder(TINY).eval()
    encoder.linear.weight.normal_()
    encoder.residual_scale.fill_(1.0)
    return encoder


@pytest.fixture
def x():
    return torch.from_numpy(np.random.default_rng(0).random((5, TINY.points))).float()


def predict(encoder, x):
    with torch.no_grad():
        return encoder(x, encoder.theta)


def disturb(adapters):
    generator = torch.Generator().manual_seed(3)
    with torch.no_grad():
        for parameter in (*adapters.up, adapters.offset):
            parameter.copy_(0.3 * torch.randn(parameter.shape, generator=generator))


def equal(a, b, atol=0.0):
    return all(torch.allclose(p, q, rtol=0, atol=atol) for p, q in zip(a, b, strict=True))


def untouched(adapters):
    return not any(up.detach().any() for up in adapters.up)


def test_no_effect_at_first(encoder, x):
    before = predict(encoder, x)
    add_lora(encoder, rank=2, alpha=4.0, seed=0)
    assert equal(predict(encoder, x), before)


def test_merged_equals_unmerged_and_leaves_nothing_behind(encoder, x):
    before, names = predict(encoder, x), list(encoder.state_dict())
    adapters = add_lora(encoder, rank=2, alpha=4.0, seed=0)
    disturb(adapters)
    unmerged = predict(encoder, x)
    assert not equal(unmerged, before, atol=1e-2)
    adapters.merge()
    assert equal(predict(encoder, x), unmerged, atol=1e-4)
    assert list(encoder.state_dict()) == names
    assert not [m for m in encoder.modules() if m._forward_hooks]
    assert all(p.requires_grad for p in encoder.parameters())
    for again in (adapters.merge, adapters.remove):
        with pytest.raises(RuntimeError, match="no longer"):
            again()


def test_removed_adapters_leave_the_encoder_as_it_was(encoder, x):
    before, weights = predict(encoder, x), copy.deepcopy(encoder.state_dict())
    frozen = encoder.tokenizer.convolutions[0].bias.requires_grad_(False)
    adapters = add_lora(encoder, rank=2, alpha=4.0, seed=0)
    disturb(adapters)
    adapters.remove()
    assert equal(predict(encoder, x), before)
    assert all(torch.equal(v, weights[k]) for k, v in encoder.state_dict().items())
    assert [p is frozen for p in encoder.parameters() if not p.requires_grad] == [True]


def test_gradients_flow_only_into_the_adapters(encoder, x):
    adapters = add_lora(encoder, rank=2, alpha=4.0, seed=0)
    disturb(adapters)
    y, z_chem, z_inst = encoder(x, encoder.theta)
    (y.square().sum() + z_chem.square().sum() + z_inst.square().sum()).backward()
    assert all(p.grad is None for p in encoder.parameters())
    for name, parameter in adapters.named_parameters():
        assert parameter.grad.abs().sum() > 0, name


def test_the_base_is_not_part_of_the_adapters(encoder):
    adapters = add_lora(encoder, rank=2, alpha=4.0, seed=0)
    base = {id(p) for p in encoder.parameters()}
    assert not base & {id(p) for p in adapters.parameters()}
    assert len(list(encoder.modules())) == len(list(Encoder(TINY).modules()))


def test_works_under_bfloat16(encoder, x):
    adapters = add_lora(encoder, rank=2, alpha=4.0, seed=0)
    disturb(adapters)
    exact = encoder.encode(x, encoder.theta).chem
    with torch.autocast("cpu", dtype=torch.bfloat16):
        latent = encoder.encode(x, encoder.theta)
    assert latent.chem.dtype == torch.float32
    assert torch.allclose(latent.chem, exact, atol=0.1 * float(exact.detach().abs().max()))
    latent.chem.square().sum().backward()
    assert all(torch.isfinite(p.grad).all() for p in (*adapters.down, *adapters.up))


def test_targets_are_chosen_by_name(encoder):
    adapters = add_lora(encoder, rank=2, alpha=2.0, seed=0, targets=("out", "qkv"))
    assert adapters.sites == ("block0.qkv", "block0.out", "block1.qkv", "block1.out")
    hooked = [n for n, m in encoder.named_modules() if m._forward_hooks]
    assert hooked == ["blocks.0.qkv", "blocks.0.out", "blocks.1.qkv", "blocks.1.out", "linear"]


@pytest.mark.parametrize(
    ("change", "message"),
    [({"rank": 0}, "rank is 0"), ({"targets": ("key",)}, "not among"), ({"targets": ()}, "among")],
)
def test_refusals_leave_the_encoder_alone(encoder, change, message):
    with pytest.raises(ValueError, match=message):
        add_lora(encoder, **{"rank": 2, "alpha": 2.0, "seed": 0, **change})
    assert all(p.requires_grad for p in encoder.parameters())
    assert not [m for m in encoder.modules() if m._forward_hooks]


def test_state_round_trip(encoder, x):
    adapters = add_lora(encoder, rank=2, alpha=0.7, seed=0)
    disturb(adapters)
    expected = predict(encoder, x)
    raw = pack_arrays(adapters.state())
    adapters.remove()
    with np.load(io.BytesIO(raw), allow_pickle=False) as archive:
        state = dict(archive)
    fresh = add_lora(encoder, rank=2, alpha=1.0, seed=9)
    fresh.load(state)
    assert equal(predict(encoder, x), expected)
    assert pack_arrays(fresh.state()) == raw
    fresh.state()["offset"][:] = 7
    assert equal(predict(encoder, x), expected)
    with pytest.raises(ValueError, match=r"does not fit.*block0\.qkv\.down"):
        fresh.load({**state, "block0.qkv.down": state["block0.qkv.down"][:, :1]})
    with pytest.raises(ValueError, match="alpha"):
        fresh.load({k: v for k, v in state.items() if k != "alpha"})


def test_factors_depend_on_the_seed_alone(encoder):
    def factors(seed):
        torch.rand(1)
        adapters = add_lora(encoder, rank=2, alpha=1.0, seed=seed)
        adapters.remove()
        return pack_arrays(adapters.state())

    assert factors(5) == factors(5) != factors(6)


@pytest.mark.parametrize(
    ("rank", "targets", "kilobytes"), [(1, ("qkv", "out"), 20), (1, TARGETS, 55), (4, TARGETS, 200)]
)
def test_an_adapter_of_the_full_encoder_is_small(rank, targets, kilobytes):
    encoder = Encoder(EncoderConfig())
    adapters = add_lora(encoder, rank=rank, alpha=1.0, seed=0, targets=targets)
    factors = sum(p.numel() for p in (*adapters.down, *adapters.up))
    sizes = {"qkv": 256 + 768, "out": 512, "expand": 256 + 1024, "contract": 256 + 1024}
    assert factors == 3 * rank * sum(sizes[name] for name in targets)
    assert kilobytes / 2 < sum(v.nbytes for v in adapters.state().values()) / 1e3 < kilobytes


# An instrument change and its transfer ---------------------------------------------------------

AXIS = TINY.axis()
BANDS = ((1150.0, 14.0), (1210.0, 18.0), (1280.0, 16.0))


def measured(c, rng, gain=1.0, offset=0.0, shift=0.0):
    pure = np.stack([np.exp(-(((AXIS + shift - at) / width) ** 2)) for at, width in BANDS])
    clean = c @ pure
    # A little saturation, so that the linear path leaves something to the network.
    clean = clean - 0.2 * clean**2
    return gain * clean + offset + 3e-4 * rng.standard_normal(clean.shape)


@pytest.fixture(scope="module")
def fitted():
    """A tiny encoder that predicts two of three contents on its own instrument."""
    rng = np.random.default_rng(0)
    torch.manual_seed(0)
    encoder = Encoder(TINY)
    c = rng.random((120, 3))
    x, y = measured(c, rng), c[:, :2]
    centred = x - x.mean(axis=0)
    gram = centred.T @ centred + 1e-1 * np.eye(len(AXIS))
    weight = np.linalg.solve(gram, centred.T @ (y - y.mean(axis=0)))
    encoder.linear.set(x.mean(axis=0), weight, y.mean(axis=0))
    inputs, target = torch.from_numpy(x).float(), torch.from_numpy(y).float()
    with torch.no_grad():
        channels = encoder.tokenizer.raw(inputs)
        encoder.tokenizer.centre.copy_(channels.mean(dim=0))
        encoder.tokenizer.scales.copy_(1 / channels.std(dim=0))
        residual = target - encoder.linear(inputs)
    encoder.residual_scale.copy_(residual.std(dim=0))
    optimiser = torch.optim.Adam(encoder.parameters(), 3e-3)
    for _ in range(100):
        y_hat = encoder(inputs, encoder.theta)[0]
        loss = ((y_hat - target) / encoder.residual_scale).square().mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return encoder.eval()


def rmse(encoder, x, y):
    prediction = predict(encoder, torch.from_numpy(x).float())[0].numpy()
    return float(np.sqrt(np.mean((prediction - y) ** 2)))


@pytest.fixture(scope="module")
def transfer():
    rng = np.random.default_rng(4)
    c = rng.random((72, 3))
    x = measured(c, rng, gain=1.15, offset=0.04, shift=1.5)
    return {"x": x[:12], "y": c[:12, :2]}, {"x": x[12:], "y": c[12:, :2]}


def test_transfer_improves_held_out_samples_without_touching_the_base(fitted, transfer):
    few, held_out = transfer
    before = rmse(fitted, **held_out)
    weights = copy.deepcopy(fitted.state_dict())
    settings = {"rank": 2, "rate": 2e-2, "steps": 60, "seed": 0}
    offset_alone = lora_transfer(fitted, **few, **{**settings, "steps": 0})
    offset_corrected = rmse(fitted, **held_out)
    offset_alone.remove()
    assert untouched(offset_alone)
    adapters = lora_transfer(fitted, **few, **settings)
    after = rmse(fitted, **held_out)
    assert all(torch.equal(v, weights[k]) for k, v in fitted.state_dict().items())
    adapters.remove()
    assert rmse(fitted, **held_out) == before
    assert after < 0.7 * offset_corrected < 0.7 * before
    assert after < 0.2 * before


def test_transfer_is_deterministic(fitted, transfer):
    def once():
        adapters = lora_transfer(fitted, **transfer[0], rank=1, rate=5e-3, steps=5, seed=2)
        adapters.remove()
        return pack_arrays(adapters.state())

    assert once() == once()


def test_transfer_to_the_same_instrument_does_no_harm(fitted):
    rng = np.random.default_rng(7)
    c = rng.random((72, 3))
    x, y = measured(c, rng), c[:, :2]
    few, held_out = (x[:12], y[:12]), (x[12:], y[12:])
    before = rmse(fitted, *held_out)
    adapters = lora_transfer(fitted, *few, rank=2, rate=2e-2, steps=30, seed=0)
    after = rmse(fitted, *held_out)
    adapters.remove()
    assert after < 1.5 * before
    # Steps that ruin the encoder are not taken.
    adapters = lora_transfer(fitted, *few, rank=2, rate=1e3, steps=4, seed=0)
    adapters.remove()
    assert untouched(adapters)
    assert adapters.offset.detach().abs().min() > 0


def test_transfer_refuses_what_it_cannot_use(fitted, transfer):
    few = transfer[0]
    settings = {"rank": 1, "rate": 1e-3, "steps": 1, "seed": 0}
    with pytest.raises(ValueError, match="3 transfer samples"):
        lora_transfer(fitted, few["x"][:3], few["y"][:3], **settings)
    with pytest.raises(ValueError, match="do not fit"):
        lora_transfer(fitted, few["x"], few["y"][:, :1], **settings)
    with pytest.raises(ValueError, match="no share"):
        lora_transfer(Encoder(TINY), **few, **settings)
    assert not [m for m in fitted.modules() if m._forward_hooks]
