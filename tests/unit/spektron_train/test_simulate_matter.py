"""Samples: light transport in its limits, compositions, determinism."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import solve_bvp

from spektron_train.data.simulate.environment import Equilibria
from spektron_train.data.simulate.families import FAMILIES
from spektron_train.data.simulate.matter import CONSTITUENTS, Matter
from spektron_train.data.simulate.mixtures import draw_product
from spektron_train.data.simulate.molecules import absorption_forms
from spektron_train.data.simulate.presentation import (
    attenuated_total_reflection,
    choose_cell,
    infinite_reflectance,
    present,
    shadowed,
    slab_transmittance,
)
from spektron_train.data.simulate.substances import SUBSTANCES

NM = np.linspace(1100.0, 2500.0, 141)
UNKNOWNS = ("unknown 0", "unknown 1")


@pytest.fixture(scope="module")
def matter() -> Matter:
    return Matter(1e7 / NM)


def test_nothing_absorbed_is_all_reflected() -> None:
    assert infinite_reflectance(np.zeros(1)) == pytest.approx(1.0)


@given(st.floats(1e-6, 1e6))
def test_the_remission_function_recovers_k_over_s(k_over_s: float) -> None:
    r = infinite_reflectance(np.array([k_over_s]))
    assert (1 - r) ** 2 / (2 * r) == pytest.approx(k_over_s, rel=1e-6)


def test_slab_without_absorption_and_without_scattering() -> None:
    one = np.ones(1)
    assert slab_transmittance(0 * one, 5 * one, 3.0) == pytest.approx(1 / 16, rel=1e-4)
    assert slab_transmittance(0.7 * one, 1e-6 * one, 2.0) == pytest.approx(np.exp(-1.4), rel=1e-4)
    assert np.all(slab_transmittance(50 * one, 20 * one, 10.0) >= 0)


def test_slab_solves_the_two_flux_equations() -> None:
    k, s, d = 0.4, 3.0, 1.5

    def flux(_: np.ndarray, y: np.ndarray) -> np.ndarray:
        return np.stack([-(k + s) * y[0] + s * y[1], (k + s) * y[1] - s * y[0]])

    z = np.linspace(0, d, 50)
    solved = solve_bvp(flux, lambda a, b: np.array([a[0] - 1, b[1]]), z, np.ones((2, 50)), tol=1e-8)
    ours = slab_transmittance(np.array([k]), np.array([s]), d)
    assert ours[0] == pytest.approx(solved.y[0, -1], rel=1e-5)


def test_dark_particles_hide_what_lies_behind() -> None:
    k = np.array([[1e-6, 1.0, 1e6]])
    seen = shadowed(k, np.array([[0.5]]))[0]
    assert seen[0] == pytest.approx(1e-6)
    assert seen[1] == pytest.approx((1 - np.exp(-0.5)) / 0.5)
    assert seen[2] == pytest.approx(2.0)
    np.testing.assert_array_equal(shadowed(k, np.zeros((1, 1))), k)


def test_transmission_is_linear_in_absorption_and_path() -> None:
    product = draw_product(FAMILIES["solvent mixture"], np.random.default_rng(0), UNKNOWNS)
    absorption = np.tile(np.linspace(0.1, 0.4, 20), (3, 1)) * np.array([[1.0], [2.0], [3.0]])
    absorbance, path = present(absorption, 1e7 / NM[:20], product, np.random.default_rng(1))
    np.testing.assert_allclose(absorbance, path[:, None] * absorption)


def test_the_cell_suits_the_liquid() -> None:
    assert choose_cell(np.full((2, 50), 100.0)) < choose_cell(np.full((2, 50), 1.0)) == 1.0


def test_total_reflection_reaches_deeper_at_long_waves() -> None:
    axis = np.array([1000.0, 2000.0])
    a, depth = attenuated_total_reflection(np.ones((1, 2)), axis, np.ones(1))
    assert a[0, 0] == pytest.approx(2 * a[0, 1]) == pytest.approx(depth[0])


@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_gives_finite_spectra(matter: Matter, family: str) -> None:
    samples = matter.draw(12, np.random.default_rng(3), family)
    assert samples.absorbance.shape == (12, len(NM))
    assert np.all(np.isfinite(samples.absorbance))
    assert samples.absorbance.min() > -1e-9
    assert samples.absorbance.max() < 20
    assert set(samples.family) == {family}
    assert np.all(samples.scatter > 0)


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 40), st.integers(0, 2**31))
def test_compositions_are_fractions_of_one(matter: Matter, n: int, seed: int) -> None:
    samples = matter.draw(n, np.random.default_rng(seed))
    assert samples.composition.shape == (n, len(CONSTITUENTS))
    assert samples.composition.min() >= 0
    np.testing.assert_allclose(samples.composition.sum(axis=1), 1.0)
    assert len(samples.family) == len(samples.temperature_c) == n


def test_the_same_seed_draws_the_same(matter: Matter) -> None:
    a, b = (matter.draw(9, np.random.default_rng(7)) for _ in range(2))
    c = Matter(1e7 / NM).draw(9, np.random.default_rng(7))
    for other in (b, c):
        np.testing.assert_array_equal(a.absorbance, other.absorbance)
        np.testing.assert_array_equal(a.composition, other.composition)
    assert not np.array_equal(a.absorbance, matter.draw(9, np.random.default_rng(8)).absorbance)


def test_protein_rises_where_starch_falls_and_water_goes_its_own_way(matter: Matter) -> None:
    protein, starch, water = (CONSTITUENTS.index(c) for c in ("protein", "starch", "water"))
    signs, drift = [], []
    for seed in range(20):
        x = matter.draw(60, np.random.default_rng(seed), "flour").composition
        dry = x / (1 - x[:, [water]])
        signs.append(np.corrcoef(dry[:, protein], dry[:, starch])[0, 1])
        drift.append(np.corrcoef(dry[:, protein], water_of := x[:, water])[0, 1])
        assert 0.03 < water_of.mean() < 0.3
    assert np.mean(signs) < -0.5
    assert abs(np.mean(drift)) < 0.15


def test_products_of_a_family_differ_more_than_samples_of_a_product(matter: Matter) -> None:
    draws = [
        matter.draw(20, np.random.default_rng(s), "flour").composition[:, 1] for s in range(15)
    ]
    assert np.std([d.mean() for d in draws]) > np.mean([d.std() for d in draws])


def test_coarser_powder_looks_darker(matter: Matter) -> None:
    samples = matter.draw(200, np.random.default_rng(2), "whole grain")
    assert np.corrcoef(samples.scatter, samples.absorbance.mean(axis=1))[0, 1] < -0.5


def test_mixtures_are_linear_in_the_pure_spectra() -> None:
    substances = (SUBSTANCES["sucrose"], SUBSTANCES["water"])
    forms = np.concatenate([absorption_forms(s, 1e7 / NM) for s in substances])
    volume = np.array([[1.0, 0.0], [0.0, 1.0], [0.3, 0.7]])
    state = np.full(3, 25.0), np.full(3, 0.8)
    spectra = Equilibria(substances).shares(volume, *state) @ forms
    np.testing.assert_allclose(spectra[2], 0.3 * spectra[0] + 0.7 * spectra[1])


def test_warmth_frees_hydroxyl_and_water_binds_it() -> None:
    starch = (SUBSTANCES["starch"],)
    temperature, water = np.array([25.0, 60.0, 25.0]), np.array([0.0, 0.0, 0.3])
    weights = Equilibria(starch).shares(np.ones((3, 1)), temperature, water)
    np.testing.assert_allclose(weights[:, 1:].sum(axis=1), 1.0)
    assert weights[1, 1] > weights[0, 1] > weights[2, 1]


def test_raman_sits_on_a_smooth_background() -> None:
    matter = Matter(np.linspace(400.0, 1800.0, 351))
    a, b = (matter.draw_raman(10, np.random.default_rng(4)) for _ in range(2))
    np.testing.assert_array_equal(a.absorbance, b.absorbance)
    assert np.all(np.isfinite(a.absorbance))
    assert a.absorbance.min() > 0


@pytest.mark.parametrize(
    "axis",
    [
        np.linspace(400.0, 16_700.0, 400),
        np.linspace(4000.0, 400.0, 300),
        1e7 / np.linspace(600.0, 1792.0, 300),
        1e7 / np.array([1450.0, 1940.0]),
    ],
    ids=["everything", "mid-infrared", "short", "two channels"],
)
def test_any_axis_will_do(axis: np.ndarray) -> None:
    matter = Matter(axis)
    for seed in range(10):
        samples = matter.draw(30, np.random.default_rng(seed))
        assert samples.absorbance.shape == (30, len(axis))
        assert np.all(np.isfinite(samples.absorbance))
        assert samples.absorbance.max() < 20


def test_an_unknown_family_is_refused(matter: Matter) -> None:
    with pytest.raises(KeyError):
        matter.draw(2, np.random.default_rng(0), "moon dust")
