"""What happened to an instrument is found in a mean spectrum, and what speaks for it is right."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import multivariate_normal

from spektron_edge.adaptation.correction import TERMS
from spektron_edge.adaptation.explanation import _COST, _Problem, explain, misfit
from spektron_edge.adaptation.forms import FORMS, forms_of
from spektron_edge.adaptation.line_shape import broadened, broadening
from spektron_edge.adaptation.population import Population
from tests.corn_adapting import NOISE, corn_material, correction, measured

pytestmark = pytest.mark.numerics


def explained(spectra, **options):
    material = corn_material()
    return explain(spectra, NOISE, material.population, material.axis_nm, **options)


def rms(x):
    return float(np.sqrt(np.mean(x**2)))


# ---- evidence and posterior, against the dense Gaussian


@settings(max_examples=30, deadline=None)
@given(
    st.integers(0, 10_000),
    st.dictionaries(st.sampled_from(["a", "b", "c"]), st.floats(0.01, 3.0)),
)
def test_evidence_and_mean_are_those_of_the_dense_gaussian(seed, sizes):
    rng = np.random.default_rng(seed)
    groups = {"a": slice(0, 2), "b": slice(2, 3), "c": slice(3, 7)}
    features, told = rng.standard_normal((12, 7)), 3 * rng.standard_normal(12)
    prior = np.zeros(7)
    for name, size in sizes.items():
        prior[groups[name]] = size**2
    covariance = np.eye(12) + features * prior @ features.T
    problem = _Problem(told, features, groups)

    density = multivariate_normal(np.zeros(12), covariance).logpdf(told)
    alone = multivariate_normal(np.zeros(12), np.eye(12)).logpdf(told)
    gained = problem.evidence(sizes) - problem.evidence({})
    assert gained == pytest.approx(density - alone - _COST * len(sizes), abs=1e-8)
    expected = prior * (features.T @ np.linalg.solve(covariance, told))
    np.testing.assert_allclose(problem.mean(sizes), expected, atol=1e-9)


# ---- what is found on corn


@pytest.mark.parametrize(
    ("name", "size", "near"),
    [
        ("offset", 0.3, 0.005),
        ("shift", 0.6, 0.03),
        ("shift", -2.5, 0.15),
        ("stretch", 1.0, 0.03),
        ("stray", 0.01, 0.003),
        ("gain", 0.15, 0.03),
    ],
)
def test_a_change_is_found_by_its_name_and_size(name, size, near):
    moved = correction(**{name: size}).undo(measured())
    found = explained(moved)
    assert found.correction.named[name] == pytest.approx(size, abs=near)
    assert found.gained > 20
    assert 0.3 < found.misfit < 2


@pytest.mark.parametrize(
    ("terms", "left"),
    [
        # Gain, linearity and stray light do nearly the same to corn: what is undone counts.
        ({"gain": 0.05}, 0.15),
        ({"linearity_0": 0.1}, 0.5),
        ({"linearity_1": 0.1, "linearity_2": -0.05}, 0.15),
        ({"slope": 0.02, "curvature": -0.02, "cubic": 0.01}, 0.05),
        ({"gain": -0.1, "shift": 0.5, "offset": 0.1}, 0.05),
        ({"water_1930_shift": 1.0, "water_1450_shift": 1.0}, 0.15),
    ],
)
def test_what_is_undone_is_what_was_done(terms, left):
    x = measured()
    moved = correction(**terms).undo(x)
    found = explained(moved)
    back = found.correction.apply(moved).mean(axis=0) - x.mean(axis=0)
    inner = slice(21, -21)
    done = (moved - x).mean(axis=0)[inner]
    assert rms(back[inner]) < left * rms(done)
    assert 0.3 < found.misfit < 2


@pytest.mark.parametrize("variance_nm2", [-8.0, 12.0, 40.0])
def test_a_line_shape_is_found(variance_nm2):
    step = corn_material().axis_nm[1] - corn_material().axis_nm[0]
    moved = np.stack([broadened(x, variance_nm2 / step**2) for x in measured(noise=0.0)])
    moved += NOISE * np.random.default_rng(4).standard_normal(moved.shape)
    found = explained(moved)
    assert found.line_shape == pytest.approx(variance_nm2, rel=0.15)
    assert "line shape" in found.sizes


def test_samples_of_another_composition_alone_are_no_change():
    """As the source's covariance makes them: nothing is gained, and nothing done."""
    population = corn_material().population
    worth, done = [], []
    for seed in range(12):
        rng = np.random.default_rng(seed)
        drawn = rng.standard_normal((20, len(population.factors))) @ population.factors
        x = population.mean + drawn + NOISE * rng.standard_normal(drawn.shape)
        found = explained(x)
        worth.append(found.gained)
        done.append(rms((found.correction.apply(x) - x).mean(axis=0)))
        assert 0.3 < found.misfit < 2
    assert np.median(worth) < 3
    assert max(worth) < 15
    assert np.median(done) < 1e-3


