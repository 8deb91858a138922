import numpy as np
import pytest
import torch

from spektron_train.physics.differentiable import torch_lines, torch_modes
from spektron_train.physics.lines import lines
from spektron_train.physics.surface import stored
from spektron_train.physics.wilson import force_constants, internals, solve

NAMES = ("H2O", "CO2", "NH3", "CH4", "H2CO", "C2H4")


def of(name):
    surface = stored(name)
    space = internals(surface.molecule)
    f = force_constants(space, surface)
    arrays = (space.independent_b, surface.molecule.masses, f)
    return surface, space, [torch.tensor(a) for a in arrays]


def seen(surface, modes):
    return torch_lines(modes, torch.tensor(surface.dipole), torch.tensor(surface.polarisability))


@pytest.mark.parametrize("name", NAMES)
def test_torch_agrees_with_numpy(name):
    surface, space, (b, masses, f) = of(name)
    expected = lines(surface, solve(space, f.numpy()))
    found = seen(surface, torch_modes(b, masses, f))
    np.testing.assert_allclose(found.wavenumbers, expected.wavenumbers, rtol=1e-9, atol=1e-9)
    # One by one where levels differ; in sum where they are equal, as the modes mix freely there.
    groups = np.concatenate([[0], np.cumsum(np.diff(expected.wavenumbers) > 1e-2)])
    for ours, theirs in ((found.infrared, expected.infrared), (found.raman, expected.raman)):
        sums = [np.bincount(groups, weights=np.asarray(a)) for a in (ours, theirs)]
        np.testing.assert_allclose(sums[0], sums[1], rtol=1e-9, atol=1e-9)


def test_a_batch_is_one_by_one():
    surface, _, (b, masses, f) = of("H2CO")
    scale = torch.tensor([0.9, 1.0, 1.1], dtype=torch.float64)
    heavier = masses + torch.arange(3, dtype=torch.float64)[:, None]
    batch = seen(surface, torch_modes(b, heavier, f * scale[:, None, None]))
    for row in range(3):
        alone = seen(surface, torch_modes(b, heavier[row], f * scale[row]))
        for together, single in zip(batch, alone, strict=True):
            torch.testing.assert_close(together[row], single, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("name", ["H2O", "H2CO"])
def test_derivatives_are_differences(name):
    surface, _, (b, masses, f) = of(name)

    def forward(masses, f):
        # Not three orders of magnitude apart, for one tolerance.
        wavenumbers, infrared, raman = seen(surface, torch_modes(b, masses, (f + f.mT) / 2))
        return wavenumbers / 1000, infrared / 100, raman / 100

    inputs = masses.requires_grad_(), f.requires_grad_()
    assert torch.autograd.gradcheck(forward, inputs, eps=1e-5, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("name", ["NH3", "CH4", "CO2"])
def test_derivatives_at_degenerate_levels_are_those_of_sums(name):
    surface, _, (b, masses, f) = of(name)
    # A change that keeps the degeneracy, and one that lifts it.
    generator = torch.Generator().manual_seed(3)
    lifted = torch.randn(f.shape, generator=generator, dtype=torch.float64) * 0.01
    for change in (f * 0.01, (lifted + lifted.mT) / 2):
        step = torch.zeros((), dtype=torch.float64, requires_grad=True)

        def total(step, change=change):
            found = seen(surface, torch_modes(b, masses, f + step * change))
            return torch.stack([found.wavenumbers.sum(), found.infrared.sum(), found.raman.sum()])

        slopes = [torch.autograd.grad(total(step)[i], step)[0].item() for i in range(3)]
        ahead, behind = (total(torch.tensor(s, dtype=torch.float64)) for s in (1e-4, -1e-4))
        np.testing.assert_allclose(slopes, (ahead - behind) / 2e-4, rtol=1e-5, atol=1e-5)
