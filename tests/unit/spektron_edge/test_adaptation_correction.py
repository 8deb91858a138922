"""What undoes an instrument: every term, the way back, first order, line shapes, populations."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter1d

from spektron_edge.adaptation.correction import TERMS, Correction, position, shifted
from spektron_edge.adaptation.line_shape import broadened, broadening
from spektron_edge.adaptation.population import Population, View, noise_of
from spektron_edge.adaptation.samples import by_sample

pytestmark = pytest.mark.numerics

AXIS = np.arange(1100.0, 2500.0, 4.0)
U = position(AXIS.size)
# Small ones: hundredths of absorbance, tenths of nm.
SMALL = dict.fromkeys(TERMS, 0.01)
SMALL |= {"shift": 0.3, "stretch": 0.3, "water_1450_shift": 0.3, "water_1930_shift": 0.3}
SMALL |= {"water_1450_width": 1.0, "water_1930_width": 1.0}


def smooth(count, seed=0):
    """Bands 60 nm wide and more, which channels of 4 nm resolve."""
    rng = np.random.default_rng(seed)
    centres, widths = np.linspace(1150, 2450, 7), np.linspace(60, 120, 7)
    bands = np.exp(-0.5 * ((AXIS - centres[:, None]) / widths[:, None]) ** 2)
    return 0.3 + rng.uniform(0.05, 0.4, (count, 7)) @ bands


def of(residual=None, **terms):
    coefficients = np.array([terms.get(name, 0.0) for name in TERMS])
    return Correction(coefficients, np.zeros(AXIS.size) if residual is None else residual, AXIS)


def test_none_changes_no_bit():
    x = smooth(3)
    assert Correction.none(AXIS).apply(x).tobytes() == x.tobytes()
    assert Correction.none(AXIS).undo(x).tobytes() == x.tobytes()


def window(centre):
    return np.exp(-0.5 * ((AXIS - centre) / 45.0) ** 2)


def bent(x):
    """Second derivative per nm^2, by the derivative of bands that are known."""
    return np.gradient(np.gradient(x, 4.0, axis=1), 4.0, axis=1)


@pytest.mark.parametrize(
    ("name", "size", "change"),
    [
        ("offset", 0.1, lambda _: np.ones(AXIS.size)),
        ("slope", 0.1, lambda _: U),
        ("curvature", 0.1, lambda _: U**2 - 1 / 3),
        ("cubic", 0.1, lambda _: U**3),
        ("gain", 0.1, lambda x: x),
        ("gain_slope", 0.1, lambda x: x * U),
        ("stray", 0.01, lambda x: (10**x - 1) / np.log(10)),
        *(
            (f"linearity_{k}", 0.1, lambda x, k=k: U**k * (1 - 10**-x) / np.log(10))
            for k in range(5)
        ),
    ],
)
def test_a_term_of_absorbance_is_added_as_it_says(name, size, change):
    x = smooth(2)
    found = of(**{name: size}).apply(x) - x
    np.testing.assert_allclose(found, np.broadcast_to(size * change(x), x.shape), atol=1e-14)
    assert of(**{name: size}).named[name] == size


def test_the_residual_is_added_to_every_spectrum():
    x, residual = smooth(3), np.sin(U)
    np.testing.assert_allclose(of(residual).apply(x) - x, np.broadcast_to(residual, x.shape))


@pytest.mark.parametrize(("name", "along"), [("shift", np.ones(AXIS.size)), ("stretch", U)])
def test_an_axis_that_moved_is_read_where_it_was(name, along):
    def band(nm):
        return np.exp(-0.5 * ((nm - 1800) / 60) ** 2)[None]

    found = of(**{name: 1.5}).apply(band(AXIS))
    np.testing.assert_allclose(found, band(AXIS + 1.5 * along), atol=2e-5)


@pytest.mark.parametrize(("band", "centre"), [("water_1450", 1440.0), ("water_1930", 1930.0)])
def test_bands_of_water_move_and_sharpen_around_themselves_alone(band, centre):
    x = smooth(1)
    inner = slice(8, -8)
    moved = of(**{f"{band}_shift": 0.5}).apply(x) - x
    expected = 0.5 * window(centre) * np.gradient(x, 4.0, axis=1)
    np.testing.assert_allclose(moved, expected, atol=1e-12)
    sharper = of(**{f"{band}_width": 20.0}).apply(x) - x
    expected = -0.5 * 20.0 * window(centre) * bent(x)
    np.testing.assert_allclose(
        sharper[:, inner], expected[:, inner], atol=0.02 * np.abs(expected).max()
    )
    away = np.abs(AXIS - centre) > 300
    assert np.abs(sharper[:, away]).max() < 1e-9


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.floats(-1, 1), min_size=len(TERMS), max_size=len(TERMS)),
    st.integers(0, 100),
)
def test_what_is_undone_is_applied_to_the_same_spectra(sizes, seed):
    terms = {name: s * SMALL[name] for name, s in zip(TERMS, sizes, strict=True)}
    correction, x = of(0.01 * np.sin(3 * U), **terms), smooth(2, seed)
    np.testing.assert_allclose(correction.apply(correction.undo(x)), x, atol=1e-6)


@settings(max_examples=20, deadline=None)
@given(st.floats(-12, 12), st.integers(0, 100))
def test_shifts_of_channels_are_undone_in_noisy_spectra_too(shift, seed):
    x = smooth(2, seed) + 1e-3 * np.random.default_rng(seed).standard_normal((2, AXIS.size))
    correction = of(shift=shift)
    # Half a channel's shift takes the shortest wave away, which nothing brings back.
    apart = correction.apply(correction.undo(x)) - x
    assert np.abs(apart[:, 20:-20]).max() < 5e-3
    assert np.abs(apart).max() < 0.3


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 1000))
def test_a_residual_moves_what_comes_out_by_itself(seed):
    rng = np.random.default_rng(seed)
    terms = dict(zip(TERMS, rng.uniform(-1, 1, len(TERMS)), strict=True))
    without = of(**{name: s * SMALL[name] for name, s in terms.items()})
    a, b, x = rng.standard_normal(AXIS.size), rng.standard_normal(AXIS.size), smooth(2, seed)
    with_both = replace(without, residual=a + b).apply(x)
    np.testing.assert_allclose(with_both - without.apply(x), np.tile(a + b, (2, 1)), atol=1e-12)


def test_columns_are_the_derivatives():
    x = smooth(2)
    # Around the identity: elsewhere products of coefficients are of second order.
    columns = of().columns(x)
    inner = slice(3, -3)
    for row, name in enumerate(TERMS):
        step = 1e-4 * SMALL[name]
        there, here = (of(**{name: s}).apply(x) for s in (step, -step))
        found = ((there - here) / (2 * step))[:, inner]
        top = np.abs(found).max()
        np.testing.assert_allclose(columns[row][:, inner], found, atol=1e-5 * top, err_msg=name)


def test_beyond_the_ends_the_end_values_stand():
    x = smooth(1)
    assert np.all(shifted(x, np.full(AXIS.size, 1000.0)) == x[:, -1:])
    assert np.all(shifted(x, np.full(AXIS.size, -1000.0)) == x[:, :1])
    np.testing.assert_allclose(shifted(x, np.ones(AXIS.size))[:, :-1], x[:, 1:], atol=1e-12)


# ---- line shape


@pytest.mark.parametrize("variance", [1.0, 4.0, 9.0])
def test_light_is_averaged_by_a_gaussian(variance):
    x = smooth(1)[0]
    wide = -np.log10(gaussian_filter1d(10.0**-x, np.sqrt(variance), truncate=8))
    np.testing.assert_allclose(broadened(x, variance)[30:-30], wide[30:-30], atol=1e-6)


@pytest.mark.parametrize("variance", [1.0, 4.0, 9.0])
def test_a_line_shape_that_was_widened_and_narrowed_is_what_it_was(variance):
    x = smooth(1)[0]
    back = broadened(broadened(x, variance), -variance)
    lost = np.abs(broadened(x, variance) - x)[20:-20].max()
    assert np.abs(back - x)[20:-20].max() < 0.05 * lost


def test_no_variance_is_the_same_spectrum_and_a_constant_has_no_line_shape():
    x = smooth(1)[0]
    assert broadened(x, 0.0) is x
    np.testing.assert_allclose(broadened(np.full(80, 0.4), 5.0), 0.4, atol=1e-12)


@pytest.mark.parametrize("variance", [2.0, 6.0])
def test_broadening_is_the_derivative(variance):
    x = smooth(1)[0]
    found = (broadened(x, variance + 1e-3) - broadened(x, variance - 1e-3)) / 2e-3
    np.testing.assert_allclose(broadening(x, variance), found, atol=1e-3 * np.abs(found).max())


# ---- population and samples


def test_means_scatter_as_the_population_says():
    rng = np.random.default_rng(3)
    count, noise, points, trials = 8, 0.02, 6, 20_000
    mixing = rng.standard_normal((points, points)) * 0.1
    # A source so large that its own mean is known, and noise of its own that is not.
    source = rng.standard_normal((4000, points)) @ mixing
    population = replace(Population.of(source), noise=0.0)
    samples = rng.standard_normal((trials, count, points)) @ mixing
    samples += noise * rng.standard_normal(samples.shape)
    references = noise / 8 * rng.standard_normal((trials, points))
    drawn = samples.mean(axis=1) + references
    expected = population.scatter(count, noise, today=0.0)
    np.testing.assert_allclose(
        np.cov(drawn.T), expected, atol=0.06 * np.abs(np.diag(expected)).max()
    )


def test_todays_composition_and_a_small_source_make_means_scatter_more():
    population = Population.of(smooth(20))
    one, more = (np.diag(population.scatter(10, 1e-4, today)) for today in (0.0, 0.5))
    spread = np.diag(population.factors.T @ population.factors)
    np.testing.assert_allclose(more - one, 0.5 * spread, rtol=1e-9)
    np.testing.assert_allclose(spread, smooth(20).var(axis=0, ddof=1), rtol=1e-6)


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 1000), st.sampled_from([3e-5, 3e-4, 3e-3]))
def test_noise_is_found_in_spectra_that_have_structure(seed, noise):
    rng = np.random.default_rng(seed)
    x = smooth(12, seed) + noise * rng.standard_normal((12, AXIS.size))
    assert noise_of(x) == pytest.approx(noise, rel=0.1)


def test_a_view_averages_neighbours_and_leaves_the_margins():
    view = View(width=2, margin=3)
    np.testing.assert_allclose(view(np.arange(17.0)), [3.5, 5.5, 7.5, 9.5, 11.5])
    assert View.of(AXIS.size).width == 1
    assert View.of(700) == View(2, 21)


@settings(max_examples=20, deadline=None)
@given(st.lists(st.integers(1, 4), min_size=3, max_size=10), st.integers(0, 1000))
def test_repeats_of_a_sample_become_one_mean(repeats, seed):
    rng = np.random.default_rng(seed)
    source = smooth(30)
    apart = rng.permutation(30)[: len(repeats)]
    rows = rng.permutation(np.repeat(apart, repeats))
    recent = source[rows] + 1e-5 * rng.standard_normal((len(rows), AXIS.size))
    # A cup that lies otherwise has another offset.
    recent += 0.05 * rng.standard_normal((len(rows), 1))
    means, each = by_sample(recent, source)
    assert len(means) == len(repeats)
    assert each == pytest.approx(np.mean(repeats))
    firsts = list(dict.fromkeys(rows.tolist()))
    expected = np.stack([recent[rows == row].mean(axis=0) for row in firsts])
    np.testing.assert_allclose(means, expected, atol=1e-12)
