import numpy as np
import torch

from spektron_train.evaluation import run_encoder
from spektron_train.model.rounding import equalise, rounded_as_int8


def spectra(n=12):
    return torch.rand(n, 700, generator=torch.Generator().manual_seed(1))


def rounding_error(encoder, x):
    exact = run_encoder(encoder, x.numpy())[1]
    with rounded_as_int8(encoder, x):
        rounded = run_encoder(encoder, x.numpy())[1]
    return np.sqrt(np.mean((rounded - exact) ** 2) / exact.var())


def test_rounding_is_small_and_leaves_nothing_behind(small_encoder):
    before = {k: v.clone() for k, v in small_encoder.state_dict().items()}
    assert 1e-4 < rounding_error(small_encoder, spectra()) < 0.1
    after = small_encoder.state_dict()
    assert all(torch.equal(before[k], after[k]) for k in before)
    assert rounding_error(small_encoder, spectra()) == rounding_error(small_encoder, spectra())


def test_equalising_changes_rounding_and_nothing_else(small_encoder):
    x = spectra()
    with torch.no_grad():
        for block in small_encoder.blocks:
            # One hidden unit that is large, and hardly listened to.
            block.expand.weight[:, 3] *= 300
            block.contract.weight[3] /= 300
            block.qkv.weight[:, -5] *= 300
            block.out.weight[-5] /= 300
    loud = rounding_error(small_encoder, x)
    before = run_encoder(small_encoder, x.numpy())
    equalise(small_encoder, x)
    for a, b in zip(before, run_encoder(small_encoder, x.numpy()), strict=True):
        assert np.allclose(a, b, atol=1e-4)
    assert rounding_error(small_encoder, x) < loud / 3


def test_a_unit_that_never_fired_is_not_made_loud(small_encoder):
    block = small_encoder.blocks[0]
    with torch.no_grad():
        # Fires only where the spectra say more than those it is equalised on.
        block.expand.bias[3] -= 6 * block.expand.weight[:, 3].norm()
    equalise(small_encoder, spectra())
    columns = block.expand.weight.norm(dim=0)
    assert columns[3] < 10 * columns.median()