def test_one_cause_is_worth_no_more_than_all_and_as_much_where_it_was_one():
    both = explained(correction(shift=0.6, offset=0.3).undo(measured()))
    assert both.by_one < both.gained - 100
    one = explained(correction(shift=0.6).undo(measured()))
    assert one.gained - 3 < one.by_one <= one.gained


def test_terms_alone_leave_no_residual_and_no_group_of_it():
    found = explained(correction(gain=0.1).undo(measured()), residuals=False)
    assert not [name for name in found.sizes if "residual" in name]
    assert rms(found.correction.residual) < 1e-5


def test_what_is_known_helps_to_begin_and_changes_nothing():
    moved = correction(shift=0.6).undo(measured())
    first = explained(moved)
    again = explained(moved, near=first)
    assert again.correction.named["shift"] == pytest.approx(0.6, abs=0.03)
    assert again.gained == pytest.approx(first.gained, abs=1.0)


def test_the_same_spectra_are_explained_the_same_to_the_last_bit():
    moved = correction(gain=0.1).undo(measured())
    one, two = explained(moved), explained(moved)
    assert one.correction.coefficients.tobytes() == two.correction.coefficients.tobytes()
    assert one.correction.residual.tobytes() == two.correction.residual.tobytes()


def test_misfit_is_one_by_scatter_and_more_by_a_change():
    population = corn_material().population
    found = []
    for seed in range(20):
        rng = np.random.default_rng(seed)
        drawn = rng.standard_normal((15, len(population.factors))) @ population.factors
        x = population.mean + drawn + NOISE * rng.standard_normal(drawn.shape)
        found.append(misfit(x, NOISE, population, correction()))
    assert 0.5 < np.mean(found) < 1.2
    assert misfit(x, NOISE, population, correction(offset=0.1)) > 10


# ---- forms, for drift detection


def change_of(name, mean):
    if name == "line_shape":
        return broadening(mean, 0.0)
    axis = np.arange(mean.size, dtype=np.float64)
    none = type(correction()).none(axis)
    return none.columns(mean[None])[TERMS.index(name), 0]


def test_forms_have_variance_one_over_samples():
    x = corn_material().x
    forms, population = forms_of(x), Population.of(x)
    noise = max(population.noise, 3e-4)
    covariance = population.factors.T @ population.factors + noise**2 * np.eye(x.shape[1])
    np.testing.assert_allclose(np.diag(forms.rows @ covariance @ forms.rows.T), 1.0, rtol=1e-6)


@pytest.mark.parametrize("name", FORMS)
def test_a_form_responds_to_its_change_more_than_any_other_direction_of_that_variance(name):
    x = corn_material().x
    forms, population = forms_of(x), Population.of(x)
    noise = max(population.noise, 3e-4)
    covariance = population.factors.T @ population.factors + noise**2 * np.eye(x.shape[1])
    change = change_of(name, population.mean)
    mine = forms.rows[FORMS.index(name)] @ change
    assert mine > 0
    assert mine == pytest.approx(np.sqrt(change @ np.linalg.solve(covariance, change)), rel=1e-5)
    assert forms.of(population.mean + 1e-3 * change)[FORMS.index(name)] == pytest.approx(
        1e-3 * mine, rel=1e-9
    )
